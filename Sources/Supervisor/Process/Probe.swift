// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import System

/// One request to a worker, over a connection that was handed to it like a client's.
final class Probe: EventHandler {
    enum Result: Equatable {
        case passed
        /// What came instead, for the operator.
        case failed(String)
    }

    private static let request: StaticString =
        "GET /health HTTP/1.1\r\nhost: apus\r\nuser-agent: apus-probe\r\nconnection: close\r\n\r\n"
    private static let expected = "HTTP/1.1 200 "
    /// A head that is longer than this is not the one of /health.
    private static let bytesMax = 16 << 10

    /// Closed with the result: a probe is remembered longer than it lasts.
    private var fd: OwnedFD?
    private let loop: EventLoop
    private let done: (Result) -> Void
    private var token = EventToken.none
    private let answer = ByteBuffer()

    /// `done` is called once, unless the probe is cancelled; the caller sets the deadline.
    init(_ fd: consuming OwnedFD, loop: EventLoop, done: @escaping (Result) -> Void) {
        self.fd = consume fd
        self.loop = loop
        self.done = done
    }

    func start() {
        let request = ByteBuffer(capacity: Self.request.utf8CodeUnitCount)
        request.append(Self.request)
        guard let raw = fd?.raw, case .bytes = Syscalls.send(raw, from: request) else {
            finish(.failed("the worker does not take the probe"))
            return
        }
        do throws(SystemError) {
            token = try loop.register(raw, .read, self)
        } catch {
            finish(.failed("\(error)"))
        }
    }

    override func ready(_ readiness: Readiness, token: EventToken) {
        guard let raw = fd?.raw else { return }
        switch Syscalls.receive(raw, into: answer, minimum: 4096, limit: Self.bytesMax) {
        case .bytes, .wouldBlock:
            break
        case .endOfStream, .failed:
            finish(.failed("the worker closed the probe without an answer"))
            return
        }
        guard answer.count >= Self.expected.utf8.count else { return }
        let line = answer.text.prefix { $0 != "\r\n" && $0 != "\r" }
        finish(
            line.hasPrefix(Self.expected)
                ? .passed : .failed("GET /health was answered with '\(line.prefix(80))'")
        )
    }

    func cancel() {
        loop.deregister(token)
        token = .none
        fd = nil
    }

    private func finish(_ result: Result) {
        cancel()
        done(result)
    }
}
