// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

extension BlackBox {
    @Suite("HTTP: routes and methods")
    struct HTTPRoutes {
        @Test("unknown paths get 404 in OpenAI's shape")
        func notFound() throws {
            try BlackBox.withFleet { fleet in
                for target in [
                    "/", "/v1", "/v1/", "/v2/models", "/v1/chat", "/v1/chat/completions/more",
                    "/v1/v1/models", "/v1/modelsx", "/metrics", "/status", "/livez", "/%00",
                    "/v1/../health", "//health", "/health/x",
                ] {
                    try expectError(try fleet.get(target), 404, target)
                }
                try expectError(try fleet.post("/v1/nothing", "{}"), 404)
            }
        }

        @Test("a known path with another method gets 405 and says which are allowed")
        func methodNotAllowed() throws {
            try BlackBox.withFleet { fleet in
                let rows: [(String, String, String)] = [
                    ("GET", "/v1/chat/completions", "POST"), ("GET", "/v1/completions", "POST"),
                    ("DELETE", "/v1/embeddings", "POST"), ("POST", "/v1/models", "GET"),
                    ("PUT", "/v1/models/demo/slow", "GET"), ("POST", "/health", "GET"),
                    ("BREW", "/health", "GET"),
                ]
                for (method, target, allowed) in rows {
                    let name = "\(method) \(target)"
                    let body: [UInt8]? = method == "POST" || method == "PUT" ? [] : nil
                    let reply = try fleet.exchange(
                        HTTPRequestText.bytes(method, target, body: body)
                    )
                    try expectError(reply, 405, name)
                    let allow = (reply.value("allow") ?? "").split(separator: ",")
                        .map { $0.filter { $0 != " " } }
                    #expect(allow.contains(allowed), "\(name): \(allow)")
                    #expect(!allow.contains(method), "\(name): \(allow)")
                }
            }
        }

