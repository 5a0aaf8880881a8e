// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Support
import System
import Testing

@testable import Worker

@Suite("A client's connection")
struct ClientConnectionTests {
    // MARK: Keep-alive and pipelining

    @Test("answers requests one after the other, whatever each of them was")
    func keepsAlive() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        let rows: [(text: String, status: Int)] = [
            (TestRequest.get("/health"), 200), (TestRequest.get("/nowhere"), 404),
            (TestRequest.chat("demo/fast"), 200),
            (TestRequest.chat("demo/fast", stream: true), 200),
            (TestRequest.post("/v1/chat/completions", "{"), 400),
            (TestRequest.post("/v1/chat/completions", ""), 400),
            (TestRequest.chat("nobody/x"), 404), (TestRequest.chat("demo/429"), 429),
            ("POST /v1/embeddings HTTP/1.1\r\nHost: h\r\n\r\n", 411),
            (TestRequest.get("/v1/models"), 200), (TestRequest.get("/v1/models/demo%2Fecho"), 200),
            ("OPTIONS /v1/models HTTP/1.1\r\nHost: h\r\n\r\n", 204),
            ("DELETE /v1/models HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        ]
        for _ in 0..<2 {
            for row in rows {
                try client.send(row.text)
                let answer = try client.answer()
                #expect(answer.status == row.status, "\(row.text)")
                #expect(answer["connection"] == nil, "\(row.text)")
            }
        }
        try client.send(rows.map(\.text).joined())
        for row in rows { #expect(try client.answer().status == row.status, "\(row.text)") }
        #expect(client.text.isEmpty)
        #expect(try harness.accessLines().count == rows.count * 3)
    }

    @Test("HEAD has the head of GET and no body")
    func head() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        for path in ["/health", "/v1/models", "/v1/models/demo/echo", "/nowhere"] {
            try client.send(TestRequest.get(path))
            let get = try client.answer()
            try client.send("HEAD \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
            let head = try client.answer(toHead: true)
            #expect(head.status == get.status)
            #expect(head["content-length"] == String(get.body.utf8.count))
            #expect(client.text.isEmpty)
        }
        try client.send("HEAD /v1/chat/completions HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.answer(toHead: true).status == 405)
        try client.send(TestRequest.get("/health"))
        #expect(try client.answer().status == 200)
    }

    @Test("HTTP/1.0 gets its connection closed, or kept when it asks for it")
    func http10() throws {
        let harness = try WorkerHarness()
        let closing = try harness.client()
        try closing.send("GET /health HTTP/1.0\r\n\r\n")
        #expect(try closing.answer()["connection"] == "close")
        try closing.waitForEnd()
        let kept = try harness.client()
        for _ in 0..<2 {
            try kept.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try kept.answer()["connection"] == "keep-alive")
        }
        let body =
            #"{"model":"demo/fast","stream":true,"messages":[{"role":"user","content":"x"}]}"#
        try kept.send(
            "POST /v1/chat/completions HTTP/1.0\r\nConnection: keep-alive\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
        let stream = try kept.answer()
        #expect(stream["transfer-encoding"] == nil)
        #expect(stream["connection"] == "close")
        #expect(stream.events.last == "[DONE]")
        #expect(kept.sawEnd)
    }

    @Test("a client that pipelines more than it is served does not fill the memory")
    func pipelineFlood() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        let one = TestRequest.get("/health")
        let output = ByteBuffer(String(repeating: one, count: 60_000))
        var largest = 0
        // Many requests for a busy machine: each step has the time, not all of them together.
        while output.count >= 512 << 10 {
            let before = output.count
            try harness.loop.wait("more of the flood to be taken") {
                client.sendSome(output)
                client.read()
                for connection in harness.worker.connections.values {
                    largest = max(largest, connection.intake.input?.count ?? 0)
                }
                return output.count < before
            }
        }
        #expect(largest < 300 << 10, "\(largest) bytes of requests were read ahead")
    }

    @Test("a client that half-closes gets what can be answered at once")
    func halfClosed() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        try client.send(TestRequest.get("/health") + TestRequest.get("/health"))
        client.endSending()
        #expect(try client.answer().status == 200)
        #expect(try client.answer().status == 200)
        try client.waitForEnd()
        #expect(try harness.accessLines().count == 2)
    }

    // MARK: The end of a connection

    @Test("an answer before which the next request was sent arrives without a reset")
    func unreadInput() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in [.request] }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m", "Connection: close\r\n"))
        try harness.loop.wait("the upstream's request") { server.requests.count == 1 }
        try client.send(TestRequest.get("/health"))
        try harness.turn()
        server.peers[0].say(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )
        #expect(try client.answer().status == 200)
        try client.waitForEnd()
        #expect(client.sawEnd && !client.sawReset)
    }

    @Test("a refused body is thrown away until the client has read the answer")
    func refusedBody() throws {
        let harness = try WorkerHarness(
            #"{"upstreams": {"demo": {"kind": "demo"}}, "guards": {"max_body": "64KiB"}}"#
        )
        let client = try harness.client()
        try client.send(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"
        )
        try client.send([UInt8](repeating: 0x20, count: 1_000_000))
        let answer = try client.answer()
        #expect(answer.status == 413)
        #expect(answer["connection"] == "close")
        try client.waitForEnd()
        #expect(client.sawEnd)
        client.close()
        try harness.loop.wait("the connection's end") { harness.worker.connectionCount == 0 }
        #expect(try harness.accessLines().count == 1)
    }

    @Test("a malformed request ends the connection with 400")
    func malformed() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        try client.send("GET /health HTTP/1.1\r\nHost: h\r\n\r\n" + "BROKEN\r\n\r\n")
        #expect(try client.answer().status == 200)
        let answer = try client.answer()
        #expect(answer.status == 400)
        #expect(try answer.json["error"]?["code"]?.string == "invalid_http")
        try client.waitForEnd()
        #expect(try harness.accessLines().count == 2)
    }

    // MARK: Time

    private static let impatient = """
        {"upstreams": {"demo": {"kind": "demo"}}, "timeouts": {
            "client_head": "40ms", "client_body": "40ms", "client_idle": "60ms", "idle": "150ms"}}
        """

    @Test("an idle connection is closed without a word")
    func idle() throws {
        let harness = try WorkerHarness(Self.impatient)
        let client = try harness.client()
        try client.waitForEnd()
        #expect(client.sawEnd && client.text.isEmpty)
        #expect(try harness.accessLines().isEmpty)
    }

    @Test(
        "a request that does not arrive in time is answered with 408",
        arguments: [
            "GET /heal", "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{",
            "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n{",
            "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        ]
    )
    func slowRequest(_ text: String) throws {
        let harness = try WorkerHarness(Self.impatient)
        let client = try harness.client()
        try client.send(TestRequest.get("/health"))
        #expect(try client.answer().status == 200)
        try client.send(text)
        let answer = try client.answer()
        #expect(answer.status == 408)
        #expect(answer["connection"] == "close")
        try client.waitForEnd()
        client.close()
        try harness.loop.wait("the connection's end") { harness.worker.connectionCount == 0 }
        #expect(try harness.accessLines().map { $0["status"]?.int } == [200, 408])
        #expect(harness.worker.buffers.taken == 0)
    }

    @Test("a client that reads nothing is given up although its upstream goes on")
    func stalledReader() throws {
        let (harness, server) = try WorkerHarness.scripted(
            #""timeouts": {"idle": "150ms"}"#
        ) { _ in [.request, .send(TestUpstream.streamHead)] }
        let client = try harness.client(sendBuffer: 4096)
        try client.send(TestRequest.chat("up/m", stream: true))
        try harness.loop.wait("the upstream's request") { server.requests.count == 1 }
        let long = TestUpstream.event(String(repeating: "x", count: 4000))
        for _ in 0..<6 { server.peers[0].say(TestUpstream.chunk(long)) }
        let began = Syscalls.monotonicNanoseconds()
        var last = began
        try harness.loop.wait("the worker to give up") {
            let now = Syscalls.monotonicNanoseconds()
            if now > last + 30_000_000, server.openPeers == 1 {
                last = now
                server.peers[0].say(TestUpstream.chunk(TestUpstream.event("y")))
            }
            return harness.worker.connectionCount == 0
        }
        #expect(try harness.accessLines().map { $0["ending"]?.string } == ["client_timeout"])
        try harness.loop.wait("the end of the upstream call") { server.openPeers == 0 }
    }

    // MARK: Expect

    @Test("100 Continue comes before the body is sent, and never for a refused request")
    func expectContinue() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        let body = #"{"model":"demo/embed","input":"x"}"#
        let head =
            "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Expect: 100-continue\r\n\r\n"
        try client.send(head)
        #expect(try client.answer().status == 100)
        try client.send(body)
        #expect(try client.answer().status == 200)
        try client.send(head.replacing("/v1/embeddings", "/v1/nowhere"))
        let refused = try client.answer()
        #expect(refused.status == 404)
        #expect(refused["connection"] == "close")
        try client.waitForEnd()
        #expect(client.text.isEmpty)
    }

    @Test("100 Continue is not lost or torn when the client's socket is full")
    func continueToFullSocket() throws {
        let harness = try WorkerHarness()
        let body = #"{"model":"demo/embed","dimensions":1,"input":"x"}"#
        let head =
            "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Expect: 100-continue\r\n\r\n"
        // One of these numbers of answers fills the socket exactly.
        for count in 1...40 {
            let client = try harness.client(sendBuffer: 4096)
            try client.send(String(repeating: TestRequest.get("/health"), count: count) + head)
            try harness.turn(6)
            for _ in 0..<count { #expect(try client.answer().status == 200) }
            try harness.turn(2)
            try client.send(body)
            let statuses = [try client.answer().status, try client.answer().status]
            #expect(statuses == [100, 200], "after \(count) answers")
            client.close()
        }
    }

    // MARK: Bodies

    @Test("bodies of every size and framing arrive", arguments: [10, 20_000, 70_000, 3_000_000])
    func bodies(_ size: Int) throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        let text = String(repeating: "a", count: size)
        let body = #"{"model":"demo/fast","messages":[{"role":"user","content":"\#(text)"}]}"#
        try client.send(TestRequest.post("/v1/chat/completions", body))
        #expect(try client.answer().status == 200)
        var chunked = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
        chunked += "Transfer-Encoding: chunked\r\n\r\n"
        var rest = Array(body.utf8)[...]
        var bytes = Array(chunked.utf8)
        while !rest.isEmpty {
            let piece = rest.prefix(30_000)
            bytes += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10]
            rest = rest.dropFirst(piece.count)
        }
        bytes += Array("0\r\n\r\n".utf8)
        try client.send(bytes + Array(TestRequest.get("/health").utf8))
        #expect(try client.answer().status == 200)
        #expect(try client.answer().body == #"{"status":"ok"}"#)
        try harness.turn()
        #expect(harness.worker.buffers.taken == 0)
    }

    @Test("a body that is no JSON is refused whatever its size", arguments: [10, 20_000, 200_000])
    func badJSON(_ size: Int) throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        let body = #"{"model": "demo/fast", "x": "# + String(repeating: " ", count: size) + "]}"
        try client.send(TestRequest.post("/v1/chat/completions", body))
        let answer = try client.answer()
        #expect(answer.status == 400)
        #expect(try answer.json["error"]?["code"]?.string == "invalid_json")
        try client.send(TestRequest.get("/health"))
        #expect(try client.answer().status == 200)
    }
}

extension String {
    /// The text with every `old` replaced.
    fileprivate func replacing(_ old: String, _ new: String) -> String {
        split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
    }
}
