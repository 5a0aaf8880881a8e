// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import Testing

@testable import Worker

@Suite("Exchanges with SAP AI Core")
struct SAPExchangeTests {
    private static let chat = MockGateway.chat("sap/gpt-4.1")

    @Test("a refused token is replaced and the request sent once more", arguments: [401, 403])
    func renewsToken(status: Int) throws {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let gateway = try MockGateway(MockGateway.quick)
            gateway.mock.tokens = ["tok-1", "tok-2"]
            gateway.mock.override = { request in
                guard case .model = request.kind,
                    request.fields["authorization"] == "Bearer tok-1"
                else { return nil }
                return ProviderMock.json(status, #"{"error":{"message":"expired"}}"#)
            }
            let body =
                path == "/v1/messages"
                ? MockGateway.messages("sap/anthropic--claude-4.5-sonnet") : Self.chat
            let answer = try gateway.post(path, body)
            #expect(answer.status == 200)
            #expect(gateway.mock.count(.token) == 2)
            let tokens = gateway.mock.modelRequests.map { $0.fields["authorization"] }
            #expect(tokens == ["Bearer tok-1", "Bearer tok-2"])
            #expect(Set(gateway.mock.modelRequests.map(\.text)).count == 1)
            _ = try gateway.post(path, body)
            #expect(gateway.mock.count(.token) == 2)
        }
    }

    @Test("a token that is refused again is the operator's trouble, not the client's")
    func refusedTwice() throws {
        let gateway = try MockGateway(MockGateway.quick)
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            return ProviderMock.json(403, #"{"error":{"message":"wrong resource group"}}"#)
        }
        let answer = try gateway.post("/v1/chat/completions", Self.chat)
        #expect(answer.status == 502)
        #expect(gateway.mock.count(.token) == 2)
        #expect(gateway.mock.modelRequests.count == 2)
    }

