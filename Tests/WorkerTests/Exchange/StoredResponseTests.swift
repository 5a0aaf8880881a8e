// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

@testable import Worker

@Suite("Stored responses")
struct StoredResponseTests {
    /// Two upstreams with Responses; the first refuses new ones.
    private func gateway() throws -> MockGateway {
        let gateway = try MockGateway(
            upstreams: { address, _ in
                """
                "r1": {"kind": "openai", "base_url": "\(address)/r1/v1", "responses": "native",
                    "api_key": "key-openai"},
                "r2": {"kind": "openai", "base_url": "\(address)/r2/v1", "responses": "native",
                    "api_key": "key-openai"}
                """
            },
            """
            "models": {"m": {"targets": [{"upstream": "r1"}, {"upstream": "r2"}],
                "balance": "ordered"}}, \(MockGateway.quick)
            """
        )
        return gateway
    }

    private static let body: Wire = ["model": "m", "input": "hello"]

    @Test("are fetched, deleted and continued where they were made", arguments: [false, true])
    func pinned(isStream: Bool) throws {
        let gateway = try gateway()
        gateway.mock.override = { request in
            if request.kind == .stored {
                return ProviderMock.json(
                    200,
                    #"{"id":"resp_up1","object":"response","status":"completed","output":[]}"#
                )
            }
            return request.path.hasPrefix("/r1/") ? ProviderMock.json(500, "") : nil
        }
        let made = try gateway.post(
            "/v1/responses",
            Self.body.adding([("stream", isStream ? true : nil)])
        )
        #expect(made.status == 200)
        #expect(gateway.asked == ["r1", "r2"])
        let response =
            isStream
            ? try JSONValue(made.events.last ?? "")["response"] ?? .null : try made.json
        let id = try #require(response["id"]?.string)
        #expect(id.hasPrefix("resp_"))
        if isStream {
            for event in made.events {
                let inner = try JSONValue(event)["response"]
                #expect(inner == nil || inner?["id"]?.string == id)
            }
        }

        // From now on the first would answer as well.
        gateway.mock.override = { request in
            guard request.kind == .stored else { return nil }
            return ProviderMock.json(
                200,
                #"{"id":"resp_up1","object":"response","status":"completed","output":[]}"#
            )
        }
        gateway.mock.forget()
        let fetched = try gateway.ask(TestRequest.get("/v1/responses/\(id)"))
        #expect(fetched.status == 200)
        #expect(try fetched.json["id"]?.string == id)
        let deleted = try gateway.ask(
            "DELETE /v1/responses/\(id) HTTP/1.1\r\nHost: h\r\n\r\n"
        )
        #expect(deleted.status == 200)
        let stored = gateway.mock.requests.filter { $0.kind == .stored }
        #expect(stored.map(\.method) == ["GET", "DELETE"])
        #expect(stored.allSatisfy { $0.path == "/r2/v1/responses/resp_up1" })

        gateway.mock.forget()
        let next = try gateway.post(
            "/v1/responses",
            Self.body.adding([("previous_response_id", .string(id))])
        )
        #expect(next.status == 200)
        #expect(gateway.asked == ["r2"])
        #expect(
            gateway.mock.modelRequests.last?.body["previous_response_id"]?.string == "resp_up1"
        )
    }

    @Test("of SAP AI Core belong to one deployment")
    func deployments() throws {
        let gateway = try MockGateway(MockGateway.quick)
        var places: Set<String> = []
        for _ in 0..<4 {
            gateway.mock.forget()
            let made = try gateway.post(
                "/v1/responses",
                ["model": "sap/gpt-4o", "input": "hello"]
            )
            #expect(made.status == 200)
            let place = try #require(gateway.mock.modelRequests.last?.deployment)
            places.insert(place)
            let id = try #require(try made.json["id"]?.string)
            gateway.mock.override = { request in
                guard request.kind == .stored else { return nil }
                return ProviderMock.json(200, #"{"id":"resp_up1","object":"response"}"#)
            }
            let fetched = try gateway.ask(TestRequest.get("/v1/responses/\(id)"))
            #expect(fetched.status == 200)
            let stored = gateway.mock.requests.filter { $0.kind == .stored }
            #expect(stored.map(\.deployment) == [place])
        }
        #expect(places.count == 2)
    }

    @Test("that nobody made are 404 in the client's dialect")
    func unknown() throws {
        let gateway = try gateway()
        for id in ["resp_unknown", "resp_up1", "x"] {
            let answer = try gateway.ask(TestRequest.get("/v1/responses/\(id)"))
            #expect(answer.status == 404)
            #expect(try answer.json["error"]?["message"]?.string != nil)
        }
    }
}
