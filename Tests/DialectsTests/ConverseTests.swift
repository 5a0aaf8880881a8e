// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

struct ConverseTests {
    // MARK: Requests

    struct Row: CustomTestStringConvertible {
        let name: String
        var model = "anthropic--claude-4.5-sonnet"
        /// The client's request of Messages, without what is usual.
        let members: String
        var change: @Sendable (inout Conversation) -> Void = { _ in }
        var plan: @Sendable (inout RequestPlan) -> Void = { _ in }
        let written: String
        var dropped: [String] = []
        var testDescription: String { name }
    }

    private static let turn = #""messages":[{"role":"user","content":"x"}]"#
    private static let turnWritten = #""messages":[{"role":"user","content":[{"text":"x"}]}]"#
    private static let tool =
        #""tools":[{"name":"a","description":"d","input_schema":{"type":"object"}}]"#
    private static let toolWritten =
        #"{"toolSpec":{"name":"a","description":"d","inputSchema":{"json":{"type":"object"}}}}"#

    private static func body(_ members: String, _ turn: String) -> String {
        if members.contains(#""messages""#) { return "{\(members)}" }
        return members.isEmpty ? "{\(turn)}" : "{\(turn),\(members)}"
    }

    private static func write(
        _ text: String,
        _ model: String,
        change: (inout Conversation) -> Void = { _ in },
        plan adapt: (inout RequestPlan) -> Void = { _ in }
    ) throws -> Converting.Request {
        let document = try Converting.Document(text)
        var conversation = try Conversion.readRequest(
            .messages,
            document.tape,
            document.bytes.span
        )
        change(&conversation)
        var plan = RequestPlan(format: .converse, host: .sapBedrock, model: model, isStream: true)
        adapt(&plan)
        let out = ByteBuffer()
        var omissions = Omissions()
        try Conversion.writeRequest(
            conversation,
            plan,
            from: document.bytes.span,
            ConversionScratch(),
            &omissions,
            to: out
        )
        return Converting.Request(body: out.text, dropped: omissions.names)
    }

    static let requests = [
        Row(
            name: "neither model nor stream nor limit",
            members: #""model":"m","stream":true"#,
            written: ""
        ),
        Row(
            name: "settings",
            members: #""max_tokens":512,"temperature":0.2,"stop_sequences":["END"," "],"top_k":4"#,
            written:
                #""inferenceConfig":{"maxTokens":512,"temperature":0.2,"stopSequences":["END"]},"additionalModelRequestFields":{"top_k":4}"#,
            dropped: ["stop_sequences"]
        ),
        Row(
            name: "the limit of the configuration",
            members: "",
            plan: { $0.maxTokensDefault = 7 },
            written: #""inferenceConfig":{"maxTokens":7}"#
        ),
        Row(
            name: "Nova has no top_k and does not think",
            model: "amazon--nova-pro",
            members:
                #""temperature":0.2,"top_p":0.5,"top_k":4,"thinking":{"type":"enabled","budget_tokens":2000}"#,
            written: #""inferenceConfig":{"temperature":0.2,"topP":0.5}"#,
            dropped: ["top_k", "thinking"]
        ),
        Row(
            name: "system and its mark",
            members:
                #""system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}},{"type":"text","text":""}]"#,
            written: #""system":[{"text":"Be brief."},{"cachePoint":{"type":"default"}}]"#
        ),
        Row(
            name: "thinking",
            members:
                #""max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":1024},"temperature":1"#,
            written:
                #""inferenceConfig":{"maxTokens":5000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}}"#
        ),
        Row(
            name: "adaptive thinking, effort, schema, betas",
            model: "anthropic--claude-4.7-opus",
            members:
                #""max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":1024},"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#,
            plan: { $0.betas = ["b", "files-api-2025-04-14"] },
            written:
                #""inferenceConfig":{"maxTokens":5000},"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"anthropic_beta":["b"]}"#,
            dropped: ["anthropic-beta.files-api-2025-04-14"]
        ),
        Row(
            name: "JSON by instruction",
            members: "",
            change: { $0.responseFormat = .jsonObject },
            written:
                #""system":[{"text":"Answer with one JSON object and nothing else: no text around it and no code fence."}]"#
        ),
        Row(
            name: "what Converse has no words for",
            members: #""metadata":{"user_id":"u"}"#,
            change: {
                $0.seed = 1; $0.presencePenalty = 1; $0.frequencyPenalty = 1; $0.logprobs = true
            },
            written: "",
            dropped: [
                "seed", "presence_penalty", "frequency_penalty", "logprobs", "metadata.user_id",
            ]
        ),
        Row(
            name: "tools and a choice",
            members: tool + #","tool_choice":{"type":"any"}"#,
            written: #""toolConfig":{"tools":[\#(toolWritten)],"toolChoice":{"any":{}}}"#
        ),
        Row(
            name: "a named tool",
            members: tool + #","tool_choice":{"type":"tool","name":"a"}"#,
            written: #""toolConfig":{"tools":[\#(toolWritten)],"toolChoice":{"tool":{"name":"a"}}}"#
        ),
        Row(
            name: "one call at a time",
            members: tool + #","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
            written: #""toolConfig":{"tools":[\#(toolWritten)],"toolChoice":{"auto":{}}}"#,
            dropped: ["tool_choice.disable_parallel_tool_use"]
        ),
        Row(name: "no tool", members: tool + #","tool_choice":{"type":"none"}"#, written: ""),
        Row(
            name: "a mark behind a tool, a tool without a schema",
            members: #""tools":[{"name":"a","cache_control":{"type":"ephemeral"}}]"#,
            written:
                #""toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{"type":"object","properties":{}}}}},{"cachePoint":{"type":"default"}}]}"#
        ),
        Row(
            name: "turns with everything",
            members: tool
                + #","messages":[{"role":"user","content":[{"type":"text","text":"See this","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"eA=="},{"type":"text","text":"ok"},{"type":"tool_use","id":"t.1","name":"a","input":{"tz":"CET"}}]},{"role":"user","content":[{"type":"text","text":"y"},{"type":"tool_result","tool_use_id":"t.1","is_error":true,"content":[{"type":"text","text":"12:00","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}}]}]}]"#,
            written:
                #""messages":[{"role":"user","content":[{"text":"See this"},{"cachePoint":{"type":"default"}},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"eA=="}},{"text":"ok"},{"toolUse":{"toolUseId":"t_1","name":"a","input":{"tz":"CET"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t_1","content":[{"text":"12:00"},{"image":{"format":"jpeg","source":{"bytes":"AAAA"}}}],"status":"error"}},{"cachePoint":{"type":"default"}},{"text":"y"}]}],"toolConfig":{"tools":[\#(toolWritten)]}"#
        ),
        Row(
            name: "a history with calls has a tool; nothing said, a value said",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}]"#,
            change: { conversation in
                var result = ToolResult(callID: nil, name: .text("b"), content: [])
                result.value = .json(#"{"k":1}"#)
                conversation.messages += [
                    Message(
                        .assistant,
                        [.toolCall(ToolCall(id: nil, name: .text("b"), input: .text(.text("x"))))]
                    ),
                    Message(.user, [.toolResult(result)]),
                ]
            },
            written:
                #""messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"i","name":"a","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"i","content":[{"json":{}}],"status":"success"}}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"tooluse_0","name":"b","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"tooluse_0","content":[{"json":{"k":1}}],"status":"success"}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"unavailable_tool","description":"Stands for the tools of earlier turns. Never call it.","inputSchema":{"json":{"type":"object","properties":{}}}}}]}"#
        ),
        Row(
            name: "documents have formats, names and a text",
            members:
                #""messages":[{"role":"user","content":[{"type":"document","title":"My: file_1.pdf","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},{"type":"document","source":{"type":"base64","media_type":"text/csv","data":"AAAA"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a\nbé"}}]}]"#,
            written:
                #""messages":[{"role":"user","content":[{"document":{"format":"pdf","name":"My file 1 pdf (1)","source":{"bytes":"AAAA"}}},{"document":{"format":"csv","name":"document 2","source":{"bytes":"AAAA"}}},{"document":{"format":"txt","name":"document 3","source":{"bytes":"YQpiw6k="}}},{"text":"."}]}]"#
        ),
        Row(
            name: "turns in order",
            model: "anthropic--claude-4.6-sonnet",
            members:
                #""messages":[{"role":"assistant","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":" "},{"role":"user","content":"x"},{"role":"assistant","content":"c"}]"#,
            written:
                #""messages":[{"role":"user","content":[{"text":"."}]},{"role":"assistant","content":[{"text":"a"},{"text":"b"}]},{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"text":"c"}]},{"role":"user","content":[{"text":"Continue exactly where your last message ends."}]}]"#,
            dropped: ["messages[-1]"]
        ),
        Row(
            name: "a turn to go on with",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"c \n"}]"#,
            written:
                #""messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"text":"c"}]}]"#
        ),
    ]

    @Test(arguments: requests)
    func writesRequests(_ row: Row) throws {
        let request = try Self.write(
            Self.body(row.members, Self.turn),
            row.model,
            change: row.change,
            plan: row.plan
        )
        let wanted = Self.body(row.written, Self.turnWritten)
        #expect(try JSONValue(request.body) == JSONValue(wanted), "\(request.body)")
        #expect(request.dropped == row.dropped)
    }

    @Test(arguments: [
        (
            #"[{"type":"image","source":{"type":"url","url":"https://x"}}]"#,
            "messages[0].content[0].source.url"
        ),
        (
            #"[{"type":"image","source":{"type":"file","file_id":"f"}}]"#,
            "messages[0].content[0].source.file_id"
        ),
        (
            #"[{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AAAA"}}]"#,
            "messages[0].content[0].source.media_type"
        ),
        (
            #"[{"type":"document","source":{"type":"base64","media_type":"video/mp4","data":"AAAA"}}]"#,
            "messages[0].content[0].source.media_type"
        ),
    ])
    func refuses(_ content: String, _ path: String) throws {
        let text = #"{"messages":[{"role":"user","content":\#(content)}]}"#
        let document = try Converting.Document(text)
        let error = #expect(throws: ConversionError.self) {
            try Self.write(text, "anthropic--claude-4.5-sonnet")
        }
        let found = error?.path(document.tape, document.bytes.span)
        #expect(found == path)
        #expect(error?.kind == .unsupported)
    }

    @Test func refusesLongNamesOfTools() {
        let name = String(repeating: "n", count: 65)
        #expect(throws: ConversionError.self) {
            try Self.write(
                #"{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"\#(name)"}]}"#,
                "anthropic--claude-4.5-sonnet"
            )
        }
    }

    @Test(arguments: 0..<100)
    func everyRequestIsJSON(_ seed: Int) throws {
        var random = RandomMessages(seed: UInt64(seed))
        let text = random.request()
        for model in ["anthropic--claude-4.5-sonnet", "claude-opus-4-7", "amazon--nova-pro"] {
            do {
                let turns = try JSONValue(Self.write(text, model).body)["messages"]?.array ?? []
                #expect(turns.first?["role"]?.string == "user")
                let roles = turns.map { $0["role"]?.string }
                #expect(zip(roles, roles.dropFirst()).allSatisfy { $0 != $1 })
                #expect(turns.allSatisfy { $0["content"]?.array?.isEmpty == false })
            } catch let error as ConversionError {
                #expect(error.message.contains("inline") && text.contains("https://"))
            }
        }
    }

    // MARK: Answers

    private static func read(_ text: String) throws -> Answer {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        return try Conversion.readAnswer(.converse, document.tape.root, document.tape, bytes)
    }

    @Test func readsAnswers() throws {
        let text = #"""
            {"output":{"message":{"role":"assistant","content":[
              {"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},
              {"reasoningContent":{"redactedContent":"eA=="}},{"text":"Noon."},{"new":{}},
              {"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}},
              {"toolUse":{"toolUseId":"t2","name":"g"}}]}},"stopReason":"tool_use",
             "usage":{"inputTokens":40,"outputTokens":5,"totalTokens":45,
              "cacheReadInputTokens":7,"cacheWriteInputTokens":2},"metrics":{"latencyMs":700}}
            """#
        let answer = try Self.read(text)
        var conversation = Conversation(.messages)
        conversation.messages = [Message(.assistant, answer.parts)]
        let meaning = try Meaning(conversation, of: text)
        #expect(
            meaning.turns.first?.items == [
                .thinking(text: "hm", signature: "s", encrypted: nil),
                .thinking(text: nil, signature: nil, encrypted: "eA=="),
                .text("Noon."),
                .call(id: "t1", name: "f", input: .object(["a": .number(1)]), signature: nil),
                .call(id: "t2", name: "g", input: .object([:]), signature: nil),
            ]
        )
        #expect(answer.finish == .toolCalls)
        let usage = TokenUsage(input: 49, output: 5, cached: 7, cacheWrite: 2)
        #expect(answer.usage == usage)
    }

    @Test(arguments: [
        ("end_turn", FinishReason.stop), ("stop_sequence", .stopSequence), ("max_tokens", .length),
        ("tool_use", .toolCalls), ("guardrail_intervened", .contentFilter),
        ("content_filtered", .contentFilter), ("model_context_window_exceeded", .length),
        ("something_new", .stop),
    ])
    func finishReasons(_ name: String, _ reason: FinishReason) throws {
        let answer = try Self.read(
            #"{"output":{"message":{"content":[]}},"stopReason":"\#(name)"}"#
        )
        #expect(answer.finish == reason)
        #expect(answer.usage == nil)
    }

    @Test(arguments: [
        ("[]", ""), ("{}", "output"), (#"{"output":{}}"#, "output.message"),
        (#"{"output":{"message":{"content":"x"}}}"#, "output.message.content"),
        (#"{"message":"no"}"#, "output"),
    ])
    func refusesWhatIsNoAnswer(_ text: String, _ path: String) throws {
        let document = try Converting.Document(text)
        let error = #expect(throws: ConversionError.self) { try Self.read(text) }
        let found = error?.path(document.tape, document.bytes.span)
        #expect(found == path)
    }

    // MARK: Streams

    struct Transcript: CustomTestStringConvertible {
        let name: String
        let events: [String]
        let steps: [String]
        var testDescription: String { name }
    }

    @Test(arguments: [
        Transcript(
            name: "a text, the counts behind the end",
            events: [
                #"{"messageStart":{"role":"assistant"}}"#,
                #"{"contentBlockDelta":{"delta":{"text":"it's"},"contentBlockIndex":0,"p":"ab"}}"#,
                #"{"contentBlockDelta":{"delta":{"text":""},"contentBlockIndex":0}}"#,
                #"{"contentBlockStop":{"contentBlockIndex":0}}"#,
                #"{"messageStop":{"stopReason":"end_turn"}}"#,
                #"{"metadata":{"usage":{"inputTokens":40,"outputTokens":5,"totalTokens":45,"cacheReadInputTokens":3},"metrics":{"latencyMs":700}}}"#,
            ],
            steps: ["start -", "text it's", "finish stop", "usage 43 5 3 0", "end"]
        ),
        Transcript(
            name: "thoughts and calls",
            events: [
                #"{"contentBlockDelta":{"delta":{"reasoningContent":{"text":"hm"}},"contentBlockIndex":0}}"#,
                #"{"contentBlockDelta":{"delta":{"reasoningContent":{"signature":"s"}},"contentBlockIndex":0}}"#,
                #"{"contentBlockDelta":{"delta":{"reasoningContent":{"redactedContent":"eA=="}},"contentBlockIndex":1}}"#,
                #"{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t1","name":"f"}},"contentBlockIndex":2}}"#,
                #"{"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t2","name":"g"}},"contentBlockIndex":3}}"#,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":"{\"a\":"}},"contentBlockIndex":2}}"#,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":{"b":1}}},"contentBlockIndex":3}}"#,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":"1}"}},"contentBlockIndex":2}}"#,
                #"{"contentBlockStop":{"contentBlockIndex":2}}"#,
                #"{"contentBlockStop":{"contentBlockIndex":3}}"#,
                #"{"messageStop":{"stopReason":"tool_use"}}"#,
            ],
            steps: [
                "thinking hm", "signature s", "encrypted eA==", "call 0 t1 f", "call 1 t2 g",
                #"input 0 {"a":"#, #"object 1 {"b":1}"#, "input 0 1}", "callEnd 0", "callEnd 1",
                "finish toolCalls", "end",
            ]
        ),
        Transcript(
            name: "the counts before the end",
            events: [
                #"{"metadata":{"usage":{"inputTokens":1,"outputTokens":2}}}"#,
                #"{"messageStop":{"stopReason":"max_tokens"}}"#,
                #"{"messageStop":{"stopReason":"max_tokens"}}"#,
            ],
            steps: ["usage 1 2 0 0", "finish length", "end"]
        ),
        Transcript(
            name: "a stream that breaks off",
            events: [#"{"contentBlockDelta":{"delta":{"text":"a"}}}"#],
            steps: ["text a"]
        ),
        Transcript(
            name: "exceptions",
            events: [
                #"{"throttlingException":{"message":"Too many tokens"}}"#,
                #"{"internalServerException":{"message":"Oops"}}"#,
                #"{"message":"Something"}"#,
            ],
            steps: ["error 429 Too many tokens", "error 500 Oops", "error - Something"]
        ),
        Transcript(
            name: "what nobody knows",
            events: [
                "{}", "[]", #"{"new":{}}"#, #"{"contentBlockDelta":{}}"#,
                #"{"contentBlockDelta":{"delta":{"toolUse":{"input":"x"}},"contentBlockIndex":0}}"#,
                #"{"contentBlockStart":{"start":{},"contentBlockIndex":0}}"#,
                #"{"contentBlockStop":{"contentBlockIndex":0}}"#, #"{"metadata":{}}"#,
            ],
            steps: []
        ),
    ])
    func readsStreams(_ row: Transcript) throws {
        var reader = StreamReader(.converse)
        var found: [String] = []
        for event in row.events {
            let document = try Converting.Document(event)
            var steps: [StreamStep] = []
            reader.read(document.tape.root, document.tape, document.bytes.span, into: &steps)
            found += steps.map { StreamSteps.text($0, document.bytes) }
        }
        var steps: [StreamStep] = []
        reader.finish(into: &steps)
        found += steps.map { StreamSteps.text($0, []) }
        #expect(found == row.steps)
    }

    @Test(arguments: [
        (#"{"contentBlockDelta":{}}"#, true), ("{'contentBlockDelta': {}}", true),
        (#"{"contentBlockStop":{}}"#, false), (#"{"contentBlockDelt"#, false), ("", false),
    ])
    func plainContent(_ data: String, _ isPlain: Bool) {
        let bytes = Array(data.utf8)
        let found = StreamReader.isPlainContent(.converse, bytes.span)
        #expect(found == isPlain)
    }
}
