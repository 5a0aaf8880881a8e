// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import Control
import HTTP
import JSON
import Log
import Loop
import Metrics
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
    /// Requests answered in a row before other connections get their turn.
    private static let requestsPerTurnMax = 16
    /// How long what a refused client still sends is thrown away.
    private static let lingerNanoseconds: UInt64 = 2_000_000_000
    /// How much of it.
    private static let lingerBytesMax = 4 << 20

    let worker: Worker
    let handoffID: UInt32
    private let fd: OwnedFD
    private var token = EventToken.none
    private var interest = Interest.read
    private(set) var state = State.idle
    private var deadline = MovingDeadline()

    private(set) var intake = RequestIntake()
    var ledger = RequestLedger()
    private var credential = CredentialMemo()
    /// The request's way through an upstream; nil when the gateway answers by itself.
    var exchange: Exchange?
    private var answer = AnswerWriter()
    private var isAnswerComplete = false
    private var closesAfterAnswer = false
    private var lingersAfterAnswer = false
    private var isProcessing = false
    /// Requests that were read wait for the end of the turn.
    private var hasBacklog = false
    /// Whether the answer is a stream.
    private(set) var isStreaming = false
    private var hasStarted = false
    private var lingerBytes = 0

    init(worker: Worker, fd: consuming OwnedFD, handoffID: UInt32) {
        self.worker = worker
        self.fd = fd
        self.handoffID = handoffID
        super.init()
    }

    /// Registers with the loop and reads what has arrived already, which is usually the request.
    func start() throws(SystemError) {
        token = try worker.loop.register(fd.raw, .read, self)
        setDeadline(worker.timeouts.clientIdle)
        receive()
    }

    // MARK: Events

    override func ready(_ readiness: Readiness, token: EventToken) {
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
        switch state {
        case .idle, .lingering: close()
        case .reading: refuse(intake.isInBody ? .bodyTimeout : .headTimeout)
        case .responding: clientLeft(.clientTimeout)
        case .closed: break
        }
    }

    override func turnEnded() {
        hasBacklog = false
        guard state == .idle || state == .reading else { return }
        process()
    }

    private func setDeadline(_ nanoseconds: UInt64) {
        let due = worker.loop.now &+ nanoseconds
        deadline.set(due, on: worker.loop, self, kind: Self.deadlineKind)
    }

    private func setInterest(_ wanted: Interest) {
        guard wanted != interest else { return }
        interest = wanted
        worker.loop.modify(token, wanted)
    }

    // MARK: Reading

    private func receive() {
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
            worker.metrics.count(.clientBytesIn, by: count)
            if !hasStarted {
                hasStarted = true
                worker.reports.add(handoffID, .started)
            }
            if state == .idle { beginRequest() }
            process()
        case .wouldBlock:
            intake.releaseIfEmpty(worker.buffers)
        case .endOfStream, .failed:
            close()
        }
    }

    private func beginRequest() {
        state = .reading
        ledger = RequestLedger()
        ledger.startedAt = worker.loop.now
        ledger.id = worker.ids.next()
        worker.requestBegan()
        setDeadline(worker.timeouts.clientHead)
    }

    /// Goes on with what has been read, request by request.
    private func process() {
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
        if case .generated = ledger.id { ledger.id = generated }
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
        answer.buffer(worker.buffers).append("HTTP/1.1 100 Continue\r\n\r\n")
        guard let output = answer.output else { return }
        // What the client has no room for goes out before the answer.
        _ = Syscalls.send(fd.raw, from: output)
        answer.releaseIfEmpty(worker.buffers)
    }

    // MARK: Answering

    /// Bytes that wait for the client.
    var outputBytes: Int { answer.count }

    /// Starts the head of the answer; the caller adds fields and calls one of the methods below.
    func beginAnswer(status: Int) -> HeadWriter {
        precondition(state == .responding || state == .reading, "an answer in state \(state)")
        state = .responding
        ledger.status = status
        ledger.firstByteAt = ledger.firstByteAt ?? Syscalls.monotonicNanoseconds()
        closesAfterAnswer = closesAfterAnswer || !ledger.keepsAlive || worker.isDraining
        let writer = answer.begin(
            status: status,
            ledger: ledger,
            head: intake.input,
            date: worker.currentDate(),
            pool: worker.buffers
        )
        worker.cors.appendFields(for: ledger.origin, in: intake.input, to: writer)
        return writer
    }

    /// Ends the head of an answer whose body is known, and the answer with it.
    func finishAnswer(_ writer: HeadWriter, body: Span<UInt8>) {
        if !HTTPStatus.hasNoBody(ledger.status) { writer.contentLength(body.count) }
        endHead(writer)
        if !ledger.isHead { answer.buffer(worker.buffers).append(body) }
        finishAnswer()
    }

    /// Ends the head of an answer whose body follows piece by piece.
    func beginStream(_ writer: HeadWriter) {
        if ledger.isHTTP10 {
            // HTTP/1.0 knows no chunks: the end of the connection ends the body.
            closesAfterAnswer = true
        } else {
            writer.chunked()
            answer.beginChunks()
        }
        endHead(writer)
        isStreaming = true
        worker.streamBegan()
    }

    private func endHead(_ writer: HeadWriter) {
        if closesAfterAnswer {
            writer.connectionClose()
        } else if ledger.isHTTP10 {
            writer.field("connection", "keep-alive")
        }
        writer.end()
    }

    func stream(_ bytes: Span<UInt8>) {
        answer.stream(bytes, worker.buffers)
    }

    /// Ends a stream.
    func endStream() {
        answer.endStream(worker.buffers)
        finishAnswer()
    }

    /// Where the lines of the head that is being written go.
    var headBuffer: ByteBuffer { answer.buffer(worker.buffers) }

    /// Adds whole field lines to the head that is being written.
    func append(_ fieldLines: ByteBuffer) {
        answer.buffer(worker.buffers).append(fieldLines)
    }

    /// Answers with an error in the client's dialect; `addFields` may add lines to the head.
    func answerError(_ error: APIError, _ addFields: () -> Void = {}) {
        ledger.error = error.code
        if ledger.ending == .complete { ledger.ending = .refused }
        if error.closesConnection { closesAfterAnswer = true }
        let shape = ledger.endpoint?.format.errorShape ?? .openAI
        let writer = beginAnswer(status: error.status(as: shape))
        error.appendFields(to: writer)
        addFields()
        let body = ByteBuffer(capacity: 512)
        error.append(as: shape, of: ledger, head: intake.input, to: body)
        body.withBytes { finishAnswer(writer, body: $0) }
    }

    /// Answers a request that is not read to its end, and closes.
    private func refuse(_ error: APIError) {
        if error.closesConnection { lingersAfterAnswer = true }
        answerError(error)
    }

    private func finishAnswer() {
        isAnswerComplete = true
        flush()
    }

    /// Writes what waits for the client, as far as it takes it.
    func flush() {
        guard state == .responding else { return }
        if let output = answer.output, !output.isEmpty {
            var hasMoved = false
            switch Syscalls.send(fd.raw, from: output) {
            case .bytes(let count):
                hasMoved = true
                ledger.bytesOut += count
                worker.metrics.count(.clientBytesOut, by: count)
            case .wouldBlock:
                break
            case .failed:
                clientLeft(.clientClosed)
                return
            }
            guard output.isEmpty else {
                setInterest(interest.union(.write))
                // What the upstream adds is no sign of life of the client.
                if hasMoved || !deadline.isSet { setDeadline(worker.timeouts.idle) }
                return
            }
        }
        answer.releaseIfEmpty(worker.buffers)
        if interest.contains(.write) {
            setInterest(interest.contains(.read) ? .read : .peerEnd)
        }
        deadline.clear()
        if isAnswerComplete {
            answered()
        } else {
            exchange?.clientDrained()
        }
    }

    /// The answer is out.
    private func answered() {
        worker.requestEnded(self)
        exchange = nil
        isAnswerComplete = false
        isStreaming = false
        // Without interest in reading, a pipelined request waits in the kernel.
        let hasUnread = intake.isInBody || !interest.contains(.read)
        let mustLinger = lingersAfterAnswer || (closesAfterAnswer && hasUnread)
        intake.finishRequest(worker.buffers)
        if mustLinger {
            linger()
        } else if closesAfterAnswer {
            close()
        } else {
            state = .idle
            setInterest(.read)
            setDeadline(worker.timeouts.clientIdle)
            if intake.holdsBytes {
                if !isProcessing { process() }
            } else if worker.isDraining {
                drain()
            }
        }
    }

    // MARK: The end

    private func clientLeft(_ ending: AccessLogLine.Ending) {
        exchange?.cancel()
        exchange = nil
        ledger.ending = ending
        if ledger.status == 0 { ledger.status = 499 }
        worker.requestEnded(self)
        close()
    }

    private func linger() {
        state = .lingering
        Syscalls.shutdown(fd.raw, .write)
        setInterest(.read)
        setDeadline(Self.lingerNanoseconds)
    }

    private func discard() {
        let buffer = worker.buffers.take()
        defer { worker.buffers.give(buffer) }
        switch Syscalls.receive(fd.raw, into: buffer, minimum: Self.readBytesMin) {
        case .bytes(let count):
            lingerBytes += count
            if lingerBytes > Self.lingerBytesMax { close() }
        case .wouldBlock:
            break
        case .endOfStream, .failed:
            close()
        }
    }

    /// Closes an idle connection, so that its worker can go; a busy one ends with its answer.
    func drain() {
        guard state == .idle, !intake.holdsBytes else { return }
        // A request that has arrived already would be lost.
        receive()
        guard state == .idle else { return }
        if hasStarted { close() } else { giveBack(.draining) }
    }

    /// Lets go of a connection that nothing was read from; it stays open for another worker.
    func giveBack(_ reason: ConnectionReport.Reason) {
        precondition(state == .idle && !hasStarted, "a used connection cannot be given back")
        letGo()
        worker.connectionGivenBack(self, reason)
    }

    /// Ends the connection whatever it is doing.
    func abort() {
        guard state != .closed else { return }
        if state == .responding {
            closesAfterAnswer = true
            exchange?.stop()
        }
        switch state {
        case .responding: clientLeft(.stopped)
        case .idle, .reading, .lingering: close()
        case .closed: break
        }
    }

    private func close() {
        guard state != .closed else { return }
        if state == .reading { worker.requestAbandoned() }
        letGo()
        // The supervisor's copy of the descriptor may live a moment longer than ours; without this
        // the client would see the end only then.
        Syscalls.shutdown(fd.raw, .write)
        worker.connectionClosed(self)
    }

    private func letGo() {
        state = .closed
        deadline.cancel(on: worker.loop)
        worker.loop.deregister(token)
        intake.release(worker.buffers)
        answer.release(worker.buffers)
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
