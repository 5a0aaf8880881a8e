// SPDX-License-Identifier: Apache-2.0
import Loop

/// One request to an upstream, from `Upstreams.begin` to its end.
final class UpstreamCall: EventHandler {
    enum State {
        /// In the queue of its upstream. Exits: `connecting`, `exchanging`, `ended`.
        case waiting
        /// A connection is being made for it. Exits: `exchanging`, `ended`.
        case connecting(ConnectAttempt)
        /// On a connection. Exits: `connecting` (again, after a stale one), `ended`.
        case exchanging(UpstreamConnection)
        /// The sink has heard its last, or the call was cancelled.
        case ended
    }

    private enum TimerKind {
        static let connect: UInt32 = 0
    }

    let request: UpstreamRequest
    private let loop: EventLoop
    private let pool: UpstreamPool
    /// Nil once the call has ended: the sink usually holds the call.
    private(set) var sink: UpstreamSink?
    private let began: UInt64
    /// When the whole call must be over.
    let totalDue: UInt64
    /// Runs while there is no connection; afterwards the connection keeps the time.
    private var deadline = MovingDeadline()
    private var failureToTell: UpstreamFailure?

    private(set) var state = State.waiting
    private(set) var isPaused = false
    private(set) var timings = UpstreamTimings()
    /// Whether `upstreamHead` was called.
    private(set) var hasHead = false

    init(_ request: UpstreamRequest, _ sink: UpstreamSink, pool: UpstreamPool, loop: EventLoop) {
        self.request = request
        self.sink = sink
        self.pool = pool
        self.loop = loop
        began = loop.now
        totalDue = began.addingClamped(request.timeouts.total)
    }

    // MARK: For the exchange

    /// Stops the delivery of response bytes.
    ///
    /// What the upstream sends stays in its socket, so that it stops sending sooner or later.
    func pause() {
        guard !isPaused, !isEnded else { return }
        isPaused = true
        if case .exchanging(let connection) = state { connection.paused() }
    }

    /// Goes on after `pause`, at the end of this turn at the earliest.
    func resume() {
        guard isPaused, !isEnded else { return }
        isPaused = false
        if case .exchanging(let connection) = state { connection.resumed() }
    }

    /// Ends the call and closes its connection now.
    ///
    /// The sink hears nothing any more.
    func cancel() {
        let last = state
        end()
        switch last {
        case .waiting: pool.waitingCancelled(self)
        case .connecting(let attempt): pool.abandon(attempt)
        case .exchanging(let connection): connection.abort()
        case .ended: break
        }
    }

    var isEnded: Bool {
        if case .ended = state { true } else { false }
    }

    // MARK: For pool and connection

    /// Waits in the queue or for a connection: the connect timeout runs.
    func armConnectDeadline() {
        let due = min(loop.now.addingClamped(request.timeouts.connect), totalDue)
        if due != .max { deadline.set(due, on: loop, self, kind: TimerKind.connect) }
    }

    func connecting(_ attempt: ConnectAttempt) {
        state = .connecting(attempt)
    }

    /// The call goes out on `connection`.
    func exchanging(_ connection: UpstreamConnection, reused: Bool) {
        state = .exchanging(connection)
        deadline.cancel(on: loop)
        timings.connectionReused = reused
        timings.connectNs = loop.now - began
    }

    /// The connection was stale; a new one is on its way.
    func retriedStale() {
        timings.retriedStale = true
        timings.sentNs = 0
    }

    func noteConnectTimes(resolve: UInt64, tcp: UInt64, tls: UInt64) {
        timings.resolveNs = resolve
        timings.tcpNs = tcp
        timings.tlsNs = tls
    }

    func noteSent() { timings.sentNs = loop.now - began }
    func noteFirstByte() { timings.firstByteNs = loop.now - began }
    func noteHead() { hasHead = true }

    /// Tells the sink that the response is whole.
    func complete() {
        guard !isEnded else { return }
        let sink = end()
        sink?.upstreamEnded(.complete)
    }

    /// Tells the sink of a failure.
    ///
    /// The caller has taken connection and attempt away.
    func fail(_ kind: UpstreamFailure.Kind, _ detail: String) {
        guard !isEnded else { return }
        let failure = failure(kind, detail)
        let sink = end()
        sink?.upstreamEnded(.failed(failure))
    }

    /// Fails at the end of the turn: for failures found inside `begin`.
    func failLater(_ kind: UpstreamFailure.Kind, _ detail: String) {
        failureToTell = failure(kind, detail)
        loop.atEndOfTurn(self)
    }

    private func failure(_ kind: UpstreamFailure.Kind, _ detail: String) -> UpstreamFailure {
        UpstreamFailure(kind: kind, detail: detail, responseBegan: hasHead, timings: timings)
    }

    /// The last step: lets go of the sink and returns it for the last word.
    @discardableResult
    private func end() -> UpstreamSink? {
        state = .ended
        failureToTell = nil
        deadline.cancel(on: loop)
        let last = sink
        sink = nil
        return last
    }

    // MARK: Events

    override func timerFired(kind: UInt32, id: TimerID) {
        guard deadline.hasPassed(on: loop, self, kind: TimerKind.connect) else { return }
        let kind = loop.now >= totalDue ? UpstreamFailure.Kind.totalTimeout : nil
        switch state {
        case .waiting:
            pool.waitingCancelled(self)
            fail(kind ?? .tooManyConnections, pool.waitingText)
        case .connecting(let attempt):
            pool.abandon(attempt)
            fail(kind ?? .connectTimeout, pool.connectTimeoutText)
        case .exchanging, .ended:
            break
        }
    }

    override func turnEnded() {
        guard let failureToTell, !isEnded else { return }
        let sink = end()
        sink?.upstreamEnded(.failed(failureToTell))
    }
}

extension UInt64 {
    /// The sum, or the largest number where it does not fit: "no limit" stays that.
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