        @Test("/health answers without a key and costs nothing upstream")
        func health() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                for target in ["/health", "/v1/health", "/health?x=y"] {
                    let reply = try fleet.get(target)
                    #expect(reply.status == 200, "\(target)")
                    #expect(try reply.json().object != nil, "\(target)")
                }
                #expect(upstream.connections.isEmpty)
            }
        }

        @Test("every route works with and without /v1")
        func withoutVersion() throws {
            try BlackBox.withUpstream(try .answering()) { (fleet, upstream) throws in
                for prefix in ["/v1", ""] {
                    let chat = Fleet.chat("up/m")
                    #expect(try fleet.post("\(prefix)/chat/completions", chat).status == 200)
                    let prompt = #"{"model":"up/m","prompt":"x"}"#
                    #expect(try fleet.post("\(prefix)/completions", prompt).status == 200)
                    let input = #"{"model":"up/m","input":"x"}"#
                    #expect(try fleet.post("\(prefix)/embeddings", input).status == 200)
                    #expect(try fleet.get("\(prefix)/models").status == 200)
                }
                let targets = upstream.requests.filter { $0.method == "POST" }.map(\.target)
                let expected = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"]
                #expect(targets == expected + expected)
            }
        }

        @Test("an absolute request target is the same request")
        func absoluteForm() throws {
            try BlackBox.withFleet { fleet in
                let reply = try fleet.exchangeRaw(
                    Array(
                        "GET http://gateway.test/health HTTP/1.1\r\nhost: gateway.test\r\n\r\n".utf8
                    )
                )
                #expect(reply.status == 200)
            }
        }

        @Test("a query does not change the route")
        func query() throws {
            try BlackBox.withUpstream(try .answering()) { (fleet, _) throws in
                #expect(try fleet.get("/v1/models?limit=3&after=x").status == 200)
                let chat = Fleet.chat("up/m")
                #expect(try fleet.post("/v1/chat/completions?api-version=1", chat).status == 200)
            }
        }

        @Test("the list of models has OpenAI's shape and names the configured ones")
        func models() throws {
            let settings = FleetSettings(
                #""models": { "nice/name": { "targets": [ { "upstream": "demo", "model": "m" } ] } }"#
            )
            try BlackBox.withFleet(settings) { fleet in
                let list = try fleet.get("/v1/models").json()
                #expect(list["object"]?.string == "list")
                let items = try #require(list["data"]?.array)
                for item in items {
                    #expect(item["id"]?.string?.isEmpty == false)
                    #expect(item["object"]?.string == "model")
                    #expect(item["created"]?.int != nil)
                    #expect(item["owned_by"]?.string?.isEmpty == false)
                }
                let ids = items.compactMap { $0["id"]?.string }
                #expect(ids.contains("nice/name"))
                #expect(Set(ids).count == ids.count)
                for id in ids {
                    let encoded = id.split(separator: "/").joined(separator: "%2F")
                    for target in ["/v1/models/\(id)", "/models/\(encoded)"] {
                        let one = try fleet.get(target)
                        #expect(one.status == 200, "\(target)")
                        #expect(try one.json()["id"]?.string == id, "\(target)")
                    }
                }
            }
        }

        @Test("an unknown model is 404 model_not_found, in the list as in a request")
        func unknownModel() throws {
            try BlackBox.withFleet { fleet in
                for target in ["/v1/models/nope", "/v1/models/no/such%2Fmodel"] {
                    try expectError(try fleet.get(target), 404, code: "model_not_found", target)
                }
                for model in ["nope", "nope/x", "DEMO/slow"] {
                    try expectError(try fleet.chat(model), 404, code: "model_not_found", model)
                }
                try expectError(try fleet.get("/v1/models/%zz"), 400, "a broken escape")
            }
        }

        @Test("HEAD gets the head of GET and no body")
        func head() throws {
            try BlackBox.withFleet { fleet in
                for target in ["/health", "/v1/models", "/nothing"] {
                    let connection = try fleet.connect()
                    try connection.send(HTTPRequestText.bytes("GET", target))
                    let get = try connection.readReply()
                    try connection.send(HTTPRequestText.bytes("HEAD", target))
                    let head = try connection.readReply(toHead: true)
                    #expect(head.status == get.status, "\(target)")
                    #expect(head.value("content-type") == get.value("content-type"), "\(target)")
                    #expect(
                        head.value("content-length") == get.value("content-length"),
                        "\(target)"
                    )
                    // Nothing of a body is left in front of the next answer.
                    try connection.send(HTTPRequestText.bytes("GET", "/health"))
                    #expect(try connection.readReply().status == 200, "\(target)")
                }
            }
        }

        @Test("OPTIONS names the methods; without CORS in the configuration no origin is let in")
        func optionsWithoutCORS() throws {
            try BlackBox.withFleet { fleet in
                let reply = try fleet.exchange(
                    HTTPRequestText.bytes(
                        "OPTIONS",
                        "/v1/chat/completions",
                        fields: [
                            WireField("origin", "https://app.test"),
                            WireField("access-control-request-method", "POST"),
                        ]
                    )
                )
                #expect(reply.status == 204 || reply.status == 200)
                #expect((reply.value("allow") ?? "").contains("POST"))
                #expect(reply.value("access-control-allow-origin") == nil)
            }
        }

        @Test("with CORS configured a preflight is answered and answers carry the origin")
        func cors() throws {
            let settings = FleetSettings(#""cors": { "origins": ["https://app.test"] }"#)
            try BlackBox.withUpstream(try .answering(), settings) { fleet, _ in
                let origin = WireField("origin", "https://app.test")
                let asked = "authorization,content-type"
                let reply = try fleet.exchange(
                    HTTPRequestText.bytes(
                        "OPTIONS",
                        "/v1/chat/completions",
                        fields: [
                            origin, WireField("access-control-request-method", "POST"),
                            WireField("access-control-request-headers", asked),
                        ]
                    )
                )
                #expect(reply.status == 204 || reply.status == 200)
                #expect(reply.value("access-control-allow-origin") == "https://app.test")
                #expect((reply.value("access-control-allow-methods") ?? "").contains("POST"))
                let headers = (reply.value("access-control-allow-headers") ?? "").lowercased()
                #expect(headers == "*" || headers.contains("authorization"))

                let chat = try fleet.chat("up/m", fields: [origin])
                #expect(chat.value("access-control-allow-origin") == "https://app.test")
                let stream = try fleet.chat("up/m", #""stream":true"#, fields: [origin])
                #expect(stream.value("access-control-allow-origin") == "https://app.test")
                let error = try fleet.chat("nope", fields: [origin])
                #expect(error.value("access-control-allow-origin") == "https://app.test")
                let stranger = [WireField("origin", "https://evil.test")]
                let foreign = try fleet.chat("up/m", fields: stranger)
                #expect(foreign.value("access-control-allow-origin") == nil)
            }
        }

        @Test("listeners on IPv4, IPv6 and a Unix socket serve alike")
        func listeners() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            var settings = FleetSettings(workers: 2)
            settings.listen = ["127.0.0.1:0", "[::1]:0", "unix:\(directory.path)/apus.sock"]
            try BlackBox.withFleet(settings) { fleet in
                #expect(fleet.addresses.count == 3)
                for address in fleet.addresses {
                    let connection = try HTTPConnection(to: address)
                    try connection.send(HTTPRequestText.bytes("GET", "/health"))
                    #expect(try connection.readReply().status == 200, "\(address)")
                }
            }
        }
    }
}
