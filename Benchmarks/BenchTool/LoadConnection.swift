// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// One client: asks, checks the answer, asks again.
final class LoadConnection: EventHandler {
    private enum State: Equatable {
        /// No socket. Exits: `connecting`.
        case closed
        /// Exits: `asking`, `closed`.
        case connecting
        /// A request is out. Exits: `idle`, `leaving`, `closed`.
        case asking
        /// Between two requests. Exits: `asking`, `closed`.
        case idle
        /// Answered, waits for the server to close as it said. Exits: `closed`.
        case leaving
    }

    /// Bytes of an answer that may be kept to be checked.
    private static let bodyBytesMax = 16 << 20

    private unowned let generator: LoadGenerator
    private var state = State.closed
    private var fd: OwnedFD?
    private var token = EventToken.none
    private var isWaitingToWrite = false
    private var reader = MessageReader()
    private var counter = EventCounter()
    private let input = ByteBuffer(capacity: 16_384)
    private let body = ByteBuffer(capacity: 4_096)
    private var sent = 0
    private var bodyBytes = 0
    private var askedAt: UInt64 = 0
    private var firstByteAt: UInt64 = 0

    init(_ generator: LoadGenerator) {
        self.generator = generator
    }

    /// Whether an answer, or the end of the connection, is still to come.
    var isBusy: Bool { state != .closed && state != .idle }

    /// Opens the connection; the first request follows.
    func begin() {
        guard generator.mayAsk() else { return }
        askedAt = Syscalls.monotonicNanoseconds()
        let address = generator.settings.target.address
        do {
            let socket = try Syscalls.streamSocket(for: address)
            Syscalls.setNoDelay(socket.raw)
            let descriptor = socket.raw
            fd = consume socket
            state = .connecting
            token = try generator.loop.register(descriptor, [.read, .write], self)
            isWaitingToWrite = true
            try Syscalls.connect(descriptor, address)
        } catch let error as Errno where error == .inProgress {
            return
        } catch {
            fail(\.connect, "connect: \(error)")
        }
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        guard let descriptor = fd?.raw else { return }
        if state == .connecting {
            if let error = Syscalls.socketError(descriptor) {
                return fail(\.connect, "connect: \(error)")
            }
            guard readiness.canWrite else { return }
            return ask()
        }
        if isWaitingToWrite, readiness.canWrite { write() }
        if readiness.canRead { read() }
    }

    private func ask() {
        state = .asking
        sent = 0
        bodyBytes = 0
        firstByteAt = 0
        body.clear()
        counter = EventCounter()
        write()
    }

    private func write() {
        guard let descriptor = fd?.raw else { return }
        let request = generator.settings.request
        while sent < request.count {
            switch Syscalls.send(descriptor, request.span.extracting(sent..<request.count)) {
            case .bytes(let count): sent += count
            case .wouldBlock:
                wantToWrite(true)
                return
            case .failed(let error): return fail(\.cut, "send: \(error)")
            }
        }
        wantToWrite(false)
    }

    private func wantToWrite(_ wanted: Bool) {
        guard wanted != isWaitingToWrite else { return }
        isWaitingToWrite = wanted
        generator.loop.modify(token, wanted ? [.read, .write] : .read)
    }

    private func read() {
        guard let descriptor = fd?.raw else { return }
        switch Syscalls.receive(descriptor, into: input, minimum: 8_192) {
        case .bytes: break
        case .wouldBlock: return
        case .endOfStream:
            if state == .leaving { return next() }
            return state == .asking ? fail(\.cut, "closed before the answer ended") : close()
        case .failed(let error):
            return state == .asking ? fail(\.cut, "receive: \(error)") : close()
        }
        guard state == .asking else { return fail(\.content, "bytes behind an answer") }
        if firstByteAt == 0 { firstByteAt = Syscalls.monotonicNanoseconds() }
        switch reader.read(input, body: { take($0) }) {
        case .needMore: return
        case .malformed: fail(\.malformed, "an answer that is not HTTP/1.1 with a length")
        case .complete: complete()
        }
    }

    private func take(_ bytes: Span<UInt8>) {
        bodyBytes += bytes.count
        if generator.settings.streams {
            counter.read(bytes)
        } else if body.count < Self.bodyBytesMax {
            body.append(bytes)
        }
    }

    private func complete() {
        let now = Syscalls.monotonicNanoseconds()
        guard reader.status == 200 else {
            return fail(\.status, "status \(reader.status): \(body.text.prefix(200))")
        }
        if let problem = problemOfBody() { return fail(\.content, problem) }
        generator.answered(
            LoadAnswer(
                microseconds: Int((now - askedAt) / 1_000),
                firstByteMicroseconds: Int((firstByteAt - askedAt) / 1_000),
                events: counter.events,
                bytes: bodyBytes
            )
        )
        if generator.settings.newConnections {
            // The server closes first, so that its side keeps the port in TIME_WAIT, as it does
            // with real clients that were told `Connection: close`.
            state = .leaving
            return
        }
        if reader.closes { return next() }
        state = .idle
        askAgain()
    }

    private func askAgain() {
        guard generator.mayAsk() else { return generator.becameQuiet() }
        askedAt = Syscalls.monotonicNanoseconds()
        ask()
    }

    private func problemOfBody() -> String? {
        let settings = generator.settings
        if settings.streams {
            if !counter.isComplete { return "a stream without [DONE] at its end" }
            if let expected = settings.expectedEvents, counter.events != expected {
                return "\(counter.events) events instead of \(expected)"
            }
            return nil
        }
        if let expected = settings.expectedBytes, bodyBytes != expected {
            return "\(bodyBytes) bytes instead of \(expected)"
        }
        let isThere = body.withBytes { Self.contains($0, settings.expectedText) }
        return isThere ? nil : "the expected text is not in the answer"
    }

    /// Searches from the end, where the mock puts its marker.
    private static func contains(_ bytes: Span<UInt8>, _ text: [UInt8]) -> Bool {
        guard let first = text.first else { return true }
        var start = bytes.count - text.count
        while start >= 0 {
            if bytes[start] == first,
                text.indices.allSatisfy({ bytes[start + $0] == text[$0] })
            {
                return true
            }
            start -= 1
        }
        return false
    }

    // MARK: Ends

    private func fail(_ kind: WritableKeyPath<LoadErrors, Int>, _ detail: String) {
        generator.failed(kind, detail)
        next()
    }

    /// Starts over with a new connection, at the end of the turn.
    private func next() {
        close()
        generator.loop.atEndOfTurn(self)
    }

    override func turnEnded() {
        begin()
        if state == .closed { generator.becameQuiet() }
    }

    private func close() {
        generator.loop.deregister(token)
        token = .none
        fd = nil
        input.clear()
        reader = MessageReader()
        isWaitingToWrite = false
        state = .closed
    }
}
