// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

extension BlackBox {
    @Suite("HTTP: what is refused")
    struct HTTPRefusals {
        struct Row {
            let name: String
            let bytes: [UInt8]
            let status: Int

            init(_ name: String, _ status: Int, _ text: String) {
                self.name = name
                self.status = status
                bytes = Array(text.utf8)
            }
        }

        private static let long = String(repeating: "a", count: 70_000)
        private static let get = "GET /health HTTP/1.1\r\nhost: a\r\n"
        private static let post =
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"

        static let heads: [Row] = [
            Row("garbage", 400, "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\r\n\r\n"),
            Row("bare LF after the request line", 400, "GET /health HTTP/1.1\nhost: a\r\n\r\n"),
            Row("bare LF after a header", 400, "\(get)x: y\n\r\n"),
            Row("bare LF at the end of the head", 400, "\(get)x: y\r\n\n"),
            Row("bare CR in a header", 400, "\(get)x: a\rb\r\n\r\n"),
            Row("one word in the request line", 400, "GET\r\nhost: a\r\n\r\n"),
            Row("two words in the request line", 400, "GET /health\r\nhost: a\r\n\r\n"),
            Row("four words", 400, "GET /health HTTP/1.1 more\r\nhost: a\r\n\r\n"),
            Row("two spaces", 400, "GET  /health HTTP/1.1\r\nhost: a\r\n\r\n"),
            Row("a space before the method", 400, " GET /health HTTP/1.1\r\nhost: a\r\n\r\n"),
            Row("a method with a colon", 400, "G:T /health HTTP/1.1\r\nhost: a\r\n\r\n"),
            Row("a target without a slash", 400, "GET health HTTP/1.1\r\nhost: a\r\n\r\n"),
            Row(
                "a control byte in the target",
                400,
                "GET /he\u{01}alth HTTP/1.1\r\nhost: a\r\n\r\n"
            ),
            Row("HTTP/2.0", 505, "GET /health HTTP/2.0\r\nhost: a\r\n\r\n"),
            Row(
                "another protocol's version",
                400,
                "GET /health ICY/1.1\r\nhost: a\r\n\r\n"
            ),
            Row("CONNECT", 501, "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n"),
            Row("no Host", 400, "GET /health HTTP/1.1\r\nx: y\r\n\r\n"),
            Row("two Hosts", 400, "\(get)host: b\r\n\r\n"),
            Row("a Host with a space", 400, "GET /health HTTP/1.1\r\nhost: a b\r\n\r\n"),
            Row("a space before the colon", 400, "\(get)x : y\r\n\r\n"),
            Row("an empty name", 400, "\(get): y\r\n\r\n"),
            Row("no colon", 400, "\(get)nothing\r\n\r\n"),
            Row("a folded header", 400, "\(get)x: y\r\n z\r\n\r\n"),
            Row("a header that starts with a tab", 400, "\(get)\tx: y\r\n\r\n"),
            Row("NUL in a value", 400, "\(get)x: a\u{00}b\r\n\r\n"),
            Row("a control byte in a value", 400, "\(get)x: a\u{01}b\r\n\r\n"),
            Row("DEL in a name", 400, "\(get)x\u{7F}: b\r\n\r\n"),
            Row("a request line of 70 KB", 414, "GET /\(long) HTTP/1.1\r\nhost: a\r\n\r\n"),
            Row("a header of 70 KB", 431, "\(get)x: \(long)\r\n\r\n"),
            Row(
                "500 headers",
                431,
                get + (0..<500).map { "x\($0): y\r\n" }.joined() + "\r\n"
            ),
            Row(
                "an unknown expectation",
                417,
                "\(post)expect: coffee\r\ncontent-length: 2\r\n\r\n{}"
            ),
        ]

