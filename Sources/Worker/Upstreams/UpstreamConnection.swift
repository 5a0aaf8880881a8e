// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop
import System

/// A connection to an upstream: idle in the pool, or carrying one call.
///
/// The descriptor stays registered while the connection idles, so that its end is noticed when it
/// happens. A warm exchange costs one send and one receive: no epoll call and no timer.
final class UpstreamConnection: EventHandler {
    enum Phase: Equatable {
        /// In the pool. Exits: `exchanging`, `closed`.
        case idle
        /// Carries a call. Exits: `idle`, `closed`.
        case exchanging
        case closed
    }

    /// What one look at the bytes that are there led to.
    private enum Progress {
        case needsMore, paused, over
    }

    private enum TimerKind {
        static let connection: UInt32 = 0
    }

    /// Most bytes read for one event, so that a fast upstream does not starve others.
    private static let bytesPerEventMax = 256 << 10

    private let pool: UpstreamPool
    private let loop: EventLoop
    private let buffers: BufferPool
    private let transport: UpstreamTransport

    private(set) var phase = Phase.idle
    private var call: UpstreamCall?
    private var token: EventToken?
    private var interest: Interest
    private var deadline = MovingDeadline()

    private var decoder = ResponseDecoder()
    private var writer = RequestWriter()
    private var inbox: ByteBuffer?
    private var isReused = false
    private var hasByte = false
    private var hasDelivered = false
    private var isReceiving = false
    private var mustReceive = false
    /// A pause stopped the decoder between two events.
    private var wasStopped = false
    private var startedTurn: UInt64 = 0
    /// Deadline of the present part of the exchange.
    private var partDue: UInt64 = .max

    /// Takes over a connected transport, and its registration if it has one.
    init(
        _ transport: UpstreamTransport,
        registration: EventToken?,
        pool: UpstreamPool,
        loop: EventLoop,
        buffers: BufferPool
    ) {
        self.transport = transport
        token = registration
        interest = []
        self.pool = pool
        self.loop = loop
        self.buffers = buffers
    }

    // MARK: Inputs of pool and call

    /// Registers the connection for reading.
    ///
    /// False when the kernel refuses.
    func open() -> Bool {
        if let token { loop.setHandler(token, self) }
        return watch(.read)
    }

    /// Sends the call's request.
    ///
    /// Whatever comes of it, the sink hears it later.
    func start(_ call: UpstreamCall, reused: Bool) {
        precondition(phase == .idle, "a call began in \(phase)")
        phase = .exchanging
        self.call = call
        call.exchanging(self, reused: reused)
        decoder.begin(requestMethod: call.request.method)
        writer.begin()
        isReused = reused
        hasByte = false
        hasDelivered = false
        wasStopped = false
        // An end of turn asked for by the call before is not this call's.
        mustReceive = false
        startedTurn = loop.turns
        partDue = loop.now.addingClamped(call.request.timeouts.idle)
        send()
        if call.isPaused { partDue = .max }
        armDeadline()
        if writer.state == .broken { receiveSoon() }
    }

    /// Idles until the pool needs it again or `due` passes.
    func rest(until due: UInt64) {
        deadline.set(due, on: loop, self, kind: TimerKind.connection)
    }

    func paused() {
        partDue = .max
        armDeadline()
    }

    func resumed() {
        guard let call else { return }
        if writer.state == .sent, !call.hasHead {
            partDue = loop.now.addingClamped(call.request.timeouts.headers)
        } else {
            partDue = loop.now.addingClamped(call.request.timeouts.idle)
        }
        armDeadline()
        receiveSoon()
    }

    /// Closes the connection of a cancelled call.
    func abort() {
        call = nil
        close()
    }

    /// Closes the connection and frees its slot, unless a retry takes the slot over.
    func close(keepingSlot: Bool = false) {
        guard phase != .closed else { return }
        phase = .closed
        deadline.cancel(on: loop)
        if let token { loop.deregister(token) }
        token = nil
        writer.drop(buffers)
        // While a sink looks at the bytes they must stay where they are.
        if !isReceiving { dropInbox() }
        if let attempt = transport.attempt { pool.abandonConnected(attempt) }
        transport.closeSocket()
        if !keepingSlot { pool.connectionClosed() }
    }

    // MARK: Events

    override func ready(_ readiness: Readiness, token: EventToken) {
        switch phase {
        case .idle:
            idleReady()
        case .exchanging:
            if isReused, startedTurn == loop.turns {
                eventBeforeRequest()
                return
            }
            // TLS may want to read in order to write: any event is a reason to try.
            if writer.state == .sending, readiness.canWrite || transport.isTLS { send() }
            if readiness.canRead || writer.state == .broken {
                receive(peerGone: readiness.isPeerGone)
            }
        case .closed:
            break
        }
    }

