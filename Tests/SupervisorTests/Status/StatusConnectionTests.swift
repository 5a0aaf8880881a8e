// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import System
import Testing

@testable import Supervisor

@Suite struct StatusConnectionTests {
    struct Case: CustomTestStringConvertible {
        let request: String
        let head: String
        /// Lines that the answer has.
        var fields: [String] = []
        var body: String?
        var ends = false

        var testDescription: String { request.prefix(60).debugDescription }
    }

    private static let host = "Host: x\r\n\r\n"
    private static let list = """
        /            in a browser the dashboard, else this list
        /livez       200 while the supervisor runs
        /readyz      200 while requests are served, else 503 with the reason
        /status      the fleet as JSON; /status?full adds every worker
        /status.txt  the fleet as text
        /metrics     Prometheus text

        """

    private static let cases: [Case] = [
        Case(
            request: "GET /livez HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["content-type: text/plain; charset=utf-8", "content-length: 3"],
            body: "ok\n"
        ),
        Case(
            request: "GET /readyz HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            body: "ok: 2 of 2 workers ready\n"
        ),
        Case(
            request: "GET / HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            body: "Apus \(Version.text): status of the supervisor and its workers\n\n" + list
        ),
        Case(
            request: "GET / HTTP/1.1\r\nAccept: */*\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["content-type: text/plain; charset=utf-8", "vary: accept"]
        ),
        Case(
            request: "GET / HTTP/1.1\r\nAccept: text/html,application/xml;q=0.9\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: [
                "content-type: text/html; charset=utf-8", "vary: accept",
                "x-content-type-options: nosniff", "referrer-policy: no-referrer",
                "cache-control: no-store",
            ]
        ),
        Case(
            request: "HEAD / HTTP/1.1\r\nAccept: text/html\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["content-type: text/html; charset=utf-8"],
            body: ""
        ),
        Case(
            request: "POST / HTTP/1.1\r\nAccept: text/html\r\nContent-Length: 0\r\n" + host,
            head: "HTTP/1.1 405 Method Not Allowed",
            fields: ["allow: GET, HEAD"]
        ),
        Case(
            request: "GET /status.txt HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["content-type: text/plain; charset=utf-8"]
        ),
        Case(
            request: "GET http://x HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            body: "Apus \(Version.text): status of the supervisor and its workers\n\n" + list
        ),
        Case(
            request: "GET /metrics HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["content-type: text/plain; version=0.0.4; charset=utf-8"]
        ),
        Case(
            request: "GET /status HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["content-type: application/json", "cache-control: no-store"]
        ),
        Case(
            request: "HEAD /livez HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["content-length: 3"],
            body: ""
        ),
        Case(
            request: "GET /livez HTTP/1.0\r\n\r\n",
            head: "HTTP/1.1 200 OK",
            fields: ["connection: close"],
            body: "ok\n",
            ends: true
        ),
        Case(
            request: "GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            head: "HTTP/1.1 200 OK",
            fields: ["connection: keep-alive"],
            body: "ok\n"
        ),
        Case(
            request: "GET /livez HTTP/1.1\r\nConnection: close\r\n" + host,
            head: "HTTP/1.1 200 OK",
            fields: ["connection: close"],
            body: "ok\n",
            ends: true
        ),
        Case(
            request: "GET /livez HTTP/1.1\r\nContent-Length: 1\r\n" + host + "x",
            head: "HTTP/1.1 200 OK",
            fields: ["connection: close"],
            ends: true
        ),
        Case(
            request: "POST /status HTTP/1.1\r\nContent-Length: 0\r\n" + host,
            head: "HTTP/1.1 405 Method Not Allowed",
            fields: ["allow: GET, HEAD"],
            body: "This address is only to be read: use GET or HEAD.\n"
        ),
        Case(
            request: "DELETE / HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 405 Method Not Allowed",
            fields: ["allow: GET, HEAD"]
        ),
        Case(
            request: "OPTIONS * HTTP/1.1\r\n" + host,
            head: "HTTP/1.1 405 Method Not Allowed",
            fields: ["allow: GET, HEAD"]
        ),
        Case(
            request: "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 0\r\n" + host,
            head: "HTTP/1.1 404 Not Found",
            body: "There is nothing here. What there is:\n\n" + list
        ),
        Case(request: "GET /livez/ HTTP/1.1\r\n" + host, head: "HTTP/1.1 404 Not Found"),
        Case(request: "GET /LIVEZ HTTP/1.1\r\n" + host, head: "HTTP/1.1 404 Not Found"),
        Case(request: "GET /%6civez HTTP/1.1\r\n" + host, head: "HTTP/1.1 404 Not Found"),
        Case(
            request: "nonsense\r\n\r\n",
            head: "HTTP/1.1 400 Bad Request",
            fields: ["connection: close"],
            body: "The request method is not a valid token.\n",
            ends: true
        ),
        Case(
            request: "GET /livez HTTP/1.1\r\n\r\n",
            head: "HTTP/1.1 400 Bad Request",
            body: "The Host header is missing.\n",
            ends: true
        ),
        Case(
            request: "GET /livez HTTP/2.0\r\n" + host,
            head: "HTTP/1.1 505 HTTP Version Not Supported",
            ends: true
        ),
        Case(
            request: "GET /livez HTTP/1.1\r\nx: " + String(repeating: "y", count: 17_000) + "\r\n",
            head: "HTTP/1.1 431 Request Header Fields Too Large",
            ends: true
        ),
        Case(
            request: "GET /" + String(repeating: "y", count: 9000),
            head: "HTTP/1.1 414 URI Too Long",
            ends: true
        ),
    ]

    @Test("What a request gets", arguments: cases)
    func answers(_ row: Case) throws {
        let harness = try StatusHarness()
        let (text, hasEnded) = try harness.exchange([row.request])
        let parts = text.split(
            separator: "\r\n\r\n",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        let lines = parts[0].split(separator: "\r\n").map(String.init)
        #expect(lines.first == row.head)
        for field in row.fields { #expect(lines.contains(field), "\(field) in \(lines)") }
        if let body = row.body { #expect(parts.last.map(String.init) == body) }
        #expect(hasEnded == row.ends)
    }

    @Test("Answers do not depend on where requests are cut")
    func everySplit() throws {
        let input = Array(
            "GET /livez HTTP/1.1\r\n\(Self.host)HEAD /readyz?x HTTP/1.1\r\n\(Self.host)".utf8
        )
        let harness = try StatusHarness()
        let agrees = try agreesAtEverySplit(input) { pieces in
            try harness.exchange(pieces.map { String(decoding: $0, as: UTF8.self) }).text
        }
        #expect(agrees)
    }

    @Test("Pipelined requests are answered in order, more than one turn's share too")
    func pipelining() throws {
        let harness = try StatusHarness()
        let request = "GET /livez HTTP/1.1\r\n\(Self.host)"
        let client = try harness.connect()
        try client.send(String(repeating: request, count: 100) + "GET /x HTTP/1.1\r\n\(Self.host)")
        try harness.turn(until: "answer to the last request") {
            _ = client.receive()
            return client.text.contains("What there is")
        }
        #expect(client.text.split(separator: "HTTP/1.1 200 OK").count == 100)
        #expect(client.text.contains("\r\n\r\nok\nHTTP/1.1 404"))
        #expect(!client.hasEnded)
    }

    @Test("A client that ends its side still gets the answer")
    func halfClose() throws {
        let harness = try StatusHarness()
        let client = try harness.connect()
        try client.send("GET /livez HTTP/1.1\r\n\(Self.host)")
        Syscalls.shutdown(client.fd.raw, .write)
        try harness.settle(client)
        #expect(client.text.hasSuffix("\r\n\r\nok\n"))
        #expect(client.hasEnded)
        #expect(harness.server.connections.isEmpty)
    }

    @Test("A head that does not come to its end gets 408, however it drips")
    func slowHead() throws {
        var patience = StatusConnection.Patience()
        patience.head = 30_000_000
        let harness = try StatusHarness(patience)
        let client = try harness.connect()
        for byte in "GET /livez" {  // Each byte comes in time, the head does not.
            guard !client.hasEnded else { break }
            try client.send(String(byte))
            try harness.loop.turn(waitMax: 5)
        }
        try harness.turn(until: "end") {
            _ = client.receive()
            return client.hasEnded
        }
        #expect(client.text.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        #expect(client.text.hasSuffix("The request did not arrive in time.\n"))
    }

    @Test("An idle connection is closed without a word")
    func idle() throws {
        var patience = StatusConnection.Patience()
        patience.idle = 10_000_000
        let harness = try StatusHarness(patience)
        let client = try harness.connect()
        try harness.turn(until: "end") { harness.server.connections.isEmpty }
        #expect(!client.receive())
        #expect(client.hasEnded && client.text.isEmpty)
    }

    @Test("A reader that does not take its answer is cut; one that is slow gets all of it")
    func slowReader() throws {
        var patience = StatusConnection.Patience()
        patience.answer = 200_000_000
        let harness = try StatusHarness(patience)
        harness.source.fill(workers: 500)
        let request = "GET /status?full HTTP/1.1\r\n\(Self.host)"
        let whole = try harness.exchange([request]).text
        #expect(whole.utf8.count > 100_000)

        let slow = try harness.connect(sendBuffer: 4096)
        try slow.send(request)
        try harness.turn(until: "whole answer") {
            _ = slow.receive(limit: 8192)
            return slow.text.utf8.count >= whole.utf8.count
        }
        #expect(slow.text == whole)

        let stuck = try harness.connect(sendBuffer: 4096)
        try stuck.send(request)
        try harness.loop.turn(waitMax: 5)
        let connection = try #require(harness.server.connections.last)
        #expect(connection.state == .answering)
        try harness.turn(until: "cut") { connection.state == .closed }
        while stuck.receive() {}
        #expect(stuck.hasEnded)
        #expect(stuck.text.utf8.count < whole.utf8.count)
    }

    @Test("While an answer waits for its reader, no further request is read")
    func bounded() throws {
        let harness = try StatusHarness()
        harness.source.fill(workers: 500)
        let client = try harness.connect(sendBuffer: 4096)
        try client.send("GET /status?full HTTP/1.1\r\n\(Self.host)")
        try harness.loop.turn(waitMax: 5)
        let connection = try #require(harness.server.connections.last)
        #expect(connection.state == .answering)
        // What the kernel's buffer takes and no more: nobody reads it at the other end.
        let request = Array("GET /livez HTTP/1.1\r\n\(Self.host)".utf8)
        var sent = 0
        while Syscalls.send(client.fd.raw, request.span) == .bytes(request.count), sent < 100_000 {
            sent += 1
            try harness.loop.turn(waitMax: 0)
        }
        #expect(sent < 100_000)
        #expect(connection.state == .answering)
    }

    @Test("What is sent behind a refused request is thrown away up to a limit")
    func linger() throws {
        let harness = try StatusHarness()
        let client = try harness.connect()
        try client.send("nonsense\r\n\r\n")
        try harness.loop.turn(waitMax: 5)
        let connection = try #require(harness.server.connections.first)
        #expect(connection.state == .lingering)
        let junk = [UInt8](repeating: 0x61, count: 32 << 10)
        try harness.turn(until: "end of patience") {
            _ = Syscalls.send(client.fd.raw, junk.span)
            return connection.state == .closed
        }
        while client.receive() {}
        #expect(client.text.hasPrefix("HTTP/1.1 400"))
    }
}
