// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

struct MessagesAnswerTests {
    private static func read(_ text: String) throws -> Answer {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        return try Conversion.readAnswer(.messages, document.tape.root, document.tape, bytes)
    }

    @Test func readsEveryBlock() throws {
        let text = #"""
            {"id":"msg_bdrk_01X","type":"message","role":"assistant","model":"claude-sonnet-4-6",
             "content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},
              {"type":"redacted_thinking","data":"eA=="},{"type":"server_tool_use","id":"s"},
              {"type":"text","text":"Check\ning.","citations":null},
              {"type":"tool_use","id":"toolu_bdrk_01Y","name":"get_time","input":{"tz":"CET"}},
              {"type":"tool_use","id":"t2","name":"now","input":null}],
             "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":60,
             "output_tokens":31,"cache_creation_input_tokens":5,"cache_read_input_tokens":7}}
            """#
        let answer = try Self.read(text)
        var conversation = Conversation(.messages)
        conversation.messages = [Message(.assistant, answer.parts)]
        let meaning = try Meaning(conversation, of: text)
        #expect(
            meaning.turns.first?.items == [
                .thinking(text: "hm", signature: "c2ln", encrypted: nil),
                .thinking(text: nil, signature: nil, encrypted: "eA=="),
                .text("Check\ning."),
                .call(
                    id: "toolu_bdrk_01Y",
                    name: "get_time",
                    input: .object(["tz": .string("CET")]),
                    signature: nil
                ),
                .call(id: "t2", name: "now", input: .object([:]), signature: nil),
            ]
        )
        #expect(answer.finish == .toolCalls)
        let usage = TokenUsage(input: 72, output: 31, cached: 7, cacheWrite: 5)
        #expect(answer.usage == usage)
        let bytes = Array(text.utf8)
        let id = answer.id?.value(from: bytes.span)
        #expect(id == "msg_bdrk_01X")
    }

    struct Finish: CustomTestStringConvertible {
        /// JSON of `stop_reason`.
        let reason: String
        let finish: FinishReason
        /// What a client reads when the reason is written again.
        let written: String
        var testDescription: String { reason }
    }

    @Test(arguments: [
        Finish(reason: #""end_turn""#, finish: .stop, written: "end_turn"),
        Finish(reason: #""max_tokens""#, finish: .length, written: "max_tokens"),
        Finish(reason: #""stop_sequence""#, finish: .stopSequence, written: "stop_sequence"),
        Finish(reason: #""tool_use""#, finish: .toolCalls, written: "tool_use"),
        Finish(reason: #""pause_turn""#, finish: .pause, written: "pause_turn"),
        Finish(reason: #""refusal""#, finish: .contentFilter, written: "refusal"),
        Finish(reason: #""model_context_window_exceeded""#, finish: .length, written: "max_tokens"),
        Finish(reason: #""something_new""#, finish: .stop, written: "end_turn"),
        Finish(reason: "null", finish: .stop, written: "end_turn"),
        Finish(reason: "7", finish: .stop, written: "end_turn"),
    ])
    func finishReasons(_ row: Finish) throws {
        let text = #"{"content":[],"stop_reason":\#(row.reason),"stop_sequence":"END"}"#
        #expect(try Self.read(text).finish == row.finish)
        let written = try JSONValue(Converting.answer(text, from: .messages, to: .messages))
        #expect(written["stop_reason"]?.string == row.written)
        #expect(written["stop_sequence"]?.string == "END")
    }

    struct Usage: CustomTestStringConvertible {
        let json: String
        let usage: TokenUsage?
        var testDescription: String { json }
    }

    @Test(arguments: [
        Usage(json: "null", usage: nil),
        Usage(json: "{}", usage: TokenUsage(input: 0, output: 0)),
        Usage(json: #"{"input_tokens":3}"#, usage: TokenUsage(input: 3, output: 0)),
        Usage(
            json: #"{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":null}"#,
            usage: TokenUsage(input: 3, output: 4)
        ),
        Usage(
            json: #"{"input_tokens":3,"output_tokens":-4,"cache_read_input_tokens":10}"#,
            usage: TokenUsage(input: 13, output: 0, cached: 10)
        ),
        Usage(
            json:
                #"{"input_tokens":1,"output_tokens":9,"output_tokens_details":{"thinking_tokens":5}}"#,
            usage: TokenUsage(input: 1, output: 9, reasoning: 5)
        ),
        Usage(json: #""many""#, usage: nil),
    ])
    func usage(_ row: Usage) throws {
        let answer = try Self.read(#"{"content":[],"usage":\#(row.json)}"#)
        #expect(answer.usage == row.usage)
    }

    @Test(arguments: [
        ("[]", ""), (#""x""#, ""), ("{}", "content"), (#"{"content":null}"#, "content"),
        (#"{"content":"x"}"#, "content"),
        (#"{"type":"error","error":{"type":"api_error","message":"m"}}"#, "content"),
    ])
    func refusesWhatIsNoAnswer(_ text: String, _ path: String) throws {
        let document = try Converting.Document(text)
        let error = #expect(throws: ConversionError.self) {
            try Self.read(text)
        }
        let found = error?.path(document.tape, document.bytes.span)
        #expect(found == path)
    }

    @Test(arguments: ["[1]", #"[{}]"#, #"[{"type":"text"}]"#, #"[{"type":"tool_use"}]"#])
    func skipsBlocksThatSayNothing(_ content: String) throws {
        #expect(try Self.read(#"{"content":\#(content)}"#).parts.isEmpty)
    }

    // MARK: Writing

    private static func written(_ answer: Answer) throws -> JSONValue {
        let out = ByteBuffer()
        Conversion.writeAnswer(
            answer,
            .messages,
            Converting.identity,
            from: Span(),
            ConversionScratch(),
            to: out
        )
        return try JSONValue(out.text)
    }

    @Test func writesEveryPart() throws {
        var answer = Answer()
        answer.parts = [
            .thinking(Thinking(text: .text("a"))),
            .thinking(Thinking(text: .text("b"), signature: .text("s"))),
            .thinking(Thinking(text: nil, signature: .text("z"))),
            .thinking(Thinking(text: nil, encrypted: .text("e"))),
            .text(TextBlock(.text("hi \"you\""))),
            .text(TextBlock(.text(""))),
            .refusal(.text("no")),
            .media(Media(.image, .text("image/png"), .base64(.text("AAAA")))),
            .media(Media(.image, nil, .url(.text("https://x/a.png")))),
            .toolCall(
                ToolCall(id: .text("call_9"), name: .text("f"), input: .text(.text(#"{"a":1}"#)))
            ),
            .toolCall(ToolCall(id: nil, name: .text("g"), input: .text(.text("broken")))),
        ]
        answer.usage = TokenUsage(input: 72, output: 31, cached: 7, reasoning: 3, cacheWrite: 5)
        let wanted = #"""
            {"id":"msg_0123456789abcdef","type":"message","role":"assistant","model":"m","content":[
            {"type":"thinking","thinking":"a","signature":""},
            {"type":"thinking","thinking":"b","signature":"s"},
            {"type":"thinking","thinking":"","signature":"z"},
            {"type":"redacted_thinking","data":"e"},
            {"type":"text","text":"hi \"you\""},
            {"type":"text","text":"no"},
            {"type":"text","text":"[image: image/png]"},
            {"type":"text","text":"[image https://x/a.png]"},
            {"type":"tool_use","id":"call_9","name":"f","input":{"a":1}},
            {"type":"tool_use","id":"toolu_0123456789abcdef1","name":"g","input":{}}],
            "stop_reason":"tool_use","stop_sequence":null,
            "usage":{"input_tokens":60,"cache_creation_input_tokens":5,
            "cache_read_input_tokens":7,"output_tokens":31}}
            """#
        #expect(try Self.written(answer) == JSONValue(wanted))
    }

    @Test func usageThatIsMissingOrOddIsZero() throws {
        var answer = Answer()
        let none = try Self.written(answer)
        #expect(none["usage"]?["input_tokens"]?.int == 0)
        // More from the cache than there was.
        answer.usage = TokenUsage(input: 5, output: 1, cached: 9)
        let odd = try Self.written(answer)
        #expect(odd["usage"]?["input_tokens"]?.int == 0)
        #expect(odd["usage"]?["cache_read_input_tokens"]?.int == 9)
    }
}
