// SPDX-License-Identifier: Apache-2.0
import Loop
import Metrics
import Support
import System
import Testing

@testable import Worker

@Suite("What is left of a request")
struct AccountingTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        /// What the client sends.
        let request: String
        /// What the upstream `up` does.
        var script: [ServerStep] = []
        /// Whether the client leaves without reading once its request is under way.
        var leaves = false
        /// Status and ending of each log line.
        let lines: [String]
    }

    private static let twoEvents =
        TestUpstream.streamHead + TestUpstream.chunk(TestUpstream.event("a"))

    static let cases: [Case] = [
        Case(
            testDescription: "nothing but a connection",
            request: "",
            leaves: true,
            lines: []
        ),
        Case(
            testDescription: "a part of a head",
            request: "GET /he",
            leaves: true,
            lines: []
        ),
        Case(
            testDescription: "a part of a large body",
            request: "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n{",
            leaves: true,
            lines: []
        ),
        Case(
            testDescription: "no HTTP",
            request: "\u{1}\u{2}\r\n\r\n",
            lines: ["400 refused"]
        ),
        Case(
            testDescription: "answers of the gateway",
            request: TestRequest.get("/health") + TestRequest.get("/v1/nowhere")
                + TestRequest.post("/v1/embeddings", "[]"),
            lines: ["200 complete", "404 refused", "400 refused"]
        ),
        Case(
            testDescription: "demo answers, whole and streamed",
            request: TestRequest.chat("demo/fast") + TestRequest.chat("demo/long", stream: true)
                + TestRequest.chat("demo/429") + TestRequest.chat("demo/cut", stream: true)
                + TestRequest.chat("demo/error", stream: true) + TestRequest.chat("demo/error"),
            lines: [
                "200 complete", "200 complete", "429 complete", "200 upstream_cut",
                "200 upstream_cut", "500 complete",
            ]
        ),
        Case(
            testDescription: "a client that leaves a demo model that hangs",
            request: TestRequest.chat("demo/hang"),
            leaves: true,
            lines: ["499 client_closed"]
        ),
        Case(
            testDescription: "a client that leaves a demo stream",
            request: TestRequest.chat("demo/long", stream: true),
            leaves: true,
            lines: ["200 client_closed"]
        ),
        Case(
            testDescription: "a whole answer of an upstream",
            request: TestRequest.chat("up/m"),
            script: [.request, TestUpstream.json(200, TestUpstream.completion)],
            lines: ["200 complete"]
        ),
        Case(
            testDescription: "a stream of an upstream",
            request: TestRequest.chat("up/m", stream: true),
            script: [
                .request, .send(twoEvents),
                .send(
                    TestUpstream.chunk(TestUpstream.finish + TestUpstream.done) + TestUpstream.end
                ),
            ],
            lines: ["200 complete"]
        ),
        Case(
            testDescription: "an upstream that breaks before an answer",
            request: TestRequest.chat("up/m"),
            script: [.request, .reset],
            lines: ["502 upstream_cut"]
        ),
        Case(
            testDescription: "an upstream that talks nonsense",
            request: TestRequest.chat("up/m"),
            script: [.request, .send("nonsense\r\n\r\n")],
            lines: ["502 upstream_cut"]
        ),
        Case(
            testDescription: "an upstream whose answer is no JSON",
            request: TestRequest.chat("up/m"),
            script: [.request, TestUpstream.json(200, "<html>")],
            lines: ["502 refused"]
        ),
        Case(
            testDescription: "an upstream that breaks in a stream",
            request: TestRequest.chat("up/m", stream: true),
            script: [.request, .pieces([Array(twoEvents.utf8), []]), .reset],
            lines: ["200 upstream_cut"]
        ),
        Case(
            testDescription: "an upstream that is silent",
            request: TestRequest.chat("up/m", stream: true),
            script: [.request, .stall],
            lines: ["504 upstream_timeout"]
        ),
        Case(
            testDescription: "a client that leaves while the upstream is silent",
            request: TestRequest.chat("up/m"),
            script: [.request, .stall],
            leaves: true,
            lines: ["499 client_closed"]
        ),
        Case(
            testDescription: "a client that leaves in a stream",
            request: TestRequest.chat("up/m", stream: true),
            script: [.request, .send(twoEvents), .stall],
            leaves: true,
            lines: ["200 client_closed"]
        ),
        Case(
            testDescription: "a client that leaves while models are listed",
            request: TestRequest.get("/v1/models"),
            script: [.request, .stall],
            leaves: true,
            lines: ["499 client_closed"]
        ),
        Case(
            testDescription: "a client that leaves with a request in the pipeline",
            request: TestRequest.chat("demo/hang") + TestRequest.chat("demo/fast"),
            leaves: true,
            lines: ["499 client_closed"]
        ),
    ]

    @Test("is one log line and one count, and no object, buffer or gauge", arguments: cases)
    func settles(_ row: Case) throws {
        let (harness, server) = try WorkerHarness.scripted(
            #""timeouts": {"first_content": "80ms", "headers": "80ms"}"#
        ) { _ in row.script }
        let watch = ObjectWatch()
        let client = try harness.client()
        watch.look(at: harness.worker)
        try client.send(row.request)
        if row.leaves {
            for _ in 0..<6 {
                try harness.loop.turn(waitMax: 1)
                watch.look(at: harness.worker)
            }
            client.close()
        } else {
            var answers = 0
            try harness.loop.wait("\(row.lines.count) answers") {
                watch.look(at: harness.worker)
                client.read()
                while TestAnswer.take(from: client.input, isHead: false, atEnd: false) != nil {
                    answers += 1
                }
                return answers == row.lines.count
            }
            client.close()
        }
        try harness.loop.wait("the connection's end") {
            harness.worker.connectionCount == 0
        }
        try harness.loop.wait("the end of upstream calls") {
            server.openPeers == harness.worker.lane.idleConnections(0) || row.script.isEmpty
                || row.request.hasPrefix("GET /v1/models")
        }
        let totals = try harness.totals()
        #expect(watch.survivors == [])
        let lines = try harness.accessLines().map {
            "\($0["status"]?.int ?? 0) \($0["ending"]?.string ?? "")"
        }
        #expect(lines == row.lines)
        #expect(totals.requests == UInt64(row.lines.count))
        for gauge in [
            WorkerGauge.requestsInFlight, .streamsOpen, .connectionsActive, .connectionsIdle,
        ] {
            #expect(totals.value(gauge) == 0, "\(gauge)")
        }
        #expect(harness.worker.buffers.taken == 0)
        #expect(harness.worker.lane.buffersInUse == 0)
    }

    @Test("an open stream shows although it began late")
    func streamGauge() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in [.request] }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m", stream: true))
        try harness.loop.wait("the request") { server.requests.count == 1 }
        #expect(try harness.totals().value(.streamsOpen) == 0)
        server.peers[0].say(Self.twoEvents)
        try client.wait(for: "\"a\"")
        let totals = try harness.totals()
        #expect(totals.value(.streamsOpen) == 1)
        #expect(totals.value(.requestsInFlight) == 1)
    }

    @Test("many requests leave nothing behind")
    func manyRequests() throws {
        let (harness, _) = try WorkerHarness.scripted { _ in
            [.request, TestUpstream.json(200, TestUpstream.completion), .again]
        }
        let watch = ObjectWatch()
        let requests = [
            TestRequest.chat("up/m"), TestRequest.chat("demo/fast", stream: true),
            TestRequest.chat("up/m"), TestRequest.get("/health"), TestRequest.chat("nobody/x"),
        ]
        for _ in 0..<20 {
            let client = try harness.client()
            for index in 0..<25 {
                try client.send(requests[index % requests.count])
                try harness.loop.turn(waitMax: 1)
                watch.look(at: harness.worker)
                _ = try client.answer()
            }
            watch.look(at: harness.worker)
            client.close()
            try harness.turn()
        }
        #expect(harness.worker.connectionCount == 0)
        #expect(watch.seen > 100)
        #expect(watch.survivors == [])
        #expect(harness.worker.buffers.taken == 0)
        #expect(try harness.totals().requests == 500)
    }
}

/// Remembers connections and exchanges without keeping them alive.
private final class ObjectWatch {
    private struct Watched {
        weak var object: AnyObject?
        let name: String
    }

    private var watched: [Watched] = []

    var seen: Int { watched.count }
    var survivors: [String] { watched.filter { $0.object != nil }.map(\.name) }

    func look(at worker: Worker) {
        for connection in worker.connections.values {
            note(connection, "connection")
            if let exchange = connection.exchange { note(exchange, "exchange") }
        }
    }

    private func note(_ object: AnyObject, _ name: String) {
        // A number may be used again once its object is gone: then it is noted once more.
        if watched.contains(where: { $0.object === object }) { return }
        watched.append(Watched(object: object, name: name))
    }
}
