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
final class Exchange: UpstreamSink {
    private enum Phase: Equatable {
        /// No attempt runs: a backoff, or something that the target needs first.
        case between
        /// No response head yet.
        case waiting
        /// The body of an answer that is judged whole.
        case buffering(status: Int)
        /// An event stream.
        case streaming
        case ended
    }

    /// Largest answer that is judged whole: embeddings of a full batch are about 50 MB of JSON.
    static let answerBytesMax = 64 << 20
    /// Bytes that wait for the first content before they go out without it.
    private static let heldBytesMax = 64 << 10
    private static let contentKind: UInt32 = 1
    private static let backoffKind: UInt32 = 2
    private static let keepaliveKind: UInt32 = 3
    private static let preparingKind: UInt32 = 4

    let connection: ClientConnection
    let worker: Worker
    let request: ModelRequest
    private var machine: ExchangeMachine
    private var phase = Phase.between
    private var attempt: Attempt?
    private(set) var upstream: Upstream
    private(set) var route: UpstreamRoute?
    private var choice = 0
    /// Members that a target has refused, to be left out at the next try.
    private var refusedMembers: [String] = []
    private var hasNewToken = false
    /// Fields of the upstream's head that go to the client, as lines.
    private let fields: ByteBuffer
    /// The request as it was sent, with its body if that is small.
    private var sent: RequestBuilder.Built?
    private var body: ByteBuffer?
    private var pipe: StreamPipe?
    /// Events to pass on, collected over one read.
    private var pending: ByteBuffer?
    /// The failure that the client is shown if nothing better comes.
    private var shown: AttemptFailure?
    private var isPaused = false
    private var contentDeadline = MovingDeadline()
    private var preparingDeadline = MovingDeadline()
    private var keepaliveDeadline = MovingDeadline()
    private lazy var identity = AnswerIdentity(
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
        fields = connection.worker.buffers.take()
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

    deinit {
        worker.buffers.give(fields)
    }

    // MARK: Commands

    /// Begins; `tape` is the body's.
    func start(_ tape: JSONTape) {
        if request.isStream { armKeepalive() }
        let command = machine.begin(now: worker.loop.now, random: worker.random.next())
        perform(command, tape)
    }

    private func perform(_ command: ExchangeMachine.Command, _ tape: JSONTape? = nil) {
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

    private func end() {
        guard phase != .ended else { return }
        phase = .ended
        contentDeadline.cancel(on: worker.loop)
        preparingDeadline.cancel(on: worker.loop)
        keepaliveDeadline.cancel(on: worker.loop)
        connection.ledger.upstreamEndedAt = Syscalls.monotonicNanoseconds()
        connection.ledger.usage = connection.ledger.usage ?? pipe?.usage
        releaseAttempt()
        shown = nil
    }

    // MARK: Attempts

    /// Asks the target where the request goes, and sends it there.
    private func beginAttempt(_ tape: JSONTape?) {
        let target = request.choices[choice]
        upstream = worker.upstreams[target.upstream]
        connection.ledger.upstream = target.upstream
        let question = RouteQuestion(
            operation: request.operation,
            client: request.format,
            model: target.model,
            isStream: request.isStream,
            api: target.api,
            maxTokensDefault: target.maxTokens,
            turn: machine.attempts.total,
            pin: request.pin
        )
        switch upstream.service.route(question, of: upstream) {
        case .route(let route):
            send(route, tape)
        case .estimate:
            answerEstimate(tape)
        case .waiting:
            waitForUpstream()
        case .unsupported(let text):
            failed(
                Failure(.unsupported),
                APIError(
                    400,
                    .invalidRequest,
                    "unsupported_operation",
                    "The upstream '\(upstream.name)' \(text)."
                )
            )
        case .unknownModel:
            failed(
                Failure(.modelNotFound, status: 404),
                .modelNotFound(request.model)
            )
        case .failed(let text, let retryAfter):
            failed(
                Failure(.preparing, retryAfterMilliseconds: retryAfter),
                APIError(
                    502,
                    .upstream,
                    "upstream_unavailable",
                    "The upstream '\(upstream.name)' \(text)."
                )
            )
        }
    }

    /// Builds the request for `found` and sends it.
    private func send(_ found: UpstreamRoute, _ tape: JSONTape?) {
        var route = found
        route.plan.refused = refusedMembers
        if let betas = connection.ledger.anthropicBeta, let head = connection.intake.input {
            route.plan.betas = head.withBytes(in: betas) { Betas.split($0) }
        }
        var omissions = Omissions()
        do throws(APIError) {
            let built = try build(&route, tape, &omissions)
            if request.choices[choice].isStrict, let name = omissions.names.first {
                release(built)
                throw .strict(name, omissions)
            }
            sent = built
        } catch {
            failed(Failure(.unsupported), error)
            return
        }
        self.route = route
        connection.ledger.omissions = omissions.isEmpty ? nil : omissions
        launch(route)
    }

    private func build(
        _ route: inout UpstreamRoute,
        _ tape: JSONTape?,
        _ omissions: inout Omissions
    ) throws(APIError) -> RequestBuilder.Built {
        if let stored = request.stored {
            return worker.builder.build(
                stored,
                route,
                upstream,
                ledger: connection.ledger,
                client: connection.intake.input
            )
        }
        guard let body = connection.intake.bodyBuffer else {
            preconditionFailure("a model request without a body was let in")
        }
        let range = connection.intake.bodyRange
        let document = tape ?? scanAgain(body, range)
        return try worker.builder.build(
            request,
            &route,
            upstream,
            RequestBuilder.Source(
                tape: document,
                body: body,
                range: range,
                head: connection.intake.input
            ),
            ledger: connection.ledger,
            &omissions
        )
    }

    /// The tape of a body that was scanned before: others have used the scanner since.
    private func scanAgain(_ body: ByteBuffer, _ range: Range<Int>) -> JSONTape {
        if let scan = connection.intake.scan { return scan.tape }
        worker.scan.reset()
        body.withBytes(in: range) { worker.scan.advance($0, isFinal: true) }
        return worker.scan.tape
    }

    private func launch(_ route: UpstreamRoute) {
        guard let sent else { return }
        phase = .waiting
        connection.ledger.attempts += 1
        connection.ledger.upstreamStartedAt = Syscalls.monotonicNanoseconds()
        upstream.calls += 1
        var timeouts = worker.timeouts.upstream
        if machine.deadline != .max { timeouts.total = machine.deadline &- worker.loop.now }
        let outgoing = UpstreamRequest(
            method: request.stored?.method ?? .post,
            head: sent.wire,
            body: sent.body,
            timeouts: timeouts
        )
        attempt = upstream.begin(outgoing, self, worker)
        guard worker.timeouts.firstContent != .max else { return }
        let due = worker.loop.now &+ worker.timeouts.firstContent
        contentDeadline.set(due, on: worker.loop, self, kind: Self.contentKind)
    }

    /// The attempt is over, however: frees what it held.
    private func attemptIsOver(_ result: Metrics.UpstreamResult) {
        guard attempt != nil else { return }
        attempt = nil
        upstream.calls -= 1
        worker.metrics.attemptEnded(upstream.index, result)
        contentDeadline.clear()
    }

    private func releaseAttempt() {
        if let body { worker.buffers.give(body) }
        if let pending { worker.buffers.give(pending) }
        if let sent { release(sent) }
        body = nil
        pending = nil
        sent = nil
    }

    private func release(_ built: RequestBuilder.Built) {
        worker.buffers.give(built.wire)
        if let converted = built.converted { worker.buffers.give(converted) }
    }

    // MARK: What a target needs first

    private func waitForUpstream() {
        phase = .between
        guard case .sap(let account) = upstream.service else { return }
        account.whenReady { [weak self] in self?.upstreamIsReady() }
        let due = worker.loop.now.addingClamped(SAPAccount.patienceNanoseconds)
        preparingDeadline.set(due, on: worker.loop, self, kind: Self.preparingKind)
    }

    private func upstreamIsReady() {
        guard phase == .between, machine.isAttempting else { return }
        preparingDeadline.clear()
        beginAttempt(nil)
    }

    // MARK: The upstream's answer

    override func upstreamHead(_ head: ResponseHead, in bytes: Span<UInt8>) {
        guard phase == .waiting, let route else { return }
        fields.clear()
        ResponseFields.append(head, in: bytes, to: fields)
        let isSuccess = (200..<300).contains(head.status)
        if isSuccess, let framing = framing(head, bytes, route) {
            phase = .streaming
            pipe = StreamPipe(settings(route, framing), identity)
        } else {
            phase = .buffering(status: head.status)
        }
    }

    /// How the answer is cut into events; nil when it is one document.
    private func framing(
        _ head: ResponseHead,
        _ bytes: Span<UInt8>,
        _ route: UpstreamRoute
    ) -> StreamFraming.Kind? {
        if ResponseFields.isEventStream(head, in: bytes) { return .events }
        guard request.isStream else { return nil }
        if ResponseFields.isAmazonStream(head, in: bytes) { return route.framing }
        // Google's interfaces answer with an array where `alt=sse` is not known.
        return route.plan.format == .gemini ? .array : nil
    }

    private func settings(
        _ route: UpstreamRoute,
        _ framing: StreamFraming.Kind
    ) -> StreamPipe.Settings {
        StreamPipe.Settings(
            upstream: route.plan.format,
            client: request.format,
            framing: framing,
            stripsUsage: !request.wantsUsage,
            writesArray: request.writesArray,
            isOrchestration: route.isOrchestration,
            pin: route.pin
        )
    }

    override func upstreamData(_ bytes: Span<UInt8>) {
        switch phase {
        case .buffering:
            let buffer = body ?? worker.buffers.take()
            body = buffer
            buffer.append(bytes)
            if buffer.count > Self.answerBytesMax {
                attempt?.cancel()
                failed(Failure(.protocolError), .answerTooLarge(upstream.name))
            }
        case .streaming:
            let buffer = pending ?? worker.buffers.take()
            pending = buffer
            pipe?.take(bytes, worker.streamWork, to: buffer)
        case .between, .waiting, .ended:
            break
        }
    }

    override func upstreamReadDone() {
        guard phase == .streaming else { return }
        passOn()
    }

    override func upstreamEnded(_ result: UpstreamResult) {
        switch result {
        case .complete:
            switch phase {
            case .buffering(let status): judge(status)
            case .streaming: streamCompleted()
            case .between, .waiting, .ended: break
            }
        case .failed(let failure):
            connectionFailed(failure)
        }
    }

    private func connectionFailed(_ failure: UpstreamFailure) {
        guard phase != .ended else { return }
        if pipe?.isDone == true {
            // What came after the last event is nobody's loss.
            finishStream()
            return
        }
        worker.log.log(.warning, "upstream failed") { record in
            record.field("upstream", upstream.name)
            record.field("kind", failure.kind.metricLabel)
            record.field("detail", failure.detail)
        }
        failed(
            Failure(failure.kind.reason),
            UpstreamFailureMapping.error(failure, upstream: upstream.name),
            ending: failure.kind.isTimeout ? .upstreamTimeout : .upstreamCut,
            result: failure.kind.result
        )
    }

    // MARK: Streams

    /// Writes what was collected, and ends the stream if an event says so.
    private func passOn() {
        guard let pipe, !streamHasFailed(pipe) else { return }
        guard let pending, !pending.isEmpty || pipe.isDone else { return }
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
        write(pending)
        if pipe.isDone {
            // All was said. An upstream that takes its time to end its answer ends it without us.
            finishStream()
            return
        }
        if connection.outputBytes > ExchangeLimits.outputPauseBytes {
            isPaused = true
            attempt?.pause()
        }
    }

    private func write(_ events: ByteBuffer) {
        events.withBytes { connection.stream($0) }
        events.clear()
        armKeepalive()
        connection.flush()
    }

    private func commit() {
        machine.committed()
        contentDeadline.clear()
        if !connection.isStreaming { beginStream() }
    }

    private func beginStream() {
        connection.ledger.isStream = true
        let writer = connection.beginAnswer(status: 200)
        if request.writesArray {
            writer.field("content-type", "application/json; charset=utf-8")
        } else {
            writer.field("content-type", "text/event-stream; charset=utf-8")
        }
        writer.field("cache-control", "no-cache")
        writer.field("x-accel-buffering", "no")
        connection.append(fields)
        appendFacts()
        connection.beginStream(writer)
    }

    /// Whether the stream reports an error, or holds what cannot be passed on; then it is dealt with.
    private func streamHasFailed(_ pipe: StreamPipe) -> Bool {
        if let complaint = pipe.complaint {
            attempt?.cancel()
            let status = complaint.status ?? 502
            let error = ComplaintMapping.error(complaint, upstream: upstream.name)
            let isKept =
                pipe.settings.isRelay && !(401...403).contains(status)
                && upstream.showsItsErrors
            failed(
                Failure(
                    .errorInStream,
                    status: UInt16(clamping: status),
                    retryAfterMilliseconds: complaint.retryAfterMilliseconds.map {
                        UInt32(clamping: $0)
                    }
                ),
                error,
                kept: isKept ? pipe.complaintData : nil,
                ending: .upstreamCut,
                result: .serverError
            )
            return true
        }
        if pipe.isTooLarge {
            attempt?.cancel()
            failed(
                Failure(.protocolError),
                .eventTooLarge(upstream.name),
                ending: .upstreamCut,
                result: .serverError
            )
            return true
        }
        guard pipe.isUndecodable else { return false }
        attempt?.cancel()
        failed(
            Failure(.undecodable),
            .unreadableAnswer(upstream.name, "an event that is no JSON"),
            ending: .upstreamCut,
            result: .protocolError
        )
        return true
    }

    private func streamCompleted() {
        let buffer = pending ?? worker.buffers.take()
        pending = buffer
        pipe?.streamEnded(worker.streamWork, to: buffer)
        guard let ended = pipe, !streamHasFailed(ended) else { return }
        if !ended.isDone {
            guard ended.sawFinish else {
                failed(
                    Failure(ended.dataEvents == 0 ? .emptyAnswer : .truncated),
                    APIError(
                        502,
                        .upstream,
                        "upstream_cut",
                        "The upstream '\(upstream.name)' ended its stream without its last event."
                    ),
                    ending: .upstreamCut,
                    result: .reset
                )
                return
            }
            // Everything was said; some servers forget the formality that SDKs wait for.
            pipe?.supplyEnd(worker.streamWork, to: buffer)
        }
        finishStream()
    }

    private func finishStream() {
        if machine.stage != .committed { commit() }
        if let pending, !pending.isEmpty { pending.withBytes { connection.stream($0) } }
        attemptSucceeded()
        end()
        connection.endStream()
    }

    /// The answer is there: whatever still comes is not waited for.
    private func attemptSucceeded() {
        connection.ledger.usage = connection.ledger.usage ?? pipe?.usage
        attemptIsOver(.success)
        perform(machine.completed(now: worker.loop.now))
    }

    // MARK: Whole answers

    private func judge(_ status: Int) {
        guard let route else { return }
        let buffer = body ?? worker.buffers.take()
        body = buffer
        let verdict = WholeAnswer(request, route, upstream.name, identity)
            .judge(status, buffer, worker.streamWork)
        switch verdict {
        case .pass(let usage):
            connection.ledger.usage = usage
            answer(status, buffer)
        case .written(let bytes, let usage):
            connection.ledger.usage = usage
            answer(status, bytes)
        case .events(let bytes, let usage):
            connection.ledger.usage = usage
            commit()
            bytes.withBytes { connection.stream($0) }
            attemptSucceeded()
            end()
            connection.endStream()
        case .failed(var failure):
            if let seconds = ResponseFields.retryAfter(fields) {
                failure.failure = failure.failure.asking(forMilliseconds: seconds * 1000)
            }
            if tryAnew(status, failure) { return }
            failed(failure)
        }
    }

    private func answer(_ status: Int, _ bytes: ByteBuffer) {
        attemptSucceeded()
        let writer = connection.beginAnswer(status: status)
        writer.field("content-type", "application/json")
        connection.append(fields)
        appendFacts()
        body = nil
        end()
        bytes.withBytes { connection.finishAnswer(writer, body: $0) }
        worker.buffers.give(bytes)
    }

    /// Sends the request to the same target once more where a refusal can be met: with a new token,
    /// or without a member that this model does not know.
    private func tryAnew(_ status: Int, _ failure: AttemptFailure) -> Bool {
        guard let route else { return false }
        if let token = route.token, status == 401 || status == 403, !hasNewToken,
            case .sap(let account) = upstream.service
        {
            hasNewToken = true
            account.refused(token)
            attemptIsOver(.clientError)
            releaseAttempt()
            beginAttempt(nil)
            return true
        }
        guard status == 400, let name = failure.refusedMember, !refusedMembers.contains(name),
            refusedMembers.count < AttemptFailure.refusedMembersMax,
            !request.choices[choice].isStrict
        else { return false }
        refusedMembers.append(name)
        attemptIsOver(.clientError)
        releaseAttempt()
        beginAttempt(nil)
        return true
    }

    private func answerEstimate(_ tape: JSONTape?) {
        guard let body = connection.intake.bodyBuffer else { return }
        let range = connection.intake.bodyRange
        let document = tape ?? scanAgain(body, range)
        do throws(APIError) {
            let out = worker.buffers.take()
            try body.withBytes(in: range) { bytes throws(APIError) in
                try TokenCounting.answer(request.format, document, bytes, to: out)
            }
            answer(200, out)
        } catch {
            failed(Failure(.unsupported), error)
        }
    }

    // MARK: Failures

    private func failed(
        _ failure: Failure,
        _ error: APIError,
        kept: ByteBuffer? = nil,
        ending: AccessLogLine.Ending = .refused,
        result: Metrics.UpstreamResult = .protocolError
    ) {
        failed(
            AttemptFailure(
                failure: failure,
                error: error,
                kept: kept,
                ending: ending,
                result: result
            )
        )
    }

    private func failed(_ failure: AttemptFailure) {
        guard phase != .ended else { return }
        attemptIsOver(failure.result)
        connection.ledger.usage = connection.ledger.usage ?? pipe?.usage
        if case .sap(let account) = upstream.service, let deployment = route?.deployment,
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
        if machine.attemptToShow == number {
            shown = failure
            shown?.fields = ResponseFields.copy(fields)
        }
        switch command {
        case .attempt, .wait:
            releaseAttempt()
            pipe = nil
            connection.ledger.usage = nil
        case .none, .cancelAttempt, .giveUp, .failInStream, .finish:
            break
        }
        perform(command)
    }

    private func failure(of ending: ExchangeMachine.Ending) -> AttemptFailure {
        if let shown, shown.failure.reason == ending.failure.reason { return shown }
        return AttemptFailure(ending.failure.reason, upstream: upstream.name)
    }

    /// Answers with an error of its own status.
    private func giveUp(_ ending: ExchangeMachine.Ending) {
        if ending.cancelsAttempt {
            attempt?.cancel()
            attemptIsOver(.cancelled)
        }
        var failure = failure(of: ending)
        end()
        if connection.ledger.ending != .stopped { connection.ledger.ending = failure.ending }
        if let kept = failure.kept {
            connection.ledger.error = failure.error.code
            let writer = connection.beginAnswer(status: Int(failure.failure.status))
            writer.field("content-type", "application/json")
            if let lines = failure.fields { connection.append(lines) }
            appendFacts()
            kept.withBytes { connection.finishAnswer(writer, body: $0) }
            return
        }
        failure.error.retryAfterSeconds = ending.retryAfterSeconds.map { Int($0) }
        failure.error.shouldRetry = ending.clientShouldRetry
        connection.answerError(failure.error) { self.appendFacts() }
    }

    /// Ends the stream with what came before the error, and the error.
    private func failInStream(_ ending: ExchangeMachine.Ending) {
        if ending.cancelsAttempt {
            attempt?.cancel()
            attemptIsOver(.cancelled)
        }
        let failure = failure(of: ending)
        if connection.ledger.ending != .stopped { connection.ledger.ending = failure.ending }
        connection.ledger.error = failure.error.code
        let out = pending ?? worker.buffers.take()
        pending = out
        if pipe == nil {
            let settings = StreamPipe.Settings(
                upstream: request.format,
                client: request.format,
                writesArray: request.writesArray
            )
            pipe = StreamPipe(settings, identity)
        }
        pipe?.fail(failure.error, kept: failure.kept, to: out)
        out.withBytes { connection.stream($0) }
        end()
        connection.endStream()
    }

    // MARK: Facts for the client

    /// Appends the fields that tell what happened.
    private func appendFacts() {
        ExchangeFacts.append(
            machine.attempts,
            names: { worker.upstreams[request.choices[Int($0.index)].upstream].name },
            answeredBy: upstream.name,
            omissions: connection.ledger.omissions,
            now: Syscalls.monotonicNanoseconds(),
            to: connection.headBuffer
        )
    }

    // MARK: Timers

    private func armKeepalive() {
        guard request.isStream, let silence = worker.keepalive else { return }
        let due = worker.loop.now &+ silence
        keepaliveDeadline.set(due, on: worker.loop, self, kind: Self.keepaliveKind)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        guard phase != .ended else { return }
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
                phase != .between, machine.stage != .committed
            else { return }
            attempt?.cancel()
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
            beginStream()
        }
        if connection.outputBytes == 0 {
            let out = ByteBuffer(capacity: 64)
            StreamWriter.appendKeepalive(request.format, to: out)
            out.withBytes { connection.stream($0) }
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
