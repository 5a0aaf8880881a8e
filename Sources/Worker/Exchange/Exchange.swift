// SPDX-License-Identifier: Apache-2.0
import Dialects
import Bytes
import HTTP
import JSON
import Log
import Loop
import Metrics
import System

/// One model request on its way through an upstream and back.
///
/// Before the first content for the client (the *commit point*) a failure is an error answer with
/// its own status; after it, an error event inside the stream.
final class Exchange: UpstreamSink {
    private enum Phase: Equatable {
        /// No response head yet. Exits: `buffering`, `held`, `ended`.
        case waiting
        /// The body of an answer that is judged whole. Exits: `ended`.
        case buffering(status: Int)
        /// An event stream without a whole event so far. Exits: `streaming`, `ended`.
        case held
        /// Committed: the client has got its status. Exits: `ended`.
        case streaming
        case ended
    }

    /// Largest answer that is judged whole: embeddings of a full batch are about 50 MB of JSON.
    static let answerBytesMax = 64 << 20
    private static let doneEvent: StaticString = "data: [DONE]\n\n"
    private static let firstContentKind: UInt32 = 1

    private let connection: ClientConnection
    private let worker: Worker
    private let upstream: Upstream
    private var attempt: Attempt?
    private var phase = Phase.waiting
    /// Fields of the upstream's head that go to the client, as lines.
    private let fields: ByteBuffer
    /// The request as it was sent, with its body if that is small.
    private var wire: ByteBuffer?
    private var body: ByteBuffer?
    private var relay: StreamRelay
    /// Events to pass on, collected over one read.
    private var pending: ByteBuffer?
    private var isPaused = false
    private var contentDeadline = MovingDeadline()

    init(
        connection: ClientConnection,
        upstream: Upstream,
        facts: RequestFacts
    ) {
        self.connection = connection
        worker = connection.worker
        self.upstream = upstream
        relay = StreamRelay(stripsUsage: !facts.wantsUsage)
        fields = connection.worker.buffers.take()
        super.init()
    }

    /// Sends the request.
    func start(_ request: UpstreamRequest) {
        wire = request.head
        connection.ledger.attempts += 1
        connection.ledger.upstreamStartedAt = Syscalls.monotonicNanoseconds()
        attempt = upstream.begin(request, self, worker)
        guard worker.timeouts.firstContent != .max else { return }
        let due = worker.loop.now &+ worker.timeouts.firstContent
        contentDeadline.set(due, on: worker.loop, self, kind: Self.firstContentKind)
    }

    /// Ends the upstream call at once: the client is gone.
    func cancel() {
        guard phase != .ended else { return }
        end()
        attempt?.cancel()
        worker.metrics.attemptEnded(upstream.index, .cancelled)
    }

    /// The worker has to leave: ends what is under way with an error, so that nobody takes a part
    /// for the whole.
    func stop() {
        guard phase != .ended else { return }
        attempt?.cancel()
        worker.metrics.attemptEnded(upstream.index, .cancelled)
        connection.ledger.ending = .stopped
        finishBroken(
            APIError(
                503,
                .server,
                "shutting_down",
                "This gateway is stopping, and the answer did not end in time (timeouts.drain)."
            )
        )
    }

    /// The client has taken everything that was queued.
    func clientDrained() {
        guard isPaused, phase != .ended else { return }
        isPaused = false
        attempt?.resume()
    }

    private func end() {
        phase = .ended
        contentDeadline.cancel(on: worker.loop)
        connection.ledger.upstreamEndedAt = Syscalls.monotonicNanoseconds()
        connection.ledger.usage = connection.ledger.usage ?? relay.usage
        if let body { worker.buffers.give(body) }
        if let pending { worker.buffers.give(pending) }
        if let wire { worker.buffers.give(wire) }
        body = nil
        pending = nil
        wire = nil
    }

    deinit {
        worker.buffers.give(fields)
    }

    // MARK: The upstream's answer

    override func upstreamHead(_ head: ResponseHead, in bytes: Span<UInt8>) {
        guard phase == .waiting else { return }
        ResponseFields.append(head, in: bytes, to: fields)
        if (200..<300).contains(head.status), ResponseFields.isEventStream(head, in: bytes) {
            phase = .held
        } else {
            phase = .buffering(status: head.status)
        }
    }

