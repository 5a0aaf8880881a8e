// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import System
import Testing

@testable import Worker

/// Does something in the turn in which deadlines have passed, before they are looked at: what came
/// while the worker was off the CPU.
private final class Meanwhile: EventHandler {
    private let body: () throws -> Void

    init(_ body: @escaping () throws -> Void) {
        self.body = body
        super.init()
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        do {
            try body()
        } catch {
            Issue.record("\(error)")
        }
    }
}

@Suite("A worker that was off the CPU for longer than its deadlines")
struct LateTests {
    private static let impatient = """
        {"upstreams": {"demo": {"kind": "demo"}}, "timeouts": {
            "client_head": "40ms", "client_body": "40ms", "client_idle": "60ms", "idle": "150ms"}}
        """

    private static let long = String(repeating: "x", count: 90_000)

    /// Lets every deadline of `harness` pass, and has `body` done before any of them is looked at.
    private func miss(_ harness: WorkerHarness, _ body: @escaping () throws -> Void) throws {
        _ = harness.loop.schedule(at: harness.loop.now, Meanwhile(body), kind: 1)
        // The stop itself.
        _ = pollDescriptors([], until: .after(.milliseconds(200)))
        try harness.loop.turn(waitMax: 0)
    }

    @Test("answers what its idle clients have asked meanwhile, fresh ones and used ones")
    func idle() throws {
        let harness = try WorkerHarness(Self.impatient)
        let used = try harness.client()
        try used.send(TestRequest.get("/health"))
        #expect(try used.answer().status == 200)
        let fresh = try harness.client()
        try miss(harness) {
            for client in [used, fresh] { try client.send(TestRequest.get("/health")) }
        }
        // Without a turn in between: no deadline can have passed again.
        for client in [used, fresh] { try client.send(TestRequest.get("/health")) }
        for client in [used, fresh] {
            for _ in 0..<2 { #expect(try client.answer().status == 200) }
            // And those that ask nothing more are closed as ever.
            try client.waitForEnd()
            #expect(client.sawEnd && client.text.isEmpty)
        }
    }

    @Test("answers four hundred clients that it finds behind more events than one turn takes")
    func many() throws {
        let harness = try WorkerHarness(Self.impatient)
        // No turn until all have asked, so that no deadline is looked at before.
        let clients = try (0..<400).map { _ in try harness.client() }
        for client in clients { try client.send(TestRequest.get("/health")) }
        _ = pollDescriptors([], until: .after(.milliseconds(200)))
        for client in clients { #expect(try client.answer().status == 200) }
    }

    @Test(
        "takes the rest of a request that came meanwhile",
        arguments: [
            TestRequest.get("/health"), TestRequest.post("/v1/embeddings", "{}"),
            TestRequest.chat("demo/fast", "Expect: 100-continue\r\n"),
            TestRequest.chat("demo/fast", more: #","user":"\#(long)""#),
        ],
        [5, 60, 2]
    )
    func reading(_ request: String, _ cut: Int) throws {
        let harness = try WorkerHarness(Self.impatient)
        let client = try harness.client()
        let bytes = Array(request.utf8)
        // The third time all but two bytes.
        let sent = cut == 2 ? bytes.count - 2 : min(cut, bytes.count - 2)
        try client.send(Array(bytes[..<sent]))
        try harness.loop.turn(waitMax: 0)
        try miss(harness) { try client.send(Array(bytes[sent...])) }
        var status = try client.answer().status
        if status == 100 { status = try client.answer().status }
        #expect(status != 408)
    }

    @Test("still says 408 when only a part of the rest has come")
    func stillLate() throws {
        let harness = try WorkerHarness(Self.impatient)
        let client = try harness.client()
        try client.send("GET /hea")
        try harness.loop.turn(waitMax: 0)
        try miss(harness) { try client.send("lth HTTP/1.1\r\n") }
        #expect(try client.answer().status == 408)
    }

    @Test("goes on with a client that has made room meanwhile")
    func responding() throws {
        let (harness, server) = try WorkerHarness.scripted(
            #""timeouts": {"idle": "150ms"}"#
        ) { _ in [.request, .send(TestUpstream.streamHead)] }
        let client = try harness.client(sendBuffer: 4096)
        try client.send(TestRequest.chat("up/m", stream: true))
        try harness.loop.wait("the upstream's request") { server.requests.count == 1 }
        let long = TestUpstream.event(String(repeating: "x", count: 4000))
        for _ in 0..<6 { server.peers[0].say(TestUpstream.chunk(long)) }
        try harness.loop.wait("a full connection") {
            (harness.worker.connections.values.first?.outputBytes ?? 0) > 0
        }
        try miss(harness) { client.read() }
        // The silence of the upstream is another matter, and ends the stream with an error.
        #expect(try client.answer().isWhole)
        #expect(try harness.accessLines().map { $0["ending"]?.string } != ["client_timeout"])
    }
}
