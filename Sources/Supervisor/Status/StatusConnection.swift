// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop
import System

/// One connection to the status address: reads heads, writes documents.
///
/// A shell: the codec decides what bytes mean, `StatusPages` what requests mean. The next request
/// is read when the answer before it is out, so a connection holds one head and one answer at most.
final class StatusConnection: EventHandler {
    enum State: Equatable {
        /// Between requests. Exits: `reading`, `answering`, `closed`.
        case idle
        /// A part of a head was read. Exits: `answering`, `closed`.
        case reading
        /// An answer is being written. Exits: `idle`, `lingering`, `closed`.
        case answering
        /// Answered for the last time; what still comes is thrown away, since closing with unread
        /// bytes would destroy the answer on its way. Exits: `closed`.
        case lingering
        case closed
    }

    /// How long each thing may take, in nanoseconds.
    struct Patience {
        /// From the first byte of a head to its last.
        var head: UInt64 = 10_000_000_000
        /// From the first byte of an answer to its last, so that not even one byte per second helps
        /// a slow reader.
        var answer: UInt64 = 10_000_000_000
        /// Between requests: longer than a minute, the longest usual interval of scrapers.
        var idle: UInt64 = 75_000_000_000
        var linger: UInt64 = 2_000_000_000
    }

    /// Heads of scrapers have below 1 KiB; browsers send the cookies of every port of a host along.
    private static let limits = HTTPLimits(headBytes: 16 << 10)
    /// Requests answered in a row before others get their turn.
    private static let requestsPerTurn = 16
    /// Bytes thrown away before a connection is cut.
    private static let lingerBytesMax = 1 << 20
    /// Memory that an idle connection keeps for its next answer.
    private static let outputKeptMax = 64 << 10
    private static let deadlineKind: UInt32 = 1

    private(set) var state = State.idle
    /// Nanoseconds of the loop's clock.
    private(set) var idleSince: UInt64
    private let fd: OwnedFD
    private let server: StatusServer
    private let patience: Patience
    private var token = EventToken.none
    private var interest = Interest.read
    private var deadline = MovingDeadline()
    private var parser = RequestHeadParser(limits: StatusConnection.limits)
    private var head = RequestHead()
    private let input = ByteBuffer()
    private var output = ByteBuffer()
    private var isLast = false
    private var lingerBytes = 0
    private var isTurnAwaited = false

    init(
        _ fd: consuming OwnedFD,
        server: StatusServer,
        patience: Patience
    ) {
        self.fd = fd
        self.server = server
        self.patience = patience
        idleSince = server.loop.now
        super.init()
    }

    private var loop: EventLoop { server.loop }

    /// Whether nobody waits for anything.
    var isIdle: Bool { state == .idle || state == .lingering }

    func start() {
        do throws(SystemError) {
            token = try loop.register(fd.raw, .read, self)
            setDeadline(patience.idle)
        } catch {
            // Without events it could not be served; the client sees it closed and tries again.
            close()
        }
    }

    // MARK: Events

    override func ready(_ readiness: Readiness, token: EventToken) {
        switch state {
        case .idle, .reading:
            receive()
        case .answering:
            if flush() { process() }
        case .lingering:
            discard()
        case .closed:
            break
        }
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        guard deadline.hasPassed(on: loop, self, kind: Self.deadlineKind) else { return }
        switch state {
        case .reading: refuse(408, "The request did not arrive in time.")
        case .idle, .answering, .lingering: close()
        case .closed: break
        }
    }

    override func turnEnded() {
        isTurnAwaited = false
        if state == .idle { process() }
    }

    private func setDeadline(_ nanoseconds: UInt64) {
        deadline.set(loop.now + nanoseconds, on: loop, self, kind: Self.deadlineKind)
    }

    private func setInterest(_ wanted: Interest) {
        guard wanted != interest else { return }
        interest = wanted
        loop.modify(token, wanted)
    }

    // MARK: Requests

