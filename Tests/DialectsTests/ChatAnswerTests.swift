// SPDX-License-Identifier: Apache-2.0
import Dialects
import JSON
import Metrics
import Testing

@Suite("Answers of chat completions")
struct ChatAnswerTests {
    private static func read(_ text: String) throws -> Answer {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        return try Conversion.readAnswer(.chat, document.tape.root, document.tape, bytes)
    }

    private static func answer(_ choice: String, _ more: String = "") -> String {
        #"{"id":"chatcmpl-A1","object":"chat.completion","created":1,"model":"gpt","#
            + #""choices":[\#(choice)]\#(more)}"#
    }

    private static func written(_ message: String, _ finish: String, _ more: String = "") -> String
    {
        #"{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","created":1772000000,"#
            + #""model":"m","choices":[{"index":0,"message":{"role":"assistant",\#(message)},"#
            + #""logprobs":null,"finish_reason":"\#(finish)"}]\#(more)}"#
    }

    struct Case: CustomTestStringConvertible {
        let name: String
        let input: String
        let output: String

        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            name: "a text with Azure's extras",
            input: answer(
                #"{"index":0,"finish_reason":"stop","content_filter_results":{},"#
                    + #""message":{"role":"assistant","content":"Caf\u00e9 \"x\""}}"#,
                #","prompt_filter_results":[],"system_fingerprint":"fp","usage":{"#
                    + #""prompt_tokens":9,"completion_tokens":2,"total_tokens":11}"#
            ),
            output: written(
                #""content":"Caf\u00e9 \"x\"","refusal":null"#,
                "stop",
                #","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"#
                    + #""prompt_tokens_details":{"cached_tokens":0},"#
                    + #""completion_tokens_details":{"reasoning_tokens":0}}"#
            )
        ),
        Case(
            name: "calls only",
            input: answer(
                #"{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","#
                    + #""content":null,"tool_calls":[{"id":"call_9","type":"function","#
                    + #""function":{"name":"f","arguments":"{\"tz\":\"CET\"}"}},"#
                    + #"{"type":"function","function":{"name":"g"},"#
                    + #""extra_content":{"google":{"thought_signature":"AB=="}}}]}}"#
            ),
            output: written(
                #""content":null,"refusal":null,"tool_calls":[{"id":"call_9","type":"function","#
                    + #""function":{"name":"f","arguments":"{\"tz\":\"CET\"}"}},"#
                    + #"{"id":"call_0123456789abcdef1","type":"function","#
                    + #""function":{"name":"g","arguments":"{}"},"#
                    + #""extra_content":{"google":{"thought_signature":"AB=="}}}]"#,
                "tool_calls"
            )
        ),
        Case(
            name: "calls behind which a vendor says stop",
            input: answer(
                #"{"finish_reason":"stop","message":{"content":"","tool_calls":"#
                    + #"[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]}}"#
            ),
            output: written(
                #""content":null,"refusal":null,"tool_calls":[{"id":"a","type":"function","#
                    + #""function":{"name":"f","arguments":"{\"x\":1}"}}]"#,
                "tool_calls"
            )
        ),
        Case(
            name: "an old function call",
            input: answer(
                #"{"finish_reason":"function_call","message":{"content":null,"#
                    + #""function_call":{"name":"f","arguments":"{}"}}}"#
            ),
            output: written(
                #""content":null,"refusal":null,"tool_calls":[{"#
                    + #""id":"call_0123456789abcdef0","type":"function","#
                    + #""function":{"name":"f","arguments":"{}"}}]"#,
                "tool_calls"
            )
        ),
        Case(
            name: "thoughts under both names are said once",
            input: answer(
                #"{"finish_reason":"length","message":{"content":"a","reasoning":"hm","#
                    + #""reasoning_content":"hm"}}"#
            ),
            output: written(#""content":"a","refusal":null,"reasoning_content":"hm""#, "length")
        ),
        Case(
            name: "thoughts in the short member",
            input: answer(#"{"message":{"content":"a","reasoning":"hm"}}"#),
            output: written(#""content":"a","refusal":null,"reasoning_content":"hm""#, "stop")
        ),
        Case(
            name: "a refusal",
            input: answer(#"{"finish_reason":"stop","message":{"content":null,"refusal":"No."}}"#),
            output: written(#""content":null,"refusal":"No.""#, "stop")
        ),
        Case(
            name: "nothing at all, filtered",
            input: answer(#"{"finish_reason":"content_filter","message":{"role":"assistant"}}"#),
            output: written(#""content":"","refusal":null"#, "content_filter")
        ),
        Case(
            name: "content in parts",
            input: answer(
                #"{"finish_reason":"stop","message":{"content":[{"type":"thinking","#
                    + #""thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},"#
                    + #"{"type":"text","text":"b"},{"type":"other"}]}}"#
            ),
            output: written(#""content":"ab","refusal":null,"reasoning_content":"hm""#, "stop")
        ),
        Case(
            name: "an image beside the content",
            input: answer(
                #"{"finish_reason":"stop","message":{"content":"a","images":[{"type":"image_url","#
                    + #""image_url":{"url":"data:image/png;base64,AAAA"}}]}}"#
            ),
            output: written(
                #""content":"a","refusal":null,"images":[{"type":"image_url","#
                    + #""image_url":{"url":"data:image/png;base64,AAAA"}}]"#,
                "stop"
            )
        ),
        Case(
            name: "the choice with index 0 among several",
            input: answer(
                #"{"index":1,"finish_reason":"stop","message":{"content":"b"}},"#
                    + #"{"index":0,"finish_reason":"length","message":{"content":"a"}}"#
            ),
            output: written(#""content":"a","refusal":null"#, "length")
        ),
        Case(
            name: "an unknown reason",
            input: answer(#"{"index":0,"finish_reason":"eos","message":{"content":"a"}}"#),
            output: written(#""content":"a","refusal":null"#, "stop")
        ),
    ]

    @Test("Answers from and to chat", arguments: cases)
    func converts(_ row: Case) throws {
        #expect(try Converting.answer(row.input, from: .chat, to: .chat) == row.output)
    }

    struct Usage: CustomTestStringConvertible {
        let input: String
        let usage: TokenUsage

        var testDescription: String { input }
    }

    @Test(
        "Forms of usage",
        arguments: [
            Usage(
                input: #"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"#
                    + #""prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3},"#
                    + #""completion_tokens_details":{"reasoning_tokens":2}}"#,
                usage: TokenUsage(input: 10, output: 5, cached: 4, reasoning: 2, cacheWrite: 3)
            ),
            Usage(input: #"{"prompt_tokens":3}"#, usage: TokenUsage(input: 3, output: 0)),
            Usage(
                input: #"{"prompt_tokens":3,"total_tokens":3,"prompt_tokens_details":null}"#,
                usage: TokenUsage(input: 3, output: 0)
            ),
            // Google leaves thoughts out of the completion.
            Usage(
                input: #"{"prompt_tokens":3,"completion_tokens":2,"total_tokens":9}"#,
                usage: TokenUsage(input: 3, output: 6)
            ),
            // DeepSeek.
            Usage(
                input: #"{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":8}"#,
                usage: TokenUsage(input: 9, output: 1, cached: 8)
            ),
            // LiteLLM.
            Usage(
                input: #"{"prompt_tokens":9,"completion_tokens":1,"#
                    + #""cache_creation_input_tokens":7}"#,
                usage: TokenUsage(input: 9, output: 1, cacheWrite: 7)
            ),
            Usage(
                input: #"{"prompt_tokens":-1,"completion_tokens":1.5}"#,
                usage: TokenUsage(input: 0, output: 0)
            ),
        ]
    )
    func usage(_ row: Usage) throws {
        let text = Self.answer(#"{"message":{"content":"a"}}"#, #","usage":\#(row.input)"#)
        #expect(try Self.read(text).usage == row.usage)
        let back = try Converting.answer(text, from: .chat, to: .chat)
        #expect(try Self.read(back).usage == row.usage)
    }

    @Test("No usage is none, not zero")
    func noUsage() throws {
        let text = Self.answer(#"{"message":{"content":"a"}}"#, #","usage":null"#)
        #expect(try Self.read(text).usage == nil)
        #expect(try !Converting.answer(text, from: .chat, to: .chat).contains("usage"))
    }

    @Test("Finish reasons", arguments: FinishReason.allCases)
    func finishReasons(_ reason: FinishReason) throws {
        let names: [FinishReason: String] = [
            .stop: "stop", .stopSequence: "stop", .pause: "stop", .length: "length",
            .toolCalls: "tool_calls", .contentFilter: "content_filter",
        ]
        let name = try #require(names[reason])
        let text = Self.answer(#"{"message":{"content":"a"},"finish_reason":"\#(name)"}"#)
        let back = try Converting.answer(text, from: .chat, to: .chat)
        #expect(back.contains("\"finish_reason\":\"\(name)\""))
    }

    @Test(
        "What is no answer",
        arguments: [
            "[]", "{}", #"{"choices":null}"#, #"{"choices":[]}"#, #"{"choices":{}}"#,
            #"{"choices":[{}]}"#, #"{"choices":[{"message":"a"}]}"#,
            #"{"choices":[{"message":{"tool_calls":{}}}]}"#,
            #"{"choices":[{"message":{"tool_calls":[{}]}}]}"#,
            #"{"choices":[{"message":{"tool_calls":[{"function":{"name":""}}]}}]}"#,
        ]
    )
    func refuses(_ text: String) throws {
        #expect(throws: ConversionError.self) { try Self.read(text) }
    }
}
