// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Support
import Testing

/// Conversations of other formats as requests of Gemini.
struct GeminiRequestWriterTests {
    private static func plan(_ model: String, _ host: ProviderHost) -> RequestPlan {
        RequestPlan(format: .gemini, host: host, model: model, isStream: false)
    }

    private static func write(
        _ conversation: Conversation,
        _ model: String = "gemini-2.5-flash",
        _ host: ProviderHost = .sapVertex
    ) throws -> (body: JSONValue, dropped: [String]) {
        let out = ByteBuffer()
        var omissions = Omissions()
        try Conversion.writeRequest(
            conversation,
            plan(model, host),
            from: Span(),
            ConversionScratch(),
            &omissions,
            to: out
        )
        return (try JSONValue(out.text), omissions.names)
    }

    private static func text(_ text: String) -> Part { .text(TextBlock(.text(text))) }

    private static func call(
        _ id: String?,
        _ name: String,
        _ input: String = "{}",
        signature: String? = nil
    ) -> Part {
        var call = ToolCall(
            id: id.map { .text($0) },
            name: .text(name),
            input: .text(.text(input))
        )
        call.signature = signature.map { .text($0) }
        return .toolCall(call)
    }

    private static func result(
        _ id: String?,
        _ content: [Part],
        isError: Bool = false,
        value: String? = nil,
        name: String? = nil
    ) -> Part {
        var result = ToolResult(
            callID: id.map { .text($0) },
            name: name.map { .text($0) },
            content: content
        )
        result.isError = isError
        result.value = value.map { .json($0) }
        return .toolResult(result)
    }

    struct Turns: CustomTestStringConvertible {
        let testDescription: String
        let messages: @Sendable () -> [Message]
        let contents: String
        var model = "gemini-2.5-flash"
        var host = ProviderHost.sapVertex
        var dropped: [String] = []
    }

