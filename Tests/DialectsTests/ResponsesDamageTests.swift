// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Damaged requests and events are refused or read, and nothing traps.
struct ResponsesDamageTests {
    /// `text` with a few changes that often leave it JSON.
    private static func damaged(_ text: String, _ random: inout SplitMix) -> String {
        var bytes = Array(text.utf8)
        let pieces = ["null", "1", "[]", "{}", "\"\"", "true", "\"message\"", "\"function_call\""]
        for _ in 0...random.below(3) {
            if random.oneIn(3) {
                let place = random.below(bytes.count)
                bytes[place] = Array("\"{}[]:,a0".utf8)[random.below(9)]
                continue
            }
            // Puts another value in the place of one.
            let colons = bytes.indices.filter { bytes[$0] == UInt8(ascii: ":") }
            guard let colon = colons.isEmpty ? nil : colons[random.below(colons.count)] else {
                continue
            }
            var end = colon + 1
            while end < bytes.count, !",}]".utf8.contains(bytes[end]) { end += 1 }
            let piece = pieces[random.below(pieces.count)]
            bytes.replaceSubrange(colon + 1..<end, with: Array(piece.utf8))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: 0..<40)
    func requests(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var generator = RandomResponsesRequest(seed: UInt64(seed))
        var read = 0
        for _ in 0..<50 {
            let text = Self.damaged(generator.request(), &random)
            do {
                _ = try JSONValue(text)
            } catch {
                // Not JSON any more, or with a name twice: the scanner's business.
                continue
            }
            for format: WireFormat in [.responses, .chat, .messages] {
                let plan = RequestPlan(
                    format: format,
                    host: .compatible,
                    model: "m",
                    isStream: true
                )
                guard let body = try Self.converted(text, plan) else { continue }
                _ = try JSONValue(body)
                read += 1
            }
            var plan = RequestPlan(format: .responses, host: .sapAzure, model: "m", isStream: true)
            plan.refused = [["input", "tools", "previous_response_id", "user"][random.below(4)]]
            guard text.hasPrefix("{") else { continue }
            let adapted = try Converting.adapted(text, plan).body
            #expect(try JSONValue(adapted)["model"]?.string == "m", "seed \(seed): \(text)")
        }
        #expect(read > 0)
    }

    /// The body for the upstream; nil for a request that is refused.
    private static func converted(_ text: String, _ plan: RequestPlan) throws -> String? {
        do {
            return try Converting.request(text, from: .responses, plan).body
        } catch let error as ConversionError {
            #expect(!error.message.isEmpty)
            return nil
        }
    }

    @Test(arguments: 0..<100)
    func streams(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let events = [
            #"{"type":"response.created","response":{"id":"r","output":[]}}"#,
            #"{"type":"response.output_item.added","output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":"f","arguments":""}}"#,
            #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#,
            #"{"type":"response.output_item.done","output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
            #"{"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":0,"delta":"hm"}"#,
            #"{"type":"response.output_text.delta","output_index":2,"content_index":0,"delta":"Hi"}"#,
            #"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":1,"output_tokens":1}}}"#,
        ]
        for _ in 0..<20 {
            var kept: [String] = []
            for _ in 0..<random.below(12) {
                let event = Self.damaged(events[random.below(events.count)], &random)
                do {
                    _ = try JSONValue(event)
                } catch {
                    continue
                }
                kept.append(event)
            }
            let text = try Converting.stream(kept, from: .responses, to: .responses).text
            let transcript = try ResponsesTranscript(text)
            #expect(transcript.faults == [], "seed \(seed): \(kept)")
        }
    }
}
