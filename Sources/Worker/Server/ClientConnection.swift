// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import Control
import HTTP
import JSON
import Log
import Loop
import Metrics
import Scoreboard
import System

/// One client's connection: reads requests, hands them to the gateway, writes answers.
///
/// A shell: the codec decides what bytes mean, the gateway what requests mean. At most one request
/// is under way; what a pipelining client sends meanwhile stays in the kernel.
final class ClientConnection: EventHandler {
    enum State: Equatable {
        /// Between requests, no byte of the next one read. Exits: `reading`, `closed`.
        case idle
        /// A part of a request was read. Exits: `responding`, `lingering`, `closed`.
        case reading
        /// An answer is being made or written. Exits: `idle`, `lingering`, `closed`.
        case responding
        /// Answered and done, but the client may still be sending: what comes is thrown away, since
        /// closing with unread bytes would destroy the answer on its way. Exits: `closed`.
        case lingering
        case closed
    }

    private static let deadlineKind: UInt32 = 1
    /// Space asked for when reading: a request of usual size comes with one call.
    private static let readBytesMin = 4 << 10
    /// Bytes read per event, so that one upload cannot hold up the others.
    private static let readBytesMax = 256 << 10
    /// Reads once a request is late: 8 MiB, above the 6 MiB that the kernel keeps of one connection
    /// (net.ipv4.tcp_rmem), so that a client that goes on sending does not prolong its time.
    private static let lateReadsMax = 32
    /// Requests answered in a row before other connections get their turn.
    private static let requestsPerTurnMax = 16
    /// How much of what a refused client still sends is thrown away.
    private static let lingerBytesMax = 4 << 20

    let worker: Worker
    let handed: HandedConnection
    let fd: OwnedFD
    private(set) var token = EventToken.none
    private(set) var interest = Interest.read
    var state = State.idle
    var deadline = MovingDeadline()
    var journal: ConnectionJournal

    var intake = RequestIntake()
    var ledger = RequestLedger()
    private var credential = CredentialMemo()
    /// The request's way through an upstream; nil when the gateway answers by itself.
    var exchange: Exchange?
    var answer = AnswerWriter()
    var isAnswerComplete = false
    var closesAfterAnswer = false
    var lingersAfterAnswer = false
    private(set) var isProcessing = false
    /// Requests that were read wait for the end of the turn.
    private var hasBacklog = false
    /// Whether the answer is a stream.
    var isStreaming = false
    /// Whether a byte was ever read.
    private(set) var hasStarted = false
    /// When the client last took bytes of the answer, 0 before.
    var movedAt: UInt64 = 0
    /// Bytes that wait for the client, as the worker's total has them.
    var queuedBytes = 0
    private var lingerBytes = 0

    /// The claim of the connection is taken.
    init(
        worker: Worker,
        fd: consuming OwnedFD,
        _ handed: HandedConnection,
        _ journal: ConnectionJournal
    ) {
        self.worker = worker
        self.fd = fd
        self.handed = handed
        self.journal = journal
        super.init()
    }

    /// Registers with the loop and reads what has arrived already, which is usually the request.
    func start() throws(SystemError) {
        token = try worker.loop.register(fd.raw, .read, self)
        // A client that connects to say something says it now; between two requests it has longer.
        setDeadline(
            journal.isFresh
                ? min(worker.timeouts.clientHead, worker.timeouts.clientIdle)
                : worker.timeouts.clientIdle
        )
        receive()
    }

    // MARK: Events

    override func ready(_ readiness: Readiness, token: EventToken) {
        journal.isAtWork()
        switch state {
        case .idle, .reading:
            // What was read already comes first, or a pipelining client would fill the memory.
            if readiness.canRead, !hasBacklog { receive() }
        case .responding:
            if interest.contains(.write), readiness.canWrite { flush() }
            guard state == .responding else { return }
            if readiness.isPeerGone {
                clientLeft(.clientClosed)
            } else if readiness.contains(.readable) {
                // The next request of a pipelining client waits in the kernel.
                setInterest(interest.contains(.write) ? [.peerEnd, .write] : .peerEnd)
            }
        case .lingering:
            discard()
        case .closed:
            break
        }
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        guard deadline.hasPassed(on: worker.loop, self, kind: Self.deadlineKind) else { return }
        journal.isAtWork()
        // This process may have been off the CPU for longer than the deadline: what has come, or
        // could have gone, in time lies in the kernel.
        switch state {
        case .idle:
            // Requests that were read wait for the end of the turn.
            guard !hasBacklog else { return }
            receive()
            // A request that was answered at once has set a new one.
            if state == .idle, !deadline.isSet { close() }
        case .reading:
            receiveLate()
            if state == .reading, !deadline.isSet {
                refuse(intake.isInBody ? .bodyTimeout : .headTimeout)
            }
        case .responding:
            let written = journal.written
            flush()
            if state == .responding, journal.written == written { clientLeft(.clientTimeout) }
        case .lingering:
            discard()
            close()
        case .closed:
            break
        }
    }

    /// Reads what has come of a request by its deadline, unless that brings it a new one.
    private func receiveLate() {
        for _ in 0..<Self.lateReadsMax {
            let before = journal.consumed
            receive()
            guard state == .reading, !deadline.isSet, journal.consumed > before else { return }
        }
    }

    override func turnEnded() {
        journal.isAtWork()
        if hasBacklog {
            hasBacklog = false
            if state == .idle || state == .reading { process() }
        }
        if state == .idle, !hasBacklog { worker.drain?.look(at: self) }
    }

    func setDeadline(_ nanoseconds: UInt64) {
        let due = worker.loop.now &+ nanoseconds
        deadline.set(due, on: worker.loop, self, kind: Self.deadlineKind)
    }

