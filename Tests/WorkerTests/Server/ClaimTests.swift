// SPDX-License-Identifier: Apache-2.0
import Control
import Loop
import Scoreboard
import Support
import System
import Testing

@testable import Worker

@Suite("Who may read from a connection")
struct ClaimTests {
    /// A connection whose copies outlive what the worker does with its own.
    private func pair(
        _ harness: WorkerHarness
    ) throws -> (client: TestClient, worker: Int32, copy: KeptCopy) {
        let ends = try Syscalls.pairs(seqpacket: false).numbers()
        let worker = OwnedFD(owning: ends.second)
        let copy = KeptCopy(try worker.duplicate())
        let client = TestClient(OwnedFD(owning: ends.first), loop: harness.loop)
        return (client, worker.release(), copy)
    }

    @Test("a connection that is silent can be taken back, one that has spoken cannot")
    func silence() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        let number = Int(harness.lastID)
        try harness.turn()
        #expect(harness.board.claim(number) == .offered)
        try client.send("G")
        try harness.turn()
        #expect(harness.board.claim(number) == .taken)
        #expect(!harness.board.revoke(number))
        try client.send("ET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try client.answer()
        #expect(harness.board.claim(number) == .taken)
        #expect(harness.events(of: harness.lastID) == [.received, .started])
        client.close()
        try harness.turn()
        #expect(harness.board.claim(number) == .free)
        #expect(harness.events(of: harness.lastID) == [.received, .started, .closed])
    }

    @Test("a request that came along with its connection is taken at once")
    func arrived() throws {
        let harness = try WorkerHarness()
        let ends = try pair(harness)
        let client = ends.client
        try client.send("GET")
        harness.hand(OwnedFD(owning: ends.worker))
        #expect(harness.board.claim(Int(harness.lastID)) == .taken)
        try client.send(" /health HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.answer().status == 200)
        ends.copy.close()
    }

    @Test("a connection that was revoked on its way is refused: a sign of life, and no more")
    func revokedOnItsWay() throws {
        let harness = try WorkerHarness()
        let ends = try pair(harness)
        let client = ends.client
        try client.send(TestRequest.get("/health"))
        harness.hand(OwnedFD(owning: ends.worker), isRevoked: true)
        try harness.turn()
        #expect(harness.worker.connectionCount == 0)
        #expect(harness.events(of: harness.lastID) == [.refused])
        #expect(harness.board.claim(Int(harness.lastID)) == .free)
        // The other worker finds it as the client left it.
        harness.hand(try ends.copy.take())
        #expect(try client.answer().status == 200)
    }

    enum Wake: CaseIterable { case request, clientEnd, timeout, drain, cut }

    @Test("a connection that was revoked later is let go of unharmed", arguments: Wake.allCases)
    func revokedLater(_ wake: Wake) throws {
        let timeouts = wake == .timeout ? #", "timeouts": {"client_idle": "30ms"}"# : ""
        let harness = try WorkerHarness(
            #"{"upstreams": {"demo": {"kind": "demo"}}\#(timeouts)}"#
        )
        let ends = try pair(harness)
        let client = ends.client
        harness.hand(OwnedFD(owning: ends.worker))
        let number = harness.lastID
        try harness.turn()
        #expect(harness.board.revoke(Int(number)))
        switch wake {
        case .request: try client.send(TestRequest.get("/health"))
        case .clientEnd: client.endSending()
        case .timeout: break
        case .drain: harness.drain(20_000, returnsIdle: true)
        case .cut: harness.drain(0)
        }
        try harness.loop.wait("the end of the connection") { harness.worker.connectionCount == 0 }
        // The supervisor learns that the record is free.
        #expect(harness.events(of: number) == [.received, .refused])
        #expect(harness.board.claim(Int(number)) == .free)
        // Neither read from nor ended.
        client.read()
        #expect(!client.isOver)
        switch wake {
        case .request: #expect(Syscalls.peek(ends.copy.raw) == .bytes(1))
        case .clientEnd: #expect(Syscalls.peek(ends.copy.raw) == .endOfStream)
        case .timeout, .drain, .cut: #expect(Syscalls.peek(ends.copy.raw) == .wouldBlock)
        }
        ends.copy.close()
    }

    @Test("a connection without descriptor is refused, also when it was revoked")
    func lostDescriptor() throws {
        let harness = try WorkerHarness()
        harness.board.offer(3)
        harness.board.offer(4)
        #expect(harness.board.revoke(4))
        harness.worker.refuse(HandedConnection(id: 3, record: 3))
        harness.worker.refuse(HandedConnection(id: 4, record: 4))
        try harness.turn()
        #expect(harness.events(of: 3) == [.refused])
        #expect(harness.events(of: 4) == [.refused])
        #expect(harness.board.claim(3) == .free && harness.board.claim(4) == .free)
    }

    @Test("a supervisor without claims is served all the same")
    func withoutClaims() throws {
        let harness = try WorkerHarness()
        let ends = try pair(harness)
        let client = ends.client
        harness.worker.accept(OwnedFD(owning: ends.worker), HandedConnection(id: 9, isKept: false))
        try client.send(TestRequest.get("/health"))
        #expect(try client.answer().status == 200)
        ends.copy.close()
    }

    @Test("a record that does not exist is no way into the worker")
    func recordOutside() throws {
        let harness = try WorkerHarness()
        let ends = try pair(harness)
        harness.worker.accept(OwnedFD(owning: ends.worker), HandedConnection(id: 9, record: .max))
        try harness.turn()
        #expect(harness.events(of: 9) == [.refused])
        ends.copy.close()
        ends.client.close()
    }
}
