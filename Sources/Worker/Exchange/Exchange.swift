// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import JSON
import Log
import Loop
import Metrics
import Policy
import System

/// One model request on its way through its targets and back.
///
/// A shell: `ExchangeMachine` decides which target is tried when, and what its failures mean; this
/// carries the decisions out and tells what happened. Before the first content for the client (the
/// *commit point*) a failure leads to the next try or an error answer with its own status; after it,
/// to an error event inside the stream.
final class Exchange: EventHandler {
    enum Phase: Equatable {
        /// No attempt runs: a backoff, or something that the target needs first.
        case between
        case attempting
        case ended
    }

    /// Bytes that wait for the first content before they go out without it.
    private static let heldBytesMax = 64 << 10
    static let contentKind: UInt32 = 1
    private static let backoffKind: UInt32 = 2
    private static let keepaliveKind: UInt32 = 3
    static let preparingKind: UInt32 = 4

    let connection: ClientConnection
    let worker: Worker
    let request: ModelRequest
    var machine: ExchangeMachine
    var attempts: AttemptLog { machine.attempts }
    var phase = Phase.between
    var attempt: Attempt?
    var upstream: Upstream
    /// What the running attempt brings, or the last one that failed in a stream.
    var answer: AttemptAnswer?
    var choice = 0
    /// Members that a target has refused, to be left out at the next try.
    var refusedMembers: [String] = []
    private var hasNewToken = false
    /// The request as it was sent, with its body if that is small.
    var sent: RequestBuilder.Built?
    /// The failure that the client is shown if nothing better comes.
    private var shown: AttemptFailure?
    private var isPaused = false
    var contentDeadline = MovingDeadline()
    var preparingDeadline = MovingDeadline()
    private var keepaliveDeadline = MovingDeadline()
    private(set) lazy var identity = AnswerIdentity(
        unique: worker.ids.nextUnique(),
        created: Int(Syscalls.wallClock().seconds),
        model: request.model
    )

    init(connection: ClientConnection, request: ModelRequest) {
        self.connection = connection
        self.request = request
        worker = connection.worker
        upstream = connection.worker.upstreams[request.choices[0].upstream]
        machine = Self.machine(request, connection.worker)
        super.init()
    }

    private static func machine(_ request: ModelRequest, _ worker: Worker) -> ExchangeMachine {
        let deadline = worker.loop.now.addingClamped(worker.timeouts.upstream.total)
        guard request.choices.count > 1 else {
            return ExchangeMachine(
                only: TargetID(0),
                policy: worker.retryPolicy,
                deadline: deadline
            )
        }
        let candidates = request.choices.enumerated().map { index, choice in
            Candidate(
                id: TargetID(UInt16(clamping: index)),
                weight: choice.weight,
                tier: choice.tier,
                busy: worker.upstreams[choice.upstream].calls
            )
        }
        return ExchangeMachine(
            candidates: candidates,
            balance: request.balance,
            policy: worker.retryPolicy,
            deadline: deadline
        )
    }

    // MARK: Commands

    /// Begins; `tape` is the body's.
    func start(_ tape: JSONTape) {
        if request.isStream { armKeepalive() }
        let command = machine.begin(now: worker.loop.now, random: worker.random.next())
        perform(command, tape)
    }

    func perform(_ command: ExchangeMachine.Command, _ tape: JSONTape? = nil) {
        switch command {
        case .none, .finish:
            break
        case .attempt(let target, _):
            choice = Int(target.index)
            refusedMembers = []
            hasNewToken = false
            beginAttempt(tape)
        case .wait(let until):
            phase = .between
            _ = worker.loop.schedule(at: until, self, kind: Self.backoffKind)
        case .cancelAttempt:
            attempt?.cancel()
            attemptIsOver(.cancelled)
            end()
        case .giveUp(let ending):
            giveUp(ending)
        case .failInStream(let ending):
            failInStream(ending)
        }
    }

    /// The client is gone: ends everything at once.
    func cancel() {
        perform(machine.clientLeft(now: worker.loop.now))
        end()
    }

    /// The worker has to leave: ends what is under way with an error, so that nobody takes a part
    /// for the whole.
    func stop() {
        guard phase != .ended else { return }
        connection.ledger.ending = .stopped
        perform(machine.stopping(now: worker.loop.now))
    }

    /// The client has taken everything that was queued.
    func clientDrained() {
        guard isPaused, phase != .ended else { return }
        isPaused = false
        attempt?.resume()
    }

    func end() {
        guard phase != .ended else { return }
        phase = .ended
        contentDeadline.cancel(on: worker.loop)
        preparingDeadline.cancel(on: worker.loop)
        keepaliveDeadline.cancel(on: worker.loop)
        connection.ledger.upstreamEndedAt = Syscalls.monotonicNanoseconds()
        noteUsage()
        releaseAttempt()
        shown = nil
    }