    func setInterest(_ wanted: Interest) {
        guard wanted != interest else { return }
        interest = wanted
        worker.loop.modify(token, wanted)
    }

    // MARK: Reading

    /// Reads what has arrived.
    func receive() {
        guard journal.take() else {
            forget()
            return
        }
        journal.isAtWork()
        let target = intake.readTarget(worker.buffers)
        let limit = min(target.limit, Self.readBytesMax)
        let outcome = Syscalls.receive(
            fd.raw,
            into: target.buffer,
            minimum: min(limit, Self.readBytesMin),
            limit: limit
        )
        switch outcome {
        case .bytes(let count):
            journal.received(count)
            worker.metrics.count(.clientBytesIn, by: count)
            if !hasStarted {
                hasStarted = true
                worker.reports.add(handed.id, .started)
            }
            if state == .idle { beginRequest() }
            process()
        case .wouldBlock:
            intake.releaseIfEmpty(worker.buffers)
            if !hasStarted { journal.giveBack() }
        case .endOfStream, .failed:
            close()
        }
    }

    private func beginRequest() {
        state = .reading
        ledger = RequestLedger()
        ledger.startedAt = worker.loop.now
        ledger.id = worker.ids.next()
        movedAt = 0
        journal.requestBegan(at: ledger.startedAt, ledger.id)
        worker.requestBegan()
        setDeadline(worker.timeouts.clientHead)
    }

    /// Goes on with what has been read, request by request.
    func process() {
        isProcessing = true
        defer { isProcessing = false }
        for _ in 0..<Self.requestsPerTurnMax {
            if state == .idle {
                guard intake.holdsBytes else {
                    intake.releaseIfEmpty(worker.buffers)
                    return
                }
                beginRequest()
            }
            guard state == .reading, processRequest() else { return }
        }
        // More requests are waiting: the others come first.
        guard !hasBacklog else { return }
        hasBacklog = true
        worker.loop.atEndOfTurn(self)
    }

    /// Reads one request as far as it goes; whether another one may follow now.
    private func processRequest() -> Bool {
        do throws(HTTPParseError) {
            while state == .reading {
                switch try intake.next(worker.scratch) {
                case .needMore:
                    return false
                case .head:
                    try headReceived()
                case .body:
                    deadline.clear()
                    state = .responding
                    journal.requestRead()
                    ledger.bytesIn += intake.bodyRange.count
                    worker.gateway.handle(self)
                }
            }
        } catch {
            refuse(Self.refusal(error, limit: worker.bodyBytesMax))
        }
        return state == .idle
    }

    private static func refusal(_ error: HTTPParseError, limit: Int) -> APIError {
        guard error != .bodyTooLarge else { return .bodyTooLarge(limit: limit) }
        return APIError(
            error.status,
            .invalidRequest,
            "invalid_http",
            error.message.description,
            closesConnection: true
        )
    }

    private func headReceived() throws(HTTPParseError) {
        let startedAt = ledger.startedAt
        let generated = ledger.id
        let admission = intake.withHead(worker.scratch) { head, bytes in
            ledger = RequestLedger(head, in: bytes, startedAt: startedAt)
            return worker.gateway.admit(head, bytes, &ledger, &credential)
        }
        ledger.bytesIn = intake.headBytes
        journal.headRead(ledger.endpoint, isHead: ledger.isHead)
        switch ledger.id {
        case .generated: ledger.id = generated
        case .client(let range): intake.input?.withBytes(in: range) { journal.requestNamed($0) }
        }
        switch admission {
        case .refused(let error, let hasBody):
            // What is left of the body would be taken for the next request.
            var error = error
            if hasBody { error.closesConnection = true }
            refuse(error)
        case .accepted(let checksJSON, let expectsContinue):
            try intake.takeBody(
                limit: worker.bodyBytesMax,
                checksJSON: checksJSON,
                pool: worker.buffers
            )
            setDeadline(worker.timeouts.clientBody)
            if expectsContinue { sendContinue() }
        }
    }

    private func sendContinue() {
        let output = answer.buffer(worker.buffers)
        output.append("HTTP/1.1 100 Continue\r\n\r\n")
        journal.interimQueued(output.count)
        // What the client has no room for goes out before the answer.
        _ = send(output)
        answer.releaseIfEmpty(worker.buffers)
    }

    /// Sends what is queued, as far as the client takes it.
    func send(_ output: ByteBuffer) -> WriteOutcome {
        journal.willWrite(output.count)
        let outcome = Syscalls.send(fd.raw, from: output)
        if case .bytes(let count) = outcome {
            journal.wrote(count)
            worker.scoreboard.sent(count)
        } else {
            journal.wrote(0)
        }
        noteQueue(output.count)
        return outcome
    }

    /// Keeps the worker's total of waiting bytes.
    func noteQueue(_ bytes: Int) {
        guard bytes != queuedBytes else { return }
        worker.queueChanged(by: bytes - queuedBytes)
        queuedBytes = bytes
    }

    /// Throws away what a client sends that was answered.
    private func discard() {
        let buffer = worker.buffers.take()
        defer { worker.buffers.give(buffer) }
        switch Syscalls.receive(fd.raw, into: buffer, minimum: Self.readBytesMin) {
        case .bytes(let count):
            journal.received(count)
            lingerBytes += count
            if lingerBytes > Self.lingerBytesMax { close() }
        case .wouldBlock:
            break
        case .endOfStream, .failed:
            close()
        }
    }

    /// The client's address, for the log.
    private(set) lazy var peerText: String = {
        do throws(Errno) {
            return try Syscalls.peerAddress(fd.raw).host
        } catch {
            return "unknown"
        }
    }()
}
