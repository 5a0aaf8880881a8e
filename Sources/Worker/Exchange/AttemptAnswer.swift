// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import HTTP
import Log
import Metrics
import Policy

/// What one attempt brings: judges a whole answer, or reads a stream event by event.
///
/// Writes nothing to the client: it collects, and tells its exchange when something is there.
final class AttemptAnswer: UpstreamSink {
    private enum Phase: Equatable {
        /// No response head yet. Exits: `buffering`, `streaming`, `over`.
        case waiting
        /// The body of an answer that is judged whole. Exits: `over`.
        case buffering(status: Int)
        /// An event stream. Exits: `over`.
        case streaming
        /// The exchange has heard the last, or has given the attempt up.
        case over
    }

    /// Largest answer that is judged whole: embeddings of a full batch are about 50 MB of JSON.
    static let answerBytesMax = 64 << 20

    let route: UpstreamRoute
    let upstream: Upstream
    /// What the client wants of embeddings.
    var embedding: EmbeddingWish?
    /// Outlives the attempt: it ends the call before it goes.
    private unowned let exchange: Exchange
    private let worker: Worker
    private let request: ModelRequest
    private var phase = Phase.waiting
    /// Fields of the upstream's head that go to the client, as lines.
    let fields: ByteBuffer
    /// The body of a whole answer.
    private(set) var body: ByteBuffer?
    private(set) var pipe: StreamPipe?
    /// Events to pass on, collected over one read.
    private(set) var pending: ByteBuffer?

    init(_ exchange: Exchange, _ route: UpstreamRoute, _ upstream: Upstream) {
        self.exchange = exchange
        self.route = route
        self.upstream = upstream
        worker = exchange.worker
        request = exchange.request
        fields = exchange.worker.buffers.take()
        super.init()
    }

    deinit {
        worker.buffers.give(fields)
        if let body { worker.buffers.give(body) }
        if let pending { worker.buffers.give(pending) }
    }

    /// The exchange wants to hear nothing more.
    func abandon() {
        phase = .over
    }

    // MARK: The upstream's answer

    override func upstreamHead(_ head: ResponseHead, in bytes: Span<UInt8>) {
        guard phase == .waiting else { return }
        exchange.connection.journal.isAtWork()
        ResponseFields.append(head, in: bytes, to: fields)
        let isSuccess = (200..<300).contains(head.status)
        if isSuccess, let framing = framing(head, bytes) {
            phase = .streaming
            pipe = StreamPipe(settings(framing), exchange.identity)
        } else {
            phase = .buffering(status: head.status)
        }
    }

    /// How the answer is cut into events; nil when it is one document.
    private func framing(_ head: ResponseHead, _ bytes: Span<UInt8>) -> StreamFraming.Kind? {
        if ResponseFields.isEventStream(head, in: bytes) { return .events }
        guard request.isStream else { return nil }
        if ResponseFields.isAmazonStream(head, in: bytes) { return route.framing }
        // Google's interfaces answer with an array where `alt=sse` is not known.
        return route.plan.format == .gemini ? .array : nil
    }

