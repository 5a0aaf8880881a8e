// SPDX-License-Identifier: Apache-2.0
import Control
import Loop
import Scoreboard
import Support
import System
import Testing

@testable import Worker

@Suite("Connections that a draining worker lets go of")
struct LetGoTests {
    private static let long: UInt32 = 20_000

    /// A client that has had one answer, its copy, and the number of its connection.
    private func used(
        _ harness: WorkerHarness,
        isKept: Bool = true
    ) throws -> (client: TestClient, copy: KeptCopy, id: UInt32) {
        let made = try harness.networkClient(isKept: isKept)
        let id = harness.lastID
        try made.client.send(TestRequest.get("/health"))
        _ = try made.client.answer()
        return (made.client, made.copy, id)
    }

    @Test("an idle one is returned, and another worker serves it")
    func idle() throws {
        let harness = try WorkerHarness()
        let one = try used(harness)
        harness.drain(Self.long, returnsIdle: true)
        try harness.turn()
        #expect(harness.events(of: one.id) == [.received, .started, .returned])
        #expect(harness.drainedCount == 1)
        #expect(harness.board.claim(Int(one.id)) == .free)
        #expect(harness.board.record(Int(one.id)).phase == .idle)
        let other = try WorkerHarness(on: harness.loop)
        let copy = KeptCopy(try one.copy.take())
        other.hand(try copy.duplicate())
        try one.client.send(TestRequest.get("/health"))
        #expect(try one.client.answer().status == 200)
        try harness.turn()
        // The counts of both workers are those of the kernel.
        #expect(Syscalls.bytesConsumed(copy.raw).map { UInt64($0) } == other.record.consumed)
        #expect(Syscalls.bytesWritten(copy.raw).map { UInt64($0) } == other.record.written)
        #expect(other.record.answerStart == other.record.written)
    }

    @Test("an idle one that the supervisor has no copy of is closed")
    func unkept() throws {
        let harness = try WorkerHarness()
        let one = try used(harness, isKept: false)
        one.copy.close()
        harness.drain(Self.long, returnsIdle: true)
        try one.client.waitForEnd()
        #expect(one.client.sawEnd)
        #expect(harness.events(of: one.id) == [.received, .started, .closed])
    }

