// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

struct MessagesRequestWriterTests {
    /// A conversation of a chat client, and what Claude gets of it.
    struct Row: CustomTestStringConvertible {
        let name: String
        var model = "claude-sonnet-4-5"
        var host = ProviderHost.anthropic
        /// The conversation in the words of Messages, but taken for OpenAI's.
        var body = #"{"messages":[{"role":"user","content":"x"}]}"#
        /// What the words of Messages cannot say.
        var change: @Sendable (inout Conversation) -> Void = { _ in }
        var plan: @Sendable (inout RequestPlan) -> Void = { _ in }
        /// Members of the result; those of every request only where they matter.
        let members: String
        var dropped: [String] = []
        var testDescription: String { name }
    }

    private static func write(_ row: Row) throws -> Converting.Request {
        let document = try Converting.Document(row.body)
        let bytes = document.bytes.span
        var conversation = try Conversion.readRequest(.messages, document.tape, bytes)
        conversation.format = .chat
        row.change(&conversation)
        var plan = RequestPlan(format: .messages, host: row.host, model: row.model, isStream: false)
        row.plan(&plan)
        let out = ByteBuffer()
        var omissions = Omissions()
        try Conversion.writeRequest(
            conversation,
            plan,
            from: bytes,
            ConversionScratch(),
            &omissions,
            to: out
        )
        return Converting.Request(body: out.text, dropped: omissions.names)
    }