    override func upstreamData(_ bytes: Span<UInt8>) {
        switch phase {
        case .buffering:
            let buffer = body ?? worker.buffers.take()
            body = buffer
            buffer.append(bytes)
            if buffer.count > Self.answerBytesMax {
                abandon(.init(502, .upstream, "upstream_answer_too_large", answerTooLarge))
            }
        case .held, .streaming:
            let buffer = pending ?? worker.buffers.take()
            pending = buffer
            relay.take(bytes, scanner: &worker.scan.scanner, to: buffer)
        case .waiting, .ended:
            break
        }
    }

    private var answerTooLarge: String {
        "The upstream '\(upstream.name)' sent more than \(Self.answerBytesMax) bytes."
    }

    override func upstreamReadDone() {
        guard phase == .held || phase == .streaming else { return }
        passOn()
    }

    override func upstreamEnded(_ result: UpstreamResult) {
        switch result {
        case .complete: completed()
        case .failed(let failure): failed(failure)
        }
    }

    // MARK: Streams

    /// Writes what was collected, and ends the stream if an event says so.
    private func passOn() {
        if relay.errorData != nil || relay.isTooLarge {
            streamReportsError()
            return
        }
        guard let pending, !pending.isEmpty else { return }
        if phase == .held {
            guard relay.dataEvents > 0 else {
                // Comments keep a connection alive; nobody wants them later, and an upstream may
                // send them for as long as it likes.
                pending.clear()
                return
            }
            commit()
        }
        pending.withBytes { connection.stream($0) }
        pending.clear()
        connection.flush()
        if phase == .streaming, relay.isDone {
            // All was said. An upstream that takes its time to end its answer ends it without us.
            worker.metrics.attemptEnded(upstream.index, .success)
            finishStream()
            return
        }
        if phase == .streaming, connection.outputBytes > ExchangeLimits.outputPauseBytes {
            isPaused = true
            attempt?.pause()
        }
    }

    private func commit() {
        phase = .streaming
        contentDeadline.clear()
        connection.ledger.isStream = true
        let writer = connection.beginAnswer(status: 200)
        writer.field("content-type", "text/event-stream; charset=utf-8")
        writer.field("cache-control", "no-cache")
        writer.field("x-accel-buffering", "no")
        connection.append(fields)
        connection.beginStream(writer)
    }

    /// The stream itself carries an error, or an event that cannot be passed on.
    private func streamReportsError() {
        attempt?.cancel()
        worker.metrics.attemptEnded(upstream.index, .serverError)
        connection.ledger.ending = .upstreamCut
        guard let data = relay.errorData else {
            finishBroken(
                APIError(
                    502,
                    .upstream,
                    "upstream_event_too_large",
                    "The upstream '\(upstream.name)' sent an event beyond "
                        + "\(StreamRelay.eventBytesMax) bytes."
                )
            )
            return
        }
        if phase == .held {
            let verdict = data.withBytes {
                UpstreamAnswer.streamError(
                    $0,
                    upstream: upstream.name,
                    scanner: &worker.scan.scanner
                )
            }
            end()
            if let error = verdict.instead {
                connection.answerError(error)
            } else {
                answer(status: verdict.status, body: data, code: "upstream_error")
            }
            return
        }
        connection.ledger.error = "upstream_error"
        endStream(saying: data)
    }

    /// Ends what is under way with an error of ours: an answer before the commit point, an event
    /// after it.
    private func finishBroken(_ error: APIError) {
        guard phase == .streaming else {
            end()
            connection.answerError(error)
            return
        }
        let data = ByteBuffer(capacity: 512)
        error.append(as: .openAI, to: data)
        connection.ledger.error = error.code
        endStream(saying: data)
    }

    /// Ends the stream with what came before the error, and the error's `data`.
    private func endStream(saying data: ByteBuffer) {
        if let pending, !pending.isEmpty { pending.withBytes { connection.stream($0) } }
        end()
        let event = ByteBuffer(capacity: data.count + 16)
        EventWriter.append(data: data, to: event)
        event.withBytes { connection.stream($0) }
        connection.endStream()
    }

    // MARK: Ends

    private func completed() {
        switch phase {
        case .buffering(let status): judge(status: status)
        case .held, .streaming: streamCompleted()
        case .waiting, .ended: break
        }
    }

