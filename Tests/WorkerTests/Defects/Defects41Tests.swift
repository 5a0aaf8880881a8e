// SPDX-License-Identifier: Apache-2.0
import Dialects
import Loop
import Support
import Testing

@testable import Worker

/// The defects that were found in other proxies for SAP AI Core, by number, one test each: none of
/// them is ours.
///
/// Those of conversion run cells of the matrix once more, so that the number leads to the proof.
@Suite("Defects of other proxies, 1 to 16")
struct Defects41Tests {
    private func runCells(
        _ client: ClientDialect,
        _ rows: [String],
        _ scenarios: [Scenario],
        streams: [Bool] = [false, true]
    ) throws {
        let (harness, mock) = try MatrixTests.harness()
        let connection = try harness.client()
        for row in UpstreamRow.all where rows.contains(row.name) {
            for scenario in scenarios {
                for isStream in streams {
                    let cell = MatrixCell(
                        client: client,
                        row: row,
                        scenario: scenario,
                        isStream: isStream
                    )
                    try cell.run(harness, connection, mock)
                }
            }
        }
        #expect(!mock.modelRequests.isEmpty)
    }

    @Test("1: a request without `stream` is no stream, in URL and answer")
    func defect1() throws {
        let gateway = try MockGateway()
        let streams: [Wire?] = [nil, .null, false]
        for (model, path) in [
            ("sap/anthropic--claude-4.5-sonnet", "/invoke"),
            ("sap/gemini-2.5-pro", ":generateContent"),
        ] {
            for stream in streams {
                let answer = try gateway.post(
                    "/v1/chat/completions",
                    MockGateway.chat(model, [("stream", stream)])
                )
                #expect(answer.status == 200)
                #expect(try answer.json["choices"]?[0]?["message"]?["content"]?.string == "Hi!")
                #expect(gateway.mock.modelRequests.last?.path.hasSuffix(path) == true)
            }
        }
    }

    @Test("2: an upstream's 4xx keeps its status and its message")
    func defect2() throws {
        let gateway = try MockGateway(MockGateway.quick)
        for model in ["gpt-4.1", "anthropic--claude-4.5-sonnet", "gemini-2.5-pro"] {
            for status in [400, 413, 422, 429] {
                gateway.mock.override = { request in
                    guard case .model = request.kind else { return nil }
                    return ProviderMock.json(status, #"{"error":{"message":"told so"}}"#)
                }
                let answer = try gateway.post(
                    "/v1/chat/completions",
                    MockGateway.chat("sap/\(model)")
                )
                #expect(answer.status == status, "\(model)")
                #expect(
                    try answer.json["error"]?["message"]?.string?.contains("told so") == true
                )
            }
        }
    }

    @Test("3: a POST is retried on 429 and 5xx", arguments: [429, 500, 502, 503, 529])
    func defect3(status: Int) throws {
        let gateway = try MockGateway(#""retries": {"tries_per_target": 2, "backoff": "1ms"}"#)
        var left = 1
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            left -= 1
            return left >= 0 ? ProviderMock.json(status, "") : nil
        }
        let answer = try gateway.post("/v1/messages", MockGateway.messages("anthropic/c"))
        #expect(answer.status == 200)
        #expect(answer["apus-attempts"] == "2")
    }

    @Test("4: an answer that only talks of 429 is an answer")
    func defect4() throws {
        let gateway = try MockGateway()
        gateway.mock.told.text = "HTTP 429 Too Many Requests: rate limit, retry"
        let answer = try gateway.post(
            "/v1/messages",
            MockGateway.messages("sap/anthropic--claude-4.5-sonnet")
        )
        #expect(answer.status == 200)
        #expect(answer["apus-attempts"] == "1")
        #expect(gateway.mock.modelRequests.count == 1)
    }

    @Test("5: what fails is failed over, and leaves the rotation")
    func defect5() throws {
        try SAPExchangeTests().deadDeployment()
        for failure in FailoverTests.failures { try FailoverTests().leadsOn(failure) }
    }

    @Test("6: `/v1/messages` is balanced, and told truly who answered")
    func defect6() throws {
        try SAPExchangeTests().balance()
        let gateway = try MockGateway(
            upstreams: { _, key in
                """
                "s1": {"kind": "sap-ai-core", "service_key": \(key), "resource_group": "one"},
                "s2": {"kind": "sap-ai-core", "service_key": \(key), "resource_group": "two"}
                """
            },
            """
            "models": {"c": {"targets": [
                {"upstream": "s1", "model": "anthropic--claude-4.5-sonnet"},
                {"upstream": "s2", "model": "anthropic--claude-4.5-sonnet"}]}}
            """
        )
        var seen: Set<String> = []
        for _ in 0..<40 {
            let answer = try gateway.post("/v1/messages", MockGateway.messages("c"))
            let group = gateway.mock.modelRequests.last?.fields["ai-resource-group"]
            #expect(answer["apus-upstream"] == (group == "one" ? "s1" : "s2"))
            seen.insert(group ?? "")
        }
        #expect(seen == ["one", "two"])
    }

