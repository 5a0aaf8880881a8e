// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Metrics
import Support
import System

@testable import Supervisor

/// A source whose values the test sets, and that counts how often it is asked.
final class FakeStatusSource: StatusSource {
    var shownReadiness = FleetReadiness(state: .running, ready: 2, configured: 2)
    var shownSnapshot = FleetSnapshot(version: "1.2.3", pid: 77, startedAt: 1_767_323_045)
    var snapshotsTaken = 0
    var memoryReads = 0
    /// Runs at the start of each snapshot.
    var snapshotBegins: () -> Void = {}

    override var readiness: FleetReadiness { shownReadiness }

    override func snapshot() -> FleetSnapshot {
        snapshotsTaken += 1
        snapshotBegins()
        return shownSnapshot
    }

    override func proportionalBytes(pid: Int) -> UInt64? {
        memoryReads += 1
        return UInt64(pid) * 1024
    }

    /// A fleet of so many ready workers.
    func fill(workers: Int) {
        shownSnapshot.workersConfigured = workers
        shownSnapshot.workers = (0..<workers).map { slot in
            var worker = FleetSnapshot.Worker(
                id: WorkerID(slot: slot, generation: 1),
                state: .ready
            )
            worker.pid = 1000 + slot
            return worker
        }
    }
}

/// A status server on a loop that the test turns, with clients at the other ends of socket pairs.
final class StatusHarness {
    let loop: EventLoop
    let source = FakeStatusSource()
    let server: StatusServer

    init(_ patience: StatusConnection.Patience = StatusConnection.Patience()) throws {
        loop = try EventLoop()
        server = StatusServer(loop: loop, pages: StatusPages(source), patience: patience)
    }

    /// One client.
    final class Client {
        let fd: OwnedFD
        let received = ByteBuffer()
        private(set) var hasEnded = false

        init(_ fd: consuming OwnedFD) {
            self.fd = fd
        }

        var text: String { received.text }

        func send(_ text: String) throws {
            let bytes = Array(text.utf8)
            guard Syscalls.send(fd.raw, bytes.span) == .bytes(bytes.count) else {
                throw TestFailure("the client could not send \(bytes.count) bytes")
            }
        }

        /// Whether anything came.
        func receive(limit: Int = .max) -> Bool {
            switch Syscalls.receive(fd.raw, into: received, minimum: 4096, limit: limit) {
            case .bytes: return true
            case .wouldBlock: return false
            case .endOfStream, .failed:
                hasEnded = true
                return false
            }
        }
    }

    /// A new connection, whose server side sends in pieces of about `sendBuffer` bytes.
    func connect(sendBuffer: Int32? = nil) throws -> Client {
        let pair = try Syscalls.pairs(seqpacket: false)
        if let sendBuffer { Syscalls.setSendBuffer(pair.first.raw, bytes: sendBuffer) }
        return pair.split { first, second in
            server.accepted(first, listener: 0)
            return Client(second)
        }
    }

    /// Turns the loop until nothing more comes to `client`.
    func settle(_ client: Client) throws {
        var quiet = 0
        // A long head takes the server a few turns.
        while quiet < 10 {
            try loop.turn(waitMax: 0)
            quiet = client.receive() ? 0 : quiet + 1
        }
    }

    /// Turns the loop until `condition` holds.
    func turn(until what: String, _ condition: () -> Bool) throws {
        let deadline = Deadline.soon
        while !condition() {
            if deadline.hasPassed { throw TestFailure("in time there was no \(what)") }
            try loop.turn(waitMax: 5)
        }
    }

    /// What comes back for `pieces`, sent one after the other on one connection.
    func exchange(_ pieces: [String]) throws -> (text: String, hasEnded: Bool) {
        let client = try connect()
        for piece in pieces where !client.hasEnded {
            try client.send(piece)
            try settle(client)
        }
        return (client.text, client.hasEnded)
    }
}
