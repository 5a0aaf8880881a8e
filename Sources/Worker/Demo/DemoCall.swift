// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import JSON
import Loop

/// A call to the demo model: plays its reply on the loop's timers, as an upstream would.
final class DemoCall: EventHandler {
    private enum Step: Equatable {
        case begin
        case token(Int)
        case close
        case fail(UpstreamFailure.Kind)
        case ended
    }

    private static let millisecond: UInt64 = 1_000_000
    /// Between two tokens of `echo`: about what a fast hosted model does.
    private static let echoInterval = 15 * millisecond
    private static let slowInterval = 200 * millisecond
    private static let slowFirst = 1_000 * millisecond
    private static let slowStart = 3_000 * millisecond
    /// Tokens of a fast reply between two looks at other events.
    private static let tokensPerTurn = 16
    /// After so many tokens `cut`, `stall` and `error` do what they are named for.
    private static let tokensBeforeFailure = 3

    private let loop: EventLoop
    private let timeouts: UpstreamTimeouts
    private var sink: UpstreamSink?
    private let reply: DemoReply?
    private let model: String
    private var step = Step.begin
    private var timer: TimerID?
    private var isPaused = false
    private let out = ByteBuffer()

    /// Starts a call; nothing is delivered before the current turn's timers.
    init(_ request: UpstreamRequest, _ sink: UpstreamSink, _ loop: EventLoop) {
        self.loop = loop
        self.sink = sink
        timeouts = request.timeouts
        let body = ByteBuffer(capacity: 4096)
        for piece in request.body {
            piece.buffer.withBytes(in: piece.range) { body.append($0) }
        }
        let path = request.head.text
        let scan = BodyScan()
        let parsed = body.withBytes { bytes in
            scan.advance(bytes, isFinal: true)
            return DemoRequest(path: path, scan.tape, bytes)
        }
        model = parsed.model
        reply = DemoRequest.Behavior(model: parsed.model).map { DemoReply(parsed, $0) }
        super.init()
        schedule(after: delayBeforeAnswer)
    }

    private var delayBeforeAnswer: UInt64 {
        guard let reply else { return 0 }
        switch reply.behavior {
        case .slow: return Self.slowFirst + (isStream ? 0 : Self.slowInterval)
        case .slowStart: return Self.slowStart
        case .echo, .fast, .long, .status, .cut, .stall, .error, .hang: return 0
        }
    }

    private var isStream: Bool {
        guard let reply else { return false }
        return reply.request.isStream && reply.request.task != .embeddings
    }

    func pause() {
        isPaused = true
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        if timer == nil, step != .ended { schedule(after: 0) }
    }

