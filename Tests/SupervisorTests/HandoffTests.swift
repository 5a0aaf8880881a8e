// SPDX-License-Identifier: Apache-2.0
import Bytes
import Control
import Loop
import Scoreboard
import Support
import System
import Testing

@testable import Supervisor

/// A worker whose process does nothing, and whose end of the control socket the test holds.
private final class PuppetWorker {
    let process: WorkerProcess
    private(set) var channel: ControlChannel?
    private let pidfd: OwnedFD

    init(_ number: UInt64, loop: EventLoop, observer: WorkerObserver) throws {
        let null = try Syscalls.openForReading("/dev/null")
        let pid = try Syscalls.spawn(
            "/bin/sleep",
            arguments: ["sleep", "60"],
            environment: [],
            descriptors: [InheritedFD(source: null.raw, target: 0)]
        )
        pidfd = try Syscalls.pidfd(pid)
        let control = try Syscalls.pairs(seqpacket: true)
        channel = ControlChannel(try control.second.duplicate())
        process = WorkerProcess(
            SpawnedWorker(
                pid: pid,
                pidfd: try Syscalls.pidfd(pid),
                control: control.takeFirst(),
                metrics: try Syscalls.pipe().takeFirst(),
                scoreboard: try Scoreboard()
            ),
            serial: WorkerSerial(number: number),
            slot: Int(number),
            generation: 1,
            loop: loop,
            observer: observer
        )
    }

    /// The next connections and their descriptors.
    func receive() -> (ids: [UInt32], descriptors: [Int32])? {
        guard case .message(.connections(let connections), let descriptors) = channel?.receive()
        else { return nil }
        return (connections.map(\.id), descriptors)
    }

    func hangUp() { channel = nil }

    deinit {
        process.signal(.kill)
        do {
            // Not left behind: the test library waits for any child, and would find this one.
            _ = try waitForExit(pidfd.raw)
        } catch {
            Issue.record("\(error)")
        }
    }
}

@Suite struct HandoffTests {
    private let loop: EventLoop
    private let handoff: Handoff
    private let observer = WorkerObserver()

    init() throws {
        loop = try EventLoop()
        handoff = Handoff(loop: loop)
    }

    private func worker(_ number: UInt64) throws -> PuppetWorker {
        let worker = try PuppetWorker(number, loop: loop, observer: observer)
        handoff.admit(worker.process)
        return worker
    }

    /// A client connected over TCP, whose server end the handoff takes; returns the client's end.
    private func client() throws -> OwnedFD {
        let address = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        let listener = try ListenerSocket.open(address)
        let client = try Syscalls.streamSocket(for: listener.address)
        do {
            try Syscalls.connect(client.raw, listener.address)
        } catch {
            #expect(error == .inProgress)
        }
        #expect(isReadable(listener.raw))
        handoff.accepted(try Syscalls.accept(listener.raw), listener: 0)
        handoff.acceptEnded()
        return client
    }

    private let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)

    @Test("A worker that dies before it read anything loses no connection")
    func redispatch() throws {
        let first = try worker(1)
        let client = try client()
        _ = Syscalls.send(client.raw, request.span)
        let handed = first.receive()
        #expect(handed?.descriptors.count == 1)
        for descriptor in handed?.descriptors ?? [] { OwnedFD(owning: descriptor).close() }
        let second = try worker(2)
        handoff.gone(first.process)
        try loop.turn(waitMax: 100)
        let again = second.receive()
        guard let connection = again?.descriptors.first else {
            Issue.record("the connection was not handed over again")
            return
        }
        let buffer = ByteBuffer()
        _ = Syscalls.receive(connection, into: buffer, minimum: 100)
        #expect(buffer.array == request)
        OwnedFD(owning: connection).close()
        #expect(handoff.counts.requeued == 1)
        #expect(handoff.counts.lost == 0)
    }

    @Test("A worker that dies after it read, but before it said so, takes the connection along")
    func touched() throws {
        let first = try worker(1)
        let client = try client()
        _ = Syscalls.send(client.raw, request.span)
        guard let connection = first.receive()?.descriptors.first else {
            Issue.record("no connection")
            return
        }
        #expect(isReadable(connection))
        _ = Syscalls.receive(connection, into: ByteBuffer(), minimum: 100)
        OwnedFD(owning: connection).close()
        let second = try worker(2)
        handoff.gone(first.process)
        try loop.turn(waitMax: 100)
        #expect(second.receive() == nil)
        // Nobody holds it any more: the client sees the end instead of half an answer's silence.
        #expect(isReadable(client.raw))
        #expect(Syscalls.peek(client.raw) == .endOfStream)
    }

    @Test("The supervisor's copy goes away when the worker has begun")
    func started() throws {
        let worker = try worker(1)
        let client = try client()
        guard let handed = worker.receive(), let connection = handed.descriptors.first else {
            Issue.record("no connection")
            return
        }
        OwnedFD(owning: connection).close()
        #expect(Syscalls.peek(client.raw) == .wouldBlock)
        let report = ConnectionReport(id: handed.ids[0], event: .started)
        #expect(handoff.reported(worker.process.serial, [report]))
        #expect(isReadable(client.raw))
        #expect(Syscalls.peek(client.raw) == .endOfStream)
        #expect(!handoff.reported(worker.process.serial, [report]))
    }

    @Test(
        "A send that fails for now is tried again after a rest",
        arguments: [Errno.tooManyReferences, .noMemory, .noBufferSpace, .tryAgain]
    )
    func full(errno: Errno) throws {
        let worker = try worker(1)
        Syscalls.forceErrno(.sendMessage, errno, count: 1)
        _ = try client()
        #expect(worker.receive() == nil)
        #expect(handoff.pendingCount == 1)
        #expect(handoff.counts.blocked == 1)
        let end = Syscalls.monotonicNanoseconds() + 5_000_000_000
        while handoff.pendingCount > 0, Syscalls.monotonicNanoseconds() < end {
            try loop.turn(waitMax: 200)
        }
        let handed = worker.receive()
        #expect(handed?.descriptors.count == 1)
        for descriptor in handed?.descriptors ?? [] { OwnedFD(owning: descriptor).close() }
    }

    @Test("A worker whose end is closed is passed over")
    func peerGone() throws {
        let first = try worker(1)
        let second = try worker(2)
        first.hangUp()
        var clients: [Int32] = []
        for _ in 0..<4 { clients.append(try client().release()) }
        var received = 0
        while let handed = second.receive() {
            received += handed.descriptors.count
            for descriptor in handed.descriptors { OwnedFD(owning: descriptor).close() }
        }
        #expect(received == 4)
        for client in clients { OwnedFD(owning: client).close() }
    }

    @Test("At the end, what no worker takes is answered 503")
    func stop() throws {
        let client = try client()
        #expect(handoff.pendingCount == 1)
        handoff.stop()
        #expect(isReadable(client.raw))
        let buffer = ByteBuffer()
        _ = Syscalls.receive(client.raw, into: buffer, minimum: 4096)
        #expect(buffer.text.hasPrefix("HTTP/1.1 503 "))
        #expect(handoff.counts.rejected == 1)
    }
}
