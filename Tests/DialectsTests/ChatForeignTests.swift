// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Testing

/// Conversations that no chat client can have, as chat requests.
@Suite("Foreign conversations as chat requests")
struct ChatForeignTests {
    private static func body(
        _ conversation: Conversation,
        host: ProviderHost = .openAI,
        model: String = "gpt-4o"
    ) throws -> Converting.Request {
        let out = ByteBuffer()
        var omissions = Omissions()
        try Conversion.writeRequest(
            conversation,
            RequestPlan(format: .chat, host: host, model: model, isStream: false),
            from: Span(),
            ConversionScratch(),
            &omissions,
            to: out
        )
        return Converting.Request(body: out.text, dropped: omissions.names)
    }

    private static func text(_ text: String) -> Part {
        .text(TextBlock(.text(text)))
    }

    private static func call(_ id: String?, _ name: String) -> Part {
        .toolCall(
            ToolCall(
                id: id.map { .text($0) },
                name: .text(name),
                input: .object(.json(#"{"a":"b"}"#))
            )
        )
    }

    private static func result(_ id: String?, _ name: String?, _ content: [Part]) -> ToolResult {
        ToolResult(callID: id.map { .text($0) }, name: name.map { .text($0) }, content: content)
    }

    @Test("Results come first, then their images, then what the user says")
    func resultsComeFirst() throws {
        var failed = Self.result("b", nil, [Self.text("no file")])
        failed.isError = true
        let image = Media(.image, .text("image/png"), .base64(.text("AAAA")))
        var conversation = Conversation(.messages)
        conversation.messages = [
            Message(.assistant, [Self.text("Let me see."), Self.call("a", "f")]),
            Message(.assistant, [Self.call("b", "g")]),
            Message(
                .user,
                [
                    Self.text("Go on."),
                    .toolResult(Self.result("a", nil, [.media(image)])),
                ]
            ),
            Message(.user, [.toolResult(failed)]),
        ]
        let call = #""function","function":{"name":"#
        let input = #","arguments":"{\"a\":\"b\"}"}}"#
        #expect(
            try Self.body(conversation).body
                == #"{"model":"gpt-4o","messages":[{"role":"assistant","content":"Let me see.","#
                + #""tool_calls":[{"id":"a","type":\#(call)"f"\#(input),"#
                + #"{"id":"b","type":\#(call)"g"\#(input)]},"#
                + #"{"role":"tool","content":"The result follows as an attachment.","#
                + #""tool_call_id":"a"},"#
                + #"{"role":"tool","content":"Error: no file","tool_call_id":"b"},"#
                + #"{"role":"user","content":[{"type":"image_url","#
                + #""image_url":{"url":"data:image/png;base64,AAAA"}}]},"#
                + #"{"role":"user","content":"Go on."}]}"#
        )
    }

    @Test("Calls without ids get some, and results of the same name follow their order")
    func idsAreMade() throws {
        var second = Self.result(nil, "f", [])
        second.value = .json(#"{"x":1}"#)
        var conversation = Conversation(.gemini)
        conversation.messages = [
            Message(.assistant, [Self.call(nil, "f"), Self.call(nil, "g"), Self.call(nil, "f")]),
            Message(
                .user,
                [
                    .toolResult(Self.result(nil, "g", [Self.text("1")])),
                    .toolResult(Self.result(nil, "f", [Self.text("2"), Self.text("3")])),
                    .toolResult(second),
                ]
            ),
        ]
        let body = try Self.body(conversation).body
        #expect(
            body.hasSuffix(
                #"{"role":"tool","content":"1","tool_call_id":"call_1"},"#
                    + #"{"role":"tool","content":"2\n3","tool_call_id":"call_0"},"#
                    + #"{"role":"tool","content":"{\"x\":1}","tool_call_id":"call_2"}]}"#
            )
        )
        conversation.messages.append(Message(.user, [.toolResult(second)]))
        #expect(throws: ConversionError.self) { try Self.body(conversation) }
    }

    @Test("Thoughts go only to whom they belong")
    func thoughts() throws {
        let signed = Thinking(text: .text("hm"), signature: .text("s"))
        var conversation = Conversation(.messages)
        conversation.messages = [
            Message(.user, [Self.text("hi")]),
            Message(.assistant, [.thinking(Thinking(text: .text("well"))), Self.text("yes")]),
            Message(.user, [Self.text("and?")]),
        ]
        let plain = try Self.body(conversation, host: .compatible, model: "kimi-k2")
        #expect(plain.body.contains(#""content":"yes","reasoning_content":"well""#))
        #expect(plain.dropped == [])
        #expect(try Self.body(conversation).dropped == ["messages[].content[].thinking"])
        conversation.messages[1].parts[0] = .thinking(signed)
        let foreign = try Self.body(conversation, host: .compatible, model: "kimi-k2")
        #expect(!foreign.body.contains("reasoning"))
        #expect(foreign.dropped == ["messages[].content[].thinking"])
    }

    @Test("What other formats have more is named")
    func omissions() throws {
        var conversation = Conversation(.messages)
        conversation.system = [
            TextBlock(.text("a"), cache: .json("{}")), TextBlock(.text("b")),
        ]
        conversation.messages = [Message(.user, [Self.text("hi")])]
        conversation.topK = 4
        conversation.user = .text("u")
        conversation.reasoning = Reasoning(budget: 1024)
        let result = try Self.body(conversation)
        #expect(
            result.body
                == #"{"model":"gpt-4o","messages":[{"role":"system","content":"a\n\nb"},"#
                + #"{"role":"user","content":"hi"}],"user":"u"}"#
        )
        #expect(result.dropped == ["cache_control", "top_k", "thinking"])
    }

