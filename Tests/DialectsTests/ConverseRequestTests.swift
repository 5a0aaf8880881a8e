// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

struct ConverseRequestTests {
    struct Row: CustomTestStringConvertible {
        let name: String
        var model = "anthropic--claude-4.5-sonnet"
        var host = ProviderHost.sapBedrock
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
        _ host: ProviderHost = .sapBedrock,
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
        var plan = RequestPlan(format: .converse, host: host, model: model, isStream: true)
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
            name: "Nova has its own top_k and does not think",
            model: "amazon--nova-pro",
            members:
                #""temperature":0.2,"top_p":0.5,"top_k":4,"thinking":{"type":"enabled","budget_tokens":2000}"#,
            written:
                #""inferenceConfig":{"temperature":0.2,"topP":0.5},"additionalModelRequestFields":{"inferenceConfig":{"topK":4}}"#,
            dropped: ["thinking"]
        ),
        Row(
            name: "others have no top_k",
            model: "meta.llama3-3-70b-instruct-v1:0",
            members: #""top_k":4"#,
            written: "",
            dropped: ["top_k"]
        ),
        Row(
            name: "a member that was refused",
            members: #""top_k":4"#,
            plan: { $0.refused = ["top_k"] },
            written: "",
            dropped: ["top_k"]
        ),
        Row(
            name: "system and its mark",
            members:
                #""system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}},{"type":"text","text":""}]"#,
            written: #""system":[{"text":"Be brief."},{"cachePoint":{"type":"default"}}]"#
        ),
        Row(
            name: "a mark that lasts",
            model: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            host: .bedrock,
            members:
                #""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"5m"}}]"#,
            written:
                #""system":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}},{"text":"b"},{"cachePoint":{"type":"default"}}]"#
        ),
        Row(
            name: "a mark that cannot last",
            members:
                #""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#,
            written: #""system":[{"text":"a"},{"cachePoint":{"type":"default"}}]"#,
            dropped: ["cache_control.ttl"]
        ),
        Row(
            name: "Nova refuses marks",
            model: "amazon--nova-pro",
            members:
                #""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#,
            written: #""system":[{"text":"a"}]"#,
            dropped: ["cache_control"]
        ),
        Row(
            name: "old Claudes refuse marks",
            model: "anthropic.claude-3-5-sonnet-20240620-v1:0",
            members:
                #""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#,
            written: #""system":[{"text":"a"}]"#,
            dropped: ["cache_control"]
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
            written:
                #""toolConfig":{"tools":[\#(toolWritten)]},"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}"#
        ),
        Row(
            name: "one call of a tool",
            members: tool + #","tool_choice":{"type":"any","disable_parallel_tool_use":true}"#,
            written:
                #""toolConfig":{"tools":[\#(toolWritten)],"toolChoice":{"any":{}}},"additionalModelRequestFields":{"tool_choice":{"disable_parallel_tool_use":true}}"#
        ),
        Row(
            name: "one call at a time for a model that cannot be told",
            model: "amazon--nova-pro",
            members: tool + #","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
            written: #""toolConfig":{"tools":[\#(toolWritten)],"toolChoice":{"auto":{}}}"#,
            dropped: ["tool_choice.disable_parallel_tool_use"]
        ),
        Row(
            name: "one call at a time, refused",
            members: tool + #","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
            plan: { $0.refused = ["tool_choice"] },
            written: #""toolConfig":{"tools":[\#(toolWritten)],"toolChoice":{"auto":{}}}"#,
            dropped: ["tool_choice.disable_parallel_tool_use"]
        ),
        Row(
            name: "one call at a time without tools",
            members: "",
            change: { $0.parallelToolCalls = false },
            written: ""
        ),
        Row(
            name: "no tool more",
            members: tool
                + #","tool_choice":{"type":"none"},"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"y"}]}]"#,
            written:
                #""messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"i","name":"a","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"i","content":[{"text":"y"}],"status":"success"}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"unavailable_tool","description":"Stands for the tools of earlier turns. Never call it.","inputSchema":{"json":{"type":"object","properties":{}}}}}]}"#
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
            name: "formats of documents",
            members: #""messages":[{"role":"user","content":"x"}]"#,
            change: { conversation in
                for type in ["application/json", "text/x-swift; charset=utf-8", "Text/Markdown"] {
                    conversation.messages[0].parts.append(
                        .media(Media(.document, .text(type), .base64(.text("AAAA"))))
                    )
                }
            },
            written:
                #""messages":[{"role":"user","content":[{"text":"x"},{"document":{"format":"txt","name":"document 1","source":{"bytes":"AAAA"}}},{"document":{"format":"txt","name":"document 2","source":{"bytes":"AAAA"}}},{"document":{"format":"md","name":"document 3","source":{"bytes":"AAAA"}}}]}]"#
        ),
        Row(
            name: "Llama wants the user's turn last",
            model: "meta.llama3-3-70b-instruct-v1:0",
            members:
                #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"c"}]"#,
            written:
                #""messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"text":"c"}]},{"role":"user","content":[{"text":"Continue exactly where your last message ends."}]}]"#,
            dropped: ["messages[-1]"]
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
            row.host,
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

    /// Ids that only differ at their ends stay different, and results keep their calls.
    @Test func shortensLongIDs() throws {
        let ids = ["1", "2"].map { String(repeating: "i", count: 70) + $0 }
        let name = String(repeating: "n.", count: 40)
        let calls = ids.map { #"{"type":"tool_use","id":"\#($0)","name":"\#(name)","input":{}}"# }
        let results = ids.map { #"{"type":"tool_result","tool_use_id":"\#($0)","content":"y"}"# }
        let text = #"""
            {"messages":[{"role":"user","content":"x"},
             {"role":"assistant","content":[\#(calls.joined(separator: ","))]},
             {"role":"user","content":[\#(results.joined(separator: ","))]}]}
            """#
        let body = try JSONValue(Self.write(text, "anthropic--claude-4.5-sonnet").body)
        let called = try #require(body["messages"]?[1]?["content"]?.array)
            .compactMap { $0["toolUse"] }
        let answered = try #require(body["messages"]?[2]?["content"]?.array)
            .compactMap { $0["toolResult"]?["toolUseId"]?.string }
        let written = called.compactMap { $0["toolUseId"]?.string }
        #expect(written == answered)
        #expect(Set(written).count == 2)
        for text in written + called.compactMap({ $0["name"]?.string }) {
            #expect((1...64).contains(text.utf8.count))
            #expect(text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        }
    }

    @Test func namesOfDocumentsDiffer() throws {
        let name = String(repeating: "a_b  c.", count: 60) + "ä"
        let document = #"""
            {"type":"document","title":"\#(name)","source":{"type":"base64",
             "media_type":"application/pdf","data":"AAAA"}}
            """#
        let text = #"{"messages":[{"role":"user","content":[\#(document),\#(document)]}]}"#
        let body = try JSONValue(Self.write(text, "anthropic--claude-4.5-sonnet").body)
        let blocks = try #require(body["messages"]?[0]?["content"]?.array)
        let names = blocks.compactMap { $0["document"]?["name"]?.string }
        #expect(Set(names).count == 2)
        for name in names {
            #expect((1...200).contains(name.utf8.count))
            #expect(!name.contains("  ") && name.first != " " && name.last != " ")
            #expect(
                name.allSatisfy {
                    $0.isASCII && ($0.isLetter || $0.isNumber || " -()[]".contains($0))
                }
            )
        }
    }

    @Test func givesOneAnswer() {
        let error = #expect(throws: ConversionError.self) {
            try Converting.request(
                #"{"model":"m","n":2,"messages":[{"role":"user","content":"x"}]}"#,
                from: .chat,
                RequestPlan(format: .converse, host: .bedrock, model: "m", isStream: false)
            )
        }
        #expect(error?.kind == .unsupported)
        #expect(error?.place == .path("n"))
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
}
