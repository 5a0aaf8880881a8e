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
}
