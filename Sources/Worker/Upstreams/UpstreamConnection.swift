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

    private enum RequestState: Equatable {
        /// Bytes are still to be written. Exits: `sent`, `abandoned`, `broken`.
        case sending
        case sent
        /// The response began before the request was written: the rest is not.
        case abandoned
        /// Writing failed. What the upstream said before may still be there to read.
        case broken
    }

    /// What one look at the bytes that are there led to.
    private enum Progress {
        case needsMore, paused, over
    }

    private enum TimerKind {
        static let connection: UInt32 = 0
    }

    /// Least free space for a read: less would cost calls.
    private static let readBytesMin = 4 << 10
    /// Most bytes read or written for one event, so that a fast upstream does not starve others.
    private static let bytesPerEventMax = 256 << 10
    /// Most bytes of one write.
    ///
    /// Without TLS they are taken straight from the body.
    private static let plainSliceBytes = 64 << 10
    /// A body part from which a write of its own is cheaper than copying it to its neighbours.
    private static let directBytesMin = 16 << 10

    private let pool: UpstreamPool
    private let loop: EventLoop
    private let buffers: BufferPool
    /// The descriptor of a connection without TLS.
    ///
    /// libcurl knows nothing of it any more.
    private var socket: OwnedFD?
    /// The transfer that a TLS connection lives in.
    private let attempt: ConnectAttempt?
    private let descriptor: Int32

    private(set) var phase = Phase.idle
    private var call: UpstreamCall?
    private var token: EventToken?
    private var interest: Interest
    private var deadline = MovingDeadline()

    private var decoder = ResponseDecoder()
    private var requestState = RequestState.sent
    private var cursor = RequestCursor()
    private var wire: ByteBuffer?
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

    /// Takes over a connected descriptor, and its registration if it has one.
    init(
        plain socket: consuming OwnedFD,
        registration: EventToken?,
        pool: UpstreamPool,
        loop: EventLoop,
        buffers: BufferPool
    ) {
        descriptor = socket.raw
        self.socket = consume socket
        attempt = nil
        token = registration
        interest = []
        self.pool = pool
        self.loop = loop
        self.buffers = buffers
    }

    /// Takes over a connected transfer, which stays in its multi.
    init(
        library attempt: ConnectAttempt,
        descriptor: Int32,
        registration: EventToken?,
        pool: UpstreamPool,
        loop: EventLoop,
        buffers: BufferPool
    ) {
        self.descriptor = descriptor
        self.attempt = attempt
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
        requestState = .sending
        cursor = RequestCursor()
        isReused = reused
        hasByte = false
        hasDelivered = false
        wasStopped = false
        startedTurn = loop.turns
        partDue = loop.now.addingClamped(call.request.timeouts.idle)
        send()
        if call.isPaused { partDue = .max }
        armDeadline()
        if requestState == .broken { receiveSoon() }
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
        if requestState == .sent, !call.hasHead {
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
        dropWire()
        // While a sink looks at the bytes they must stay where they are.
        if !isReceiving { dropInbox() }
        if let attempt { pool.abandonConnected(attempt) }
        socket = nil
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
            if requestState == .sending, readiness.canWrite || attempt != nil { send() }
            if readiness.canRead || requestState == .broken {
                receive(peerGone: readiness.isPeerGone)
            }
        case .closed:
            break
        }
    }

    override func turnEnded() {
        guard mustReceive, phase == .exchanging, let call else { return }
        mustReceive = false
        if !call.isPaused, !watch(requestState == .sending ? [.read, .write] : .read) {
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
        if attempt != nil, probe() == .wouldBlock { return }
        pool.idleEnded(self)
        close()
    }

    /// The event was collected before the request was sent, so it cannot be about its answer.
    private func eventBeforeRequest() {
        if attempt != nil, probe() == .wouldBlock { return }
        lost(.spoiled, "bytes or an end before the request")
    }

    /// Reads one byte if there is one.
    ///
    /// Also makes libcurl attach the connection to its transfer.
    func probe() -> ReadOutcome {
        let scratch = ByteBuffer(capacity: 1)
        return attempt?.easy.receive(into: scratch, minimum: 1) ?? Syscalls.peek(descriptor)
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
                token = try loop.register(descriptor, wanted, self)
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
        if requestState == .sending {
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
        if requestState == .sent, !call.hasHead { return }
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
        } else if requestState == .sent, !call.hasHead {
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
        guard let call, requestState == .sending else { return }
        var budget = Self.bytesPerEventMax
        while budget > 0 {
            let outcome: WriteOutcome
            let offered: Int
            if let wire, !wire.isEmpty {
                offered = wire.count
                outcome = attempt?.easy.send(from: wire) ?? Syscalls.send(descriptor, from: wire)
            } else if let (buffer, range) = cursor.next(of: call.request) {
                guard attempt == nil, range.count >= Self.directBytesMin else {
                    let wire = self.wire ?? buffers.take()
                    self.wire = wire
                    cursor.copy(of: call.request, into: wire, limit: BufferPool.bufferBytes)
                    continue
                }
                offered = min(range.count, Self.plainSliceBytes)
                let slice = range.lowerBound..<(range.lowerBound + offered)
                outcome = buffer.withBytes(in: slice) { Syscalls.send(descriptor, $0) }
                if case .bytes(let count) = outcome { cursor.advance(count) }
            } else {
                requestSent(call)
                return
            }
            switch outcome {
            case .bytes(let count):
                budget -= count
                partProgress()
                // Taken in part: the socket is full, and asking again would only say so.
                if count < offered, attempt == nil {
                    wantWrite(true)
                    return
                }
            case .wouldBlock:
                wantWrite(true)
                return
            case .failed:
                requestState = .broken
                dropWire()
                return
            }
        }
        wantWrite(true)
    }

    private func requestSent(_ call: UpstreamCall) {
        requestState = .sent
        dropWire()
        call.noteSent()
        if interest.contains(.write) { wantWrite(false) }
        if !call.isPaused {
            partDue = loop.now.addingClamped(call.request.timeouts.headers)
            armDeadline()
        }
    }

    private func dropWire() {
        if let wire { buffers.give(wire) }
        wire = nil
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
            let outcome =
                attempt?.easy.receive(into: inbox, minimum: Self.readBytesMin)
                ?? Syscalls.receive(descriptor, into: inbox, minimum: Self.readBytesMin)
            switch outcome {
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
                if attempt == nil, !mayHaveLeft, !peerGone, requestState != .broken { return }
            case .wouldBlock:
                if requestState == .broken { lost(.broken, nil) }
                return
            case .endOfStream:
                lost(.ended(decoder.endOfInput()), nil)
                return
            case .failed(let errno):
                lost(.broken, attempt?.failureText ?? errno.text)
                return
            }
        }
        // For TLS no event would tell of what OpenSSL holds already.
        if attempt != nil { receiveSoon() }
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
            if requestState == .sending {
                // An early answer: the rest of the request is of no interest to anybody.
                requestState = .abandoned
                dropWire()
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
        var isReusable = decoder.isReusable && requestState == .sent && isClean
        if isReusable, mayHaveLeft, attempt != nil { isReusable = probe() == .wouldBlock }
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
            // With TLS 1.3 a server refuses our certificate after the handshake, by an alert.
            let isAlert =
                attempt != nil && !isReused && !hasByte && detail?.contains("alert") == true
            call.fail(isAlert ? .tlsFailed : kind, pool.text(kind, detail))
        }
    }
}