    private func streamCompleted() {
        let buffer = pending ?? worker.buffers.take()
        pending = buffer
        relay.streamEnded(scanner: &worker.scan.scanner, to: buffer)
        if relay.errorData != nil || relay.isTooLarge {
            streamReportsError()
            return
        }
        if !relay.isDone {
            guard relay.sawFinishReason else {
                upstreamCut("ended its stream without [DONE]")
                return
            }
            // Everything was said; some servers forget the formality that SDKs wait for.
            buffer.append(Self.doneEvent)
        }
        worker.metrics.attemptEnded(upstream.index, .success)
        finishStream()
    }

    private func finishStream() {
        if phase == .held { commit() }
        if let pending, !pending.isEmpty {
            pending.withBytes { connection.stream($0) }
        }
        end()
        connection.endStream()
    }

    private func upstreamCut(_ what: String) {
        worker.metrics.attemptEnded(upstream.index, .reset)
        connection.ledger.ending = .upstreamCut
        finishBroken(
            APIError(
                502,
                .upstream,
                "upstream_cut",
                "The upstream '\(upstream.name)' \(what)."
            )
        )
    }

    private func judge(status: Int) {
        let buffer = body ?? worker.buffers.take()
        body = buffer
        let verdict = buffer.withBytes {
            UpstreamAnswer.judge(
                status: status,
                upstream: upstream.name,
                $0,
                scanner: &worker.scan.scanner
            )
        }
        switch verdict {
        case .pass(let usage):
            worker.metrics.attemptEnded(upstream.index, .init(status: status))
            connection.ledger.usage = usage
            if status >= 400 { connection.ledger.error = "upstream_error" }
            body = nil
            end()
            answer(status: status, body: buffer, code: nil)
            worker.buffers.give(buffer)
        case .replace(let error):
            // A success that is none is the upstream's fault.
            let isSuccess = (200..<300).contains(status)
            let result: Metrics.UpstreamResult = isSuccess ? .protocolError : .init(status: status)
            worker.metrics.attemptEnded(upstream.index, result)
            let kept = ResponseFields.retryAfter(fields)
            end()
            var error = error
            error.retryAfterSeconds = kept
            connection.answerError(error)
        }
    }

    /// Answers with the upstream's own bytes.
    private func answer(status: Int, body: ByteBuffer, code: StaticString?) {
        if let code { connection.ledger.error = code }
        let writer = connection.beginAnswer(status: status)
        writer.field("content-type", "application/json")
        connection.append(fields)
        body.withBytes { connection.finishAnswer(writer, body: $0) }
    }

    /// Gives up on an upstream that breaks a limit.
    private func abandon(_ error: APIError) {
        attempt?.cancel()
        worker.metrics.attemptEnded(upstream.index, .protocolError)
        finishBroken(error)
    }

    private func failed(_ failure: UpstreamFailure) {
        guard phase != .ended else { return }
        if relay.isDone {
            // What came after [DONE] is nobody's loss.
            worker.metrics.attemptEnded(upstream.index, .success)
            finishStream()
            return
        }
        worker.metrics.attemptEnded(upstream.index, failure.kind.result)
        connection.ledger.ending = failure.kind.isTimeout ? .upstreamTimeout : .upstreamCut
        worker.log.log(.warning, "upstream failed") { record in
            record.field("upstream", upstream.name)
            record.field("kind", failure.kind.metricLabel)
            record.field("detail", failure.detail)
        }
        finishBroken(UpstreamFailureMapping.error(failure, upstream: upstream.name))
    }

    /// No content came in time.
    override func timerFired(kind: UInt32, id: TimerID) {
        guard contentDeadline.hasPassed(on: worker.loop, self, kind: Self.firstContentKind),
            phase == .waiting || phase == .held
        else { return }
        attempt?.cancel()
        worker.metrics.attemptEnded(upstream.index, .timeout)
        connection.ledger.ending = .upstreamTimeout
        finishBroken(
            APIError(
                504,
                .upstream,
                "upstream_timeout",
                "The upstream '\(upstream.name)' sent no content in time "
                    + "(timeouts.first_content)."
            )
        )
    }
}

/// Limits of the way back to the client.
enum ExchangeLimits {
    /// Output waiting for the client above which its upstream is not read: a slow reader costs
    /// this much memory and no more.
    static let outputPauseBytes = 64 << 10
}