    struct Refused: CustomTestStringConvertible {
        let name: String
        let media: Media
        var role = Message.Role.user

        var testDescription: String { name }
    }

    @Test(
        "Media that chat cannot carry refuse the request",
        arguments: [
            Refused(name: "a file", media: Media(.image, nil, .file(.text("file_1")))),
            Refused(name: "a document's URL", media: Media(.document, nil, .url(.text("u")))),
            Refused(name: "a document's id", media: Media(.document, nil, .file(.text("f")))),
            Refused(name: "a sound's URL", media: Media(.audio, nil, .url(.text("u")))),
            Refused(
                name: "an image of the assistant",
                media: Media(.image, nil, .base64(.text("AAAA"))),
                role: .assistant
            ),
        ]
    )
    func refusesMedia(_ row: Refused) throws {
        var conversation = Conversation(.messages)
        conversation.messages = [Message(row.role, [.media(row.media)])]
        #expect(throws: ConversionError.self) { try Self.body(conversation) }
    }

    @Test("A document of text becomes text")
    func plainDocument() throws {
        var media = Media(.document, .text("text/plain"), .plain(.text("Once.")))
        media.name = .text("Tale")
        var conversation = Conversation(.messages)
        conversation.messages = [Message(.user, [.media(media), Self.text("Sum up.")])]
        #expect(
            try Self.body(conversation).body.contains(
                #"[{"type":"text","text":"Tale\n\nOnce."},{"type":"text","text":"Sum up."}]"#
            )
        )
    }

    struct Effort: CustomTestStringConvertible {
        let model: String
        var host = ProviderHost.openAI
        let reasoning: Reasoning
        let effort: String?

        var testDescription: String { "\(model) \(reasoning)" }
    }

    @Test(
        "Efforts",
        arguments: [
            Effort(model: "gpt-5", reasoning: Reasoning(budget: 1024), effort: "low"),
            Effort(model: "gpt-5", reasoning: Reasoning(budget: 2048), effort: "medium"),
            Effort(model: "gpt-5", reasoning: Reasoning(budget: 8192), effort: "high"),
            Effort(model: "gpt-5", reasoning: Reasoning(budget: -1), effort: nil),
            Effort(
                model: "gpt-5",
                reasoning: Reasoning(effort: Reasoning.Effort.none),
                effort: "minimal"
            ),
            Effort(
                model: "gpt-5.4",
                reasoning: Reasoning(effort: Reasoning.Effort.none),
                effort: "none"
            ),
            Effort(model: "gpt-5.4", reasoning: Reasoning(effort: .minimal), effort: "low"),
            Effort(model: "gpt-5.1", reasoning: Reasoning(effort: .xhigh), effort: "high"),
            Effort(model: "o3", reasoning: Reasoning(effort: Reasoning.Effort.none), effort: "low"),
            Effort(model: "o3", reasoning: Reasoning(effort: .xhigh), effort: "high"),
            Effort(model: "gpt-4.1", reasoning: Reasoning(effort: .high), effort: nil),
            Effort(
                model: "qwen3",
                host: .compatible,
                reasoning: Reasoning(effort: .high),
                effort: "high"
            ),
            Effort(
                model: "qwen3",
                host: .compatible,
                reasoning: Reasoning(effort: Reasoning.Effort.none),
                effort: nil
            ),
        ]
    )
    func efforts(_ row: Effort) throws {
        var conversation = Conversation(.messages)
        conversation.messages = [Message(.user, [Self.text("hi")])]
        conversation.reasoning = row.reasoning
        let body = try Self.body(conversation, host: row.host, model: row.model).body
        if let effort = row.effort {
            #expect(body.contains("\"reasoning_effort\":\"\(effort)\""))
        } else {
            #expect(!body.contains("reasoning_effort"))
        }
    }

    @Test("Ids and users that are too long for OpenAI")
    func longNames() throws {
        let long = String(repeating: "x", count: 65)
        var conversation = Conversation(.messages)
        conversation.user = .text(long)
        conversation.messages = [
            Message(.assistant, [Self.call(long, "f"), Self.call("short", "f")]),
            Message(
                .user,
                [
                    .toolResult(Self.result(long, nil, [Self.text("1")])),
                    .toolResult(Self.result("short", nil, [Self.text("2")])),
                ]
            ),
        ]
        let result = try Self.body(conversation)
        #expect(result.dropped == ["metadata.user_id"])
        #expect(!result.body.contains(long))
        let ids = result.body.split(separator: "\"").filter { $0.hasPrefix("call_") }
        #expect(ids.count == 2 && ids[0] == ids[1] && ids[0].utf8.count <= 40)
        #expect(result.body.contains(#""content":"2","tool_call_id":"short""#))
    }

    @Test("Claude Code's request for a GPT on SAP")
    func claudeCode() throws {
        let request = #"""
            {"model":"claude","max_tokens":4096,"stream":true,"system":[{"type":"text",
            "text":"You are.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"Be brief."}],
            "thinking":{"type":"enabled","budget_tokens":2048},"stop_sequences":["END"],
            "tools":[{"name":"f","description":"clock","input_schema":{"type":"object"}}],
            "tool_choice":{"type":"any","disable_parallel_tool_use":true},
            "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[
            {"type":"thinking","thinking":"hm","signature":"s=="},{"type":"text","text":"Let me"},
            {"type":"tool_use","id":"t1","name":"f","input":{"tz":"CET"}},
            {"type":"tool_use","id":"t2","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[
            {"type":"text","text":"12"},{"type":"image","source":{"type":"base64",
            "media_type":"image/png","data":"AAAA"}}]},{"type":"tool_result","tool_use_id":"t2",
            "is_error":true,"content":"bad"},{"type":"text","text":"go on"}]}]}
            """#
        let plan = RequestPlan(format: .chat, host: .sapAzure, model: "gpt-5.4", isStream: true)
        let result = try Converting.request(request, from: .messages, plan)
        let call = #""type":"function","function":{"name":"f","arguments":"#
        #expect(
            result.body
                == #"{"model":"gpt-5.4","messages":["#
                + #"{"role":"system","content":"You are.\n\nBe brief."},"#
                + #"{"role":"user","content":"hi"},{"role":"assistant","content":"Let me","#
                + #""tool_calls":[{"id":"t1",\#(call)"{\"tz\":\"CET\"}"}},"#
                + #"{"id":"t2",\#(call)"{}"}}]},"#
                + #"{"role":"tool","content":"12","tool_call_id":"t1"},"#
                + #"{"role":"tool","content":"Error: bad","tool_call_id":"t2"},"#
                + #"{"role":"user","content":[{"type":"image_url","image_url":"#
                + #"{"url":"data:image/png;base64,AAAA"}}]},{"role":"user","content":"go on"}],"#
                + #""stream":true,"stream_options":{"include_usage":true},"tools":["#
                + #"{"type":"function","function":{"name":"f","description":"clock","#
                + #""parameters":{"type":"object"}}}],"tool_choice":"required","#
                + #""parallel_tool_calls":false,"max_completion_tokens":4096,"#
                + #""reasoning_effort":"medium"}"#
        )
        #expect(
            result.dropped == [
                "cache_control", "messages[].content[].thinking", "stop_sequences",
            ]
        )
    }
}