    // MARK: Attempts

    /// The attempt is over, however: frees what it held.
    private func attemptIsOver(_ result: Metrics.UpstreamResult) {
        guard attempt != nil else { return }
        attempt = nil
        upstream.calls -= 1
        worker.metrics.attemptEnded(upstream.index, result)
        contentDeadline.clear()
    }

    private func releaseAttempt() {
        answer?.abandon()
        answer = nil
        if let sent { worker.builder.release(sent) }
        sent = nil
    }

    /// Takes over what the attempt's stream has told, also one that was cut.
    private func noteUsage() {
        connection.ledger.usage = connection.ledger.usage ?? answer?.pipe?.usage
    }

    // MARK: What an attempt brings

    /// Events are waiting, or the stream has said its last.
    func streamMoved(_ answer: AttemptAnswer) {
        guard answer === self.answer, let pipe = answer.pipe, let pending = answer.pending,
            !pending.isEmpty || pipe.isDone
        else { return }
        if machine.stage != .committed {
            if pipe.dataEvents == 0 {
                // Comments keep a connection alive; nobody wants them later, and an upstream may
                // send them for as long as it likes.
                pending.clear()
                return
            }
            guard pipe.hasContent || pipe.isDone || pending.count > Self.heldBytesMax else {
                return
            }
            commit()
        }
        pending.withBytes { connection.stream($0) }
        pending.clear()
        if pipe.isDone {
            // All was said. An upstream that takes its time to end its answer ends it without us,
            // and its connection can be used again. In one write: behind the last event alone the
            // stream would look as if it broke off.
            finishStream()
            return
        }
        armKeepalive()
        connection.flush()
        guard phase != .ended else { return }
        if connection.outputBytes > ExchangeLimits.outputPauseBytes {
            isPaused = true
            attempt?.pause()
        }
    }

    /// The stream is over, with all that belongs to it.
    func streamEnded(_ answer: AttemptAnswer) {
        guard answer === self.answer else { return }
        if machine.stage != .committed { commit() }
        if let pending = answer.pending, !pending.isEmpty {
            pending.withBytes { connection.stream($0) }
        }
        finishStream()
    }

    private func finishStream() {
        succeeded()
        end()
        connection.endStream()
    }

    /// The whole answer is there.
    func answered(
        _ answer: AttemptAnswer,
        status: Int,
        _ body: ByteBuffer,
        _ usage: TokenUsage?
    ) {
        guard answer === self.answer else { return }
        connection.ledger.usage = usage
        succeeded()
        // Kept for the bytes, which may be its own.
        end()
        deliver(status, body, fields: answer.fields)
    }

    /// The whole answer is there, as the events of a stream.
    func answered(_ answer: AttemptAnswer, events: ByteBuffer, _ usage: TokenUsage?) {
        guard answer === self.answer else { return }
        connection.ledger.usage = usage
        commit()
        events.withBytes { connection.stream($0) }
        finishStream()
    }

    /// The upstream has refused the request.
    func refused(_ answer: AttemptAnswer, status: Int, _ failure: AttemptFailure) {
        guard answer === self.answer else { return }
        if tryAnew(status, failure, answer.route) { return }
        attemptFailed(failure)
    }

    private func commit() {
        machine.committed()
        contentDeadline.clear()
        if !connection.isStreaming { beginStream(answer?.fields) }
    }

    private func succeeded() {
        noteUsage()
        attemptIsOver(.success)
        perform(machine.completed(now: worker.loop.now))
    }

    /// Sends the request to the same target once more where a refusal can be met: with a new token,
    /// or without a member that this model does not know.
    private func tryAnew(
        _ status: Int,
        _ failure: AttemptFailure,
        _ route: UpstreamRoute
    ) -> Bool {
        if let token = route.token, status == 401 || status == 403, !hasNewToken,
            case .sap(let account) = upstream.service
        {
            hasNewToken = true
            account.refused(token)
        } else if status == 400, let name = failure.refusedMember,
            !refusedMembers.contains(name), !request.choices[choice].isStrict,
            refusedMembers.count < AttemptFailure.refusedMembersMax
        {
            refusedMembers.append(name)
        } else {
            return false
        }
        attemptIsOver(.clientError)
        releaseAttempt()
        beginAttempt(nil)
        return true
    }

    // MARK: Failures

    func failed(
        _ failure: Failure,
        _ error: APIError,
        ending: AccessLogLine.Ending = .refused,
        result: Metrics.UpstreamResult = .protocolError
    ) {
        attemptFailed(
            AttemptFailure(failure: failure, error: error, ending: ending, result: result)
        )
    }

