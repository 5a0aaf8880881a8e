// SPDX-License-Identifier: Apache-2.0
import Control
import Loop
import Scoreboard
import Support
import System
import Testing

@testable import Worker

@Suite("Draining a worker")
struct DrainTests {
    /// Longer than any of these tests takes.
    private static let deadline: UInt32 = 20_000

    @Test("a connection whose stream began before the drain ends with its stream")
    func streamEndsConnection() throws {
        let (harness, _) = try WorkerHarness.scripted { _ in
            [
                .request, .send(TestUpstream.streamHead),
                .send(TestUpstream.chunk(TestUpstream.event("a"))),
            ]
        }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m", stream: true))
        try client.wait(for: "\"a\"")
        harness.drain(Self.deadline)
        try harness.turn()
        #expect(harness.worker.connectionCount == 1)
        client.close()
        try harness.turn()
        #expect(harness.worker.connectionCount == 0)
    }

    @Test("a connection whose whole stream is out does not keep a draining worker")
    func finishedStreamLeaves() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [
                .request, .send(TestUpstream.streamHead),
                .send(TestUpstream.chunk(TestUpstream.event("a"))),
            ]
        }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m", stream: true))
        try client.wait(for: "\"a\"")
        harness.drain(Self.deadline)
        server.peers[0].say(
            TestUpstream.chunk(TestUpstream.finish + TestUpstream.done) + TestUpstream.end
        )
        let answer = try client.answer()
        #expect(answer.events.last == "[DONE]")
        try client.waitForEnd()
        #expect(client.sawEnd)
        #expect(harness.worker.connectionCount == 0)
    }

    @Test("a connection that no client has used goes back to the supervisor, unharmed")
    func unusedGoesBack() throws {
        let harness = try WorkerHarness()
        let used = try harness.client()
        try used.send(TestRequest.get("/health"))
        _ = try used.answer()
        let pair = try Syscalls.pairs(seqpacket: false).numbers()
        let client = TestClient(OwnedFD(owning: pair.first), loop: harness.loop)
        let theirs = OwnedFD(owning: pair.second)
        let copy = try theirs.duplicate()
        harness.hand(theirs)
        try harness.turn()
        harness.drain(Self.deadline)
        try harness.turn()
        harness.readReports()
        let ofUnused = harness.reports.filter { $0.id == harness.lastID }
        #expect(ofUnused.map(\.event) == [.received, .refused])
        #expect(ofUnused.last?.reason == .draining)
        #expect(harness.reports.last { $0.id == 1 }?.event == .closed)
        client.read()
        #expect(!client.isOver, "the supervisor's copy must still work")
        #expect(used.text.isEmpty)
        copy.close()
    }

    @Test("a request that has arrived when the drain begins is answered")
    func arrivedRequest() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        try client.send(TestRequest.get("/health"))
        _ = try client.answer()
        try client.send(TestRequest.get("/health"))
        harness.drain(Self.deadline)
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(answer["connection"] == "close")
        try client.waitForEnd()
        #expect(client.sawEnd)
    }

    @Test("a first request that has arrived when the drain begins is answered")
    func arrivedFirstRequest() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        try client.send(TestRequest.get("/health"))
        harness.drain(Self.deadline)
        #expect(try client.answer().status == 200)
        try client.waitForEnd()
    }

    @Test("the worker says once that it is done", arguments: [0, 1, 3])
    func drainedOnce(_ clients: Int) throws {
        let harness = try WorkerHarness()
        let used = try (0..<clients).map { _ in try harness.client() }
        for client in used {
            try client.send(TestRequest.get("/health"))
            _ = try client.answer()
        }
        harness.drain(Self.deadline)
        harness.drain(Self.deadline)
        try harness.turn()
        harness.readReports()
        #expect(harness.drainedCount == 1)
        for client in used { try client.waitForEnd() }
    }

    @Test("what does not end is cut at the deadline, and logged")
    func deadlineCuts() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        try client.send(TestRequest.chat("demo/hang"))
        try harness.turn()
        harness.drain(30)
        try client.waitForEnd()
        let lines = try harness.accessLines()
        #expect(lines.map { $0["ending"]?.string } == ["stopped"])
        harness.readReports()
        #expect(harness.drainedCount == 1)
    }

    @Test("a draining worker refuses new connections")
    func refusesNew() throws {
        let harness = try WorkerHarness()
        let busy = try harness.client()
        try busy.send(TestRequest.chat("demo/hang"))
        try harness.turn()
        harness.drain(Self.deadline)
        let late = try harness.client()
        try harness.turn()
        harness.readReports()
        let report = harness.reports.last { $0.id == harness.lastID }
        #expect(report == ConnectionReport(id: harness.lastID, event: .refused, reason: .draining))
        busy.close()
        try late.waitForEnd()
        try harness.turn()
        harness.readReports()
        #expect(harness.drainedCount == 1)
    }

    // MARK: Bodies without framing

    /// A stream whose client takes only a part of it.
    private func stalled(
        _ harness: WorkerHarness,
        _ server: ScriptedServer,
        isOld: Bool
    ) throws -> (client: TestClient, copy: KeptCopy) {
        let made = try harness.networkClient(receiveBuffer: 4096)
        let request = TestRequest.chat("up/m", stream: true)
        let rest = request.split(separator: "HTTP/1.1", maxSplits: 1)
        try made.client.send(isOld ? rest.joined(separator: "HTTP/1.0") : request)
        try harness.loop.wait("the upstream's request") { server.requests.count == 1 }
        let long = TestUpstream.event(String(repeating: "x", count: 4000))
        for _ in 0..<40 { server.peers[0].say(TestUpstream.chunk(long)) }
        try harness.loop.wait("a full connection") {
            harness.record.boundary > harness.record.written && harness.record.written > 0
        }
        return made
    }

    @Test("a part of a stream that is cut ends so that it shows", arguments: [false, true])
    func cutShows(isOld: Bool) throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, .send(TestUpstream.streamHead)]
        }
        let (client, copy) = try stalled(harness, server, isOld: isOld)
        harness.drain(30)
        try harness.loop.wait("the cut") { harness.worker.connectionCount == 0 }
        #expect(harness.events(of: harness.lastID).last == .closed)
        // A death before the supervisor has read the report must not say more than the cut.
        #expect(harness.record.phase == (isOld ? .answering : .closing))
        // What the supervisor does upon the report.
        copy.close()
        try client.waitForEnd()
        #expect(client.sawReset == isOld)
        #expect(client.sawEnd == !isOld)
    }

    @Test("a stream over HTTP/1.0 whose client reads on ends with the error, and in order")
    func oldStreamEnds() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [
                .request, .send(TestUpstream.streamHead),
                .send(TestUpstream.chunk(TestUpstream.event("a"))),
            ]
        }
        let (client, copy) = try harness.networkClient()
        let request = TestRequest.chat("up/m", stream: true)
        try client.send(request.split(separator: "HTTP/1.1").joined(separator: "HTTP/1.0"))
        try client.wait(for: "\"a\"")
        #expect(server.requests.count == 1)
        harness.drain(200)
        try client.waitForEnd()
        copy.close()
        #expect(client.sawEnd && !client.sawReset)
        #expect(client.text.contains("\"error\""))
    }

    // MARK: Without a supervisor

    @Test("connections that a dead supervisor had handed over are served, or closed at once")
    func supervisorDies() throws {
        let harness = try WorkerHarness()
        var clients: [TestClient] = []
        // More messages than one turn takes; the worker's own lie unread, so that its peer's end is
        // a reset.
        for number in 0..<30 {
            let pair = try Syscalls.pairs(seqpacket: false).numbers()
            let theirs = OwnedFD(owning: pair.second)
            let client = TestClient(OwnedFD(owning: pair.first), loop: harness.loop)
            if number % 3 > 0 { try client.send(TestRequest.get("/health")) }
            harness.send([theirs.raw])
            clients.append(client)
        }
        try harness.supervisorDies()
        for (number, client) in clients.enumerated() {
            if number % 3 > 0 { #expect(try client.answer().status == 200) }
            try client.waitForEnd()
            #expect(client.sawEnd && client.text.isEmpty)
        }
        #expect(harness.worker.connectionCount == 0)
    }
}
