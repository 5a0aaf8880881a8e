// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("HTTP: request bodies")
    struct HTTPBodies {
        @Test("a body that is no JSON gets 400 with line and column")
        func malformedJSON() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let rows: [(body: String, place: String)] = [
                    ("", "empty"),
                    (" ", "line 1, column 2"),
                    ("{", "line 1, column 2"),
                    ("{\"model\":\"up/m\",\n  \"messages\": nope }", "line 2, column 15"),
                    (
                        "{\"model\":\"up/m\",\n\n\"messages\":[{\"role\":\"user\",}]}",
                        "line 3, column 28"
                    ),
                    ("{\"model\":\"up/m\"} x", "line 1, column 18"),
                    ("{\"model\":\"up/m\",\"temperature\":01}", "line 1, column 32"),
                    ("{'model':1}", "line 1, column 2"),
                    ("\u{FEFF}{}", "line 1, column 1"),
                ]
                for row in rows {
                    let reply = try fleet.post("/v1/chat/completions", row.body)
                    try expectError(reply, 400, row.body)
                    let message = try reply.error()["message"]?.string ?? ""
                    #expect(message.contains(row.place), "\(row.body): \(message)")
                }
                let bytes = Array("{\"model\":\"up/m\",\"x\":\"".utf8) + [0xFF] + Array("\"}".utf8)
                let reply = try fleet.exchange(
                    HTTPRequestText.bytes("POST", "/v1/chat/completions", body: bytes)
                )
                try expectError(reply, 400, "a byte that is no UTF-8")
                let deep = String(repeating: "[", count: 100_000)
                try expectError(try fleet.post("/v1/chat/completions", deep), 400, "deep nesting")
                #expect(upstream.connections.isEmpty)
            }
        }

        @Test("a body of the wrong shape gets 400 with the path of what is wrong")
        func wrongShape() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let chat = "/v1/chat/completions"
                let messages = #""messages":[{"role":"user","content":"x"}]"#
                let rows: [(target: String, body: String, param: String?)] = [
                    (chat, "[]", nil), (chat, "3", nil), (chat, "null", nil),
                    (chat, "{\(messages)}", "model"),
                    (chat, #"{"model":3,\#(messages)}"#, "model"),
                    (chat, #"{"model":"",\#(messages)}"#, "model"),
                    (chat, #"{"model":null,\#(messages)}"#, "model"),
                    (chat, #"{"model":"up/m"}"#, "messages"),
                    (chat, #"{"model":"up/m","messages":"x"}"#, "messages"),
                    (chat, #"{"model":"up/m","messages":[]}"#, "messages"),
                    (chat, #"{"model":"up/m","messages":["x"]}"#, "messages[0]"),
                    (
                        chat, #"{"model":"up/m","messages":[{"role":"user"},{"content":"x"}]}"#,
                        "messages[1].role"
                    ),
                    (
                        chat, #"{"model":"up/m","messages":[{"role":7,"content":"x"}]}"#,
                        "messages[0].role"
                    ),
                    (chat, #"{"model":"up/m","stream":"yes",\#(messages)}"#, "stream"),
                    (
                        chat, #"{"model":"up/m","stream_options":[],\#(messages)}"#,
                        "stream_options"
                    ),
                    (chat, #"{"model":"up/m","model":"up/n",\#(messages)}"#, "model"),
                    ("/v1/completions", #"{"model":"up/m"}"#, "prompt"),
                    ("/v1/embeddings", #"{"model":"up/m"}"#, "input"),
                    ("/v1/embeddings", #"{"model":"up/m","input":{}}"#, "input"),
                ]
                for row in rows {
                    let reply = try fleet.post(row.target, row.body)
                    try expectError(reply, 400, row.body)
                    #expect(try reply.error()["param"]?.string == row.param, "\(row.body)")
                }
                #expect(upstream.connections.isEmpty)
            }
        }

        @Test("a POST without length and chunks gets 411")
        func lengthRequired() throws {
            try BlackBox.withFleet { fleet in
                let reply = try fleet.exchange(HTTPRequestText.bytes("POST", "/v1/completions"))
                try expectError(reply, 411)
            }
        }

        @Test("a compressed body gets 415 and is not guessed at")
        func compressed() throws {
            try BlackBox.withFleet { fleet in
                for coding in ["gzip", "br", "zstd", "deflate", "gzip, identity"] {
                    let reply = try fleet.exchange(
                        HTTPRequestText.bytes(
                            "POST",
                            "/v1/chat/completions",
                            fields: [WireField("content-encoding", coding)],
                            body: [0x1F, 0x8B, 0x08, 0x00]
                        )
                    )
                    try expectError(reply, 415, coding)
                }
                let plain = try fleet.chat(
                    "demo/x",
                    fields: [WireField("content-encoding", "identity")]
                )
                #expect(plain.status != 415)
            }
        }

        private static let smallBodies = FleetSettings(#""guards": { "max_body": "1KiB" }"#)

        /// A chat body of exactly so many bytes.
        static func chat(bytes: Int) -> [UInt8] {
            let start = #"{"model":"up/m","messages":[{"role":"user","content":""#
            let end = "\"}]}"
            let fill = bytes - start.utf8.count - end.utf8.count
            return Array((start + String(repeating: "x", count: fill) + end).utf8)
        }

        @Test("a length beyond the limit gets 413 before any byte of the body")
        func tooLongByLength() throws {
            try BlackBox.withUpstream(try .answering(), Self.smallBodies) { fleet, upstream in
                let connection = try fleet.connect()
                try connection.send(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1025\r\n\r\n"
                )
                try expectError(try connection.readReply(), 413)
                let whole = try fleet.exchangeRaw(
                    HTTPRequestText.bytes(
                        "POST",
                        "/v1/chat/completions",
                        body: Self.chat(bytes: 300_000)
                    )
                )
                try expectError(whole, 413, "with all of the body sent")
                #expect(upstream.connections.isEmpty)
            }
        }

        @Test("a chunked body gets 413 at its first excess byte, and passes one byte before")
        func tooLongByChunks() throws {
            try BlackBox.withUpstream(try .answering(), Self.smallBodies) { fleet, upstream in
                let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"
                let body = Self.chat(bytes: 1_024)
                let fits = HTTPRequestText.chunked(body, sizes: [7, 100])
                let connection = try fleet.connect()
                try connection.send(head + "transfer-encoding: chunked\r\n\r\n")
                try connection.send(fits)
                #expect(try connection.readReply().status == 200)
                #expect(upstream.requests.map(\.body.count).count == 1)

                let excess = try fleet.connect()
                try excess.send(head + "transfer-encoding: chunked\r\n\r\n")
                try excess.send(Array(fits.dropLast(5)))
                #expect(excess.isQuiet)
                try excess.send("1\r\nx")
                try expectError(try excess.readReply(), 413)
                #expect(upstream.requests.count == 1)
            }
        }

        @Test("a body of exactly the limit passes")
        func exactlyTheLimit() throws {
            try BlackBox.withUpstream(try .answering(), Self.smallBodies) { fleet, upstream in
                let body = Self.chat(bytes: 1_024)
                let reply = try fleet.exchange(
                    HTTPRequestText.bytes("POST", "/v1/chat/completions", body: body)
                )
                #expect(reply.status == 200)
                #expect(upstream.requests.count == 1)
            }
        }

        @Test("Expect: 100-continue gets its interim answer, and a refusal instead when it is due")
        func expectContinue() throws {
            try BlackBox.withUpstream(try .answering(), Self.smallBodies) { fleet, upstream in
                let head =
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
                let connection = try fleet.connect()
                let body = Array(Fleet.chat("up/m").utf8)
                try connection.send("\(head)content-length: \(body.count)\r\n\r\n")
                #expect(try connection.readHead().status == 100)
                try connection.send(body)
                #expect(try connection.readReply().status == 200)

                let large = try fleet.connect()
                try large.send("\(head)content-length: 5000\r\n\r\n")
                try expectError(try large.readReply(), 413)
                #expect(upstream.requests.count == 1)
            }
        }

        @Test("a chunked body with extensions and trailers arrives whole")
        func chunkedWithTrailers() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let body = Fleet.chat("up/m", #""metadata":{"é":"😀\\n"}"#)
                let chunks = HTTPRequestText.chunked(
                    Array(body.utf8),
                    sizes: [1, 2, 30],
                    trailers: [WireField("x-checksum", "1"), WireField("content-length", "3")]
                )
                let connection = try fleet.connect()
                for _ in 0..<2 {
                    try connection.send(
                        HTTPRequestText.bytes(
                            "POST",
                            "/v1/chat/completions",
                            fields: [WireField("transfer-encoding", "chunked")],
                            body: chunks
                        )
                    )
                    #expect(try connection.readReply().status == 200)
                }
                for request in upstream.requests {
                    let expected = body.split(separator: "up/m").joined(separator: "m")
                    #expect(request.text == expected)
                    #expect(request.value("x-checksum") == nil)
                }
                #expect(upstream.requests.count == 2)
            }
        }

        @Test("a request that comes byte by byte is a request")
        func dripped() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let connection = try fleet.connect()
                for _ in 0..<2 {
                    let request = HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m"))
                    try connection.drip(request, pause: .microseconds(200))
                    #expect(try connection.readReply().status == 200)
                }
                #expect(upstream.requests.count == 2)
            }
        }

        @Test("members that the gateway does not know arrive upstream byte by byte as they were")
        func unknownMembers() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let odd =
                    "{ \"model\" : \"up/m\" ,\r\n\t\"messages\":[ {\"role\":\"user\","
                    + "\"content\":[{\"type\":\"new\",\"deep\":{\"a\":[1.0e+10,-0,1E5]}}]}],"
                    + "\"x\\u0079z\":\"\\u00e9\\/\\ud83d\\ude00\",\"n\":12345678901234567890 }"
                #expect(try fleet.post("/v1/chat/completions", odd).status == 200)
                let request = try #require(upstream.requests.first)
                #expect(request.text == odd.split(separator: "up/m").joined(separator: "m"))
                #expect(request.value("content-type") == "application/json")
            }
        }

        @Test("a body of 30 MB passes whole, and small calls on the same worker go on meanwhile")
        func largeBody() throws {
            try BlackBox.withUpstream(try .answering()) { fleet, upstream in
                let body = Self.chat(bytes: 30_000_000)
                let head = HTTPRequestText.bytes(
                    "POST",
                    "/v1/chat/completions",
                    fields: [WireField("content-length", "\(body.count)")]
                )
                let large = try fleet.connect()
                try large.send(head)
                let small = try fleet.connect()
                var offset = 0
                while offset < body.count {
                    let end = min(offset + 500_000, body.count)
                    try large.send(Array(body[offset..<end]), by: .after(.seconds(30)))
                    offset = end
                    try small.send(HTTPRequestText.bytes("GET", "/health"))
                    #expect(try small.readReply().status == 200)
                    // Both are of the one worker, which has not got the whole of the large one.
                    #expect(offset == body.count || large.isQuiet)
                }
                #expect(try large.readReply(by: .after(.seconds(30))).status == 200)
                let request = try #require(upstream.requests.first)
                #expect(request.body.count == body.count - 3)
                #expect(request.body.suffix(1_000_000) == body.suffix(1_000_000))
            }
        }
    }
}