    private func receive() {
        let room = Self.limits.headBytes
        switch Syscalls.receive(fd.raw, into: input, minimum: 4096, limit: room) {
        case .bytes: process()
        case .wouldBlock: break
        case .endOfStream, .failed: close()
        }
    }

    /// Answers what was read, as long as answers go out.
    private func process() {
        var budget = Self.requestsPerTurn
        while state == .idle || state == .reading, !input.isEmpty {
            guard budget > 0 else {
                awaitTurn()
                return
            }
            budget -= 1
            guard answerNext() else { return }
        }
    }

    private func awaitTurn() {
        guard !isTurnAwaited else { return }
        isTurnAwaited = true
        loop.atEndOfTurn(self)
    }

    /// False when the next head is not there yet.
    private func answerNext() -> Bool {
        do throws(HTTPParseError) {
            let count = try input.withBytes { (bytes: Span<UInt8>) throws(HTTPParseError) in
                try parser.parse(bytes, into: &head)
            }
            guard let count else {
                if state == .idle, parser.hasStarted {
                    state = .reading
                    setDeadline(patience.head)
                }
                return false
            }
            let route = input.withBytes { StatusRoute(head, in: $0) }
            input.consume(count)
            parser.reset()
            // A body is not read: the connection ends behind the answer.
            let hasBody = head.framing != .none && head.framing != .length(0)
            answer(
                server.pages.answer(route, now: loop.now),
                keepsAlive: head.keepAlive && !hasBody
            )
        } catch {
            refuse(error.status, "\(error.message)")
        }
        return true
    }

    private func refuse(_ status: Int, _ message: String) {
        input.clear()
        head = RequestHead()
        let body = ByteBuffer(message + "\n")
        let answer = StatusPages.Answer(
            status: status,
            contentType: StatusPages.plainText,
            body: body
        )
        self.answer(answer, keepsAlive: false)
    }

    // MARK: Answers

    private func answer(_ answer: StatusPages.Answer, keepsAlive: Bool) {
        state = .answering
        isLast = !keepsAlive
        let writer = ResponseHeadWriter.begin(output, status: answer.status)
        writer.field("content-type", answer.contentType)
        writer.contentLength(answer.body.count)
        writer.field("cache-control", "no-store")
        for field in answer.fields { writer.field(field.name, field.value) }
        if isLast {
            writer.connectionClose()
        } else if head.version == .http10 {
            writer.field("connection", "keep-alive")
        }
        writer.end()
        if head.method != .head { output.append(answer.body) }
        setDeadline(patience.answer)
        _ = flush()
    }

    /// True when the answer is out and the next request may be looked at.
    private func flush() -> Bool {
        if case .failed = Syscalls.send(fd.raw, from: output) {
            close()
            return false
        }
        guard output.isEmpty else {
            // Without the peer's end: a client that ended its side still wants the answer.
            setInterest(.write)
            return false
        }
        if output.capacity > Self.outputKeptMax { output = ByteBuffer() }
        if isLast {
            linger()
            return false
        }
        state = .idle
        idleSince = loop.now
        setInterest(.read)
        setDeadline(patience.idle)
        return true
    }

    // MARK: The end

    private func linger() {
        state = .lingering
        idleSince = loop.now
        Syscalls.shutdown(fd.raw, .write)
        setInterest(.read)
        setDeadline(patience.linger)
    }

    private func discard() {
        input.clear()
        switch Syscalls.receive(fd.raw, into: input, minimum: 4096) {
        case .bytes(let count):
            lingerBytes += count
            if lingerBytes > Self.lingerBytesMax { close() }
        case .wouldBlock:
            break
        case .endOfStream, .failed:
            close()
        }
    }

    func close() {
        guard state != .closed else { return }
        state = .closed
        deadline.cancel(on: loop)
        loop.deregister(token)
        Syscalls.shutdown(fd.raw, .both)
        server.closed(self)
    }
}