    @Test("other errors renew no token")
    func otherErrors() throws {
        let gateway = try MockGateway(MockGateway.quick)
        gateway.mock.override = { request in
            guard case .model = request.kind else { return nil }
            return ProviderMock.json(400, #"{"error":{"message":"401 403 expired token"}}"#)
        }
        let answer = try gateway.post("/v1/chat/completions", Self.chat)
        #expect(answer.status == 400)
        #expect(gateway.mock.count(.token) == 1)
        #expect(gateway.mock.modelRequests.count == 1)
    }

    @Test("a hundred first requests at once fetch one token and one list")
    func oneToken() throws {
        let gateway = try MockGateway(MockGateway.quick)
        let clients = try (0..<100).map { _ in try gateway.harness.client() }
        for client in clients {
            try client.send(TestRequest.post("/v1/chat/completions", Self.chat.text()))
        }
        for client in clients { #expect(try client.answer().status == 200) }
        #expect(gateway.mock.count(.token) == 1)
        #expect(gateway.mock.count(.deployments) == 1)
        #expect(gateway.mock.modelRequests.count == 100)
    }

    @Test("a token endpoint that refuses is 502, and is not asked by every request")
    func noToken() throws {
        let gateway = try MockGateway(MockGateway.quick)
        gateway.mock.override = { request in
            request.kind == .token
                ? ProviderMock.json(401, #"{"error_description":"Bad credentials s$3="}"#) : nil
        }
        for _ in 0..<5 {
            let answer = try gateway.post("/v1/chat/completions", Self.chat)
            #expect(answer.status == 502)
            #expect(!answer.body.contains("s$3="))
        }
        #expect(gateway.mock.count(.token) == 1)
        #expect(gateway.mock.modelRequests.isEmpty)
    }

    @Test("resource groups have deployments of their own, and one's failure is not the other's")
    func resourceGroups() throws {
        let gateway = try MockGateway(
            upstreams: { _, key in
                """
                "red": {"kind": "sap-ai-core", "service_key": \(key), "resource_group": "red"},
                "blue": {"kind": "sap-ai-core", "service_key": \(key), "resource_group": "blue"}
                """
            },
            MockGateway.quick
        )
        gateway.mock.override = { request in
            guard request.kind == .deployments,
                request.fields["ai-resource-group"] == "blue"
            else { return nil }
            return ProviderMock.json(403, #"{"error":{"message":"no such group"}}"#)
        }
        let red = try gateway.post("/v1/chat/completions", MockGateway.chat("red/gpt-4.1"))
        #expect(red.status == 200)
        let blue = try gateway.post("/v1/chat/completions", MockGateway.chat("blue/gpt-4.1"))
        #expect(blue.status == 502)
        let again = try gateway.post("/v1/chat/completions", MockGateway.chat("red/gpt-4.1"))
        #expect(again.status == 200)
        #expect(
            gateway.mock.modelRequests.map { $0.fields["ai-resource-group"] } == ["red", "red"]
        )
    }

    @Test("deployments of one model take turns")
    func balance() throws {
        let gateway = try MockGateway(MockGateway.quick)
        for _ in 0..<10 {
            #expect(
                try gateway.post(
                    "/v1/messages",
                    MockGateway.messages("sap/anthropic--claude-4-sonnet")
                ).status == 200
            )
        }
        let counts = Dictionary(grouping: gateway.mock.modelRequests) { $0.deployment ?? "" }
        #expect(counts.mapValues(\.count) == ["d0a1b2c3d4e5f621": 5, "d0a1b2c3d4e5f622": 5])
    }

    @Test("deployments take turns for each model, whatever else is asked")
    func balanceOfTwo() throws {
        let gateway = try MockGateway(MockGateway.quick)
        for _ in 0..<8 {
            _ = try gateway.post("/v1/chat/completions", MockGateway.chat("sap/gpt-4o"))
            _ = try gateway.post(
                "/v1/messages",
                MockGateway.messages("sap/anthropic--claude-4-sonnet")
            )
        }
        let counts = Dictionary(grouping: gateway.mock.modelRequests) { $0.deployment ?? "" }
        #expect(counts.count == 4 && counts.values.allSatisfy { $0.count == 4 })
    }

    @Test("a deployment that has no room leads to its twin")
    func fullDeployment() throws {
        let gateway = try MockGateway(
            #""retries": {"tries_per_target": 2, "backoff": "1ms"}"#
        )
        gateway.mock.override = { request in
            request.deployment == "d0a1b2c3d4e5f611" ? ProviderMock.json(429, "") : nil
        }
        for _ in 0..<6 {
            let answer = try gateway.post(
                "/v1/chat/completions",
                MockGateway.chat("sap/gpt-4o")
            )
            #expect(answer.status == 200)
        }
    }

    @Test("a deployment that fails is left alone, its twin answers")
    func deadDeployment() throws {
        let gateway = try MockGateway(
            #""retries": {"tries_per_target": 2, "backoff": "1ms"}"#
        )
        gateway.mock.override = { request in
            request.deployment == "d0a1b2c3d4e5f611" ? ProviderMock.json(500, "") : nil
        }
        for _ in 0..<10 {
            let answer = try gateway.post(
                "/v1/chat/completions",
                MockGateway.chat("sap/gpt-4o")
            )
            #expect(answer.status == 200)
        }
        let dead = gateway.mock.modelRequests.count { $0.deployment == "d0a1b2c3d4e5f611" }
        #expect(dead == 1)
    }

    @Test("stopped deployments are not offered")
    func stopped() throws {
        let gateway = try MockGateway(MockGateway.quick)
        gateway.mock.override = { request in
            guard request.kind == .deployments else { return nil }
            return ProviderMock.json(
                200,
                #"{"count":1,"resources":[{"id":"d1","status":"STOPPED","scenarioId":"#
                    + #""foundation-models","executableId":"azure-openai","details":{"resources":"#
                    + #"{"backend_details":{"model":{"name":"gpt-4.1"}}}}}]}"#
            )
        }
        let answer = try gateway.post("/v1/chat/completions", Self.chat)
        #expect(answer.status == 404)
        #expect(try answer.json["error"]?["code"]?.string == "model_not_found")
    }
}
