// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Metrics

/// A step of a stream; the tests' own support has an event of the same name.
typealias StreamStep = StreamEvent

/// Steps of a stream as texts, for comparisons that do not mind where things stand.
enum StreamSteps {
    static func text(_ event: StreamEvent, _ bytes: [UInt8]) -> String {
        func text(_ text: JSONText) -> String { text.value(from: bytes.span) }
        func text(_ text: JSONText?) -> String { text.map { $0.value(from: bytes.span) } ?? "-" }
        switch event {
        case .start(let id): return "start \(text(id))"
        case .text(let piece): return "text \(text(piece))"
        case .thinking(let piece): return "thinking \(text(piece))"
        case .signature(let piece): return "signature \(text(piece))"
        case .encryptedThinking(let data): return "encrypted \(text(data))"
        case .refusal(let piece): return "refusal \(text(piece))"
        case .callStart(let index, let id, let name, _):
            return "call \(index) \(text(id)) \(text(name))"
        case .callInput(let index, let piece): return "input \(index) \(text(piece))"
        case .callObject(let index, let object):
            let out = ByteBuffer()
            object.append(from: bytes.span, to: out)
            return "object \(index) \(out.text)"
        case .callEnd(let index): return "callEnd \(index)"
        case .media: return "media"
        case .usage(let usage):
            return "usage \(usage.input) \(usage.output) \(usage.cached) \(usage.cacheWrite)"
        case .finish(let reason, let stop):
            return "finish \(reason)" + (stop.map { " " + text($0) } ?? "")
        case .end: return "end"
        case .error(let complaint):
            return "error \(complaint.status.map { "\($0)" } ?? "-") \(complaint.message)"
        }
    }
}