        static let framings: [Row] = [
            Row(
                "two lengths that agree",
                400,
                "\(post)content-length: 2\r\ncontent-length: 2\r\n\r\n{}"
            ),
            Row("two lengths", 400, "\(post)content-length: 2\r\ncontent-length: 3\r\n\r\n{} "),
            Row("a list of lengths", 400, "\(post)content-length: 2, 2\r\n\r\n{}"),
            Row("+2", 400, "\(post)content-length: +2\r\n\r\n{}"),
            Row("-2", 400, "\(post)content-length: -2\r\n\r\n{}"),
            Row("0x2", 400, "\(post)content-length: 0x2\r\n\r\n{}"),
            Row("an empty length", 400, "\(post)content-length: \r\n\r\n{}"),
            Row("a length with a space in it", 400, "\(post)content-length: 2 2\r\n\r\n{}"),
            Row(
                "a length beyond 64 bits",
                400,
                "\(post)content-length: 99999999999999999999\r\n\r\n{}"
            ),
            Row(
                "length and chunks",
                400,
                "\(post)content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
            ),
            Row(
                "chunks and length",
                400,
                "\(post)transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
            ),
            Row("gzip, chunked", 501, "\(post)transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            Row("identity", 501, "\(post)transfer-encoding: identity\r\n\r\n{}"),
            Row("xchunked", 501, "\(post)transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
            Row(
                "chunked twice",
                501,
                "\(post)transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            Row(
                "chunks in HTTP/1.0",
                400,
                "POST /v1/completions HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                    + "0\r\n\r\n"
            ),
        ]

        private static let chunked = "\(post)transfer-encoding: chunked\r\n\r\n"

        static let chunks: [Row] = [
            Row("a size that is no number", 400, "\(chunked)zz\r\n{}\r\n0\r\n\r\n"),
            Row("a negative size", 400, "\(chunked)-2\r\n{}\r\n0\r\n\r\n"),
            Row("an empty size", 400, "\(chunked)\r\n{}\r\n0\r\n\r\n"),
            Row("a size with 0x", 400, "\(chunked)0x2\r\n{}\r\n0\r\n\r\n"),
            Row("a size of 17 digits", 400, "\(chunked)10000000000000000\r\n{}\r\n0\r\n\r\n"),
            Row("a size beyond the limit", 413, "\(chunked)7FFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
            Row("a space behind the size", 400, "\(chunked)2 \r\n{}\r\n0\r\n\r\n"),
            Row("a bare LF behind the size", 400, "\(chunked)2\n{}\r\n0\r\n\r\n"),
            Row("data longer than its size", 400, "\(chunked)2\r\n{}}\r\n0\r\n\r\n"),
            Row("an extension of 70 KB", 400, "\(chunked)2;\(long)\r\n{}\r\n0\r\n\r\n"),
            Row("trailers of 70 KB", 431, "\(chunked)2\r\n{}\r\n0\r\nx: \(long)\r\n\r\n"),
            Row("a trailer without a colon", 400, "\(chunked)2\r\n{}\r\n0\r\nnothing\r\n\r\n"),
        ]

        /// Sends each row whole and byte by byte: both get the error, and the connection ends.
        private func expectRefused(_ rows: [Row]) throws {
            try BlackBox.withFleet { fleet in
                let workers = try fleet.readyWorkers()
                for row in rows {
                    for dripped in [false, true] where !dripped || row.bytes.count < 1_000 {
                        let name = "\(row.name)\(dripped ? ", byte by byte" : "")"
                        do {
                            let reply = try fleet.exchangeRaw(row.bytes, dripped: dripped)
                            try expectError(reply, row.status, name)
                            #expect(reply.value("connection") == "close", "\(name)")
                        } catch {
                            Issue.record("\(name): \(error)")
                        }
                    }
                }
                #expect(try fleet.get("/health").status == 200)
                #expect(try fleet.readyWorkers() == workers, "no worker was lost")
            }
        }

        @Test("malformed heads get their status as a JSON error, and the connection ends")
        func malformedHeads() throws { try expectRefused(Self.heads) }

        @Test("unclear framing is refused before the body means anything")
        func unclearFraming() throws { try expectRefused(Self.framings) }

        @Test("malformed chunks are refused")
        func malformedChunks() throws { try expectRefused(Self.chunks) }

        @Test("what follows a refused request is never taken for a request")
        func nothingBehindRefusal() throws {
            try BlackBox.withFleet { fleet in
                let smuggled = "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
                let connection = try fleet.connect()
                try connection.send(
                    "\(Self.post)content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
                        + "0\r\n\r\n\(smuggled)"
                )
                try expectError(try connection.readReply(), 400)
                connection.endWriting()
                _ = try connection.waitForEnd()
            }
        }

        @Test("a head that does not come in time gets 408, a silent connection just ends")
        func slowHead() throws {
            let settings = FleetSettings(#""timeouts": { "client_head": "300ms" }"#)
            try BlackBox.withFleet(settings) { fleet in
                let connection = try fleet.connect()
                try connection.send("GET /health HT")
                try expectError(try connection.readReply(), 408)
                _ = try connection.waitForEnd()
                let silent = try fleet.connect()
                #expect(try silent.waitForEnd() == ConnectionLost(wasReset: false))
            }
        }

        @Test("a head that drips does not get more time by dripping")
        func drippingHead() throws {
            let settings = FleetSettings(#""timeouts": { "client_head": "300ms" }"#)
            try BlackBox.withFleet(settings) { fleet in
                let connection = try fleet.connect()
                try connection.send("\(Self.get)x: ")
                // The answer comes while it still drips, or never.
                _ = try eventually("answer") { () -> Bool? in
                    if !connection.isQuiet { return true }
                    try connection.drip([UInt8(ascii: "y")], pause: .milliseconds(10))
                    return nil
                }
                try expectError(try connection.readReply(), 408)
            }
        }

        @Test("a body that does not come in time gets 408")
        func slowBody() throws {
            let settings = FleetSettings(#""timeouts": { "client_body": "300ms" }"#)
            try BlackBox.withFleet(settings) { fleet in
                for head in ["\(Self.post)content-length: 100\r\n\r\n", Self.chunked] {
                    let connection = try fleet.connect()
                    try connection.send(head + "2\r\n{\"")
                    try expectError(try connection.readReply(), 408)
                    _ = try connection.waitForEnd()
                }
            }
        }

        @Test("a connection without requests ends after the idle timeout, without a word")
        func idle() throws {
            let settings = FleetSettings(#""timeouts": { "client_idle": "200ms" }"#)
            try BlackBox.withFleet(settings) { fleet in
                let fresh = try fleet.connect()
                let used = try fleet.connect()
                try used.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try used.readReply().status == 200)
                #expect(try fresh.waitForEnd() == ConnectionLost(wasReset: false))
                #expect(try used.waitForEnd() == ConnectionLost(wasReset: false))
            }
        }
    }
}