    override func turnEnded() {
        guard mustReceive else { return }
        mustReceive = false
        guard phase == .exchanging, let call else { return }
        if !call.isPaused, !watch(writer.state == .sending ? [.read, .write] : .read) {
            lost(.broken, "epoll refused the connection")
            return
        }
        receive(peerGone: false)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        guard deadline.hasPassed(on: loop, self, kind: TimerKind.connection) else { return }
        switch phase {
        case .idle:
            pool.idleEnded(self)
            close()
        case .exchanging:
            timedOut()
        case .closed:
            break
        }
    }

    /// Something happened on an idle connection: its end, bytes nobody asked for, or with TLS
    /// something that concerns the session only.
    private func idleReady() {
        if transport.isTLS, transport.probe() == .wouldBlock { return }
        pool.idleEnded(self)
        close()
    }

    /// The event was collected before the request was sent, so it cannot be about its answer.
    private func eventBeforeRequest() {
        if transport.isTLS, transport.probe() == .wouldBlock { return }
        lost(.spoiled, "bytes or an end before the request")
    }

    private func receiveSoon() {
        if mustReceive { return }
        mustReceive = true
        loop.atEndOfTurn(self)
    }

    // MARK: Interest

    /// Registers the descriptor or changes what it waits for.
    ///
    /// False when the kernel refuses.
    private func watch(_ wanted: Interest) -> Bool {
        if let token {
            if interest != wanted { loop.modify(token, wanted) }
        } else {
            do {
                token = try loop.register(transport.descriptor, wanted, self)
            } catch {
                return false
            }
        }
        interest = wanted
        return true
    }

    /// Waits for room to write, or no more.
    private func wantWrite(_ wanted: Bool) {
        guard token != nil else { return }
        let base = interest.subtracting(.write)
        _ = watch(wanted ? base.union(.write) : base)
    }

    /// Stops listening for what a paused call does not take.
    ///
    /// Without interest, epoll would still report a broken connection over and over; hence the
    /// registration goes.
    private func stopReading() {
        if writer.state == .sending {
            _ = watch(.write)
        } else if let token {
            loop.deregister(token)
            self.token = nil
        }
    }

    // MARK: Time

    private func armDeadline() {
        guard let call else { return }
        let due = min(partDue, call.totalDue)
        if due == .max {
            deadline.clear()
        } else {
            deadline.set(due, on: loop, self, kind: TimerKind.connection)
        }
    }

    /// A byte moved.
    private func partProgress() {
        guard let call, !call.isPaused else { return }
        if writer.state == .sent, !call.hasHead { return }
        partDue = loop.now.addingClamped(call.request.timeouts.idle)
        armDeadline()
    }

    private func timedOut() {
        guard let call else { return }
        let kind: UpstreamFailure.Kind
        let what: String
        if loop.now >= call.totalDue {
            kind = .totalTimeout
            what = "the call took longer than its total timeout"
        } else if writer.state == .sent, !call.hasHead {
            kind = .headersTimeout
            what = "no response head within the headers timeout"
        } else if call.hasHead {
            kind = .idleTimeout
            what = "the response stood still for the idle timeout"
        } else {
            kind = .idleTimeout
            what = "the request could not be written for the idle timeout"
        }
        self.call = nil
        close()
        call.fail(kind, pool.text(what))
    }

    // MARK: Writing

    private func send() {
        guard let call, writer.state == .sending else { return }
        if writer.write(call.request, to: transport, buffers) { partProgress() }
        switch writer.state {
        case .sending:
            wantWrite(true)
        case .sent:
            call.noteSent()
            if interest.contains(.write) { wantWrite(false) }
            if call.isPaused { return }
            partDue = loop.now.addingClamped(call.request.timeouts.headers)
            armDeadline()
        case .abandoned, .broken:
            break
        }
    }

    // MARK: Reading

    private func receive(peerGone: Bool) {
        guard let call, !isReceiving else { return }
        if call.isPaused {
            stopReading()
            return
        }
        isReceiving = true
        readUntilBlocked(call, peerGone: peerGone)
        isReceiving = false
        if inbox?.isEmpty ?? false || phase == .closed { dropInbox() }
        guard self.call === call, hasDelivered else { return }
        hasDelivered = false
        call.sink?.upstreamReadDone()
    }