    /// Compares all members that either side has, except for the usual model, limit and messages.
    private static func check(_ row: Row) throws {
        let request = try write(row)
        var found = try #require(JSONValue(request.body).object)
        let wanted = try #require(JSONValue("{\(row.members)}").object)
        if wanted["model"] == nil, found["model"] == .string(row.model) { found["model"] = nil }
        if wanted["max_tokens"] == nil, found["max_tokens"] == .number(8192) {
            found["max_tokens"] = nil
        }
        let turn = try JSONValue(#"[{"role":"user","content":[{"type":"text","text":"x"}]}]"#)
        if wanted["messages"] == nil, found["messages"] == turn { found["messages"] = nil }
        #expect(found == wanted, "\(request.body)")
        #expect(request.dropped == row.dropped)
    }

    // MARK: Settings

    private static let tool =
        #"{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a","input_schema":{"type":"object"}}]"#
    private static let toolWritten =
        #""tools":[{"name":"a","input_schema":{"type":"object"}}]"#

    static let settings = [
        Row(
            name: "the limit of the configuration",
            plan: { $0.maxTokensDefault = 7 },
            members: #""max_tokens":7"#
        ),
        Row(
            name: "the limit of the client",
            change: { $0.maxTokens = 9 },
            plan: { $0.maxTokensDefault = 7 },
            members: #""max_tokens":9"#
        ),
        Row(
            name: "the limit of Claude 3",
            model: "claude-3-opus-20240229",
            members: #""max_tokens":4096"#
        ),
        Row(name: "a stream", plan: { $0.isStream = true }, members: #""stream":true"#),
        Row(
            name: "Bedrock names neither model nor stream",
            host: .bedrock,
            plan: { $0.isStream = true },
            members: #""anthropic_version":"bedrock-2023-05-31""#
        ),
        Row(
            name: "betas in the body",
            host: .sapBedrock,
            plan: {
                $0.betas = ["a", "prompt-caching-2024-07-31", "a", "advanced-tool-use-2025-11-20"]
            },
            members:
                #""anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a","tool-search-tool-2025-10-19"]"#,
            dropped: ["anthropic-beta.prompt-caching-2024-07-31"]
        ),
        Row(
            name: "a long context",
            model: "claude-sonnet-4-5[1m]",
            host: .bedrock,
            members:
                #""anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"]"#
        ),
        Row(
            name: "a long context has no name of its own",
            model: "claude-sonnet-4-5[1m]",
            members: #""model":"claude-sonnet-4-5""#
        ),
        Row(
            name: "temperature is at most 1",
            change: { $0.temperature = 1.7 },
            members: #""temperature":1"#
        ),
        Row(
            name: "temperature wins over top_p",
            change: {
                $0.temperature = 0.5; $0.topP = 0.9
            },
            members: #""temperature":0.5"#,
            dropped: ["top_p"]
        ),
        Row(
            name: "older models take both",
            model: "claude-3-7-sonnet-latest",
            change: {
                $0.temperature = 0.5; $0.topP = 0.9; $0.topK = 3
            },
            members: #""temperature":0.5,"top_p":0.9,"top_k":3"#
        ),
        Row(
            name: "Opus 4.7 takes no sampling",
            model: "anthropic--claude-4.7-opus",
            change: {
                $0.temperature = 1; $0.topP = 0.9; $0.topK = 3
            },
            members: "",
            dropped: ["temperature", "top_p", "top_k"]
        ),
        Row(
            name: "blank stop texts",
            change: { $0.stop = [.text("END"), .text(" \n"), .text("")] },
            members: #""stop_sequences":["END"]"#,
            dropped: ["stop"]
        ),
        Row(
            name: "the user",
            change: { $0.user = .text("u") },
            members: #""metadata":{"user_id":"u"}"#
        ),
        Row(
            name: "what Claude has no words for",
            change: {
                $0.seed = 1; $0.presencePenalty = 1; $0.frequencyPenalty = 1; $0.logprobs = true
                $0.topLogprobs = 2; $0.candidates = 1
            },
            members: "",
            dropped: ["seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"]
        ),
        Row(
            name: "what the upstream refused",
            change: {
                $0.user = .text("u"); $0.temperature = 0
            },
            plan: { $0.refused = ["metadata", "temperature"] },
            members: "",
            dropped: ["temperature", "metadata"]
        ),
        Row(
            name: "JSON by instruction",
            change: { $0.responseFormat = .jsonObject },
            members:
                #""system":[{"type":"text","text":"Answer with one JSON object and nothing else: no text around it and no code fence."}]"#
        ),
        Row(
            name: "a schema for models that take one",
            change: {
                $0.responseFormat = .jsonSchema(
                    JSONSchemaFormat(
                        name: nil,
                        schema: .json(#"{"type":"object"}"#),
                        isStrict: true
                    )
                )
            },
            members:
                #""output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#
        ),
        Row(
            name: "a schema by instruction",
            model: "claude-sonnet-4-0",
            change: {
                $0.responseFormat = .jsonSchema(
                    JSONSchemaFormat(
                        name: nil,
                        schema: .json(#"{"type":"object"}"#),
                        isStrict: true
                    )
                )
            },
            members:
                #""system":[{"type":"text","text":"Answer with one JSON value that matches this schema, without text around it or code fence: {\"type\":\"object\"}"}]"#
        ),
        Row(
            name: "a schema that does not bind",
            body: #"{"system":"s","messages":[{"role":"user","content":"x"}]}"#,
            change: {
                $0.responseFormat = .jsonSchema(
                    JSONSchemaFormat(name: nil, schema: .json("{}"), isStrict: false)
                )
            },
            members:
                #""system":[{"type":"text","text":"s"},{"type":"text","text":"Answer with one JSON value that matches this schema, without text around it or code fence: {}"}]"#
        ),
    ]

    @Test(arguments: settings)
    func writesSettings(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: Thinking

    static let thinking = [
        Row(
            name: "low",
            change: { $0.reasoning = Reasoning(effort: .low) },
            members: #""thinking":{"type":"enabled","budget_tokens":1024}"#
        ),
        Row(
            name: "medium",
            change: { $0.reasoning = Reasoning(effort: .medium) },
            members: #""thinking":{"type":"enabled","budget_tokens":2048}"#
        ),
        Row(
            name: "high",
            change: { $0.reasoning = Reasoning(effort: .high) },
            members: #""thinking":{"type":"enabled","budget_tokens":4096}"#
        ),
        Row(
            name: "none",
            change: { $0.reasoning = Reasoning(effort: Reasoning.Effort.none) },
            members: ""
        ),
        Row(
            name: "the limit rises above the budget",
            change: {
                $0.reasoning = Reasoning(effort: .high); $0.maxTokens = 100
            },
            members: #""max_tokens":4196,"thinking":{"type":"enabled","budget_tokens":4096}"#
        ),
        Row(
            name: "a small budget",
            change: { $0.reasoning = Reasoning(budget: 5) },
            members: #""thinking":{"type":"enabled","budget_tokens":1024}"#
        ),
        Row(name: "a budget of none", change: { $0.reasoning = Reasoning(budget: 0) }, members: ""),
        Row(
            name: "the model's own budget",
            change: { $0.reasoning = Reasoning(budget: -1) },
            members: #""thinking":{"type":"enabled","budget_tokens":2048}"#
        ),
        Row(
            name: "Opus 4.7 thinks adaptively",
            model: "claude-opus-4-7",
            change: { $0.reasoning = Reasoning(effort: .xhigh) },
            members: #""thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}"#
        ),
        Row(
            name: "a budget becomes an effort",
            model: "claude-opus-4-7",
            change: {
                $0.reasoning = Reasoning(budget: 3000); $0.reasoning?.showsThoughts = true
            },
            members:
                #""thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"medium"}"#
        ),
        Row(
            name: "models before 3.7 do not think",
            model: "claude-3-5-sonnet-20241022",
            change: { $0.reasoning = Reasoning(effort: .high) },
            members: "",
            dropped: ["reasoning_effort"]
        ),
        Row(
            name: "temperature goes where the model thinks",
            change: {
                $0.reasoning = Reasoning(effort: .low); $0.temperature = 0.2; $0.topK = 4
            },
            members: #""thinking":{"type":"enabled","budget_tokens":1024}"#,
            dropped: ["temperature", "top_k"]
        ),
        Row(
            name: "a forced tool wins",
            body: tool + "}",
            change: {
                $0.reasoning = Reasoning(effort: .low); $0.toolChoice = .required
            },
            members: toolWritten + #","tool_choice":{"type":"any"}"#,
            dropped: ["reasoning_effort"]
        ),
        Row(
            name: "a call waits without signed thoughts",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"r"}]}],"tools":[{"name":"a","input_schema":{"type":"object"}}]}"#,
            change: { $0.reasoning = Reasoning(effort: .low) },
            members: toolWritten
                + #","messages":[{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"r"}]}]}]"#,
            dropped: ["reasoning_effort"]
        ),
        Row(
            name: "a call waits with signed thoughts",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}],"tools":[{"name":"a","input_schema":{"type":"object"}}]}"#,
            change: { $0.reasoning = Reasoning(effort: .low) },
            members: toolWritten
                + #","thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}]"#
        ),
        Row(
            name: "adaptive models do not mind a call that waits",
            model: "claude-opus-4-8",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}],"tools":[{"name":"a","input_schema":{"type":"object"}}]}"#,
            change: { $0.reasoning = Reasoning(effort: .low) },
            members: toolWritten
                + #","thinking":{"type":"adaptive"},"output_config":{"effort":"low"},"messages":[{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}]"#
        ),
    ]

    @Test(arguments: thinking)
    func decidesHowMuchItThinks(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: Turns

    private static let user = #"{"role":"user","content":[{"type":"text","text":"x"}]}"#
    private static let firstTurn = #"{"role":"user","content":[{"type":"text","text":"."}]}"#

    static let turns = [
        Row(
            name: "turns of one role are one",
            body:
                #"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"},{"role":"assistant","content":"d"},{"role":"user","content":"e"}]}"#,
            members:
                #""messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]},{"role":"user","content":[{"type":"text","text":"e"}]}]"#
        ),
        Row(
            name: "turns that say nothing go, and their neighbours join",
            body:
                #"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":" \n"},{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"b"}]}]}"#,
            members:
                #""messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#
        ),
        Row(
            name: "the user has the first word",
            body:
                #"{"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"x"}]}"#,
            members:
                #""messages":[\#(firstTurn),{"role":"assistant","content":[{"type":"text","text":"a"}]},\#(user)]"#
        ),
        Row(
            name: "nobody says anything",
            change: { $0.messages = [] },
            members: #""messages":[\#(firstTurn)]"#
        ),
        Row(
            name: "results come before anything else",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}},{"type":"tool_use","id":"j","name":"a","input":{}}]},{"role":"user","content":"wait"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"r"}]},{"role":"user","content":[{"type":"text","text":"and"},{"type":"tool_result","tool_use_id":"j","content":"s"}]}],"tools":[{"name":"a","input_schema":{"type":"object"}}]}"#,
            members: toolWritten
                + #","messages":[\#(user),{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}},{"type":"tool_use","id":"j","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"r"}]},{"type":"tool_result","tool_use_id":"j","content":[{"type":"text","text":"s"}]},{"type":"text","text":"wait"},{"type":"text","text":"and"}]}]"#
        ),
        Row(
            name: "the model goes on with a turn, without white space at its end",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a\\n\n \t"}]}"#,
            members:
                #""messages":[\#(user),{"role":"assistant","content":[{"type":"text","text":"a\\n"}]}]"#
        ),
        Row(
            name: "Claude 4.6 is asked to go on",
            model: "claude-sonnet-4-6",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a"}]}"#,
            members:
                #""messages":[\#(user),{"role":"assistant","content":[{"type":"text","text":"a"}]},{"role":"user","content":[{"type":"text","text":"Continue exactly where your last message ends."}]}]"#,
            dropped: ["messages[-1]"]
        ),
        Row(
            name: "thoughts without a signature go",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"text","text":"a"}]},{"role":"user","content":"x"}]}"#,
            members:
                #""messages":[\#(user),{"role":"assistant","content":[{"type":"text","text":"a"}]},\#(user)]"#,
            dropped: ["messages[].reasoning_content"]
        ),
        Row(
            name: "refusals are texts",
            change: {
                $0.messages += [
                    Message(.assistant, [.refusal(.text("no"))]),
                    Message(.user, [.text(TextBlock(.text("x")))]),
                ]
            },
            members:
                #""messages":[\#(user),{"role":"assistant","content":[{"type":"text","text":"no"}]},\#(user)]"#
        ),
        Row(
            name: "calls without ids get some, results find them by name",
            body: tool + "}",
            change: { conversation in
                let call = { ToolCall(id: nil, name: .text($0), input: .object(.json("{}"))) }
                var second = ToolResult(callID: nil, name: .text("b"), content: [])
                second.value = .json(#"{"r":"\n"}"#)
                conversation.messages += [
                    Message(.assistant, [.toolCall(call("a")), .toolCall(call("b"))]),
                    Message(
                        .user,
                        [
                            .toolResult(second),
                            .toolResult(ToolResult(callID: nil, name: nil, content: [])),
                        ]
                    ),
                ]
            },
            members: toolWritten
                + #","messages":[\#(user),{"role":"assistant","content":[{"type":"tool_use","id":"toolu_0","name":"a","input":{}},{"type":"tool_use","id":"toolu_1","name":"b","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"{\"r\":\"\\n\"}"}]},{"type":"tool_result","tool_use_id":"toolu_0"}]}]"#
        ),
        Row(
            name: "ids of other vendors fit",
            body: tool + "}",
            change: { conversation in
                conversation.messages += [
                    Message(
                        .assistant,
                        [
                            .toolCall(
                                ToolCall(
                                    id: .text("functions.a:0"),
                                    name: .text("a"),
                                    input: .text(.text("{ broken"))
                                )
                            )
                        ]
                    ),
                    Message(
                        .user,
                        [
                            .toolResult(
                                ToolResult(callID: .text("functions.a:0"), name: nil, content: [])
                            )
                        ]
                    ),
                ]
            },
            members: toolWritten
                + #","messages":[\#(user),{"role":"assistant","content":[{"type":"tool_use","id":"functions_a_0","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_a_0"}]}]"#
        ),
        Row(
            name: "a history with calls has a tool",
            body:
                #"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{"k":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}]}"#,
            members:
                #""tools":[{"name":"unavailable_tool","description":"Stands for the tools of earlier turns. Never call it.","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"},"messages":[\#(user),{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{"k":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i"}]}]"#
        ),
        Row(
            name: "an image of no type is looked at",
            change: {
                $0.messages = [
                    Message(
                        .user,
                        [.media(Media(.image, .text("image/jpg"), .base64(.text("AAAA"))))]
                    )
                ]
            },
            members:
                #""messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}}]}]"#
        ),
        Row(
            name: "cache marks without a scope on Bedrock",
            host: .bedrock,
            body:
                #"{"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"scope":"global","type":"ephemeral","ttl":"1h"}}]}]}"#,
            members:
                #""anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]"#
        ),
    ]

    @Test(arguments: turns)
    func ordersTurns(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: Tools

    static let tools = [
        Row(
            name: "a tool without a schema",
            body:
                #"{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a","description":""}]}"#,
            members: #""tools":[{"name":"a","input_schema":{"type":"object","properties":{}}}]"#
        ),
        Row(
            name: "schemas without a type",
            body:
                #"{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a","input_schema":{ }},{"name":"b","input_schema":{"properties":{"type":{}}}}]}"#,
            members:
                #""tools":[{"name":"a","input_schema":{"type":"object","properties":{}}},{"name":"b","input_schema":{"type":"object","properties":{"type":{}}}}]"#
        ),
        Row(
            name: "a strict tool",
            body:
                #"{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"a","strict":true,"input_schema":{"type":"object"}}]}"#,
            members: toolWritten,
            dropped: ["tools[].function.strict"]
        ),
        Row(
            name: "one call at a time",
            body: tool + "}",
            change: { $0.parallelToolCalls = false },
            members: toolWritten
                + #","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#
        ),
        Row(
            name: "a named tool, one call at a time",
            body: tool + "}",
            change: {
                $0.toolChoice = .named(.text("a")); $0.parallelToolCalls = false
            },
            members: toolWritten
                + #","tool_choice":{"type":"tool","name":"a","disable_parallel_tool_use":true}"#
        ),
        Row(
            name: "no tool",
            body: tool + "}",
            change: {
                $0.toolChoice = ToolChoice.none; $0.parallelToolCalls = false
            },
            members: toolWritten + #","tool_choice":{"type":"none"}"#
        ),
        Row(
            name: "a choice without tools",
            change: { $0.toolChoice = .required },
            members: "",
            dropped: ["tool_choice"]
        ),
    ]

    @Test(arguments: tools)
    func writesTools(_ row: Row) throws {
        try Self.check(row)
    }

    // MARK: What cannot be said

    struct Impossible: CustomTestStringConvertible {
        let name: String
        var host = ProviderHost.anthropic
        let content: String
        var change: @Sendable (inout Conversation) -> Void = { _ in }
        let path: String
        let message: String
        var testDescription: String { name }
    }

    static let impossible = [
        Impossible(
            name: "an address on Bedrock",
            host: .sapBedrock,
            content: #"[{"type":"image","source":{"type":"url","url":"https://x/a.png"}}]"#,
            path: "messages[0].content[0].source.url",
            message: "must be inline (base64): this upstream fetches no URLs"
        ),
        Impossible(
            name: "a vector image",
            content:
                #"[{"type":"image","source":{"type":"base64","media_type":"image/svg+xml","data":"AAAA"}}]"#,
            path: "messages[0].content[0].source.media_type",
            message: "must be image/jpeg, image/png, image/gif or image/webp"
        ),
        Impossible(
            name: "a document of words",
            content:
                #"[{"type":"document","source":{"type":"base64","media_type":"application/msword","data":"AAAA"}}]"#,
            path: "messages[0].content[0].source.media_type",
            message: "must be application/pdf"
        ),
        Impossible(
            name: "another vendor's file",
            content: #"[{"type":"document","source":{"type":"file","file_id":"file_1"}}]"#,
            path: "messages[0].content[0].source.file_id",
            message: "must be inline (base64): this upstream does not know the file"
        ),
        Impossible(
            name: "a sound",
            content: #""x""#,
            change: {
                $0.messages = [Message(.user, [.media(Media(.audio, nil, .base64(.slice(2..<9))))])]
            },
            path: "messages",
            message: "is a sound: this model takes texts, images and PDF documents"
        ),
        Impossible(
            name: "several answers",
            content: #""x""#,
            change: { $0.candidates = 2 },
            path: "n",
            message: "must be 1: this model gives one answer"
        ),
        Impossible(
            name: "a tool with a long name",
            content: #""x""#,
            change: {
                $0.tools = [
                    Tool(
                        name: .text(String(repeating: "n", count: 129)),
                        description: nil,
                        schema: nil
                    )
                ]
            },
            path: "",
            message: "must be 1 to 128 letters, digits, _ or - for this model"
        ),
    ]

    @Test(arguments: impossible)
    func refuses(_ row: Impossible) throws {
        let text = #"{"messages":[{"role":"user","content":\#(row.content)}]}"#
        let document = try Converting.Document(text)
        var conversation = try Conversion.readRequest(
            .messages,
            document.tape,
            document.bytes.span
        )
        conversation.format = .chat
        row.change(&conversation)
        let changed = conversation
        let plan = RequestPlan(
            format: .messages,
            host: row.host,
            model: "claude-sonnet-4-5",
            isStream: false
        )
        let error = #expect(throws: ConversionError.self) {
            var omissions = Omissions()
            try Conversion.writeRequest(
                changed,
                plan,
                from: document.bytes.span,
                ConversionScratch(),
                &omissions,
                to: ByteBuffer()
            )
        }
        let path = error?.path(document.tape, document.bytes.span)
        #expect(path == row.path)
        #expect(error?.message == row.message)
        #expect(error?.kind == .unsupported)
    }
}