    @Test("7: an OpenAI client's tools reach Claude, and calls alone come back")
    func defect7() throws {
        try runCells(
            .chat,
            ["sap-claude", "sap-converse"],
            [.toolCall, .toolResult, .parallelTools, .image]
        )
        let gateway = try MockGateway()
        gateway.mock.told = Told(
            calls: [Call(id: "toolu_1", name: "f", arguments: .object([:]))],
            finish: .calls
        )
        let answer = try gateway.post(
            "/v1/chat/completions",
            MockGateway.chat("sap/anthropic--claude-4.5-sonnet")
        )
        let message = try answer.json["choices"]?[0]?["message"]
        #expect(message?["content"]?.isNull == true)
        #expect(message?["tool_calls"]?[0]?["id"]?.string == "toolu_1")
        #expect(message?["tool_calls"]?[0]?["function"]?["arguments"]?.string == "{}")
    }

    @Test("8: tools, images, stop texts and limits reach Gemini, and all of its parts come back")
    func defect8() throws {
        try runCells(
            .chat,
            ["sap-gemini", "gemini"],
            [.toolCall, .toolResult, .parallelTools, .image, .stop, .maxTokens, .thinking]
        )
    }

    @Test("9: an Anthropic client's request becomes a whole one of OpenAI's")
    func defect9() throws {
        try runCells(.messages, ["sap-gpt", "openai"], Scenario.all)
        let gateway = try MockGateway()
        let answer = try gateway.post(
            "/v1/messages",
            MockGateway.messages(
                "sap/gpt-4.1",
                [
                    ("tools", [["name": "f", "input_schema": ["type": "object"]]]),
                    (
                        "system",
                        [
                            ["type": "text", "text": "One."],
                            [
                                "type": "text", "text": "Two.",
                                "cache_control": ["type": "ephemeral"],
                            ],
                        ]
                    ), ("tool_choice", ["type": "any", "disable_parallel_tool_use": true]),
                ]
            )
        )
        #expect(answer.status == 200)
        let body = try #require(gateway.mock.modelRequests.last?.body)
        #expect(body["messages"]?[0]?["role"]?.string == "system")
        var problems: [String] = []
        let system = ChatForm.text(body["messages"]?[0]?["content"], &problems)
        #expect(system == "One.\n\nTwo." && problems.isEmpty)
        #expect(body["tools"]?[0]?["function"]?["name"]?.string == "f")
        #expect(body["tool_choice"]?.string == "required")
        #expect(body["parallel_tool_calls"]?.bool == false)
        #expect(!(gateway.mock.modelRequests.last?.text.contains("cache_control") ?? true))
    }

