// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

extension BlackBox {
    @Suite("Upstream answers")
    struct UpstreamAnswers {
        private static let body =
            #"{"error":{"message":"From the provider","type":"t","param":"p","code":"c"}}"#

        @Test("error statuses keep their meaning, but a provider's 401 is never the client's")
        func statuses() throws {
            let rows: [(upstream: Int, client: Int, passes: Bool)] = [
                (400, 400, true), (401, 502, false), (402, 502, false), (403, 502, false),
                (404, 404, true), (408, 408, true), (409, 409, true), (413, 413, true),
                (422, 422, true), (429, 429, true), (500, 500, true), (502, 502, true),
                (503, 503, true), (504, 504, true), (529, 529, true),
            ]
            let upstream = try ScriptedUpstream { request in
                UpstreamAnswer.json(Self.body, status: rows[request.index / 2].upstream)
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for row in rows {
                    for members in ["", #""stream":true"#] {
                        let name = "\(row.upstream) \(members)"
                        let reply = try fleet.chat("up/m", members)
                        try expectError(reply, row.client, name)
                        #expect((reply.text == Self.body) == row.passes, "\(name)")
                        if row.upstream == 401 {
                            let code = try reply.error()["code"]?.string
                            #expect(code != "invalid_api_key" && code != "c")
                        }
                    }
                }
            }
        }

        @Test("errors of the upstream that are no JSON come in OpenAI's shape")
        func statusesWithoutJSON() throws {
            let bodies = ["<html>Bad Gateway</html>", "", "upstream connect error", "{\"detail\":"]
            let statuses = [400, 404, 429, 500, 502, 503]
            let upstream = try ScriptedUpstream { request in
                let body = Array(bodies[request.index % bodies.count].utf8)
                let status = statuses[request.index / bodies.count]
                return [.send(UpstreamAnswer.whole(body, status: status, type: "text/html"))]
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for status in statuses {
                    // A 500 without a reason is the upstream's, not the gateway's.
                    let expected = status == 500 ? 502 : status
                    for body in bodies { try expectError(try fleet.chat("up/m"), expected, body) }
                }
            }
        }

