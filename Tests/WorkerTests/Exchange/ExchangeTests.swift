// SPDX-License-Identifier: Apache-2.0
import Loop
import Metrics
import Support
import System
import Testing

@testable import Worker

@Suite("An exchange with an upstream")
struct ExchangeTests {
    private static func stream(_ pieces: String...) -> [ServerStep] {
        [.request, .send(TestUpstream.streamHead)] + pieces.map { .send(TestUpstream.chunk($0)) }
    }

    /// `first` is there before the rest is sent: the worker reads between two turns.
    private static func stream(first: String, then rest: String) -> [ServerStep] {
        let head = TestUpstream.streamHead + TestUpstream.chunk(first)
        return [.request, .pieces([Array(head.utf8), Array(rest.utf8)])]
    }

    private func answer(
        _ script: [ServerStep],
        _ request: String = TestRequest.chat("up/m", stream: true),
        more: String = ""
    ) throws -> (TestAnswer, JSONValue) {
        let (harness, _) = try WorkerHarness.scripted(more) { _ in script }
        let client = try harness.client()
        try client.send(request)
        let answer = try client.answer()
        let lines = try harness.accessLines()
        #expect(lines.count == 1)
        return (answer, try #require(lines.first))
    }

    // MARK: Streams

    @Test("a stream goes through verbatim, without the usage nobody asked for")
    func verbatim() throws {
        let events = TestUpstream.event("a") + TestUpstream.event("b") + TestUpstream.finish
        let (answer, line) = try answer(
            Self.stream(events, TestUpstream.usage + TestUpstream.done)
                + [.send(TestUpstream.end)]
        )
        #expect(answer.body == events + TestUpstream.done)
        #expect(line["tokens_in"]?.int == 3)
        #expect(line["tokens_out"]?.int == 2)
        #expect(line["ending"]?.string == "complete")
    }

    @Test("events in the same read as an error reach the client before it")
    func eventsBeforeError() throws {
        let (answer, line) = try answer(
            Self.stream(
                first: TestUpstream.event("a"),
                then: TestUpstream.chunk(
                    TestUpstream.event("b") + #"data: {"error":{"message":"no","type":"x"}}"#
                        + "\n\n"
                )
            )
        )
        #expect(answer.body.contains(TestUpstream.event("a") + TestUpstream.event("b")))
        #expect(answer.events.last?.contains("\"error\"") == true)
        #expect(!answer.body.contains("[DONE]"))
        #expect(line["ending"]?.string == "upstream_cut")
    }

    @Test("an error as the first event is an error answer with its status")
    func errorFirst() throws {
        let (answer, _) = try answer(
            Self.stream(
                ": wait\n\n" + #"data: {"error":{"message":"slow down","type":"x","code":429}}"#
                    + "\n\n"
            )
        )
        #expect(answer.status == 429)
        #expect(try answer.json["error"]?["message"]?.string == "slow down")
    }

    @Test("an error that is only a text has OpenAI's shape for the client")
    func errorAsText() throws {
        let (first, _) = try answer(Self.stream(#"data: {"error":"no room"}"# + "\n\n"))
        #expect(first.status == 502)
        #expect(try first.json["error"]?["message"]?.string?.contains("no room") == true)
        let (whole, _) = try answer(
            [.request, TestUpstream.json(404, #"{"error":"no such model"}"#)],
            TestRequest.chat("up/m")
        )
        #expect(whole.status == 404)
        #expect(try whole.json["error"]?["message"]?.string?.contains("no such model") == true)
    }

    @Test("comments before the first event do not commit, and are not kept for later")
    func commentsFirst() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, .send(TestUpstream.streamHead)]
        }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m", stream: true))
        try harness.loop.wait("the request") { server.requests.count == 1 }
        for _ in 0..<5 {
            server.peers[0].say(TestUpstream.chunk(": ping\n\n"))
            try harness.turn()
        }
        client.read()
        #expect(client.text.isEmpty)
        let events = TestUpstream.event("a") + TestUpstream.finish + TestUpstream.done
        server.peers[0].say(TestUpstream.chunk(events) + TestUpstream.end)
        #expect(try client.answer().body == events)
    }

    struct Ending: CustomTestStringConvertible {
        let testDescription: String
        let steps: [ServerStep]
        let status: Int
        /// Nil: the stream ends with `[DONE]`.
        let code: String?
    }

    static let endings: [Ending] = [
        Ending(
            testDescription: "[DONE] twice is passed on once",
            steps: stream(
                TestUpstream.event("a") + TestUpstream.done + TestUpstream.done
                    + TestUpstream.event("b")
            ) + [.send(TestUpstream.end)],
            status: 200,
            code: nil
        ),
        Ending(
            testDescription: "a missing [DONE] after a finish reason is supplied",
            steps: stream(TestUpstream.event("a") + TestUpstream.finish)
                + [.send(TestUpstream.end)],
            status: 200,
            code: nil
        ),
        Ending(
            testDescription: "a [DONE] without its blank line is one nevertheless",
            steps: stream(TestUpstream.event("a") + TestUpstream.finish + "data: [DONE]")
                + [.send(TestUpstream.end)],
            status: 200,
            code: nil
        ),
        Ending(
            testDescription: "a stream that ends early ends with an error",
            steps: stream(first: TestUpstream.event("a"), then: TestUpstream.end),
            status: 200,
            code: "upstream_cut"
        ),
        Ending(
            testDescription: "a broken connection after an event ends with an error",
            steps: stream(first: TestUpstream.event("a"), then: "") + [.reset],
            status: 200,
            code: "upstream_cut"
        ),
        Ending(
            testDescription: "a broken connection after [DONE] is nobody's loss",
            steps: stream(first: TestUpstream.event("a") + TestUpstream.done, then: "") + [.reset],
            status: 200,
            code: nil
        ),
        Ending(
            testDescription: "an end without any event is an error answer",
            steps: stream(": hello\n\n") + [.send(TestUpstream.end)],
            status: 502,
            code: "upstream_cut"
        ),
        Ending(
            testDescription: "a part of an event never reaches the client",
            steps: stream(first: TestUpstream.event("a") + "data: {\"cho", then: "") + [.close],
            status: 200,
            code: "upstream_cut"
        ),
    ]

    @Test("a stream ends properly, whatever its upstream does", arguments: endings)
    func ends(_ row: Ending) throws {
        let (answer, line) = try answer(row.steps)
        #expect(answer.status == row.status)
        #expect(answer.isWhole)
        let done = answer.events.count { $0 == "[DONE]" }
        if let code = row.code {
            let last = row.status == 200 ? answer.events.last : answer.body
            #expect(try JSONValue(last ?? "")["error"]?["code"]?.string == code)
            #expect(done == 0)
            #expect(line["error"]?.string == code)
        } else {
            #expect(answer.events.last == "[DONE]")
            #expect(done == 1)
            #expect(line["ending"]?.string == "complete")
        }
    }

    @Test("silence before the first content is 504, after it an error event")
    func silence() throws {
        let (first, _) = try answer(
            Self.stream(": hello\n\n"),
            more: #""timeouts": {"first_content": "60ms"}"#
        )
        #expect(first.status == 504)
        let (later, line) = try answer(
            Self.stream(TestUpstream.event("a")),
            more: #""timeouts": {"idle": "60ms"}"#
        )
        #expect(later.status == 200)
        #expect(later.events.last?.contains("upstream_timeout") == true)
        #expect(line["ending"]?.string == "upstream_timeout")
    }

    @Test("a slow reader gets every byte, and its upstream is not read meanwhile")
    func backpressure() throws {
        let piece = TestUpstream.event(String(repeating: "x", count: 8_000))
        let count = 200
        let all =
            TestUpstream.streamHead
            + String(repeating: TestUpstream.chunk(piece), count: count)
            + TestUpstream.chunk(TestUpstream.finish + TestUpstream.done) + TestUpstream.end
        let (harness, server) = try WorkerHarness.scripted { _ in [.request, .send(all)] }
        let client = try harness.client(sendBuffer: 4096)
        try client.send(TestRequest.chat("up/m", stream: true))
        try harness.loop.wait("the request") { server.requests.count == 1 }
        let waiting = try harness.waitingBytes(atLeast: 64 << 10)
        #expect(waiting < 512 << 10, "\(waiting) bytes wait for a client that does not read")
        #expect(waiting > 64 << 10)
        let answer = try client.answer()
        let expected =
            String(repeating: piece, count: count) + TestUpstream.finish + TestUpstream.done
        let isSame = answer.body == expected
        #expect(isSame)
    }

    @Test("a client that leaves a paused stream ends the upstream call")
    func pausedClientLeaves() throws {
        let all =
            TestUpstream.streamHead
            + String(
                repeating: TestUpstream.chunk(
                    TestUpstream.event(String(repeating: "x", count: 8_000))
                ),
                count: 200
            )
        let (harness, server) = try WorkerHarness.scripted { _ in [.request, .send(all)] }
        let client = try harness.client(sendBuffer: 4096)
        try client.send(TestRequest.chat("up/m", stream: true))
        try harness.loop.wait("the request") { server.requests.count == 1 }
        _ = try harness.waitingBytes(atLeast: 64 << 10)
        client.close()
        try harness.loop.wait("the upstream's end") { server.openPeers == 0 }
        #expect(harness.worker.connectionCount == 0)
        let line = try #require(try harness.accessLines().first)
        #expect(line["ending"]?.string == "client_closed")
        #expect(line["status"]?.int == 200)
    }

    // MARK: Whole answers

    @Test("a whole answer goes through as it is, with the fields that clients use")
    func whole() throws {
        let (answer, line) = try answer(
            [
                .request,
                TestUpstream.json(
                    200,
                    TestUpstream.completion,
                    "X-RateLimit-Remaining-Requests: 7\r\nSet-Cookie: a=b\r\nServer: s\r\n"
                        + "OpenAI-Processing-Ms: 12\r\n"
                ),
            ],
            TestRequest.chat("up/m")
        )
        #expect(answer.body == TestUpstream.completion)
        #expect(answer["x-ratelimit-remaining-requests"] == "7")
        #expect(answer["openai-processing-ms"] == "12")
        #expect(answer["set-cookie"] == nil && answer["server"] == nil)
        #expect(line["tokens_in"]?.int == 3)
        #expect(line["upstream"]?.string == "up")
    }

    @Test("a success that is none counts as the upstream's fault")
    func falseSuccess() throws {
        let (harness, _) = try WorkerHarness.scripted { _ in
            [
                .request, TestUpstream.json(200, "<html>"), .request,
                TestUpstream.json(200, #"{"error":{"message":"no"}}"#), .request,
                TestUpstream.json(429, "slow down", "Retry-After: 9\r\n"),
            ]
        }
        let client = try harness.client()
        var statuses: [Int] = []
        for _ in 0..<3 {
            try client.send(TestRequest.chat("up/m"))
            let answer = try client.answer()
            statuses.append(answer.status)
            #expect((answer["retry-after"] == "9") == (answer.status == 429))
        }
        #expect(statuses == [502, 502, 429])
        let up = try #require(harness.worker.metrics.totals.upstreams[2])
        #expect(up.attempts(.protocolError) == 2)
        #expect(up.attempts(.rateLimited) == 1)
        #expect(up.attempts(.success) == 0)
    }

    @Test("an answer while the request is still being sent is passed on")
    func earlyAnswer() throws {
        let (harness, _) = try WorkerHarness.scripted { _ in
            [
                .head, .stopReading,
                TestUpstream.json(400, #"{"error":{"message":"too long","type":"x"}}"#), .stall,
            ]
        }
        let client = try harness.client()
        let text = String(repeating: "a", count: 12_000_000)
        try client.send(
            TestRequest.post(
                "/v1/chat/completions",
                #"{"model":"up/m","messages":[{"role":"user","content":"\#(text)"}]}"#
            )
        )
        #expect(try client.answer().status == 400)
        for _ in 0..<3 {
            try client.send(TestRequest.chat("demo/fast"))
            #expect(try client.answer().status == 200)
        }
        #expect(harness.worker.buffers.taken == 0)
        #expect(harness.worker.lane.buffersInUse == 0)
    }

    @Test("a request on a connection that died is sent again, whole")
    func staleRetry() throws {
        let (harness, server) = try WorkerHarness.scripted { number in
            number == 0
                ? [.request, TestUpstream.json(200, TestUpstream.completion), .request, .close]
                : [.request, TestUpstream.json(200, TestUpstream.completion), .again]
        }
        let client = try harness.client()
        for _ in 0..<3 {
            try client.send(TestRequest.chat("up/m"))
            #expect(try client.answer().body == TestUpstream.completion)
        }
        #expect(server.requests.count == 4)
        #expect(Set(server.requests.map { $0.split(separator: "\r\n\r\n").last }).count == 1)
        #expect(harness.worker.buffers.taken == 0)
    }

    @Test("an answer beyond the limit is 502")
    func hugeAnswer() throws {
        let size = AttemptAnswer.answerBytesMax + 1_000
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(size)\r\n\r\n"
        let piece = [UInt8](repeating: 0x20, count: 1 << 20)
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, .send(head)] + (0..<65).map { _ in .send(piece) }
        }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m"))
        let answer = try client.answer()
        #expect(answer.status == 502)
        #expect(try answer.json["error"]?["code"]?.string == "upstream_answer_too_large")
        try harness.loop.wait("the upstream's end") { server.openPeers == 0 }
        #expect(harness.worker.buffers.taken == 0)
    }

    @Test("a large answer reaches a slow client whole")
    func largeAnswer() throws {
        let body = #"{"x":""# + String(repeating: "y", count: 6_000_000) + #""}"#
        let (harness, _) = try WorkerHarness.scripted { _ in
            [.request, TestUpstream.json(200, body)]
        }
        let client = try harness.client(sendBuffer: 4096)
        try client.send(TestRequest.chat("up/m"))
        try harness.turn(40)
        let isSame = try client.answer().body == body
        #expect(isSame)
    }

    @Test("the client's model name is replaced, escapes and all")
    func modelNames() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, TestUpstream.json(200, TestUpstream.completion), .again]
        }
        let client = try harness.client()
        for name in [#"up/m"#, #"up\/m"#, #"\u0075p/m"#, #"up/\u006d"#] {
            try client.send(TestRequest.chat(name))
            #expect(try client.answer().status == 200)
        }
        for request in server.requests { #expect(request.contains(#""model":"m""#)) }
        try client.send(TestRequest.chat(#"demo\/fast"#))
        let answer = try client.answer()
        #expect(try answer.json["model"]?.string == "fast")
    }

    @Test("ids and traces reach the upstream, the client's key does not")
    func fields() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, TestUpstream.json(200, TestUpstream.completion), .again]
        }
        let client = try harness.client()
        try client.send(
            TestRequest.chat(
                "up/m",
                "X-Request-ID: mine-1\r\nX-Correlation-ID: c-1\r\nTraceparent: 00-1-2-01\r\n"
                    + "Authorization: Bearer client\r\nIdempotency-Key: k\r\nCookie: c=d\r\n"
            )
        )
        let answer = try client.answer()
        #expect(answer["x-request-id"] == "mine-1")
        #expect(answer["x-correlation-id"] == "c-1")
        let request = try #require(server.requests.first).lowercased()
        for line in [
            "x-request-id: mine-1", "x-correlation-id: c-1", "traceparent: 00-1-2-01",
            "authorization: bearer key", "idempotency-key: k",
        ] {
            #expect(request.contains("\r\n\(line)\r\n"), "\(line)")
        }
        #expect(!request.contains("cookie") && !request.contains("bearer client"))
    }
}
