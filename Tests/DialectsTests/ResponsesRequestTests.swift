// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Requests for upstreams that speak Responses, from clients that do not.
struct ResponsesRequestTests {
    private static let plan = RequestPlan(
        format: .responses,
        host: .openAI,
        model: "gpt-5.3-codex",
        isStream: false
    )

    /// What `change` makes of an empty conversation of `format`.
    private static func body(
        _ format: WireFormat = .chat,
        _ plan: RequestPlan = plan,
        _ change: (inout Conversation) -> Void
    ) throws -> Converting.Request {
        var conversation = Conversation(format)
        change(&conversation)
        let out = ByteBuffer()
        var omissions = Omissions()
        try Conversion.writeRequest(
            conversation,
            plan,
            from: Span(),
            ConversionScratch(),
            &omissions,
            to: out
        )
        return Converting.Request(body: out.text, dropped: omissions.names)
    }

    private static func text(_ text: String) -> Part { .text(TextBlock(.text(text))) }

    @Test func aConversation() throws {
        let request = try Self.body { conversation in
            conversation.system = [TextBlock(.text("Be brief."))]
            conversation.messages = [
                Message(.user, [Self.text("a\"b"), .media(Self.image)]),
                Message(
                    .assistant,
                    [
                        Self.text("wait"), .refusal(.text("no")),
                        .toolCall(
                            ToolCall(
                                id: .text("c1"),
                                name: .text("f"),
                                input: .object(.json(#"{"a":"b\nc"}"#))
                            )
                        ),
                    ]
                ),
                Message(
                    .user,
                    [
                        .toolResult(
                            ToolResult(callID: .text("c1"), name: nil, content: [Self.text("1")])
                        ), Self.text("go"),
                    ]
                ),
            ]
            conversation.tools = [Tool(name: .text("f"), description: nil, schema: nil)]
            conversation.toolChoice = .named(.text("f"))
            conversation.maxTokens = 3
        }
        #expect(
            request.body == """
                {"model":"gpt-5.3-codex","instructions":"Be brief.","input":[\
                {"type":"message","role":"user","content":[{"type":"input_text","text":"a\\"b"},\
                {"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"}]},\
                {"type":"message","role":"assistant","content":[{"type":"output_text","text":"wait"},\
                {"type":"refusal","refusal":"no"}]},\
                {"type":"function_call","call_id":"c1","name":"f","arguments":"{\\"a\\":\\"b\\\\nc\\"}"},\
                {"type":"function_call_output","call_id":"c1","output":"1"},\
                {"type":"message","role":"user","content":[{"type":"input_text","text":"go"}]}],\
                "tools":[{"type":"function","name":"f","parameters":null,"strict":false}],\
                "tool_choice":{"type":"function","name":"f"},\
                "max_output_tokens":16,"store":false}
                """
        )
        #expect(request.dropped.isEmpty)
    }

    private static var image: Media {
        var image = Media(.image, .text("image/png"), .base64(.text("AAAA")))
        image.detail = .text("low")
        return image
    }

    @Test func severalInstructionsKeepTheirBorders() throws {
        let request = try Self.body { conversation in
            conversation.system = [TextBlock(.text("a")), TextBlock(.text("b"))]
            conversation.messages = [Message(.user, [Self.text("hi")])]
        }
        #expect(
            request.body.contains(
                """
                "input":[{"type":"message","role":"system","content":\
                [{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
                """
            )
        )
        #expect(!request.body.contains("instructions"))
    }

    @Test func callsWithoutIDsGetSome() throws {
        let call = Part.toolCall(
            ToolCall(id: nil, name: .text("f"), input: .object(.json("{}")))
        )
        let other = Part.toolCall(
            ToolCall(id: nil, name: .text("g"), input: .object(.json("{}")))
        )
        func result(_ name: String, _ value: String) -> Part {
            var result = ToolResult(callID: nil, name: .text(name), content: [])
            result.value = .json(value)
            return .toolResult(result)
        }
        let request = try Self.body(.gemini) { conversation in
            conversation.messages = [
                Message(.assistant, [call, other, call]),
                Message(
                    .user,
                    [result("g", #"{"r":"x"}"#), result("f", "{}"), result("f", "[]")]
                ),
            ]
        }
        let items = try JSONValue(request.body)["input"]?.array ?? []
        #expect(
            items.map { $0["call_id"]?.string } == [
                "call_1", "call_2", "call_3", "call_2", "call_1", "call_3",
            ]
        )
        #expect(items[3]["output"]?.string == #"{"r":"x"}"#)
        #expect(throws: ConversionError.self) {
            try Self.body(.gemini) { conversation in
                conversation.messages = [Message(.user, [result("f", "{}")])]
            }
        }
    }