    func cancel() {
        step = .ended
        sink = nil
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    private func schedule(after nanoseconds: UInt64) {
        timer = loop.schedule(at: loop.now &+ nanoseconds, self, kind: 0)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        timer = nil
        guard !isPaused else { return }
        switch step {
        case .begin: begin()
        case .token(let index): sendTokens(from: index)
        case .close: close()
        case .fail(let kind): fail(kind)
        case .ended: break
        }
    }

    // MARK: Steps

    private func begin() {
        guard let reply else {
            answer(status: 404)
            return
        }
        if reply.request.isTooLarge {
            answer(status: 400, reason: Self.tooLarge)
            return
        }
        switch reply.behavior {
        case .status(let status):
            answer(status: status)
        case .hang:
            step = .fail(.headersTimeout)
            schedule(after: timeouts.headers)
        case .echo, .fast, .slow, .slowStart, .long, .cut, .stall, .error:
            isStream ? beginStream(reply) : answerWhole(reply)
        }
    }

    private static let tooLarge =
        "The demo model makes at most \(DemoRequest.inputsMax) embeddings and "
        + "\(DemoRequest.numbersMax) numbers at once."

    private func answer(status: Int, reason: String? = nil) {
        let body = ByteBuffer()
        DemoReply.appendError(status: status, model: model, reason: reason, to: body)
        let extra = status == 429 ? "Retry-After: 1\r\n" : ""
        deliverHead(status: status, type: "application/json", extra: extra)
        deliver(body)
        finish(.complete)
    }

    private func answerWhole(_ reply: DemoReply) {
        switch reply.behavior {
        case .cut:
            deliverHead(status: 200, type: "application/json")
            fail(.truncated)
        case .stall:
            deliverHead(status: 200, type: "application/json")
            step = .fail(.idleTimeout)
            schedule(after: timeouts.idle)
        case .error:
            answer(status: 500)
        case .echo, .fast, .slow, .slowStart, .long, .status, .hang:
            let body = ByteBuffer(capacity: 4096)
            reply.appendWhole(to: body)
            deliverHead(status: 200, type: "application/json")
            deliver(body)
            finish(.complete)
        }
    }

    private func beginStream(_ reply: DemoReply) {
        deliverHead(status: 200, type: "text/event-stream")
        out.clear()
        reply.appendOpening(to: out)
        step = .token(0)
        deliver(out)
        sink?.upstreamReadDone()
        if step == .token(0) { schedule(after: interval(reply)) }
    }

    private func interval(_ reply: DemoReply) -> UInt64 {
        switch reply.behavior {
        case .fast, .long: 0
        case .slow: Self.slowInterval
        case .echo, .slowStart, .status, .cut, .stall, .error, .hang: Self.echoInterval
        }
    }

    private func sendTokens(from first: Int) {
        guard let reply else { return }
        let interval = interval(reply)
        let count = interval == 0 ? Self.tokensPerTurn : 1
        let end = min(first + count, reply.tokens.count)
        out.clear()
        for index in first..<end { reply.appendToken(index, to: out) }
        step = end == reply.tokens.count ? .close : .token(end)
        if end >= Self.tokensBeforeFailure, breaks(reply) { return }
        deliver(out)
        sink?.upstreamReadDone()
        if step != .ended, timer == nil, !isPaused { schedule(after: interval) }
    }

    /// Whether the stream breaks here, as its model's name promises.
    private func breaks(_ reply: DemoReply) -> Bool {
        switch reply.behavior {
        case .cut:
            deliver(out)
            sink?.upstreamReadDone()
            fail(.truncated)
        case .stall:
            deliver(out)
            sink?.upstreamReadDone()
            guard step != .ended else { return true }
            step = .fail(.idleTimeout)
            schedule(after: timeouts.idle)
        case .error:
            out.append("data: ")
            DemoReply.appendError(status: 500, model: model, to: out)
            out.append("\n\n")
            deliver(out)
            finish(.complete)
        case .echo, .fast, .slow, .slowStart, .long, .status, .hang:
            return false
        }
        return true
    }

    private func close() {
        guard let reply else { return }
        out.clear()
        reply.appendClosing(to: out)
        deliver(out)
        finish(.complete)
    }

    // MARK: Delivery

    private func deliverHead(status: Int, type: String, extra: String = "") {
        let head = ByteBuffer(
            "HTTP/1.1 \(status) Demo\r\nContent-Type: \(type)\r\n\(extra)\r\n"
        )
        var decoder = ResponseDecoder()
        decoder.begin(requestMethod: .post)
        head.withBytes { bytes in
            do throws(HTTPParseError) {
                _ = try decoder.next(bytes)
            } catch {
                preconditionFailure("the demo model writes valid heads: \(error)")
            }
            sink?.upstreamHead(decoder.head, in: bytes)
        }
    }

    private func deliver(_ bytes: ByteBuffer) {
        guard step != .ended || sink != nil else { return }
        bytes.withBytes { sink?.upstreamData($0) }
    }

    private func finish(_ result: UpstreamResult) {
        step = .ended
        let sink = sink
        self.sink = nil
        sink?.upstreamEnded(result)
    }

    private func fail(_ kind: UpstreamFailure.Kind) {
        let failure = UpstreamFailure(
            kind: kind,
            detail: "demo model '\(model)'",
            responseBegan: kind != .headersTimeout,
            timings: UpstreamTimings()
        )
        finish(.failed(failure))
    }
}