    static let turns = [
        Turns(
            testDescription: "turns of one role are merged by parts",
            messages: {
                [
                    Message(.user, [text("A")]), Message(.user, [text("B"), text("")]),
                    Message(.assistant, [text("C")]), Message(.assistant, [.refusal(.text("D"))]),
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"text":"A"},{"text":"B"}]},{"role":"model","parts":[{"text":"C"},{"text":"D"}]}]"#
        ),
        Turns(
            testDescription: "the user begins",
            messages: { [Message(.assistant, [text("Hi")]), Message(.user, [text("A")])] },
            contents:
                #"[{"role":"user","parts":[{"text":"."}]},{"role":"model","parts":[{"text":"Hi"}]},{"role":"user","parts":[{"text":"A"}]}]"#
        ),
        Turns(
            testDescription: "nobody spoke",
            messages: { [] },
            contents: #"[{"role":"user","parts":[{"text":"."}]}]"#
        ),
        Turns(
            testDescription:
                "results of one turn are in one message, first, with the names of their calls",
            messages: {
                [
                    Message(.user, [text("Go")]),
                    Message(
                        .assistant,
                        [text("Ok"), call("1", "f", #"{"a":1}"#), call("2", "g", "broken")]
                    ),
                    Message(.user, [result("2", [text("two")])]),
                    Message(.user, [text("And?"), result("1", [text("{\"x\":[1]}")])]),
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"text":"Ok"},{"functionCall":{"name":"f","args":{"a":1}}},{"functionCall":{"name":"g","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"g","response":{"result":"two"}}},{"functionResponse":{"name":"f","response":{"x":[1]}}},{"text":"And?"}]}]"#
        ),
        Turns(
            testDescription: "ids at Google itself",
            messages: {
                [
                    Message(.user, [text("Go")]), Message(.assistant, [call("1", "f")]),
                    Message(.user, [result("1", [])]),
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"result":""}}}]}]"#,
            host: .gemini
        ),
        Turns(
            testDescription: "results of all kinds",
            messages: {
                [
                    Message(.user, [text("Go")]), Message(.assistant, [call("1", "f")]),
                    Message(
                        .user,
                        [
                            result("1", [text("a"), text("b\n\"c\"")]),
                            result("1", [text("boom")], isError: true),
                            result("1", [text(#"{"e":1}"#)], isError: true),
                            result("1", [text("[1]")]),
                            result("1", [text(#"{"cut":"#)]),
                            result("1", [text("\n  {\"a\":1}")]),
                            result(nil, [], value: #"{"v":1}"#, name: "g"),
                            result(nil, [], value: "[1]", name: "g"),
                            result(
                                "1",
                                [
                                    .media(
                                        Media(.image, .text("image/jpg"), .base64(.text("AAAA")))
                                    ),
                                    text("seen"),
                                ]
                            ),
                        ]
                    ),
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"a\nb\n\"c\""}}},{"functionResponse":{"name":"f","response":{"error":"boom"}}},{"functionResponse":{"name":"f","response":{"error":"{\"e\":1}"}}},{"functionResponse":{"name":"f","response":{"result":"[1]"}}},{"functionResponse":{"name":"f","response":{"result":"{\"cut\":"}}},{"functionResponse":{"name":"f","response":{"a":1}}},{"functionResponse":{"name":"g","response":{"v":1}}},{"functionResponse":{"name":"g","response":{"result":[1]}}},{"functionResponse":{"name":"f","response":{"result":"seen"}}},{"inlineData":{"mimeType":"image/jpeg","data":"AAAA"}}]}]"#
        ),
        Turns(
            testDescription: "media",
            messages: {
                [
                    Message(
                        .user,
                        [
                            .media(Media(.image, .text("image/png"), .base64(.text("AAAA")))),
                            .media(Media(.document, nil, .base64(.text("AAAA")))),
                            .media(Media(.document, nil, .plain(.text("plain")))),
                            .media(Media(.audio, .text("audio/wav"), .base64(.text("AAAA")))),
                            .media(Media(.image, nil, .url(.text("gs://b/i.png")))),
                        ]
                    )
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}},{"text":"plain"},{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}},{"fileData":{"mimeType":"image/png","fileUri":"gs://b/i.png"}}]}]"#
        ),
        Turns(
            testDescription: "Google's files at Google",
            messages: {
                [
                    Message(
                        .user,
                        [
                            .media(
                                Media(
                                    .document,
                                    .text("application/pdf"),
                                    .url(
                                        .text(
                                            "https://generativelanguage.googleapis.com/v1beta/files/abc"
                                        )
                                    )
                                )
                            )
                        ]
                    )
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"fileData":{"mimeType":"application/pdf","fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}]"#,
            host: .gemini
        ),
        Turns(
            testDescription: "nobody knows whose thoughts of other formats are",
            messages: {
                [
                    Message(.user, [text("Go")]),
                    Message(
                        .assistant,
                        [
                            .thinking(Thinking(text: .text("hm"), signature: .text("QUJD"))),
                            .thinking(Thinking(text: .text("unsigned"))),
                            .thinking(
                                Thinking(text: .text("marked"), signature: .text("apus.s.QUJD"))
                            ),
                            .thinking(Thinking(text: nil, encrypted: .text("QUJD"))), text("A"),
                        ]
                    ),
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"text":"A"}]}]"#,
            dropped: ["messages[].reasoning_content"]
        ),
        Turns(
            testDescription: "Gemini 3 wants a signature for the first call of a turn",
            messages: {
                [
                    Message(.user, [text("Go")]),
                    Message(.assistant, [call("1", "f"), call("2", "g")]),
                    Message(.user, [result("1", []), result("2", [])]),
                    Message(.assistant, [call("3", "f", signature: "QUJD"), call("4", "g")]),
                ]
            },
            contents:
                #"[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":""}}},{"functionResponse":{"name":"g","response":{"result":""}}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"QUJD"},{"functionCall":{"name":"g","args":{}}}]}]"#,
            model: "gemini-3-pro-preview"
        ),
    ]

    @Test(arguments: turns)
    func contents(_ row: Turns) throws {
        var conversation = Conversation(.chat)
        conversation.messages = row.messages()
        let (body, dropped) = try Self.write(conversation, row.model, row.host)
        #expect(body["contents"] == (try JSONValue(row.contents)))
        #expect(dropped == row.dropped)
    }

    @Test func settingsOfAChat() throws {
        var conversation = Conversation(.chat)
        conversation.system = [TextBlock(.text("Be brief.")), TextBlock(.text(""))]
        conversation.messages = [Message(.user, [Self.text("Hi")])]
        var tool = Tool(name: .text("f"), description: .text(""), schema: nil)
        tool.isStrict = true
        conversation.tools = [tool]
        conversation.toolChoice = .named(.text("f"))
        conversation.parallelToolCalls = false
        conversation.maxTokens = 100
        conversation.temperature = 0.5
        conversation.topP = 1
        conversation.topK = 5
        conversation.seed = 7
        conversation.presencePenalty = 0
        conversation.frequencyPenalty = 1.5
        conversation.stop = (0..<7).map { .text("s\($0)") }
        conversation.candidates = 1
        conversation.logprobs = true
        conversation.topLogprobs = 2
        conversation.user = .text("u")
        conversation.responseFormat = .jsonObject
        let (body, dropped) = try Self.write(conversation)
        let expected = try JSONValue(
            #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]},"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{"maxOutputTokens":100,"temperature":0.5,"topP":1,"topK":5,"seed":7,"presencePenalty":0,"frequencyPenalty":1.5,"responseLogprobs":true,"logprobs":2,"stopSequences":["s0","s1","s2","s3","s4"]}}"#
        )
        #expect(body == expected)
        #expect(
            dropped == [
                "tools[].function.strict", "stop", "response_format", "user",
                "parallel_tool_calls",
            ]
        )
        // Gemini 3 takes functions and a type of the answer together.
        let (third, _) = try Self.write(conversation, "gemini-3-flash")
        #expect(third["generationConfig"]?["responseMimeType"]?.string == "application/json")
    }

    @Test func answersAfterASchema() throws {
        var conversation = Conversation(.chat)
        conversation.messages = [Message(.user, [Self.text("Hi")])]
        conversation.responseFormat = .jsonSchema(
            JSONSchemaFormat(
                name: .text("n"),
                schema: .json(
                    #"{"type":"object","properties":{"a":{"const":"x"}},"additionalProperties":false}"#
                ),
                isStrict: true
            )
        )
        let (body, _) = try Self.write(conversation)
        let expected = try JSONValue(
            #"{"responseMimeType":"application/json","responseSchema":{"type":"object","properties":{"a":{"type":"string","enum":["x"]}}}}"#
        )
        #expect(body["generationConfig"] == expected)
    }

    @Test func choicesWithoutTools() throws {
        var conversation = Conversation(.messages)
        conversation.messages = [Message(.user, [Self.text("Hi")])]
        conversation.toolChoice = .auto
        #expect(try Self.write(conversation).dropped.isEmpty)
        conversation.toolChoice = .required
        let (body, dropped) = try Self.write(conversation)
        #expect(body["toolConfig"] == nil)
        #expect(dropped == ["tool_choice"])
    }

    struct Refused: CustomTestStringConvertible {
        let testDescription: String
        let parts: @Sendable () -> [Part]
        let message: String
    }

    @Test(arguments: [
        Refused(
            testDescription: "an image of the web",
            parts: { [.media(Media(.image, nil, .url(.text("https://example.com/i.png"))))] },
            message: "cannot be fetched"
        ),
        Refused(
            testDescription: "a file of Google's that SAP cannot see",
            parts: {
                [
                    .media(
                        Media(
                            .image,
                            nil,
                            .url(.text("https://generativelanguage.googleapis.com/v1beta/files/a"))
                        )
                    )
                ]
            },
            message: "cannot be fetched"
        ),
        Refused(
            testDescription: "a file of OpenAI's",
            parts: { [.media(Media(.document, nil, .file(.text("file-1"))))] },
            message: "another vendor"
        ),
        Refused(
            testDescription: "an image without a type",
            parts: { [.media(Media(.image, nil, .base64(.text("AAAA"))))] },
            message: "media type"
        ),
        Refused(
            testDescription: "a result of no call",
            parts: { [result("x", [])] },
            message: "answers no tool call"
        ),
    ])
    func refuses(_ row: Refused) {
        var conversation = Conversation(.chat)
        conversation.messages = [Message(.user, row.parts())]
        do {
            _ = try Self.write(conversation)
            Issue.record("was written")
        } catch let error as ConversionError {
            #expect(error.kind == .unsupported)
            #expect(error.message.contains(row.message))
        } catch {
            Issue.record(error)
        }
    }

    @Test func severalAnswersAreRefused() {
        var conversation = Conversation(.chat)
        conversation.messages = [Message(.user, [Self.text("Hi")])]
        conversation.candidates = 2
        #expect(
            throws: ConversionError(
                .unsupported,
                .path("n"),
                "must be 1, as only one answer of this model can be converted"
            )
        ) {
            _ = try Self.write(conversation)
        }
    }

    // MARK: Thinking

    struct Thought: CustomTestStringConvertible {
        let model: String
        var host = ProviderHost.gemini
        var effort: Reasoning.Effort?
        var budget: Int?
        var isAdaptive = false
        var shows: Bool?
        /// Nil where nothing is written.
        let expected: String?
        var dropped: [String] = []

        var testDescription: String {
            "\(model) \(host) \(effort?.rawValue ?? "-") \(budget ?? -9) \(shows as Any)"
        }
    }

    @Test(arguments: [
        Thought(
            model: "gemini-2.5-flash",
            effort: .low,
            expected: #"{"thinkingBudget":1024,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            effort: .medium,
            shows: false,
            expected: #"{"thinkingBudget":8192,"includeThoughts":false}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            effort: .high,
            expected: #"{"thinkingBudget":24576,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            effort: .xhigh,
            expected: #"{"thinkingBudget":24576,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-2.5-pro",
            effort: .xhigh,
            expected: #"{"thinkingBudget":32768,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            effort: Reasoning.Effort.none,
            expected: #"{"thinkingBudget":0}"#
        ),
        Thought(
            model: "gemini-2.5-pro",
            effort: Reasoning.Effort.none,
            expected: #"{"thinkingBudget":128}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            host: .sapVertex,
            effort: Reasoning.Effort.none,
            expected: #"{"thinkingBudget":-1}"#
        ),
        Thought(
            model: "gemini-2.5-flash-lite",
            budget: 100,
            expected: #"{"thinkingBudget":512,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            budget: 31_999,
            expected: #"{"thinkingBudget":24576,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            budget: -1,
            expected: #"{"thinkingBudget":-1,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-2.5-flash",
            isAdaptive: true,
            expected: #"{"thinkingBudget":-1,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-flash-latest",
            effort: .low,
            expected: #"{"thinkingBudget":1024,"includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-3-pro-preview",
            effort: .minimal,
            expected: #"{"thinkingLevel":"low","includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-3-pro-preview",
            effort: .medium,
            expected: #"{"thinkingLevel":"high","includeThoughts":true}"#
        ),
        Thought(
            model: "models/gemini-3.1-pro",
            effort: .medium,
            expected: #"{"thinkingLevel":"medium","includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-3-flash",
            effort: Reasoning.Effort.none,
            expected: #"{"thinkingLevel":"minimal"}"#
        ),
        Thought(
            model: "gemini-3-flash",
            budget: 1_024,
            expected: #"{"thinkingLevel":"low","includeThoughts":true}"#
        ),
        Thought(
            model: "gemini-3-flash",
            budget: 30_000,
            expected: #"{"thinkingLevel":"high","includeThoughts":true}"#
        ),
        Thought(model: "gemini-3-flash", isAdaptive: true, expected: #"{"includeThoughts":true}"#),
        Thought(
            model: "gemini-2.0-flash",
            effort: .low,
            expected: nil,
            dropped: ["reasoning_effort"]
        ),
        Thought(model: "gemini-2.0-flash", effort: Reasoning.Effort.none, expected: nil),
        Thought(
            model: "gemini-2.5-flash-image",
            effort: .low,
            expected: nil,
            dropped: ["reasoning_effort"]
        ),
    ])
    func thinking(_ row: Thought) throws {
        var conversation = Conversation(.chat)
        conversation.messages = [Message(.user, [Self.text("Hi")])]
        var reasoning = Reasoning(effort: row.effort, budget: row.budget)
        reasoning.isAdaptive = row.isAdaptive
        reasoning.showsThoughts = row.shows
        conversation.reasoning = reasoning
        let (body, dropped) = try Self.write(conversation, row.model, row.host)
        let expected = try row.expected.map { try JSONValue($0) }
        #expect(body["generationConfig"]?["thinkingConfig"] == expected)
        #expect(dropped == row.dropped)
    }
}
