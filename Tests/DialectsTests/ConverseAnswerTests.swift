// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

struct ConverseAnswerTests {
    private static func read(_ text: String) throws -> Answer {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        return try Conversion.readAnswer(.converse, document.tape.root, document.tape, bytes)
    }

    private static func items(_ text: String) throws -> [Meaning.Item] {
        var conversation = Conversation(.messages)
        conversation.messages = [Message(.assistant, try read(text).parts)]
        return try Meaning(conversation, of: text).turns.first?.items ?? []
    }

    private static func answer(_ content: String, _ rest: String = "") -> String {
        #"{"output":{"message":{"role":"assistant","content":\#(content)}}\#(rest)}"#
    }

    @Test func readsEveryBlock() throws {
        let text = #"""
            {"metrics":{"latencyMs":700},"usage":{"inputTokens":40,"outputTokens":5,"totalTokens":57,
              "cacheReadInputTokens":7,"cacheWriteInputTokens":5},"stopReason":"tool_use",
             "output":{"message":{"role":"assistant","content":[
              {"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},
              {"reasoningContent":{"redactedContent":"eA=="}},
              {"text":"Check\ning."},
              {"citationsContent":{"content":[{"text":"Cited."}],"citations":[{"title":"a"}]}},
              {"toolUse":{"toolUseId":"tooluse_1","name":"get_time","input":{"tz":"CET"}}},
              {"toolUse":{"toolUseId":"tooluse_2","name":"now","input":{}}}]}}}
            """#
        #expect(
            try Self.items(text) == [
                .thinking(text: "hm", signature: "c2ln", encrypted: nil),
                .thinking(text: nil, signature: nil, encrypted: "eA=="),
                .text("Check\ning."),
                .text("Cited."),
                .call(
                    id: "tooluse_1",
                    name: "get_time",
                    input: .object(["tz": .string("CET")]),
                    signature: nil
                ),
                .call(id: "tooluse_2", name: "now", input: .object([:]), signature: nil),
            ]
        )
        let answer = try Self.read(text)
        #expect(answer.finish == .toolCalls)
        #expect(answer.id == nil)
        #expect(answer.usage == TokenUsage(input: 52, output: 5, cached: 7, cacheWrite: 5))
    }

    struct Block: CustomTestStringConvertible {
        let name: String
        let json: String
        let items: [Meaning.Item]
        var testDescription: String { name }
    }

    @Test(arguments: [
        Block(
            name: "thoughts without a signature",
            json: #"{"reasoningContent":{"reasoningText":{"text":"hm"}}}"#,
            items: [.thinking(text: "hm", signature: nil, encrypted: nil)]
        ),
        Block(
            name: "a signature without thoughts",
            json: #"{"reasoningContent":{"reasoningText":{"signature":"c2ln"}}}"#,
            items: [.thinking(text: nil, signature: "c2ln", encrypted: nil)]
        ),
        Block(
            name: "a signature that is empty",
            json: #"{"reasoningContent":{"reasoningText":{"text":"hm","signature":""}}}"#,
            items: [.thinking(text: "hm", signature: nil, encrypted: nil)]
        ),
        Block(name: "thoughts without text", json: #"{"reasoningContent":{}}"#, items: []),
        Block(
            name: "a call without an input",
            json: #"{"toolUse":{"toolUseId":"t","name":"a"}}"#,
            items: [.call(id: "t", name: "a", input: .object([:]), signature: nil)]
        ),
        Block(
            name: "a call without an id",
            json: #"{"toolUse":{"toolUseId":null,"name":"a","input":{"b":1}}}"#,
            items: [.call(id: nil, name: "a", input: .object(["b": .number(1)]), signature: nil)]
        ),
        Block(
            name: "an input as text",
            json: #"{"toolUse":{"toolUseId":"t","name":"a","input":"{\"b\":1}"}}"#,
            items: [.call(id: "t", name: "a", input: .object(["b": .number(1)]), signature: nil)]
        ),
        Block(name: "a call of nothing", json: #"{"toolUse":{"toolUseId":"t"}}"#, items: []),
        Block(
            name: "a tool that Amazon runs",
            json: #"{"toolUse":{"toolUseId":"t","name":"a","type":"server_tool_use","input":{}}}"#,
            items: []
        ),
        Block(
            name: "an image",
            json: #"{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}"#,
            items: [
                .media(
                    kind: .image,
                    type: "image/png",
                    source: "base64:iVBORw0KGgo=",
                    name: nil,
                    detail: nil
                )
            ]
        ),
        Block(
            name: "an image elsewhere",
            json: #"{"image":{"format":"png","source":{"s3Location":{"uri":"s3://a/b"}}}}"#,
            items: []
        ),
        Block(name: "a text that is none", json: #"{"text":7}"#, items: []),
        Block(name: "a block of a later version", json: #"{"guess":{"text":"x"}}"#, items: []),
        Block(name: "no object", json: #""x""#, items: []),
    ])
    func blocks(_ row: Block) throws {
        #expect(try Self.items(Self.answer("[\(row.json)]")) == row.items)
    }

    struct Finish: CustomTestStringConvertible {
        /// JSON of `stopReason`.
        let reason: String
        let finish: FinishReason
        /// What chat clients read.
        let chat: String
        var testDescription: String { reason }
    }

    @Test(arguments: [
        Finish(reason: #""end_turn""#, finish: .stop, chat: "stop"),
        Finish(reason: #""stop_sequence""#, finish: .stopSequence, chat: "stop"),
        Finish(reason: #""max_tokens""#, finish: .length, chat: "length"),
        Finish(reason: #""model_context_window_exceeded""#, finish: .length, chat: "length"),
        Finish(reason: #""tool_use""#, finish: .toolCalls, chat: "tool_calls"),
        Finish(reason: #""guardrail_intervened""#, finish: .contentFilter, chat: "content_filter"),
        Finish(reason: #""content_filtered""#, finish: .contentFilter, chat: "content_filter"),
        Finish(reason: #""refusal""#, finish: .contentFilter, chat: "content_filter"),
        Finish(reason: #""pause_turn""#, finish: .pause, chat: "stop"),
        Finish(reason: #""malformed_model_output""#, finish: .stop, chat: "stop"),
        Finish(reason: #""malformed_tool_use""#, finish: .stop, chat: "stop"),
        Finish(reason: #""something_new""#, finish: .stop, chat: "stop"),
        Finish(reason: "null", finish: .stop, chat: "stop"),
        Finish(reason: "7", finish: .stop, chat: "stop"),
    ])
    func finishReasons(_ row: Finish) throws {
        let text = Self.answer(#"[{"text":"x"}]"#, #","stopReason":\#(row.reason)"#)
        #expect(try Self.read(text).finish == row.finish)
        let written = try JSONValue(Converting.answer(text, from: .converse, to: .chat))
        #expect(written["choices"]?[0]?["finish_reason"]?.string == row.chat)
    }

    @Test(arguments: [
        #"{"stop_sequence":"END"}"#, #"{"delta":{"stop_sequence":"END"}}"#,
    ])
    func stopTexts(_ fields: String) throws {
        let text = Self.answer(
            "[]",
            #","stopReason":"stop_sequence","additionalModelResponseFields":\#(fields)"#
        )
        let written = try JSONValue(Converting.answer(text, from: .converse, to: .messages))
        #expect(written["stop_sequence"]?.string == "END")
    }

    struct Usage: CustomTestStringConvertible {
        let json: String
        let usage: TokenUsage?
        var testDescription: String { json }
    }

    @Test(arguments: [
        Usage(json: "null", usage: nil),
        Usage(json: "7", usage: nil),
        Usage(json: "{}", usage: TokenUsage(input: 0, output: 0)),
        Usage(
            json: #"{"inputTokens":40,"outputTokens":5,"totalTokens":45}"#,
            usage: TokenUsage(input: 40, output: 5)
        ),
        Usage(
            json: #"{"inputTokens":40,"outputTokens":null,"cacheReadInputTokens":-1}"#,
            usage: TokenUsage(input: 40, output: 0)
        ),
        Usage(
            json: #"{"inputTokens":1,"outputTokens":2,"cacheReadInputTokens":3,"#
                + #""cacheWriteInputTokens":4}"#,
            usage: TokenUsage(input: 8, output: 2, cached: 3, cacheWrite: 4)
        ),
        Usage(
            json: #"{"inputTokens":1,"outputTokens":2,"cacheReadInputTokenCount":3,"#
                + #""cacheWriteInputTokenCount":4}"#,
            usage: TokenUsage(input: 8, output: 2, cached: 3, cacheWrite: 4)
        ),
        Usage(
            json: #"{"inputTokens":9223372036854775807,"outputTokens":2,"#
                + #""cacheReadInputTokens":9223372036854775807,"#
                + #""cacheWriteInputTokens":9223372036854775807}"#,
            usage: TokenUsage(
                input: .max,
                output: 2,
                cached: UInt64(Int.max),
                cacheWrite: UInt64(Int.max)
            )
        ),
    ])
    func usages(_ row: Usage) throws {
        let text = Self.answer("[]", #","usage":\#(row.json)"#)
        #expect(try Self.read(text).usage == row.usage)
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        let usage = Conversion.readUsage(.converse, document.tape.root, document.tape, bytes)
        #expect(usage == row.usage)
    }

    struct Bad: CustomTestStringConvertible {
        let json: String
        let path: String
        var testDescription: String { json }
    }

    @Test(arguments: [
        Bad(json: "[]", path: ""),
        Bad(json: "{}", path: "output"),
        Bad(json: #"{"output":null}"#, path: "output"),
        Bad(json: #"{"message":"Too many tokens"}"#, path: "output"),
        Bad(json: #"{"output":{}}"#, path: "output.message"),
        Bad(json: #"{"output":7}"#, path: "output.message"),
        Bad(json: #"{"output":{"message":{}}}"#, path: "output.message.content"),
        Bad(
            json: #"{"output":{"message":{"content":"x"}}}"#,
            path: "output.message.content"
        ),
    ])
    func namesWhatIsNoAnswer(_ row: Bad) throws {
        let document = try Converting.Document(row.json)
        let bytes = document.bytes.span
        do throws(ConversionError) {
            _ = try Conversion.readAnswer(.converse, document.tape.root, document.tape, bytes)
            Issue.record("was taken")
        } catch {
            #expect(error.kind == .invalid)
            let path = error.path(document.tape, bytes)
            #expect(path == row.path)
        }
    }

    // MARK: Clients

    private static let noon = answer(
        #"[{"text":"Noon."}]"#,
        #","stopReason":"end_turn","usage":{"inputTokens":40,"outputTokens":5,"totalTokens":45,"#
            + #""cacheReadInputTokens":2,"cacheWriteInputTokens":0},"metrics":{"latencyMs":700}"#
    )

    @Test func aChatClientReadsIt() throws {
        let written = try JSONValue(Converting.answer(Self.noon, from: .converse, to: .chat))
        #expect(written["object"]?.string == "chat.completion")
        #expect(written["model"]?.string == "m")
        #expect(written["choices"]?[0]?["message"]?["content"]?.string == "Noon.")
        #expect(written["usage"]?["prompt_tokens"] == .number(42))
        #expect(written["usage"]?["total_tokens"] == .number(47))
        #expect(written["usage"]?["prompt_tokens_details"]?["cached_tokens"] == .number(2))
    }

    @Test func aCallAloneIsNoEmptyAnswer() throws {
        let text = Self.answer(
            #"[{"toolUse":{"toolUseId":"t1","name":"get_time","input":{"tz":"CET"}}}]"#,
            #","stopReason":"tool_use""#
        )
        let written = try JSONValue(Converting.answer(text, from: .converse, to: .chat))
        let message = try #require(written["choices"]?[0]?["message"])
        #expect(message["content"] == .null)
        let call = try #require(message["tool_calls"]?[0])
        #expect(call["id"]?.string == "t1")
        #expect(call["function"]?["name"]?.string == "get_time")
        #expect(call["function"]?["arguments"]?.string == #"{"tz":"CET"}"#)
    }

    @Test func aClientOfMessagesReadsIt() throws {
        let text = Self.answer(
            #"[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},"#
                + #"{"text":"Noon."}]"#,
            #","stopReason":"end_turn","usage":{"inputTokens":40,"outputTokens":5,"#
                + #""cacheReadInputTokens":2,"cacheWriteInputTokens":3}"#
        )
        let written = try JSONValue(Converting.answer(text, from: .converse, to: .messages))
        #expect(
            written["content"]
                == (try JSONValue(
                    #"[{"type":"thinking","thinking":"hm","signature":"c2ln"},"#
                        + #"{"type":"text","text":"Noon."}]"#
                ))
        )
        #expect(written["usage"]?["input_tokens"] == .number(40))
        #expect(written["usage"]?["cache_read_input_tokens"] == .number(2))
        #expect(written["usage"]?["cache_creation_input_tokens"] == .number(3))
    }
}