    @Test func aFailureIsSaid() throws {
        let request = try Self.body(.messages) { conversation in
            var result = ToolResult(callID: .text("c"), name: nil, content: [Self.text("no file")])
            result.isError = true
            conversation.messages = [Message(.user, [.toolResult(result)])]
        }
        #expect(request.body.contains(#""output":"Error: no file""#))
    }

    @Test func onlyItsOwnThoughtsGoBackToOpenAI() throws {
        let request = try Self.body(.messages) { conversation in
            conversation.messages = [
                Message(
                    .assistant,
                    [
                        .thinking(Thinking(text: .text("hm"), signature: .text("EqQB"))),
                        .thinking(Thinking(text: nil, encrypted: .text("EvAF"))),
                        .thinking(Thinking(text: nil, encrypted: .text("apus.o.gAAA"))),
                    ]
                )
            ]
        }
        #expect(
            request.body.contains(
                #""input":[{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}]"#
            )
        )
        #expect(request.body.contains(#""include":["reasoning.encrypted_content"]"#))
        #expect(request.dropped == ["messages[].content[].thinking"])
    }

    struct Setting: CustomTestStringConvertible, Sendable {
        let name: String
        var model = "gpt-5.3-codex"
        var format = WireFormat.chat
        let change: @Sendable (inout Conversation) -> Void
        var has: String?
        var hasNot: String?
        var dropped: [String] = []

        var testDescription: String { name }
    }

    @Test(arguments: [
        Setting(
            name: "sampling of a reasoning model",
            change: {
                $0.temperature = 0.5
                $0.topP = 0.5
            },
            hasNot: "temperature",
            dropped: ["temperature", "top_p"]
        ),
        Setting(
            name: "sampling of another model",
            model: "gpt-4.1",
            change: { $0.temperature = 0.5 },
            has: #""temperature":0.5"#
        ),
        Setting(
            name: "what Responses does not have",
            format: .gemini,
            change: {
                $0.stop = [.text("END")]
                $0.topK = 3
                $0.seed = 1
                $0.presencePenalty = 1
                $0.frequencyPenalty = 1
                $0.candidates = 1
            },
            dropped: [
                "generationConfig.stopSequences", "generationConfig.topK",
                "generationConfig.seed", "generationConfig.presencePenalty",
                "generationConfig.frequencyPenalty",
            ]
        ),
        Setting(
            name: "log probabilities",
            change: {
                $0.logprobs = true
                $0.topLogprobs = 2
            },
            dropped: ["logprobs", "top_logprobs"]
        ),
        Setting(
            name: "an effort",
            change: { $0.reasoning = Reasoning(effort: .xhigh) },
            has: #""reasoning":{"effort":"xhigh"}"#
        ),
        Setting(
            name: "a small budget",
            format: .messages,
            change: { $0.reasoning = Reasoning(budget: 1024) },
            has: #""reasoning":{"effort":"low","summary":"auto"}"#
        ),
        Setting(
            name: "a budget",
            format: .messages,
            change: { $0.reasoning = Reasoning(budget: 4096) },
            has: #""effort":"medium""#
        ),
        Setting(
            name: "a large budget",
            format: .messages,
            change: {
                $0.reasoning = Reasoning(budget: 8192)
                $0.reasoning?.showsThoughts = true
            },
            has: #""reasoning":{"effort":"high","summary":"auto"}"#
        ),
        Setting(
            name: "a budget that the model sets",
            format: .gemini,
            change: { $0.reasoning = Reasoning(budget: -1) },
            hasNot: "reasoning\":"
        ),
        Setting(
            name: "an effort of a model that cannot think",
            model: "gpt-4.1",
            change: { $0.reasoning = Reasoning(effort: .high) },
            hasNot: "effort",
            dropped: ["reasoning_effort"]
        ),
        Setting(
            name: "no effort of a model that cannot think",
            model: "gpt-4.1",
            change: { $0.reasoning = Reasoning(effort: Reasoning.Effort.none) },
            hasNot: "effort"
        ),
        Setting(
            name: "a schema without a name",
            change: {
                $0.responseFormat = .jsonSchema(
                    JSONSchemaFormat(name: nil, schema: .json(#"{"type":"object"}"#), isStrict: nil)
                )
            },
            has:
                #""text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object"}}}"#
        ),
        Setting(
            name: "a cache mark",
            format: .messages,
            change: { $0.system = [TextBlock(.text("a"), cache: .json("{}"))] },
            has: #""instructions":"a""#,
            dropped: ["cache_control"]
        ),
    ])
    func setting(_ row: Setting) throws {
        let plan = RequestPlan(format: .responses, host: .openAI, model: row.model, isStream: false)
        let request = try Self.body(row.format, plan, row.change)
        if let has = row.has { #expect(request.body.contains(has), "\(request.body)") }
        if let hasNot = row.hasNot { #expect(!request.body.contains(hasNot), "\(request.body)") }
        #expect(request.dropped == row.dropped)
    }

    @Test func refusedMembersStayAway() throws {
        var plan = Self.plan
        plan.refused = ["user", "reasoning", "store", "temperature"]
        let request = try Self.body(.chat, plan) { conversation in
            conversation.user = .text("u")
            conversation.reasoning = Reasoning(effort: .low)
            conversation.messages = [Message(.user, [Self.text("hi")])]
        }
        for name in ["\"user\":", "reasoning", "store"] { #expect(!request.body.contains(name)) }
        #expect(request.dropped == ["user", "reasoning", "store"])
    }

    struct Unsupported: CustomTestStringConvertible, Sendable {
        let name: String
        var format = WireFormat.chat
        let change: @Sendable (inout Conversation) -> Void
        let says: String

        var testDescription: String { name }

        static func media(
            _ name: String,
            _ media: Media,
            from format: WireFormat = .chat,
            _ says: String
        ) -> Unsupported {
            Unsupported(
                name: name,
                format: format,
                change: { $0.messages = [Message(.user, [.media(media)])] },
                says: says
            )
        }
    }

    @Test(arguments: [
        Unsupported(name: "several answers", change: { $0.candidates = 2 }, says: "one answer"),
        .media(
            "a file of another vendor",
            Media(.document, nil, .file(.text("file_1"))),
            from: .messages,
            "another provider"
        ),
        .media(
            "an image without a type",
            Media(.image, nil, .base64(.text("AAAA"))),
            "a media type"
        ),
        .media(
            "sound in another format",
            Media(.audio, .text("audio/ogg"), .base64(.text("AAAA"))),
            "WAV or MP3"
        ),
        Unsupported(
            name: "an image that the assistant made",
            change: {
                $0.messages = [
                    Message(
                        .assistant,
                        [.media(Media(.image, .text("image/png"), .base64(.text("AAAA"))))]
                    )
                ]
            },
            says: "an assistant's turn"
        ),
    ])
    func cannotBeSaid(_ row: Unsupported) throws {
        let error = #expect(throws: ConversionError.self) {
            try Self.body(row.format, Self.plan, row.change)
        }
        #expect(error?.kind == .unsupported)
        #expect(error?.message.contains(row.says) == true, "\(error?.message ?? "")")
    }

    @Test(arguments: 0..<300)
    func readsWhatItWrote(_ seed: Int) throws {
        var generator = RandomResponsesRequest(seed: UInt64(seed))
        let first = generator.request()
        let plan = RequestPlan(
            format: .responses,
            host: .compatible,
            model: "m",
            isStream: seed % 2 == 0
        )
        let request = try Converting.request(first, from: .responses, plan)
        let before = try Converting.conversation(.responses, first)
        let after = try Converting.conversation(.responses, request.body)
        #expect(
            try Meaning(after, of: request.body) == Meaning(before, of: first),
            "seed \(seed): \(first)"
        )
        #expect(after.isStream == plan.isStream)
        let lost = request.dropped.filter { $0 != "input[].function_call" }
        #expect(lost.isEmpty)
    }
}
