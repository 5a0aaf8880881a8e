// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Documents with one value exchanged for another, wherever it stands: none may trap.
@Suite("Damaged chat documents")
struct ChatMutationTests {
    private static let values = [
        "null", "true", "-1", "1.5", "1e9", #""""#, #""x""#, #""\ud800""#, "[]", "{}", "[null]",
        #"{"type":"text"}"#, #"[{"type":"text","text":"t"}]"#, #""data:image/png;base64,A""#,
        #"{"id":null}"#, #"{"url":""}"#,
    ]

    /// `text` with another value in a place that `random` chooses.
    private static func damaged(_ text: String, _ random: inout SplitMix) throws -> String {
        let document = try Converting.Document(text)
        var ranges: [Range<Int>] = []
        func collect(_ node: JSONNode) {
            ranges.append(document.tape.valueRange(of: node))
            for element in document.tape.elements(of: node) { collect(element) }
            for member in document.tape.members(of: node) { collect(member.value) }
        }
        collect(document.tape.root)
        let range = ranges[random.below(ranges.count)]
        let value = values[random.below(values.count)]
        return String(decoding: document.bytes[..<range.lowerBound], as: UTF8.self) + value
            + String(decoding: document.bytes[range.upperBound...], as: UTF8.self)
    }

    @Test("Requests are read and written, or refused with a place", arguments: 0..<400)
    func requests(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var generator = RandomConversation(seed: UInt64(seed), .all)
        var text = generator.chatRequest()
        for _ in 0...random.below(3) { text = try Self.damaged(text, &random) }
        for format in [WireFormat.chat, .messages, .gemini, .responses, .converse] {
            let plan = RequestPlan(
                format: format,
                host: .compatible,
                model: "gpt-5.4",
                isStream: random.oneIn(2)
            )
            do {
                let body = try Converting.request(text, from: .chat, plan).body
                _ = try Converting.Document(body)
            } catch let error as ConversionError {
                #expect(!error.message.isEmpty, "seed \(seed)")
            }
        }
        do {
            let plan = RequestPlan(format: .chat, host: .sapAzure, model: "o3", isStream: true)
            _ = try Converting.Document(try Converting.adapted(text, plan).body)
        } catch let error as ConversionError {
            #expect(!error.message.isEmpty, "seed \(seed)")
        }
    }

    private static let answer = #"""
        {"id":"c","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop",
        "message":{"role":"assistant","content":"a","reasoning_content":"hm","refusal":null,
        "images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}],
        "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},
        "extra_content":{"google":{"thought_signature":"AA"}}}]}}],
        "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,
        "prompt_tokens_details":{"cached_tokens":1},
        "completion_tokens_details":{"reasoning_tokens":1}}}
        """#

    @Test("Answers are read and written, or refused", arguments: 0..<200)
    func answers(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var text = Self.answer
        for _ in 0...random.below(3) { text = try Self.damaged(text, &random) }
        for client in [WireFormat.chat, .completions, .messages, .gemini, .responses] {
            do {
                let body = try Converting.answer(text, from: .chat, to: client)
                _ = try Converting.Document(body)
            } catch let error as ConversionError {
                #expect(!error.message.isEmpty, "seed \(seed)")
            }
        }
    }

    private static let events = [
        #"{"id":"","choices":[],"prompt_filter_results":[]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","#
            + #""type":"function","function":{"name":"f","arguments":"{"}},"#
            + #"{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"#
            + #""function":{"arguments":"}"}}]}}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        #"{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    ]

    @Test("Streams go on or end", arguments: 0..<300)
    func streams(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var events = Self.events
        for _ in 0...random.below(4) {
            let place = random.below(events.count)
            events[place] = try Self.damaged(events[place], &random)
        }
        if random.oneIn(3) { events.swapAt(random.below(8), random.below(8)) }
        for client in [WireFormat.chat, .completions, .messages, .gemini, .responses] {
            let text = try Converting.stream(events, from: .chat, to: client, wantsUsage: true).text
            for line in text.split(separator: "\n") where line.hasPrefix("data: {") {
                _ = try Converting.Document(String(line.dropFirst(6)))
            }
            let isChat = client == .chat || client == .completions
            let ends = text.split(separator: "\n").count { $0 == "data: [DONE]" }
            #expect(ends <= (isChat ? 1 : 0), "seed \(seed)")
        }
    }
}