    private func settings(_ framing: StreamFraming.Kind) -> StreamPipe.Settings {
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
            exchange.connection.journal.isAtWork()
            let buffer = body ?? worker.buffers.take()
            body = buffer
            buffer.append(bytes)
            guard buffer.count > Self.answerBytesMax else { return }
            fail(
                AttemptFailure(
                    failure: Failure(.protocolError),
                    error: .answerTooLarge(upstream.name)
                )
            )
        case .streaming:
            exchange.connection.journal.isAtWork()
            let buffer = pending ?? worker.buffers.take()
            pending = buffer
            pipe?.take(bytes, worker.streamWork, to: buffer)
        case .waiting, .over:
            break
        }
    }

    override func upstreamReadDone() {
        guard phase == .streaming, !streamHasFailed() else { return }
        exchange.streamMoved(self)
    }

    override func upstreamEnded(_ result: UpstreamResult) {
        if phase != .over { exchange.connection.journal.isAtWork() }
        switch (result, phase) {
        case (.complete, .buffering(let status)): judge(status)
        case (.complete, .streaming): streamCompleted()
        case (.failed(let failure), .waiting), (.failed(let failure), .buffering),
            (.failed(let failure), .streaming):
            connectionFailed(failure)
        case (.complete, .waiting), (_, .over): break
        }
    }

    // MARK: Ends

    private func fail(_ failure: AttemptFailure) {
        phase = .over
        exchange.attemptFailed(failure)
    }

    private func connectionFailed(_ failure: UpstreamFailure) {
        if pipe?.isDone == true {
            // What came after the last event is nobody's loss.
            streamEnded()
            return
        }
        worker.log.log(.warning, "upstream failed") { record in
            record.field("upstream", upstream.name)
            record.field("kind", failure.kind.metricLabel)
            record.field("detail", failure.detail)
        }
        fail(
            AttemptFailure(
                failure: Failure(failure.kind.reason),
                error: UpstreamFailureMapping.error(failure, upstream: upstream.name),
                ending: failure.kind.isTimeout ? .upstreamTimeout : .upstreamCut,
                result: failure.kind.result
            )
        )
    }

    private func judge(_ status: Int) {
        let buffer = body ?? worker.buffers.take()
        body = buffer
        phase = .over
        let answer = WholeAnswer(
            request,
            route,
            upstream.name,
            self.exchange.identity,
            embedding: embedding
        )
        let verdict = answer.judge(status, buffer, worker.streamWork)
        switch verdict {
        case .pass(let usage):
            exchange.answered(self, status: status, buffer, usage)
        case .written(let bytes, let usage):
            exchange.answered(self, status: status, bytes, usage)
        case .events(let events, let usage):
            exchange.answered(self, events: events, usage)
        case .failed(var failure):
            if let seconds = ResponseFields.retryAfter(fields) {
                failure.failure = failure.failure.asking(forMilliseconds: seconds * 1000)
            }
            failure.fields = ResponseFields.copy(fields)
            exchange.refused(self, status: status, failure)
        }
    }

    private func streamCompleted() {
        let buffer = pending ?? worker.buffers.take()
        pending = buffer
        pipe?.streamEnded(worker.streamWork, to: buffer)
        guard !streamHasFailed(), let ended = pipe else { return }
        if !ended.isDone {
            guard ended.sawFinish else {
                fail(
                    AttemptFailure(
                        failure: Failure(ended.dataEvents == 0 ? .emptyAnswer : .truncated),
                        error: .streamCut(upstream.name),
                        ending: .upstreamCut,
                        result: .reset
                    )
                )
                return
            }
            // Everything was said; some servers forget the formality that SDKs wait for.
            pipe?.supplyEnd(worker.streamWork, to: buffer)
        }
        streamEnded()
    }

    private func streamEnded() {
        phase = .over
        exchange.streamEnded(self)
    }

    /// Whether the stream reports an error, or holds what cannot be passed on; then it is dealt with.
    private func streamHasFailed() -> Bool {
        guard let pipe else { return false }
        if let complaint = pipe.complaint {
            fail(reported(complaint, pipe))
        } else if pipe.isTooLarge {
            fail(
                AttemptFailure(
                    failure: Failure(.protocolError),
                    error: .eventTooLarge(upstream.name),
                    ending: .upstreamCut,
                    result: .serverError
                )
            )
        } else if pipe.isUndecodable {
            fail(
                AttemptFailure(
                    failure: Failure(.undecodable),
                    error: .unreadableAnswer(upstream.name, "an event that is no JSON"),
                    ending: .upstreamCut
                )
            )
        } else {
            return false
        }
        return true
    }

    private func reported(_ complaint: UpstreamComplaint, _ pipe: StreamPipe) -> AttemptFailure {
        let status = complaint.status ?? 502
        let isKept =
            pipe.settings.isRelay && !(401...403).contains(status) && upstream.showsItsErrors
        return AttemptFailure(
            failure: Failure(
                .errorInStream,
                status: UInt16(clamping: status),
                retryAfterMilliseconds: complaint.retryAfterMilliseconds.map {
                    UInt32(clamping: $0)
                }
            ),
            error: ComplaintMapping.error(complaint, upstream: upstream.name),
            kept: isKept ? pipe.complaintData : nil,
            ending: .upstreamCut,
            result: .serverError
        )
    }

    /// Ends the stream behind what it brought with an error, in the client's format.
    func appendFailure(_ error: APIError, kept: ByteBuffer?, to out: ByteBuffer) {
        pipe?.fail(error, kept: kept, to: out)
    }
}
