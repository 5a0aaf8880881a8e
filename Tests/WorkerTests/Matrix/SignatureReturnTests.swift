// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support
import Testing

@testable import Worker

/// Claude refuses a turn with tool results whose thoughts are missing or changed, Gemini 3 one whose
/// call has lost its signature: a client that sends an answer back as it got it must succeed.
@Suite("Signed thoughts that come back")
struct SignatureReturnTests {
    struct Row: CustomTestStringConvertible {
        let client: ClientDialect
        let model: String
        let format: WireFormat
        var testDescription: String { "\(client.rawValue) -> \(model)" }
    }

    static let rows = ClientDialect.allCases.flatMap { client in
        [
            Row(client: client, model: "sap/anthropic--claude-4.5-sonnet", format: .messages),
            Row(client: client, model: "anthropic/claude-sonnet-4-5", format: .messages),
            Row(client: client, model: "gemini/gemini-3-pro-preview", format: .gemini),
        ]
    }

    private static let geminiSignature = "Q2FsbCBtZSBHZW1pbmk="
    private static let told = Told(
        thoughts: "I need the time.",
        text: "Let me see.",
        calls: [
            Call(id: "toolu_01", name: "get_time", arguments: .object(["tz": .string("CET")]))
        ],
        finish: .calls,
        usage: Told.Usage(input: 25, output: 9)
    )
    private static let scenario = Scenario(
        name: "thinking with tools",
        asked: Asked(
            turns: [Asked.Turn(isUser: true, parts: [.text("Time?")])],
            tools: [Scenario.clock],
            thinks: true
        ),
        told: told
    )

    @Test("reach their vendor byte for byte", arguments: rows)
    func comeBack(_ row: Row) throws {
        let gateway = try MockGateway()
        gateway.mock.told = Self.told
        if row.format == .gemini {
            gateway.mock.override = { request in
                guard request.kind == .model(.gemini) else { return nil }
                return ProviderMock.json(200, Self.geminiAnswer.text())
            }
        }
        let first = try gateway.ask(
            row.client.request(Self.scenario, model: row.model, isStream: false)
        )
        #expect(first.status == 200)
        let second = try gateway.ask(try Self.reply(row, try first.json))
        #expect(second.status == 200, "\(second.body)")
        let request = try #require(gateway.mock.modelRequests.last)
        switch row.format {
        case .messages where row.client == .chat:
            // Chat completions have no place for signatures. Claude would refuse the turn without
            // its thoughts, unless it is not to think this time.
            #expect(request.body["messages"]?[1]?["content"]?[0]?["type"]?.string == "text")
            #expect(request.body["thinking"] == nil, "\(request.text)")
        case .messages:
            let content = request.body["messages"]?[1]?["content"]
            #expect(content?[0]?["type"]?.string == "thinking", "\(request.text)")
            #expect(content?[0]?["signature"]?.string == MessagesForm.signature)
            #expect(content?[0]?["thinking"]?.string == Self.told.thoughts)
            let result = request.body["messages"]?[2]?["content"]?[0]
            #expect(result?["tool_use_id"]?.string == "toolu_01")
        default:
            let parts = request.body["contents"]?[1]?["parts"]?.array ?? []
            let call = parts.first { $0["functionCall"] != nil }
            // Messages have no place for the signature of a call; Google has a word instead.
            let signature =
                row.client == .messages
                ? "skip_thought_signature_validator" : Self.geminiSignature
            #expect(call?["thoughtSignature"]?.string == signature, "\(request.text)")
        }
    }

    private static let geminiAnswer: Wire = [
        "candidates": [
            [
                "content": [
                    "role": "model",
                    "parts": [
                        ["text": "I need the time.", "thought": true],
                        [
                            "functionCall": ["name": "get_time", "args": ["tz": "CET"]],
                            "thoughtSignature": .string(geminiSignature),
                        ],
                    ],
                ], "finishReason": "STOP", "index": 0,
            ]
        ],
        "usageMetadata": [
            "promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5,
        ],
    ]

    /// The next request of a client that appends the answer as it is, and the tool's result.
    private static func reply(_ row: Row, _ answer: JSONValue) throws -> String {
        let first = Self.scenario.asked
        let path: String
        var body: Wire
        switch row.client {
        case .chat:
            path = "/v1/chat/completions"
            let message = answer["choices"]?[0]?["message"] ?? .null
            let id = message["tool_calls"]?[0]?["id"]?.string ?? ""
            body = ChatForm.request(first, model: row.model, isStream: false, wantsUsage: false)
            body = body.appending(
                to: "messages",
                [
                    Wire(message),
                    ["role": "tool", "tool_call_id": .string(id), "content": "12:00"],
                ]
            )
        case .responses:
            path = "/v1/responses"
            let items = (answer["output"]?.array ?? []).map { Wire($0) }
            let call = answer["output"]?.array?.first { $0["type"]?.string == "function_call" }
            body = ResponsesForm.request(first, model: row.model, isStream: false)
            let output: Wire = [
                "type": "function_call_output", "output": "12:00",
                "call_id": .string(call?["call_id"]?.string ?? ""),
            ]
            body = body.replacing("input", [["role": "user", "content": "Time?"]])
            body = body.appending(to: "input", items + [output])
        case .messages:
            path = "/v1/messages"
            let content = answer["content"]?.array ?? []
            let call = content.first { $0["type"]?.string == "tool_use" }
            body = MessagesForm.request(first, model: row.model, isStream: false)
            body = body.appending(
                to: "messages",
                [
                    ["role": "assistant", "content": .array(content.map { Wire($0) })],
                    [
                        "role": "user",
                        "content": [
                            [
                                "type": "tool_result", "content": "12:00",
                                "tool_use_id": .string(call?["id"]?.string ?? ""),
                            ]
                        ],
                    ],
                ]
            )
        case .gemini:
            path = "/v1beta/models/\(row.model):generateContent"
            body = GeminiForm.request(first).appending(
                to: "contents",
                [
                    Wire(answer["candidates"]?[0]?["content"] ?? .null),
                    [
                        "role": "user",
                        "parts": [
                            [
                                "functionResponse": [
                                    "name": "get_time", "response": ["result": "12:00"],
                                ]
                            ]
                        ],
                    ],
                ]
            )
        }
        return TestRequest.post(path, body.text())
    }
}

extension Wire {
    /// With `items` behind those of the member `name`.
    func appending(to name: String, _ items: [Wire]) -> Wire {
        guard case .object(var members) = self,
            let place = members.firstIndex(where: { $0.name == name }),
            case .array(let old) = members[place].value
        else { preconditionFailure("no list called \(name)") }
        members[place].value = .array(old + items)
        return .object(members)
    }

    func replacing(_ name: String, _ value: Wire) -> Wire {
        guard case .object(var members) = self,
            let place = members.firstIndex(where: { $0.name == name })
        else { preconditionFailure("no member called \(name)") }
        members[place].value = value
        return .object(members)
    }
}
