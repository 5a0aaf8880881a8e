// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop
import System

/// Gets one document from a status address.
final class StatusFetch: EventHandler {
    /// Why there is no document.
    enum Failure: Error, Equatable {
        /// Nobody listens, or the way there is barred.
        case unreachable(Errno)
        case timedOut
        /// The connection ended before the answer did.
        case cut
        /// What came is no HTTP.
        case malformed(HTTPParseError)
        case refused(status: Int)
        case tooLarge
    }

    /// For connection, request and answer together: the supervisor answers in milliseconds.
    static let patienceDefault: UInt64 = 5_000_000_000
    /// Bytes of a document.
    ///
    /// Limit: 256 workers and 64 upstreams take below 1 MiB.
    static let bytesMax = 16 << 20
    private static let timerKind: UInt32 = 1

    private let address: SocketAddress
    private let loop: EventLoop
    private let patience: UInt64
    private let done: (Result<[UInt8], Failure>) -> Void
    private var fd: OwnedFD?
    private var token = EventToken.none
    private var timer: TimerID?
    private var isConnected = false
    private let output = ByteBuffer()
    private let input = ByteBuffer()
    private var body: [UInt8] = []
    private var decoder = ResponseDecoder()
    private var status = 0

    /// `done` is called once, from the loop or from `start`.
    init(
        _ address: SocketAddress,
        loop: EventLoop,
        patience: UInt64 = patienceDefault,
        done: @escaping (Result<[UInt8], Failure>) -> Void
    ) {
        self.address = address
        self.loop = loop
        self.patience = patience
        self.done = done
    }

    func start(target: String) {
        decoder.begin(requestMethod: .get)
        guard let writer = RequestHeadWriter.begin(output, method: .get, target: target) else {
            preconditionFailure("a target that cannot be sent: \(target)")
        }
        writer.field("host", address.port == nil ? "localhost" : "\(address)")
        writer.connectionClose()
        writer.end()
        timer = loop.schedule(at: loop.now + patience, self, kind: Self.timerKind)
        connect()
    }

    private func connect() {
        do throws(Errno) {
            let socket = try Syscalls.streamSocket(for: address)
            let raw = socket.raw
            fd = consume socket
            do throws(Errno) {
                try Syscalls.connect(raw, address)
            } catch {
                guard error == .inProgress else { throw error }
            }
            do throws(SystemError) {
                token = try loop.register(raw, .write, self)
            } catch {
                throw error.errno
            }
        } catch {
            finish(.failure(.unreachable(error)))
        }
    }

    // MARK: Events

    override func ready(_ readiness: Readiness, token: EventToken) {
        guard let raw = fd?.raw else { return }
        if !isConnected {
            if let error = Syscalls.socketError(raw) {
                finish(.failure(.unreachable(error)))
                return
            }
            isConnected = true
        }
        if output.isEmpty { receive(raw) } else { send(raw) }
    }

    override func timerFired(kind: UInt32, id: TimerID) {
        timer = nil
        finish(.failure(.timedOut))
    }

    private func send(_ raw: Int32) {
        if case .failed = Syscalls.send(raw, from: output) {
            finish(.failure(.cut))
            return
        }
        if output.isEmpty { loop.modify(token, .read) }
    }

    private func receive(_ raw: Int32) {
        switch Syscalls.receive(raw, into: input, minimum: 16 << 10) {
        case .bytes: decode()
        case .wouldBlock: break
        case .endOfStream:
            // An answer without a length ends with the connection.
            finish(decoder.endOfInput() == .complete ? result : .failure(.cut))
        case .failed: finish(.failure(.cut))
        }
    }

    private func decode() {
        do throws(HTTPParseError) {
            while true {
                let event = try input.withBytes { (bytes: Span<UInt8>) throws(HTTPParseError) in
                    let event = try decoder.next(bytes)
                    if case .data(let range, _) = event {
                        for index in range { body.append(bytes[index]) }
                    }
                    return event
                }
                switch event {
                case .needMore(let consumed):
                    input.consume(consumed)
                    return
                case .interim(_, let consumed):
                    input.consume(consumed)
                case .head(let consumed):
                    status = decoder.head.status
                    input.consume(consumed)
                case .data(_, let consumed):
                    input.consume(consumed)
                    if body.count > Self.bytesMax {
                        finish(.failure(.tooLarge))
                        return
                    }
                case .end:
                    finish(result)
                    return
                }
            }
        } catch {
            finish(.failure(.malformed(error)))
        }
    }

    private var result: Result<[UInt8], Failure> {
        status == 200 ? .success(body) : .failure(.refused(status: status))
    }

    // MARK: The end

    /// Ends the fetch without an answer.
    func cancel() {
        if let timer { loop.cancel(timer) }
        timer = nil
        loop.deregister(token)
        token = .none
        fd = nil
    }

    private func finish(_ result: Result<[UInt8], Failure>) {
        cancel()
        done(result)
    }
}

extension StatusFetch.Failure {
    /// What happened at `address`, and what helps.
    func text(_ address: SocketAddress) -> String {
        let other = "; is this the status address? The log line \"status listening\" tells it"
        return switch self {
        case .unreachable(let errno):
            "nobody answers at \(address) (\(errno.text)); "
                + "start Apus with \"apus serve\", or name its status address with --status ADDR"
        case .timedOut:
            "\(address) did not answer within \(StatusFetch.patienceDefault / 1_000_000_000) seconds"
        case .cut:
            "\(address) closed the connection without a whole answer" + other
        case .malformed:
            "\(address) does not speak HTTP" + other
        case .refused(let status):
            "\(address) answered with status \(status)" + other
        case .tooLarge:
            "\(address) sent more than \(StatusFetch.bytesMax >> 20) MiB" + other
        }
    }
}
