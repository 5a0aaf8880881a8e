// SPDX-License-Identifier: Apache-2.0
import Dialects
import Loop
import Support
import System
import Testing

@testable import Worker

/// The later half of the list.
///
/// Number 27, an address that a container cannot change, is proven where programs are started:
/// `FleetStart` of the black-box tests, "options override the configuration".
@Suite("Defects of other proxies, 17 to 30")
struct Defects41LaterTests {
    private static let chat = MockGateway.chat("sap/gpt-4.1")
    private static let claude = MockGateway.messages("sap/anthropic--claude-4.5-sonnet")

    /// A gateway with one key, `hello`.
    private static func guarded() throws -> MockGateway {
        try MockGateway(
            """
            "keys": [{"name": "k", "hash":
                "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}]
            """
        )
    }

    @Test("17: a key counts whole, and never shows in a log")
    func defect17() throws {
        let gateway = try Self.guarded()
        let fields = [
            ("Authorization: Bearer hello", 200), ("x-api-key: hello", 200),
            ("api-key: hello", 200), ("Authorization: Bearer hello2", 401),
            ("Authorization: Bearer xhello", 401), ("Authorization: Bearer hello hello", 401),
            ("Authorization: hello world", 401), ("x-api-key: my hello key", 401), ("", 401),
        ]
        for (field, status) in fields {
            let answer = try gateway.postAlone(
                "/v1/chat/completions",
                Self.chat,
                field.isEmpty ? "" : field + "\r\n"
            )
            #expect(answer.status == status, "\(field)")
        }
        let log = try gateway.harness.logLines().joined(separator: "\n")
        #expect(!log.contains("hell"))
        for request in gateway.mock.requests {
            #expect(!request.fields.values.contains { $0.contains("hello") })
        }
    }

