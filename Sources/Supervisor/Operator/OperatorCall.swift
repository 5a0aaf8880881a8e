// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// Asks a running supervisor for one operation and waits for its result.
final class OperatorCall: EventHandler {
    /// Why there is no result.
    enum Failure: Error, Equatable {
        /// Nobody listens, or the way there is barred.
        case unreachable(Errno)
        /// Connected, but nothing came for too long.
        case silent
        /// The connection ended before the result did.
        case cut
        /// What came is not of this protocol.
        case malformed
    }

    /// Between two lines: the supervisor says every second how far it is.
    static let patienceDefault: UInt64 = 15_000_000_000
    /// Lines of a result.
    ///
    /// Limit: a configuration that is all errors; more would only fill memory.
    private static let linesMax = 10_000
    private static let timerKind: UInt32 = 1

    private let loop: EventLoop
    private let patience: UInt64
    private let noted: (String) -> Void
    private let done: (Result<OperatorReply, Failure>) -> Void
    private var fd: OwnedFD?
    private var token = EventToken.none
    private var deadline = MovingDeadline()
    private let output = ByteBuffer()
    private let input = ByteBuffer()
    private var lines = OperatorLines(bytesMax: OperatorMessage.bytesMax)
    private var details: [String] = []
    private var supervisor: OwnedFD?

    /// Becomes readable when the supervisor has ended; nil when that cannot be seen from here.
    var supervisorDescriptor: Int32? { supervisor?.raw }

    /// `done` is called once, from the loop; `noted` for each note on the way.
    init(
        loop: EventLoop,
        patience: UInt64 = patienceDefault,
        noted: @escaping (String) -> Void,
        done: @escaping (Result<OperatorReply, Failure>) -> Void
    ) {
        self.loop = loop
        self.patience = patience
        self.noted = noted
        self.done = done
    }

    /// Connects and sends the request.
    ///
    /// - Throws: why nobody can be reached; `done` is not called then.
    func start(_ request: OperatorRequest, socketPath: String) throws(Errno) {
        let address = SocketAddress.unix(path: socketPath)
        let socket = try Syscalls.streamSocket(for: address)
        let raw = socket.raw
        try Syscalls.connect(raw, address)
        fd = consume socket
        supervisor = Self.process(behind: raw)
        output.append(request.line)
        output.append(0x0A)
        do throws(SystemError) {
            token = try loop.register(raw, [.read, .write], self)
        } catch {
            throw error.errno
        }
        setDeadline()
    }

    /// Nil when it cannot be seen from here.
    private static func process(behind fd: Int32) -> OwnedFD? {
        do throws(Errno) {
            let peer = try Syscalls.peerCredentials(fd)
            guard peer.processID > 0 else { return nil }
            return try Syscalls.pidfd(peer.processID)
        } catch {
            return nil
        }
    }

    private func setDeadline() {
        deadline.set(loop.now + patience, on: loop, self, kind: Self.timerKind)
    }

    // MARK: Events

    override func ready(_ readiness: Readiness, token: EventToken) {
        guard let raw = fd?.raw else { return }
        if !output.isEmpty {
            // A supervisor that refuses before it reads has said why: that is read first.
            if case .failed = Syscalls.send(raw, from: output) { output.clear() }
            if output.isEmpty { loop.modify(token, .read) }
        }
        receive(raw)
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        guard deadline.hasPassed(on: loop, self, kind: Self.timerKind) else { return }
        finish(.failure(.silent))
    }

    private func receive(_ raw: Int32) {
        input.clear()
        switch Syscalls.receive(raw, into: input, minimum: 16 << 10) {
        case .bytes:
            setDeadline()
            read()
        case .wouldBlock: break
        case .endOfStream, .failed: finish(.failure(.cut))
        }
    }

    private func read() {
        for byte in input.array {
            let line: String?
            do throws(OperatorLines.TooLong) {
                line = try lines.append(byte)
            } catch {
                finish(.failure(.malformed))
                return
            }
            guard let line else { continue }
            guard let message = OperatorMessage(line: line) else {
                finish(.failure(.malformed))
                return
            }
            if take(message) { return }
        }
    }

    /// True when nothing follows.
    private func take(_ message: OperatorMessage) -> Bool {
        switch message {
        case .note(let text): noted(text)
        case .line(let text): if details.count < Self.linesMax { details.append(text) }
        case .ok(let text):
            finish(.success(OperatorReply(ok: true, text: text, lines: details)))
            return true
        case .failed(let text):
            finish(.success(OperatorReply(ok: false, text: text, lines: details)))
            return true
        }
        return false
    }

    private func finish(_ result: Result<OperatorReply, Failure>) {
        guard fd != nil else { return }
        deadline.cancel(on: loop)
        loop.deregister(token)
        fd = nil
        done(result)
    }
}