    @Test("10: Converse's chunks are read as JSON and as Python's texts")
    func defect10() throws {
        let events = [
            #"{"messageStart":{"role":"assistant"}}"#,
            #"{'contentBlockDelta': {'delta': {'text': "it's \x41\u00e9 "}, 'contentBlockIndex': 0, 'x': None}}"#,
            #"{"contentBlockDelta":{"delta":{"text":"true\u00e9 null"},"contentBlockIndex":0,"x":true,"y":null}}"#,
            #"{'contentBlockDelta': {'delta': {'text': 'a \'b\' "c" \\n\n'}, 'contentBlockIndex': 0, 'x': True, 'y': False}}"#,
            #"{'contentBlockStop': {'contentBlockIndex': 0}}"#,
            #"{'messageStop': {'stopReason': 'end_turn'}}"#,
            #"{'metadata': {'usage': {'inputTokens': 3, 'outputTokens': 2, 'totalTokens': 5}}}"#,
        ]
        let gateway = try MockGateway(
            """
            "models": {"c": {"targets": [{"upstream": "sap", "api": "converse",
                "model": "anthropic--claude-4.5-sonnet"}]}}
            """
        )
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            return ProviderMock.stream(events.map { Array("data: \($0)\n\n".utf8) })
        }
        let answer = try gateway.post(
            "/v1/chat/completions",
            MockGateway.chat(
                "c",
                [("stream", true), ("stream_options", ["include_usage": true])]
            )
        )
        var problems: [String] = []
        let told = ClientDialect.chat.told(stream: answer.body, wantsUsage: true, &problems)
        #expect(told.text == "it's Aé trueé nulla 'b' \"c\" \\n\n")
        #expect(told.usage == Told.Usage(input: 3, output: 2))
        #expect(problems.isEmpty)
    }

    @Test("11: a stream's tokens are counted, asked for or not")
    func defect11() throws {
        let gateway = try MockGateway()
        for model in ["gpt-4.1", "anthropic--claude-4.5-sonnet", "gemini-2.5-pro"] {
            let answer = try gateway.post(
                "/v1/chat/completions",
                MockGateway.chat("sap/\(model)", [("stream", true)])
            )
            #expect(!answer.body.contains("prompt_tokens"))
        }
        let lines = try gateway.harness.accessLines()
        #expect(lines.map { $0["tokens_in"]?.int } == [3, 3, 3])
        #expect(lines.map { $0["tokens_out"]?.int } == [2, 2, 2])
    }

    @Test("12: one [DONE] with one id for OpenAI's clients, none for Anthropic's")
    func defect12() throws {
        let names = UpstreamRow.all.map(\.name)
        try runCells(.chat, names, [.text], streams: [true])
        try runCells(.messages, names, [.text], streams: [true])
    }

    struct StopReason: CustomTestStringConvertible {
        let reason: String?
        let chat: String
        var testDescription: String { reason ?? "none" }
    }

    static let stopReasons: [StopReason] = [
        StopReason(reason: "end_turn", chat: "stop"),
        StopReason(reason: "stop_sequence", chat: "stop"),
        StopReason(reason: "pause_turn", chat: "stop"),
        StopReason(reason: "max_tokens", chat: "length"),
        StopReason(reason: "model_context_window_exceeded", chat: "length"),
        StopReason(reason: "tool_use", chat: "tool_calls"),
        StopReason(reason: "refusal", chat: "content_filter"),
        StopReason(reason: "brand_new", chat: "stop"),
        StopReason(reason: nil, chat: "stop"),
    ]

    @Test("13: Claude's reasons to stop become OpenAI's", arguments: stopReasons)
    func defect13(_ row: StopReason) throws {
        let gateway = try MockGateway()
        let reason = row.reason.map { "\"\($0)\"" } ?? "null"
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            return ProviderMock.json(
                200,
                #"{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[{"#
                    + #""type":"text","text":"Hi!"}],"stop_reason":\#(reason),"#
                    + #""stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#
            )
        }
        let answer = try gateway.post(
            "/v1/chat/completions",
            MockGateway.chat("sap/anthropic--claude-4.5-sonnet")
        )
        #expect(try answer.json["choices"]?[0]?["finish_reason"]?.string == row.chat)
    }

    @Test("14: reasoning models get a version and names that they know")
    func defect14() throws {
        let gateway = try MockGateway()
        for model in ["gpt-5.4", "o3-mini"] {
            let answer = try gateway.post(
                "/v1/chat/completions",
                MockGateway.chat(
                    "sap/\(model)",
                    [("max_tokens", 50), ("reasoning_effort", "high"), ("temperature", 0.3)]
                )
            )
            #expect(answer.status == 200)
            let request = try #require(gateway.mock.modelRequests.last)
            #expect(request.query["api-version"] == "2024-12-01-preview")
            #expect(request.body["max_completion_tokens"]?.int == 50)
            #expect(request.body["max_tokens"] == nil)
            #expect(request.body["reasoning_effort"]?.string == "high")
            #expect(request.body["temperature"] == nil)
            #expect(answer["apus-dropped"] == "temperature")
        }
    }

    @Test("15: Responses work for every family, and for models that have nothing else")
    func defect15() throws {
        try runCells(
            .responses,
            ["sap-gpt", "sap-claude", "sap-gemini", "sap-converse"],
            [.text, .toolCall]
        )
        let gateway = try MockGateway()
        for (path, body) in [
            ("/v1/responses", Wire.object([("model", "sap/gpt-5.3-codex"), ("input", "hi")])),
            ("/v1/chat/completions", MockGateway.chat("sap/gpt-5.3-codex")),
            ("/v1/messages", MockGateway.messages("sap/gpt-5.3-codex")),
        ] {
            #expect(try gateway.post(path, body).status == 200)
            #expect(gateway.mock.modelRequests.last?.kind == .model(.responses))
            #expect(gateway.mock.modelRequests.last?.deployment == "d0a1b2c3d4e5f605")
        }
    }

    @Test("16: embeddings keep their settings, and count tokens")
    func defect16() throws {
        let gateway = try MockGateway()
        let answer = try gateway.post(
            "/v1/embeddings",
            [
                "model": "sap/text-embedding-3-small", "input": ["alpha", "beta"],
                "dimensions": 2, "encoding_format": "base64",
            ]
        )
        #expect(answer.status == 200)
        let request = try #require(gateway.mock.requests.last { $0.kind == .embeddings })
        #expect(request.body["dimensions"]?.int == 2)
        #expect(request.body["encoding_format"]?.string == "base64")
        #expect(request.body["input"]?[1]?.string == "beta")
        #expect(try answer.json["usage"]?["prompt_tokens"]?.int == 4)
        #expect(try answer.json["data"]?[0]?["embedding"]?.string == "AACAPwAAAMA=")
        let line = try #require(try gateway.harness.accessLines().last)
        #expect(line["tokens_in"]?.int == 4)
    }
}