    /// The attempt is over without an answer; its call may still run.
    func attemptFailed(_ failure: AttemptFailure) {
        guard phase != .ended else { return }
        attempt?.cancel()
        attemptIsOver(failure.result)
        if case .sap(let account) = upstream.service, let deployment = answer?.route.deployment,
            failure.failure.rule.countsAgainstTarget
        {
            account.failed(deployment: deployment)
        }
        phase = .between
        let number = machine.attempts.total
        let command = machine.attemptFailed(
            failure.failure,
            now: worker.loop.now,
            random: worker.random.next()
        )
        if machine.attemptToShow == number { shown = failure }
        switch command {
        case .attempt, .wait: releaseAttempt()
        case .none, .cancelAttempt, .giveUp, .failInStream, .finish: break
        }
        perform(command)
    }

    private func failure(of ending: ExchangeMachine.Ending) -> AttemptFailure {
        if let shown, shown.failure.reason == ending.failure.reason { return shown }
        return AttemptFailure(ending.failure.reason, upstream: upstream.name)
    }

    private func note(_ failure: AttemptFailure, _ ending: ExchangeMachine.Ending) {
        if ending.cancelsAttempt {
            attempt?.cancel()
            attemptIsOver(.cancelled)
        }
        if connection.ledger.ending != .stopped { connection.ledger.ending = failure.ending }
        connection.ledger.error = failure.error.code
    }

    /// Answers with an error of its own status.
    private func giveUp(_ ending: ExchangeMachine.Ending) {
        var failure = failure(of: ending)
        note(failure, ending)
        end()
        if let kept = failure.kept {
            deliver(Int(failure.failure.status), kept, fields: failure.fields)
            return
        }
        failure.error.retryAfterSeconds = ending.retryAfterSeconds.map { Int($0) }
        failure.error.shouldRetry = ending.clientShouldRetry
        connection.answerError(failure.error) { self.appendFacts() }
    }

    /// Ends the stream with what came before the error, and the error.
    private func failInStream(_ ending: ExchangeMachine.Ending) {
        let failure = failure(of: ending)
        note(failure, ending)
        let out = ByteBuffer(capacity: 512)
        if let answer, answer.pipe != nil {
            if let pending = answer.pending { out.append(pending) }
            answer.appendFailure(failure.error, kept: failure.kept, to: out)
        } else {
            var pipe = StreamPipe(
                StreamPipe.Settings(
                    upstream: request.format,
                    client: request.format,
                    writesArray: request.writesArray
                ),
                identity
            )
            pipe.fail(failure.error, to: out)
        }
        out.withBytes { connection.stream($0) }
        end()
        connection.endStream()
    }

    // MARK: Timers

    private func armKeepalive() {
        guard request.isStream, let silence = worker.keepalive else { return }
        let due = worker.loop.now &+ silence
        keepaliveDeadline.set(due, on: worker.loop, self, kind: Self.keepaliveKind)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        guard phase != .ended else { return }
        connection.journal.isAtWork()
        switch kind {
        case Self.backoffKind:
            perform(machine.wakeUp(now: worker.loop.now))
        case Self.keepaliveKind:
            guard keepaliveDeadline.hasPassed(on: worker.loop, self, kind: kind) else { return }
            keepAlive()
        case Self.preparingKind:
            guard preparingDeadline.hasPassed(on: worker.loop, self, kind: kind),
                phase == .between, machine.isAttempting
            else { return }
            failed(Failure(.preparing), .notPrepared(upstream.name), ending: .upstreamTimeout)
        default:
            guard contentDeadline.hasPassed(on: worker.loop, self, kind: kind),
                phase == .attempting, machine.stage != .committed
            else { return }
            failed(
                Failure(.firstContentTimeout),
                .noContentInTime(upstream.name),
                ending: .upstreamTimeout,
                result: .timeout
            )
        }
    }

    /// Nothing was sent for a while: load balancers cut quiet connections after a minute.
    ///
    /// Does not commit: a client that has only got the head of a 200 can still be served by another
    /// target.
    private func keepAlive() {
        if !connection.isStreaming {
            machine.headersSent()
            beginStream(nil)
        }
        if connection.outputBytes == 0 {
            let out = ByteBuffer(capacity: 64)
            StreamWriter.appendKeepalive(request.format, to: out)
            out.withBytes { connection.streamFiller($0) }
        }
        armKeepalive()
        connection.flush()
    }
}

/// Limits of the way back to the client.
enum ExchangeLimits {
    /// Output waiting for the client above which its upstream is not read: a slow reader costs
    /// this much memory and no more.
    static let outputPauseBytes = 64 << 10
}