        @Test("Retry-After and its kin reach the client")
        func retryAfter() throws {
            let fields = [
                WireField("Retry-After", "7"), WireField("retry-after-ms", "6500"),
                WireField("x-should-retry", "false"),
            ]
            let upstream = try ScriptedUpstream { request in
                UpstreamAnswer.json(
                    Self.body,
                    status: request.index % 2 == 0 ? 429 : 503,
                    fields: fields
                )
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for members in ["", #""stream":true"#] {
                    for status in [429, 503] {
                        let reply = try fleet.chat("up/m", members)
                        #expect(reply.status == status)
                        for field in fields { #expect(reply.value(field.name) == field.value) }
                    }
                }
            }
        }

        @Test("only what belongs to the request goes upstream, with the upstream's own key")
        func requestFields() throws {
            let upstream = try ScriptedUpstream.answering()
            defer { upstream.stop() }
            let settings = FleetSettings(#""auth": "off""#).with(
                "up",
                upstream,
                members: #""api_key": "${env:UP_KEY}""#
            )
            var withKey = settings
            withKey.environment = ["UP_KEY=sk-upstream"]
            try BlackBox.withFleet(withKey) { fleet in
                let private_ = [
                    WireField("authorization", "Bearer sk-client"), WireField("x-api-key", "sk-c"),
                    WireField("api-key", "sk-c"), WireField("cookie", "a=b"),
                    WireField("connection", "keep-alive, x-hop"), WireField("x-hop", "1"),
                    WireField("te", "trailers"), WireField("proxy-authorization", "Basic eA=="),
                    WireField("keep-alive", "timeout=5"), WireField("x-forwarded-for", "10.0.0.1"),
                    WireField("accept-encoding", "gzip, br"),
                ]
                #expect(try fleet.chat("up/m", fields: private_).status == 200)
                let request = try #require(upstream.requests.first)
                #expect(request.fields.values("authorization") == ["Bearer sk-upstream"])
                #expect(request.value("host") == "\(upstream.address)")
                #expect(request.value("content-type") == "application/json")
                #expect(request.value("content-length") == "\(request.body.count)")
                for name in [
                    "x-api-key", "api-key", "cookie", "x-hop", "te", "proxy-authorization",
                    "keep-alive", "transfer-encoding", "expect",
                ] {
                    #expect(request.value(name) == nil, "\(name)")
                }
                let coding = request.value("accept-encoding")
                #expect(coding == nil || coding == "identity")
                let all = request.fields.map(\.description).joined(separator: "\n")
                #expect(!all.contains("sk-c"))
                #expect(upstream.problems == [])
            }
        }

        @Test("bytes behind an answer are never taken for the next answer")
        func smuggledAnswer() throws {
            let smuggled = UpstreamAnswer.whole(
                Array(#"{"choices":["smuggled"]}"#.utf8),
                type: "application/json"
            )
            let honest = UpstreamAnswer.whole(
                Array(ChatEvents.completion().utf8),
                type: "application/json"
            )
            let gates = try (0..<12).map { _ in try Gate() }
            let upstream = try ScriptedUpstream { request in
                switch request.index % 3 {
                case 0: [.send(honest + smuggled)]
                case 1: [.send(honest), .wait(gates[request.index]), .send(smuggled)]
                default: UpstreamAnswer.stream(ChatEvents.whole(1)) + [.send(smuggled)]
                }
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                for (round, gate) in gates.enumerated() {
                    let members = round % 3 == 2 ? #""stream":true"# : ""
                    let reply = try fleet.chat("up/m", members)
                    #expect(reply.status == 200)
                    #expect(!reply.text.contains("smuggled"), "round \(round)")
                    // What comes late finds the connection in the pool, which lets go of it.
                    gate.open()
                    _ = try upstream.waitForPeerToLeave(connection: round)
                }
                #expect(upstream.requests.map(\.connection) == Array(0..<12))
            }
        }

        @Test("a connection that the upstream will close is not used again")
        func closingUpstream() throws {
            let body = ChatEvents.completion()
            let upstream = try ScriptedUpstream { request in
                switch request.index % 3 {
                case 0: UpstreamAnswer.json(body, fields: [WireField("Connection", "Close")])
                case 1:
                    [.text("HTTP/1.0 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)")]
                default: [.text("HTTP/1.1 200 OK\r\n\r\n\(body)"), .end]
                }
            }
            try BlackBox.withUpstream(upstream) { fleet, upstream in
                for _ in 0..<6 {
                    let reply = try fleet.chat("up/m")
                    #expect(reply.text == body)
                }
                #expect(upstream.requests.map(\.connection) == Array(0..<6))
            }
        }

        @Test("a compressed answer that nobody asked for is not passed off as JSON")
        func compressedAnswer() throws {
            let gzip: [UInt8] = [
                0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xAB, 0xAE, 0x05, 0, 0x43, 0xBF, 0xA6,
                0xA3, 0x02, 0, 0, 0,
            ]
            let upstream = try ScriptedUpstream { _ in
                let field = [WireField("content-encoding", "gzip")]
                return [
                    .send(UpstreamAnswer.whole(gzip, type: "application/json", fields: field))
                ]
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                let reply = try fleet.chat("up/m")
                try expectError(reply, 502)
                #expect(reply.value("content-encoding") == nil)
            }
        }

        @Test("cookies and connection fields of the upstream stay there")
        func answerFields() throws {
            let fields = [
                WireField("set-cookie", "session=1"), WireField("connection", "x-hop"),
                WireField("x-hop", "1"), WireField("keep-alive", "timeout=5"),
                WireField("proxy-authenticate", "Basic"), WireField("server", "provider"),
                WireField("x-request-id", "upstream-id"),
            ]
            let upstream = try ScriptedUpstream { request in
                request.index == 0
                    ? UpstreamAnswer.json(ChatEvents.completion(), fields: fields)
                    : UpstreamAnswer.stream(ChatEvents.whole(1), fields: fields)
            }
            try BlackBox.withUpstream(upstream) { fleet, _ in
                for members in ["", #""stream":true"#] {
                    let reply = try fleet.chat(
                        "up/m",
                        members,
                        fields: [WireField("x-request-id", "mine")]
                    )
                    #expect(reply.status == 200)
                    for name in ["set-cookie", "x-hop", "keep-alive", "proxy-authenticate"] {
                        #expect(reply.value(name) == nil, "\(name)")
                    }
                    #expect(reply.head.fields.values("x-request-id") == ["mine"])
                    #expect(reply.value("connection") == nil)
                }
            }
        }

        @Test("the model's name is the only thing that a target with another name changes")
        func modelName() throws {
            let upstream = try ScriptedUpstream.answering()
            let settings = FleetSettings(
                #""models": { "nice": { "targets": [ { "upstream": "up", "model": "the/\"real\" one" } ] }, "#
                    + #""wild-*": { "targets": [ { "upstream": "up" } ] } }"#
            )
            try BlackBox.withUpstream(upstream, settings) { fleet, upstream in
                #expect(try fleet.chat("nice").status == 200)
                #expect(try fleet.chat("wild-7").status == 200)
                #expect(try fleet.chat("up/a/b").status == 200)
                #expect(try fleet.chat("\\u0075p\\/a/b").status == 200, "escaped in JSON")
                let models = try upstream.requests.map { try $0.json()["model"]?.string }
                #expect(models == ["the/\"real\" one", "wild-7", "a/b", "a/b"])
                let texts = upstream.requests.map(\.text)
                #expect(texts[1] == Fleet.chat("wild-7"))
                #expect(texts[2] == Fleet.chat("a/b"))
            }
        }
    }
}