    @Test("18: an error before content has its status, also of a stream")
    func defect18() throws {
        let gateway = try MockGateway(MockGateway.quick)
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            return ProviderMock.json(400, #"{"error":{"message":"no such tool"}}"#)
        }
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let body = path == "/v1/messages" ? Self.claude : Self.chat
            let answer = try gateway.post(path, body.adding([("stream", true)]))
            #expect(answer.status == 400)
            #expect(answer["content-type"]?.hasPrefix("application/json") == true)
            let error = try answer.json["error"]
            #expect(error?["message"]?.string?.contains("no such tool") == true)
            #expect(error?["type"]?.string == "invalid_request_error")
        }
    }

    @Test("19: Anthropic's default is no stream")
    func defect19() throws {
        let gateway = try MockGateway()
        for model in ["sap/anthropic--claude-4.5-sonnet", "sap/gpt-4.1", "anthropic/claude"] {
            let answer = try gateway.post("/v1/messages", MockGateway.messages(model))
            #expect(try answer.json["type"]?.string == "message")
            #expect(gateway.mock.modelRequests.last?.isStream == false)
        }
    }

    @Test("20: a request without model is a 400 that says so")
    func defect20() throws {
        let gateway = try MockGateway()
        for model: Wire? in [nil, .null, .int(7), .array([])] {
            let body = Wire.object([("messages", MockGateway.question)]).adding([
                ("max_tokens", 5), ("model", model),
            ])
            let chat = try gateway.post("/v1/chat/completions", body)
            #expect(chat.status == 400)
            #expect(try chat.json["error"]?["param"]?.string == "model")
            let messages = try gateway.post("/v1/messages", body)
            #expect(messages.status == 400)
            #expect(try messages.json["error"]?["message"]?.string?.contains("model") == true)
        }
        #expect(gateway.mock.modelRequests.isEmpty)
    }

    @Test("21: a 401 has the shape that each SDK reads")
    func defect21() throws {
        let gateway = try Self.guarded()
        let key = "Authorization: Bearer wrong\r\n"
        let chat = try gateway.postAlone("/v1/chat/completions", Self.chat, key)
        #expect(chat.status == 401)
        #expect(try chat.json.names == ["error"])
        #expect(try chat.json["error"]?.names == ["message", "type", "param", "code"])
        #expect(try chat.json["error"]?["code"]?.string == "invalid_api_key")
        let messages = try gateway.postAlone("/v1/messages", Self.claude, key)
        #expect(messages.status == 401)
        #expect(try messages.json["type"]?.string == "error")
        #expect(try messages.json["error"]?["type"]?.string == "authentication_error")
        #expect(try messages.json["error"]?["message"]?.isString == true)
        let gemini = try gateway.postAlone(
            "/v1beta/models/m:generateContent",
            GeminiForm.request(Scenario.text.asked),
            key
        )
        #expect(gemini.status == 401)
        #expect(try gemini.json["error"]?["status"]?.string == "UNAUTHENTICATED")
    }

    @Test("22: one slow call holds up no other")
    func defect22() throws {
        let gateway = try MockGateway()
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            return request.text.contains("slow") ? [] : nil
        }
        let slow = try gateway.harness.client()
        try slow.send(
            TestRequest.post(
                "/v1/messages",
                Self.claude.adding([("system", "slow")]).text()
            )
        )
        try gateway.harness.loop.wait("the slow call") { gateway.mock.modelRequests.count == 1 }
        for _ in 0..<20 {
            #expect(try gateway.post("/v1/messages", Self.claude).status == 200)
        }
        slow.read()
        #expect(slow.text.isEmpty)
    }

    @Test("23: calls one after another take one connection, streams too")
    func defect23() throws {
        let gateway = try MockGateway()
        for isStream in [true, false, true, true, false] {
            _ = try gateway.post(
                "/v1/chat/completions",
                Self.chat.adding([("stream", isStream ? true : nil)])
            )
        }
        let peers = gateway.mock.server.peers.filter { peer in
            peer.requests.contains { $0.contains("/chat/completions") }
        }
        #expect(peers.count == 1)
        #expect(peers.first?.requests.count == 5)
    }

    @Test("24: no log line holds what was said")
    func defect24() throws {
        let gateway = try MockGateway(#""logs": {"access": true}"#)
        gateway.mock.told.text = "a secret answer"
        let body = Self.chat.adding([("user", "a secret user")])
        for isStream in [true, false] {
            _ = try gateway.post(
                "/v1/chat/completions",
                body.adding([("stream", isStream ? true : nil)])
            )
        }
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            return ProviderMock.json(400, #"{"error":{"message":"a secret complaint"}}"#)
        }
        _ = try gateway.post("/v1/chat/completions", body)
        let lines = try gateway.harness.logLines()
        #expect(try gateway.harness.accessLines().count == 3)
        for line in lines {
            for word in ["secret", "hello", ProviderMock.token, "s$3="] {
                #expect(!line.contains(word), "\(line)")
            }
        }
    }

    @Test("25: names that clients know lead to deployments without an alias file")
    func defect25() throws {
        let gateway = try MockGateway()
        for name in [
            "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "anthropic--claude-4.5-sonnet",
            "claude-sonnet-4-5[1m]",
        ] {
            let answer = try gateway.post("/v1/messages", MockGateway.messages("sap/\(name)"))
            #expect(answer.status == 200, "\(name)")
            #expect(gateway.mock.modelRequests.last?.deployment == "d0a1b2c3d4e5f603", "\(name)")
        }
        try SAPExchangeTests().balanceOfTwo()
    }

    @Test("26: an old Claude is invoked like the others")
    func defect26() throws {
        let gateway = try MockGateway()
        for name in ["anthropic--claude-3-opus", "claude-3-opus-20240229"] {
            let answer = try gateway.post(
                "/v1/chat/completions",
                MockGateway.chat("sap/\(name)")
            )
            #expect(answer.status == 200)
            #expect(gateway.mock.modelRequests.last?.path.hasSuffix("f606/invoke") == true)
        }
    }

    @Test("28: an unknown model is not replaced by another")
    func defect28() throws {
        let gateway = try MockGateway()
        for name in ["gpt-unknown", "sap/gpt-unknown", "nowhere/gpt-4.1"] {
            let chat = try gateway.post("/v1/chat/completions", MockGateway.chat(name))
            #expect(chat.status == 404)
            #expect(try chat.json["error"]?["code"]?.string == "model_not_found")
            let messages = try gateway.post("/v1/messages", MockGateway.messages(name))
            #expect(messages.status == 404)
            #expect(try messages.json["error"]?["type"]?.string == "not_found_error")
        }
        #expect(gateway.mock.modelRequests.isEmpty)
    }

    @Test("29: another try sees the conversation as the client sent it", arguments: [false, true])
    func defect29(isStream: Bool) throws {
        let gateway = try MockGateway(
            """
            "models": {"m": {"targets": [
                {"upstream": "sap", "model": "anthropic--claude-4.5-sonnet"},
                {"upstream": "gemini", "model": "gemini-2.5-pro"},
                {"upstream": "plain", "model": "q"},
                {"upstream": "anthropic", "model": "claude-sonnet-4-5"}], "balance": "ordered"}},
            "retries": {"tries_per_target": 1, "max_targets": 4, "backoff": "1ms"}
            """
        )
        gateway.mock.override = { request in
            guard case .model = request.kind, !request.path.hasPrefix("/v1/") else { return nil }
            return ProviderMock.json(500, "")
        }
        let scenario = Scenario.parallelTools
        let answer = try gateway.ask(
            ClientDialect.chat.request(scenario, model: "m", isStream: isStream)
        )
        #expect(answer.status == 200)
        #expect(answer["apus-attempts"] == "4")
        var problems: [String] = []
        for request in gateway.mock.modelRequests {
            let asked = request.asked(&problems)
            #expect(asked.turns == scenario.asked.turns || request.kind == .model(.gemini))
            #expect(asked.withNumberedCalls.turns == scenario.asked.withNumberedCalls.turns)
        }
        #expect(problems.isEmpty)
    }

    @Test("30: a refused token is renewed on `/v1/messages` too", arguments: [401, 403])
    func defect30(status: Int) throws {
        try SAPExchangeTests().renewsToken(status: status)
    }
}
