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
    private let supervisorEnd: OwnedFD

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
        supervisorEnd = try control.first.duplicate()
        process = WorkerProcess(
            SpawnedWorker(
                pid: pid,
                pidfd: try Syscalls.pidfd(pid),
                control: control.takeFirst(),
                metrics: try Syscalls.pipe().takeFirst(),
                output: try Syscalls.pipe().takeFirst(),
                scoreboard: try Scoreboard()
            ),
            serial: WorkerSerial(number: number),
            slot: Int(number),
            generation: 1,
            loop: loop,
            observer: observer
        )
    }

    /// One connection that it was given.
    struct Handed {
        let connection: HandedConnection
        let descriptor: Int32
        var record: Int { Int(connection.record) }

        func report(_ event: ConnectionReport.Event) -> ConnectionReport {
            ConnectionReport(id: connection.id, event: event)
        }

        /// Closes the worker's copy, as its end does.
        func close() { OwnedFD(owning: descriptor).close() }
    }

    var page: Scoreboard { process.scoreboard }

    /// The next connections and their descriptors.
    func receive() -> [Handed]? {
        guard case .message(.connections(let connections), let descriptors) = channel?.receive()
        else { return nil }
        return zip(connections, descriptors).map { Handed(connection: $0, descriptor: $1) }
    }

    /// The only connection of the next message.
    func receiveOne() throws -> Handed {
        guard let handed = receive(), handed.count == 1 else {
            throw TestFailure("the worker was not given one connection")
        }
        return handed[0]
    }

    /// Closes its end of the control socket.
    ///
    /// Waits until that shows: a child of another test can have a copy between its fork and exec.
    func hangUp() throws {
        channel = nil
        _ = try eventually("end of the control socket") {
            Syscalls.peek(supervisorEnd.raw) == .endOfStream ? true : nil
        }
    }

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

    /// What a client gets until the end of its connection.
    private func readAll(_ client: borrowing OwnedFD) -> String {
        let buffer = ByteBuffer()
        while isReadable(client.raw) {
            guard case .bytes = Syscalls.receive(client.raw, into: buffer, minimum: 4096) else {
                break
            }
        }
        return buffer.text
    }

    @Test("A worker that dies before it read anything loses no connection")
    func redispatch() throws {
        let first = try worker(1)
        let client = try client()
        _ = Syscalls.send(client.raw, request.span)
        try first.receiveOne().close()
        let second = try worker(2)
        handoff.gone(first.process)
        try loop.turn(waitMax: 100)
        let again = try second.receiveOne()
        let buffer = ByteBuffer()
        _ = Syscalls.receive(again.descriptor, into: buffer, minimum: 100)
        #expect(buffer.array == request)
        again.close()
        #expect(handoff.counts.requeued == 1)
        #expect(handoff.counts.lost == 0)
    }

    @Test("A worker that dies with a request that it read and did not answer leaves a 503")
    func touched() throws {
        let first = try worker(1)
        let client = try client()
        _ = Syscalls.send(client.raw, request.span)
        let handed = try first.receiveOne()
        #expect(isReadable(handed.descriptor))
        // It dies before it could say or note any of this.
        #expect(first.page.take(handed.record))
        _ = Syscalls.receive(handed.descriptor, into: ByteBuffer(), minimum: 100)
        handed.close()
        let second = try worker(2)
        handoff.gone(first.process)
        try loop.turn(waitMax: 0)
        #expect(second.receive() == nil)
        let answer = readAll(client)
        #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(answer.contains("worker_lost"))
        #expect(handoff.crashAnswers.unavailable == 1)
    }

    @Test("A 503 for a lost request names its id, in the dialect of the client")
    func requestID() throws {
        let worker = try worker(1)
        let client = try client()
        let handed = try worker.receiveOne()
        #expect(worker.page.take(handed.record))
        #expect(handoff.reported(worker.process.serial, [handed.report(.started)]))
        worker.page.beginRequest(handed.record, at: 1, id: 1, 2)
        var form = AnswerForm()
        form.errors = .anthropic
        worker.page.set(handed.record, .answering, form)
        handed.close()
        handoff.gone(worker.process)
        let answer = readAll(client)
        #expect(answer.contains("\r\nx-request-id: req_00000000000000010000000000000002\r\n"))
        #expect(answer.contains("overloaded_error"))
    }

    @Test("A stream whose worker dies between two events gets an error event and a proper end")
    func stream() throws {
        let worker = try worker(1)
        let client = try client()
        let handed = try worker.receiveOne()
        #expect(worker.page.take(handed.record))
        #expect(handoff.reported(worker.process.serial, [handed.report(.started)]))
        let head = Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".utf8)
        var form = AnswerForm()
        form.isStream = true
        form.isChunked = true
        worker.page.set(handed.record, .answering, form)
        worker.page.writing(handed.record, upTo: UInt64(head.count))
        _ = Syscalls.send(handed.descriptor, head.span)
        // It dies before it can note how much it wrote: the kernel knows.
        handed.close()
        handoff.gone(worker.process)
        let answer = readAll(client)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("worker_lost"))
        #expect(answer.hasSuffix("\r\n0\r\n\r\n"))
        #expect(handoff.crashAnswers.streamEnded == 1)
    }

    @Test("An answer that was cut in the middle of a piece is not made up for")
    func cut() throws {
        let worker = try worker(1)
        let client = try client()
        let handed = try worker.receiveOne()
        #expect(worker.page.take(handed.record))
        #expect(handoff.reported(worker.process.serial, [handed.report(.started)]))
        let part = Array("HTTP/1.1 200 OK\r\ncontent-le".utf8)
        worker.page.set(handed.record, .answering, AnswerForm())
        worker.page.writing(handed.record, upTo: 500)
        _ = Syscalls.send(handed.descriptor, part.span)
        handed.close()
        handoff.gone(worker.process)
        #expect(readAll(client) == String(decoding: part, as: UTF8.self))
        #expect(handoff.crashAnswers.closed == 1)
    }

    @Test("The supervisor keeps its copy until the worker has closed the connection")
    func kept() throws {
        let worker = try worker(1)
        let client = try client()
        let handed = try worker.receiveOne()
        #expect(handed.connection.isKept)
        handed.close()
        #expect(handoff.reported(worker.process.serial, [handed.report(.started)]))
        #expect(Syscalls.peek(client.raw) == .wouldBlock)
        #expect(handoff.reported(worker.process.serial, [handed.report(.closed)]))
        #expect(isReadable(client.raw))
        #expect(Syscalls.peek(client.raw) == .endOfStream)
        #expect(!handoff.reported(worker.process.serial, [handed.report(.closed)]))
    }

    @Test("A copy that cannot be kept goes away when the worker has begun")
    func unkept() throws {
        var limits = Dispatcher.Limits()
        limits.keptMax = 0
        handoff.apply(limits)
        let worker = try worker(1)
        let client = try client()
        let handed = try worker.receiveOne()
        #expect(!handed.connection.isKept)
        handed.close()
        #expect(Syscalls.peek(client.raw) == .wouldBlock)
        #expect(handoff.reported(worker.process.serial, [handed.report(.started)]))
        #expect(isReadable(client.raw))
        #expect(Syscalls.peek(client.raw) == .endOfStream)
        #expect(!handoff.reported(worker.process.serial, [handed.report(.started)]))
    }

    @Test("A returned connection goes to another worker with what was read and written so far")
    func returned() throws {
        let first = try worker(1)
        let client = try client()
        _ = Syscalls.send(client.raw, request.span)
        let handed = try first.receiveOne()
        #expect(isReadable(handed.descriptor))
        _ = Syscalls.receive(handed.descriptor, into: ByteBuffer(), minimum: 100)
        let answer = Array("HTTP/1.1 204 No Content\r\n\r\n".utf8)
        _ = Syscalls.send(handed.descriptor, answer.span)
        let second = try worker(2)
        handoff.leaving(first.process.serial)
        #expect(handoff.reported(first.process.serial, [handed.report(.started)]))
        #expect(handoff.reported(first.process.serial, [handed.report(.returned)]))
        handed.close()
        try loop.turn(waitMax: 100)
        let again = try second.receiveOne()
        let record = second.page.record(again.record)
        #expect(record.consumed == UInt64(request.count))
        #expect(record.written == UInt64(answer.count))
        #expect(record.boundary == record.written && record.answerStart == record.written)
        // When this worker dies before it read, the next one gets it still.
        again.close()
        let third = try worker(3)
        handoff.gone(second.process)
        try loop.turn(waitMax: 100)
        let last = try third.receiveOne()
        #expect(third.page.record(last.record).consumed == UInt64(request.count))
        last.close()
        #expect(Syscalls.peek(client.raw) != .endOfStream)
    }

    @Test("A connection that moves from a dead worker carries on the counts, whatever was reported")
    func movedUnreported() throws {
        let first = try worker(1)
        let client = try client()
        _ = Syscalls.send(client.raw, request.span)
        let handed = try first.receiveOne()
        #expect(isReadable(handed.descriptor))
        // It answers, and dies before the turn ends in which it would say so.
        #expect(first.page.take(handed.record))
        _ = Syscalls.receive(handed.descriptor, into: ByteBuffer(), minimum: 100)
        let answer = Array("HTTP/1.1 204 No Content\r\n\r\n".utf8)
        _ = Syscalls.send(handed.descriptor, answer.span)
        first.page.set(handed.record, consumed: UInt64(request.count))
        first.page.wrote(handed.record, total: UInt64(answer.count))
        first.page.set(handed.record, .idle, AnswerForm())
        handed.close()
        let second = try worker(2)
        handoff.gone(first.process)
        try loop.turn(waitMax: 100)
        let again = try second.receiveOne()
        let record = second.page.record(again.record)
        #expect(record.consumed == UInt64(request.count))
        #expect(record.written == UInt64(answer.count))
        // Nothing was asked of the second one: its death is no news for the client.
        #expect(second.page.take(again.record))
        second.page.set(again.record, .idle, AnswerForm())
        #expect(handoff.reported(second.process.serial, [again.report(.started)]))
        again.close()
        let third = try worker(3)
        handoff.gone(second.process)
        try loop.turn(waitMax: 100)
        try third.receiveOne().close()
        #expect(handoff.crashAnswers.unavailable == 0)
        let buffer = ByteBuffer()
        _ = Syscalls.receive(client.raw, into: buffer, minimum: 1000)
        #expect(buffer.array == answer)
        #expect(Syscalls.peek(client.raw) == .wouldBlock)
    }

    @Test("A worker that does not answer loses what it has not begun, and nothing else")
    func silent() throws {
        let first = try worker(1)
        let busy = try client()
        let waitingClient = try client()
        let begun = try first.receiveOne()
        let waiting = try first.receiveOne()
        #expect(first.page.take(begun.record))
        let second = try worker(2)
        let end = Syscalls.monotonicNanoseconds() + 5_000_000_000
        var again: [PuppetWorker.Handed]?
        while again == nil, Syscalls.monotonicNanoseconds() < end {
            try loop.turn(waitMax: 100)
            again = second.receive()
        }
        #expect(again?.count == 1)
        #expect(handoff.counts.revoked == 1)
        #expect(first.page.claim(begun.record) == .taken)
        #expect(first.page.claim(waiting.record) == .revoked)
        #expect(!first.page.take(waiting.record))
        // Woken up, it closes its copy unread; the client does not notice.
        waiting.close()
        #expect(handoff.reported(first.process.serial, [waiting.report(.refused)]))
        #expect(handoff.connections(of: first.process.serial) == 1)
        #expect(Syscalls.peek(waitingClient.raw) == .wouldBlock)
        #expect(Syscalls.peek(busy.raw) == .wouldBlock)
        begun.close()
        for one in again ?? [] { one.close() }
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
        try worker.receiveOne().close()
    }

    @Test("A worker whose end is closed is passed over")
    func peerGone() throws {
        let first = try worker(1)
        let second = try worker(2)
        try first.hangUp()
        var clients: [Int32] = []
        for _ in 0..<4 { clients.append(try client().release()) }
        var received = 0
        while let handed = second.receive() {
            received += handed.count
            for one in handed { one.close() }
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

    // MARK: Probes

    @Test("A worker is probed over a connection of its own, whose reports nobody counts")
    func probe() throws {
        let puppet = try PuppetWorker(1, loop: loop, observer: observer)
        var result: Probe.Result?
        handoff.probe(puppet.process) { result = $0 }
        let handed = try puppet.receiveOne()
        #expect(handed.connection.record == RecordPool.probe && !handed.connection.isKept)
        #expect(puppet.page.claim(handed.record) == .offered)
        #expect(handoff.reported(puppet.process.serial, [handed.report(.received)]))
        #expect(handoff.reported(puppet.process.serial, [handed.report(.started)]))
        #expect(isReadable(handed.descriptor))
        let answer = Array("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".utf8)
        _ = Syscalls.send(handed.descriptor, answer.span)
        let end = Syscalls.monotonicNanoseconds() + 5_000_000_000
        while result == nil, Syscalls.monotonicNanoseconds() < end { try loop.turn(waitMax: 100) }
        #expect(result == .passed)
        // Its last word may come when it serves already.
        handoff.admit(puppet.process)
        #expect(handoff.reported(puppet.process.serial, [handed.report(.closed)]))
        #expect(handoff.connections(of: puppet.process.serial) == 0)
        handed.close()
        handoff.gone(puppet.process)
    }

    @Test("A worker that takes no message does not pass its probe")
    func probeOfDeadWorker() throws {
        let puppet = try PuppetWorker(1, loop: loop, observer: observer)
        try puppet.hangUp()
        var result: Probe.Result?
        handoff.probe(puppet.process) { result = $0 }
        #expect(result == .failed("the worker does not take connections"))
        // Nobody waits for reports about a probe that never went out.
        #expect(
            !handoff.reported(puppet.process.serial, [ConnectionReport(id: .max, event: .closed)])
        )
    }
}
