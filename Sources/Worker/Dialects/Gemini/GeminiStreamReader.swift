// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads the events of a stream of Gemini's generateContent.
///
/// There is no terminal event: the stream ends behind the chunk with a reason to finish. Some
/// models name a reason in every chunk, so it is told when the framing ends.
struct GeminiStreamReader {
    private var hasStarted = false
    private var calls = 0
    private var finish: FinishReason?
    private var hasFailed = false
    private var hasEnded = false

    /// Takes the JSON of one event.
    mutating func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        if tape.kind(of: root) == .array {
            for element in tape.elements(of: root) {
                read(element, tape, bytes, into: &events)
            }
            return
        }
        guard !hasEnded, !hasFailed else { return }
        if let complaint = ComplaintReader.find(root, tape, bytes) {
            hasFailed = true
            events.append(.error(complaint))
            return
        }
        let chunk = GeminiChunk(root, tape, bytes)
        if !hasStarted {
            hasStarted = true
            events.append(.start(id: chunk.id.map { JSONText($0, tape) }))
        }
        for part in chunk.elements(tape) {
            read(part: part, tape, bytes, into: &events)
        }
        if let usage = chunk.usage.flatMap({ GeminiUsage.read($0, tape, bytes) }) {
            events.append(.usage(usage))
        }
        let reason = chunk.finishReason.flatMap {
            GeminiFinish.read($0, hasCalls: calls > 0, tape, bytes)
        }
        if let reason {
            finish = reason
        } else if chunk.isBlocked {
            finish = finish ?? .contentFilter
        }
    }

    private mutating func read(
        part node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        let part = GeminiPart(node, tape, bytes)
        if let text = part.text, tape.kind(of: text) == .string {
            let text = JSONText(text, tape)
            if !text.isEmpty { events.append(part.isThought ? .thinking(text) : .text(text)) }
        } else if let node = part.functionCall {
            let call: ToolCall
            do throws(ConversionError) {
                call = try GeminiCallReader.read(node, tape, bytes)
            } catch {
                // A call without a name is nothing that a client could answer.
                return
            }
            let index = calls
            calls += 1
            let signature = part.signature(tape)
            events.append(
                .callStart(index: index, id: call.id, name: call.name, signature: signature)
            )
            switch call.input {
            case .object(let fragment): events.append(.callObject(index: index, fragment))
            case .text(let text): events.append(.callInput(index: index, text))
            }
            events.append(.callEnd(index: index))
        } else if part.inlineData != nil || part.fileData != nil {
            readMedia(part, tape, bytes, into: &events)
        } else if let text = part.codeText(tape, bytes) {
            events.append(.text(text))
        }
    }

    private func readMedia(
        _ part: GeminiPart,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        do throws(ConversionError) {
            if let data = part.inlineData {
                events.append(.media(try GeminiMedia.readInline(data, tape, bytes)))
            } else if let file = part.fileData {
                events.append(.media(try GeminiMedia.readFile(file, tape, bytes)))
            }
        } catch {
            // An image that cannot be read ends an answer in the middle of it.
            let message = "An image of the answer \(error.message)."
            events.append(.error(UpstreamComplaint(status: 502, message: message)))
        }
    }

    /// The stream's framing has ended; notes `end` if the format has no event for it and all was
    /// said.
    mutating func finish(into events: inout [StreamEvent]) {
        guard let finish, !hasFailed, !hasEnded else { return }
        hasEnded = true
        events.append(.finish(finish, stopSequence: nil))
        events.append(.end)
    }

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    static func isPlainContent(_ data: Span<UInt8>) -> Bool {
        var hasText = false
        var index = 0
        while index + 5 < data.count {
            guard data[index] == UInt8(ascii: "\"") else {
                index += 1
                continue
            }
            let word = data.extracting(index + 1..<index + 6)
            switch word[0] {
            case UInt8(ascii: "u") where word.spells("usage"),
                UInt8(ascii: "f") where word.spells("finis") || word.spells("funct"),
                UInt8(ascii: "p") where word.spells("promp"),
                UInt8(ascii: "e") where word.spells("error"),
                UInt8(ascii: "\\"):
                return false
            case UInt8(ascii: "t"): hasText = hasText || word.spells("text\"")
            default: break
            }
            index += 1
        }
        return hasText
    }
}

extension Span<UInt8> {
    /// Whether these are the bytes of `text`, which has as many.
    fileprivate func spells(_ text: StaticString) -> Bool {
        // SAFETY: a static string's bytes live forever; the index stays below its count.
        let other = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for index in 0..<count where unsafe self[index] != other[index] { return false }
        return true
    }
}