    private func readUntilBlocked(_ call: UpstreamCall, peerGone: Bool) {
        // What a pause left behind comes first; without bytes it may be the end.
        if wasStopped {
            wasStopped = false
            let inbox = self.inbox ?? buffers.take()
            self.inbox = inbox
            guard case .needsMore = digest(inbox, call, peerGone: peerGone) else { return }
        }
        var budget = Self.bytesPerEventMax
        while budget > 0 {
            let inbox = self.inbox ?? buffers.take()
            self.inbox = inbox
            let room = inbox.capacity - inbox.count
            switch transport.receive(into: inbox) {
            case .bytes(let count):
                budget -= count
                if !hasByte {
                    hasByte = true
                    call.noteFirstByte()
                }
                partProgress()
                // A read that fills its space may have left bytes behind that no event tells of,
                // inside of OpenSSL; a shorter one has not.
                let mayHaveLeft = count >= room
                guard
                    case .needsMore = digest(inbox, call, peerGone: peerGone, mayHaveLeft)
                else { return }
                // A short read without TLS has emptied the socket. With TLS it has emptied a
                // record, and the next one may be in the kernel's buffer or in OpenSSL's.
                //
                // When the end is known to follow, it is read at once: it may end the body.
                if !transport.isTLS, !mayHaveLeft, !peerGone, writer.state != .broken { return }
            case .wouldBlock:
                if writer.state == .broken { lost(.broken, nil) }
                return
            case .endOfStream:
                lost(.ended(decoder.endOfInput()), nil)
                return
            case .failed(let errno):
                lost(.broken, transport.failureText(errno))
                return
            }
        }
        // For TLS no event would tell of what OpenSSL holds already.
        if transport.isTLS { receiveSoon() }
    }

    /// Takes as much out of `inbox` as there is.
    private func digest(
        _ inbox: ByteBuffer,
        _ call: UpstreamCall,
        peerGone: Bool,
        _ mayHaveLeft: Bool = false
    ) -> Progress {
        while true {
            let event: ResponseDecoder.Event
            do {
                event = try inbox.withBytes { bytes throws(HTTPParseError) in
                    let event = try decoder.next(bytes)
                    deliver(event, bytes, call)
                    return event
                }
            } catch {
                self.call = nil
                close()
                call.fail(.protocolError, pool.text("invalid response: \(error.message)"))
                return .over
            }
            switch event {
            case .needMore(let consumed):
                inbox.consume(consumed)
                return .needsMore
            case .interim(_, let consumed), .head(let consumed), .data(_, let consumed):
                inbox.consume(consumed)
            case .end(let consumed):
                inbox.consume(consumed)
                finish(call, isClean: inbox.isEmpty && !peerGone, mayHaveLeft: mayHaveLeft)
                return .over
            }
            if self.call !== call { return .over }
            if call.isPaused {
                wasStopped = true
                return .paused
            }
        }
    }

    private func deliver(_ event: ResponseDecoder.Event, _ bytes: Span<UInt8>, _ call: UpstreamCall)
    {
        switch event {
        case .head:
            if writer.state == .sending {
                // An early answer: the rest of the request is of no interest to anybody.
                writer.abandon(buffers)
                if interest.contains(.write) { wantWrite(false) }
            }
            call.noteHead()
            partProgress()
            hasDelivered = true
            call.sink?.upstreamHead(decoder.head, in: bytes)
        case .data(let range, _):
            hasDelivered = true
            call.sink?.upstreamData(bytes.extracting(range))
        case .needMore, .interim, .end:
            break
        }
    }

    private func dropInbox() {
        if let inbox { buffers.give(inbox) }
        inbox = nil
    }

    // MARK: Ends

    /// The response is whole.
    ///
    /// - Parameters:
    ///   - call: the call that is over.
    ///   - isClean: no byte is left over and the peer has not ended its side.
    ///   - mayHaveLeft: OpenSSL may hold bytes that no event would tell of.
    private func finish(_ call: UpstreamCall, isClean: Bool, mayHaveLeft: Bool) {
        var isReusable = decoder.isReusable && writer.state == .sent && isClean
        if isReusable, mayHaveLeft, transport.isTLS {
            isReusable = transport.probe() == .wouldBlock
        }
        self.call = nil
        hasDelivered = false
        isReceiving = false
        dropInbox()
        if isReusable {
            phase = .idle
            deadline.clear()
            pool.connectionReleased(self)
        } else {
            close()
        }
        call.complete()
    }

    /// The connection is gone, or of no use.
    private func lost(_ cause: BreakPolicy.Cause, _ detail: String?) {
        guard let call else { return }
        self.call = nil
        isReceiving = false
        let verdict = BreakPolicy.verdict(cause, reused: isReused, anyByte: hasByte)
        switch verdict {
        case .complete:
            close()
            call.complete()
        case .retry:
            close(keepingSlot: true)
            pool.retryStale(call)
        case .fail(let kind):
            close()
            if let detail, transport.isTLS, !isReused, !hasByte, kind == .reset {
                let (kind, words) = pool.brokenAfterHandshake(detail)
                call.fail(kind, pool.text(words))
            } else {
                call.fail(kind, pool.text(kind, detail))
            }
        }
    }
}