    @Test("an answer under way ends without ending its connection")
    func answering() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [
                .request, .send(TestUpstream.streamHead),
                .send(TestUpstream.chunk(TestUpstream.event("a"))),
            ]
        }
        let stream = try harness.networkClient()
        let streamID = harness.lastID
        try stream.client.send(TestRequest.chat("up/m", stream: true))
        try stream.client.wait(for: "\"a\"")
        let waiting = try harness.networkClient()
        let waitingID = harness.lastID
        try waiting.client.send(TestRequest.chat("demo/slow"))
        try harness.turn()
        harness.drain(Self.long, returnsIdle: true)
        try harness.turn()
        #expect(harness.worker.connectionCount == 2)
        server.peers[0].say(
            TestUpstream.chunk(TestUpstream.finish + TestUpstream.done) + TestUpstream.end
        )
        #expect(try stream.client.answer().events.last == "[DONE]")
        let answer = try waiting.client.answer()
        #expect(answer.status == 200)
        #expect(answer["connection"] == nil)
        try harness.turn()
        for id in [streamID, waitingID] {
            #expect(harness.events(of: id).last == .returned)
        }
        stream.client.read()
        waiting.client.read()
        #expect(!stream.client.isOver && !waiting.client.isOver)
        #expect(harness.drainedCount == 1)
        stream.copy.close()
        waiting.copy.close()
    }

    @Test("one whose next request has arrived answers it first", arguments: [true, false])
    func arrived(_ returnsIdle: Bool) throws {
        let harness = try WorkerHarness()
        let one = try used(harness)
        try one.client.send(TestRequest.get("/health"))
        harness.drain(Self.long, returnsIdle: returnsIdle)
        let answer = try one.client.answer()
        #expect(answer.status == 200)
        #expect(answer["connection"] == (returnsIdle ? nil : "close"))
        try harness.turn()
        #expect(harness.events(of: one.id).last == (returnsIdle ? .returned : .closed))
        one.copy.close()
    }

    @Test("pipelined requests are all answered before their connection goes")
    func pipelined() throws {
        let harness = try WorkerHarness()
        let one = try used(harness)
        try one.client.send(String(repeating: TestRequest.get("/health"), count: 50))
        harness.drain(Self.long, returnsIdle: true)
        for _ in 0..<50 { #expect(try one.client.answer().status == 200) }
        try harness.turn()
        #expect(harness.events(of: one.id).last == .returned)
        one.copy.close()
    }

    @Test("one with half of a request waits for the rest")
    func half() throws {
        let harness = try WorkerHarness()
        let one = try used(harness)
        try one.client.send("GET /hea")
        try harness.turn()
        harness.drain(Self.long, returnsIdle: true)
        try harness.turn()
        #expect(harness.events(of: one.id) == [.received, .started])
        try one.client.send("lth HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try one.client.answer().status == 200)
        try harness.turn()
        #expect(harness.events(of: one.id).last == .returned)
        one.copy.close()
    }

    @Test("idle ones are closed one after the other")
    func spread() throws {
        let harness = try WorkerHarness()
        let clients = try (0..<6).map { _ in try used(harness) }
        let copies = clients.count
        // The loop's clock, which the drain begins with.
        let start = harness.loop.now
        harness.drain(Self.long, spread: 240)
        #expect(harness.worker.connectionCount == copies)
        var ends: [UInt64] = []
        try harness.loop.wait("the ends of all") {
            while ends.count < copies - harness.worker.connectionCount {
                ends.append((Syscalls.monotonicNanoseconds() - start) / 1_000_000)
            }
            return ends.count == copies
        }
        for (index, end) in ends.enumerated() {
            #expect(end + 1 >= UInt64(40 * (index + 1)), "\(ends)")
        }
        harness.readReports()
        #expect(harness.reports.count { $0.event == .closed } == copies)
    }

    @Test("a request that arrives during the spread is answered, and says that it is the last")
    func requestInSpread() throws {
        let harness = try WorkerHarness()
        let one = try used(harness)
        harness.drain(Self.long, spread: 10_000)
        try harness.turn()
        try one.client.send(TestRequest.get("/health"))
        let answer = try one.client.answer()
        #expect(answer["connection"] == "close")
        try harness.turn()
        #expect(harness.events(of: one.id).last == .closed)
        #expect(harness.drainedCount == 1)
    }

    @Test("a supervisor that dies takes nothing back")
    func orphan() throws {
        let harness = try WorkerHarness()
        let one = try used(harness)
        try one.client.send(TestRequest.chat("demo/slow"))
        try harness.turn()
        harness.drain(Self.long, returnsIdle: true)
        harness.worker.supervisorGone()
        #expect(try one.client.answer()["connection"] == "close")
        try harness.turn()
        #expect(harness.worker.connectionCount == 0)
        #expect(harness.events(of: one.id).last == .closed)
    }
}

@Suite("The deadlines of a drain")
struct DrainDeadlineTests {
    /// A stream of the scripted upstream, begun.
    private func stream(
        _ path: String = "/v1/chat/completions"
    ) throws -> (harness: WorkerHarness, server: ScriptedServer, client: TestClient) {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [
                .request, .send(TestUpstream.streamHead),
                .send(TestUpstream.chunk(TestUpstream.event("a"))),
            ]
        }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m", stream: true))
        try client.wait(for: "\"a\"")
        return (harness, server, client)
    }

    private func order(_ soft: UInt32, _ hard: UInt32) -> DrainOrder {
        DrainOrder(softMilliseconds: soft, hardMilliseconds: hard)
    }

    @Test("a stream ends with an error and properly before the hard one")
    func hardStream() throws {
        let (harness, _, client) = try stream()
        // The time that the worker sees, too.
        let start = harness.loop.now
        harness.worker.drain(order(400, 400))
        let answer = try client.answer()
        let taken = (Syscalls.monotonicNanoseconds() - start) / 1_000_000
        #expect(taken >= 299)
        #expect(answer.isWhole)
        #expect(answer.events.last?.contains("shutting_down") == true)
        try client.waitForEnd()
        #expect(client.sawEnd)
        #expect(try harness.accessLines().map { $0["ending"]?.string } == ["stopped"])
        #expect(harness.board.load.streamsAborted == 1)
    }

    @Test("an answer that has not begun becomes a 503", arguments: ["demo/hang", "up/m"])
    func hardWhole(_ model: String) throws {
        let (harness, _) = try WorkerHarness.scripted { _ in [.request, .stall] }
        let client = try harness.client()
        try client.send(TestRequest.chat(model))
        try harness.turn()
        harness.worker.drain(order(200, 200))
        let answer = try client.answer()
        #expect(answer.status == 503)
        #expect(answer["connection"] == "close")
        #expect(try answer.json["error"]?["code"]?.string == "shutting_down")
        try client.waitForEnd()
    }

    @Test("a list of models that is waited for becomes a 503")
    func hardListing() throws {
        let (harness, _) = try WorkerHarness.scripted { _ in [.request, .stall] }
        let client = try harness.client()
        try client.send(TestRequest.get("/v1/models"))
        try harness.turn()
        harness.worker.drain(order(200, 200))
        #expect(try client.answer().status == 503)
        try client.waitForEnd()
        #expect(try harness.accessLines().map { $0["ending"]?.string } == ["stopped"])
    }

    @Test(
        "a request that does not come to its end becomes a 503",
        arguments: [
            "GET /hea", "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nContent-Length: 90\r\n\r\n{",
        ]
    )
    func hardReading(_ request: String) throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        try client.send(request)
        try harness.turn()
        harness.worker.drain(order(200, 200))
        #expect(try client.answer().status == 503)
        try client.waitForEnd()
        #expect(client.sawEnd && !client.sawReset)
    }

    @Test("an answer that moves lives on behind the soft one")
    func softMoving() throws {
        let (harness, server, client) = try stream()
        harness.worker.drain(order(20, 20_000))
        try harness.turn(milliseconds: 100)
        server.peers[0].say(
            TestUpstream.chunk(TestUpstream.finish + TestUpstream.done) + TestUpstream.end
        )
        let answer = try client.answer()
        #expect(answer.events.last == "[DONE]")
        try client.waitForEnd()
        #expect(harness.board.load.streamsAborted == 0)
    }

    @Test("an answer of which nothing has come is waited for behind the soft one")
    func softWaiting() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in [.request, .stall] }
        let client = try harness.client()
        try client.send(TestRequest.chat("up/m"))
        try harness.turn(milliseconds: 20)
        harness.worker.drain(order(20, 20_000))
        try harness.turn(milliseconds: 100)
        server.peers[0].say(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                + "\(TestUpstream.completion.utf8.count)\r\n\r\n\(TestUpstream.completion)"
        )
        #expect(try client.answer().status == 200)
        try client.waitForEnd()
    }

    @Test("a client that does not read cannot hold the worker at the hard one")
    func hardBlocked() throws {
        let harness = try WorkerHarness()
        let client = try harness.client(sendBuffer: 4096)
        try client.send(TestRequest.chat("demo/long", stream: true))
        try harness.turn(milliseconds: 50)
        harness.worker.drain(order(100, 200))
        try harness.loop.wait("the end of the connection") { harness.worker.connectionCount == 0 }
        #expect(harness.board.load.streamsAborted == 1)
        harness.readReports()
        #expect(harness.drainedCount == 1)
        client.read()
        #expect(client.sawEnd)
    }

    @Test("a second order hastens the first")
    func second() throws {
        let (harness, _, client) = try stream()
        harness.worker.drain(order(20_000, 20_000))
        try harness.turn()
        harness.worker.drain(order(100, 100))
        #expect(try client.answer().isWhole)
        try client.waitForEnd()
        try harness.turn()
        harness.readReports()
        #expect(harness.drainedCount == 1)
    }
}
