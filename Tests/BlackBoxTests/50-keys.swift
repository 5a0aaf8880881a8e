// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

extension BlackBox {
    @Suite("Client keys")
    struct ClientKeys {
        /// SHA-256 of `sk-test-a` and of `sk-limited`.
        static let hashA = "11acf871821b63e857cde48174bb225b6988f2fbee8a346f3a15ed63ac0cb4c9"
        static let hashLimited = "703eb1a04b05a6f9b78414ea4c18b2b3a1d9e2d408eff2816eb8ab02132c992a"

        static let settings = FleetSettings(
            #""keys": [ { "name": "team-a", "hash": "sha256:\#(hashA)", "user": "ada" }, "#
                + #"{ "name": "limited", "hash": "sha256:\#(hashLimited)", "models": ["up/small*"] } ]"#
        )

        private static let good = [
            WireField("authorization", "Bearer sk-test-a"),
            WireField("Authorization", "bearer sk-test-a"),
            WireField("x-api-key", "sk-test-a"), WireField("api-key", "sk-test-a"),
            WireField("x-goog-api-key", "sk-test-a"),
        ]

        @Test("a key is taken from each of its headers")
        func headers() throws {
            try BlackBox.withUpstream(try .answering(), Self.settings) { (fleet, upstream) throws in
                for field in Self.good {
                    #expect(try fleet.chat("up/m", fields: [field]).status == 200, "\(field)")
                    #expect(try fleet.get("/v1/models", fields: [field]).status == 200, "\(field)")
                }
                for request in upstream.requests {
                    let text = request.fields.map(\.description).joined(separator: "\n")
                    #expect(!text.contains("sk-test-a"), "\(text)")
                }
            }
        }

        @Test("a wrong or missing key is 401 in OpenAI's shape, before anything else is told")
        func refused() throws {
            try BlackBox.withUpstream(try .answering(), Self.settings) { fleet, upstream in
                let wrong = [
                    WireField("authorization", "Bearer sk-test-b"),
                    WireField("authorization", "Bearer sk-test-aa"),
                    WireField("authorization", "Bearer SK-TEST-A"),
                    WireField("authorization", "Bearer sha256:\(Self.hashA)"),
                    WireField("authorization", "Bearer \(Self.hashA)"),
                    WireField("x-api-key", "nope"), WireField("api-key", "\u{E9}"),
                ]
                for field in wrong {
                    let reply = try fleet.chat("up/m", fields: [field])
                    try expectError(reply, 401, code: "invalid_api_key", "\(field)")
                    #expect(!reply.text.contains("sk-test-b"))
                }
                let missing: [[WireField]] = [
                    [], [WireField("authorization", "Basic c2stdGVzdC1h")],
                    [WireField("authorization", "Bearer")], [WireField("authorization", "")],
                ]
                for fields in missing {
                    try expectError(try fleet.chat("up/m", fields: fields), 401, "\(fields)")
                }
                try expectError(try fleet.get("/v1/models"), 401)
                try expectError(try fleet.get("/v1/models/up/m"), 401)
                try expectError(try fleet.chat("no-such-model"), 401, "not 404 to strangers")
                try expectError(try fleet.post("/v1/embeddings", "not json"), 401, "not 400")
                #expect(try fleet.get("/health").status == 200)
                #expect(upstream.connections.isEmpty)
            }
        }

        @Test("a stranger's large body is refused by its head alone")
        func refusedBeforeBody() throws {
            try BlackBox.withFleet(Self.settings) { fleet in
                let connection = try fleet.connect()
                try connection.send(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n\r\n"
                )
                try expectError(try connection.readReply(), 401)
                let expecting = try fleet.connect()
                try expecting.send(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n"
                        + "expect: 100-continue\r\n\r\n"
                )
                try expectError(try expecting.readReply(), 401, "instead of 100")
            }
        }

        @Test("a key may use its models and no others, and sees no others")
        func models() throws {
            try BlackBox.withUpstream(try .answering(), Self.settings) { fleet, upstream in
                let key = [WireField("authorization", "Bearer sk-limited")]
                #expect(try fleet.chat("up/small", fields: key).status == 200)
                #expect(try fleet.chat("up/small-2", fields: key).status == 200)
                for model in ["up/large", "demo/fast", "up/xsmall"] {
                    try expectError(try fleet.chat(model, fields: key), 403, model)
                    let one = try fleet.get("/v1/models/\(model)", fields: key)
                    #expect(one.status == 403 || one.status == 404, "\(model)")
                }
                let list = try fleet.get("/v1/models", fields: key).json()
                let ids = try #require(list["data"]?.array).compactMap { $0["id"]?.string }
                #expect(ids.allSatisfy { $0.hasPrefix("up/small") }, "\(ids)")
                #expect(upstream.requests.filter { $0.method == "POST" }.count == 2)
            }
        }

        @Test("keys and the upstream's secret appear in no log, status or metric")
        func secrets() throws {
            let upstream = try ScriptedUpstream.answering()
            defer { upstream.stop() }
            let refusing = try ScriptedUpstream { _ in [.text("garbage"), .end] }
            defer { refusing.stop() }
            var settings = Self.settings
                .with("up", upstream, members: #""api_key": "${env:UP_KEY}""#)
                .with("bad", refusing, members: #""api_key": "${file:secret.txt}""#)
                .with(
                    "down",
                    baseURL: "http://127.0.0.1:1/v1",
                    members: [#""api_key": "sk-plain""#]
                )
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let secretFile = try directory.write("secret.txt", "sk-from-file\n")
            settings.upstreams["bad"] = settings.upstreams["bad"]?
                .split(separator: "secret.txt").joined(separator: secretFile)
            settings.environment = ["UP_KEY=sk-from-env"]
            try BlackBox.withFleet(settings) { fleet in
                var answers = ""
                for field in Self.good + [WireField("x-api-key", "sk-wrong-key")] {
                    for model in ["up/m", "bad/m", "down/m", "nope"] {
                        answers += try fleet.chat(model, fields: [field]).text
                    }
                }
                answers += try fleet.get("/v1/models?key=sk-test-a", fields: [Self.good[0]]).text
                _ = try fleet.waitForMetrics("25 requests") {
                    $0.sum("apus_requests_total") >= 25
                }
                let seen = [
                    answers, fleet.process.lines().joined(),
                    try fleet.statusGet("/status?full").text,
                    try fleet.statusGet("/metrics").text, try fleet.statusGet("/").text,
                ].joined()
                for secret in [
                    "sk-test-a", "sk-wrong-key", "sk-from-env", "sk-from-file", "sk-plain",
                    Self.hashA,
                ] {
                    #expect(!seen.contains(secret), "\(secret)")
                }
                #expect(seen.contains("team-a"), "the key's name is what the log has")
                #expect(upstream.requests.last?.value("authorization") == "Bearer sk-from-env")
                #expect(refusing.requests.last?.value("authorization") == "Bearer sk-from-file")
                let arguments = try ApusProgram.arguments(of: try fleet.readyWorkers()[0])
                #expect(!arguments.contains("sk-"))
            }
        }
    }
}
