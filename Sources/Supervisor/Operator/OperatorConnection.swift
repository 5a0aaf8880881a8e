// SPDX-License-Identifier: Apache-2.0
import Bytes
import Log
import Loop
import System

/// One operator: a line with what to do, then how it goes and how it ended.
final class OperatorConnection: EventHandler {
    enum State: Equatable {
        /// The request is not whole yet. Exits: `working`, `answering`, `closed`.
        case reading
        /// The operation runs. Exits: `answering`, `closed`.
        case working(OperatorRequest)
        /// The result is being written. Exits: `closed`.
        case answering
        case closed
    }

    /// How long each thing may take, in nanoseconds; operations have limits of their own.
    struct Patience {
        /// From the connection to the end of the request.
        var request: UInt64 = 5_000_000_000
        /// From the result to its last byte.
        var answer: UInt64 = 10_000_000_000
        /// Between two notes on how far the operation is.
        var note: UInt64 = 1_000_000_000
    }

    /// Notes are left out when so many bytes wait for a slow reader.
    private static let outputBytesMax = 64 << 10
    private static let timerKind: UInt32 = 1
    /// EPOLLHUP alone, which needs no asking: an operator that ended its side only still waits.
    private static let untilGone = Interest()

    private(set) var state = State.reading
    private let fd: OwnedFD
    private let peer: PeerCredentials
    private let server: OperatorServer
    private var token = EventToken.none
    private var deadline = MovingDeadline()
    private var lines = OperatorLines(bytesMax: OperatorRequest.bytesMax)
    private let input = ByteBuffer()
    private let output = ByteBuffer()

    init(_ fd: consuming OwnedFD, peer: PeerCredentials, server: OperatorServer) {
        self.fd = fd
        self.peer = peer
        self.server = server
        super.init()
    }

    func start() {
        do throws(SystemError) {
            token = try server.loop.register(fd.raw, .read, self)
            setDeadline(server.patience.request)
        } catch {
            // Without events it could not be served; the operator sees it closed.
            close()
        }
    }

    /// Goes on with an operation that another program of this process has begun.
    func resume(_ request: OperatorRequest) {
        do throws(SystemError) {
            token = try server.loop.register(fd.raw, Self.untilGone, self)
            state = .working(request)
            setDeadline(server.patience.note)
        } catch {
            close()
        }
    }

    private func setDeadline(_ nanoseconds: UInt64) {
        let loop = server.loop
        deadline.set(loop.now + nanoseconds, on: loop, self, kind: Self.timerKind)
    }

    // MARK: Events

    override func ready(_ readiness: Readiness, token: EventToken) {
        switch state {
        case .reading:
            receive()
        case .working:
            // An operator that leaves takes nothing back: the operation goes on.
            if readiness.isPeerGone { close() } else { flush() }
        case .answering:
            flush()
        case .closed:
            break
        }
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        guard deadline.hasPassed(on: server.loop, self, kind: Self.timerKind) else { return }
        switch state {
        case .reading:
            answer(.failed("the request did not arrive in time"))
        case .working(let request):
            note(request)
            setDeadline(server.patience.note)
        case .answering:
            close()
        case .closed:
            break
        }
    }

    // MARK: The request

    private func receive() {
        input.clear()
        let limit = OperatorRequest.bytesMax
        switch Syscalls.receive(fd.raw, into: input, minimum: limit, limit: limit) {
        case .bytes: read()
        case .wouldBlock: break
        case .endOfStream, .failed: close()
        }
    }

    private func read() {
        do throws(OperatorLines.TooLong) {
            for byte in input.array {
                guard let line = try lines.append(byte) else { continue }
                // What comes behind the request belongs to nothing.
                begin(line)
                return
            }
        } catch {
            refuse(.malformed)
        }
    }

    private func begin(_ line: String) {
        let request: OperatorRequest
        do throws(OperatorRequest.Fault) {
            request = try OperatorRequest(line: line)
        } catch {
            refuse(error)
            return
        }
        server.log.info("operator") { record in
            record.field("request", request.line)
            record.field("uid", Int(peer.userID))
            record.field("operator_pid", Int(peer.processID))
        }
        state = .working(request)
        server.loop.modify(token, Self.untilGone)
        setDeadline(server.patience.note)
        let done: OperatorHooks.Done = { [weak self] reply in self?.answer(reply) }
        switch request {
        case .reload: server.hooks.reload(done)
        case .scale(let count): server.hooks.scale(count, done)
        case .stop(let now): server.hooks.stop(now, done)
        case .upgrade: upgrade(done)
        }
    }

    private func upgrade(_ done: @escaping OperatorHooks.Done) {
        do throws(Errno) {
            server.hooks.upgrade(try fd.duplicate(), done)
        } catch {
            done(.failed("upgrade failed: no descriptor for the result: \(error.text)"))
        }
    }

    private func refuse(_ fault: OperatorRequest.Fault) {
        server.log.warning("operator refused: no request") { record in
            record.field("reason", fault.text)
            record.field("operator_pid", Int(peer.processID))
        }
        answer(.failed(fault.text))
    }

    // MARK: Answers

    private func note(_ request: OperatorRequest) {
        guard output.count < Self.outputBytesMax else { return }
        append(.note(server.hooks.progress(request)))
        flush()
    }

    /// Sends the result and closes; nothing when the operator has left or was answered.
    func answer(_ reply: OperatorReply) {
        switch state {
        case .reading, .working: break
        case .answering, .closed: return
        }
        state = .answering
        for message in reply.messages { append(message) }
        setDeadline(server.patience.answer)
        flush()
    }

    private func append(_ message: OperatorMessage) {
        output.append(message.line)
        output.append(0x0A)
    }

    private func flush() {
        if !output.isEmpty, case .failed = Syscalls.send(fd.raw, from: output) {
            close()
            return
        }
        switch state {
        case .answering where output.isEmpty: close()
        case .answering: server.loop.modify(token, .write)
        case .working: server.loop.modify(token, output.isEmpty ? Self.untilGone : .write)
        case .reading, .closed: break
        }
    }

    func close() {
        guard state != .closed else { return }
        state = .closed
        deadline.cancel(on: server.loop)
        server.loop.deregister(token)
        Syscalls.shutdown(fd.raw, .both)
        server.closed(self)
    }
}
