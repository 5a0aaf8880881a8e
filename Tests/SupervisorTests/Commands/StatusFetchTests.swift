// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Support
import System
import Testing

@testable import Supervisor

@Suite struct StatusFetchTests {
    /// Hands what connects to a closure.
    private final class Acceptor: EventHandler {
        let socket: ListenerSocket
        private let take: (consuming OwnedFD) -> Void

        init(_ loop: EventLoop, take: @escaping (consuming OwnedFD) -> Void) throws {
            guard let address = SocketAddress("127.0.0.1:0") else {
                throw TestFailure("no address")
            }
            socket = try ListenerSocket.open(address)
            self.take = take
            super.init()
            _ = try loop.register(socket.raw, .read, self)
        }

        override func ready(_ readiness: Readiness, token: EventToken) {
            do {
                take(try Syscalls.accept(socket.raw))
            } catch {
                Issue.record("accept: \(error)")
            }
        }
    }

    /// Reads a request, answers with fixed bytes, and closes.
    private final class FixedAnswer: EventHandler {
        private var fd: OwnedFD?
        private let answer: [UInt8]
        private let loop: EventLoop

        init(_ fd: consuming OwnedFD, _ answer: String, _ loop: EventLoop) {
            self.fd = consume fd
            self.answer = Array(answer.utf8)
            self.loop = loop
        }

        func start() throws {
            guard let raw = fd?.raw else { return }
            _ = try loop.register(raw, .read, self)
        }

        override func ready(_ readiness: Readiness, token: EventToken) {
            guard let raw = fd?.raw else { return }
            // The request first: a close with unread bytes would destroy the answer.
            _ = Syscalls.receive(raw, into: ByteBuffer(), minimum: 4096)
            _ = Syscalls.send(raw, from: ByteBuffer(answer))
            loop.deregister(token)
            fd = nil
        }
    }

    /// What a fetch from a server with a fixed answer ends with.
    private func fetch(answer: String) throws -> Result<[UInt8], StatusFetch.Failure> {
        let loop = try EventLoop()
        let acceptor = try Acceptor(loop) { fd in
            do {
                try FixedAnswer(fd, answer, loop).start()
            } catch {
                Issue.record("register: \(error)")
            }
        }
        return try fetch(acceptor.socket.address, loop)
    }

    /// What a fetch from `address` ends with.
    private func fetch(
        _ address: SocketAddress,
        _ loop: EventLoop,
        target: String = "/status?full",
        patience: UInt64 = StatusFetch.patienceDefault
    ) throws -> Result<[UInt8], StatusFetch.Failure> {
        var results: [Result<[UInt8], StatusFetch.Failure>] = []
        let fetch = StatusFetch(address, loop: loop, patience: patience) { results.append($0) }
        fetch.start(target: target)
        let deadline = Deadline.soon
        while results.isEmpty {
            if deadline.hasPassed { throw TestFailure("the fetch does not end") }
            try loop.turn(waitMax: 5)
        }
        #expect(results.count == 1)
        return results[0]
    }

    @Test("A document from a status server")
    func document() throws {
        let harness = try StatusHarness()
        harness.source.fill(workers: 400)
        let acceptor = try Acceptor(harness.loop) { harness.server.accepted($0, listener: 0) }
        let body = try fetch(acceptor.socket.address, harness.loop).get()
        let document = try JSONValue(bytes: body)
        #expect(document["processes"]?.array?.count == 400)
        #expect(harness.loop.registrations <= 2)
    }

    @Test("A server that has another page there")
    func refused() throws {
        let harness = try StatusHarness()
        let acceptor = try Acceptor(harness.loop) { harness.server.accepted($0, listener: 0) }
        let result = try fetch(acceptor.socket.address, harness.loop, target: "/nothing")
        #expect(result == .failure(.refused(status: 404)))
    }

    @Test(
        "Servers that are none",
        arguments: [
            ("SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
            ("", "closed the connection without a whole answer"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "closed the connection"),
            ("HTTP/1.1 200 OK\r\nContent-", "closed the connection"),
            ("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", "answered with status 503"),
        ]
    )
    func others(answer: String, expected: String) throws {
        guard case .failure(let failure) = try fetch(answer: answer) else {
            throw TestFailure("a document")
        }
        #expect(failure.text(.unix(path: "/x")).contains(" \(expected)"), "\(failure)")
    }

    @Test("A server that says nothing")
    func silent() throws {
        let loop = try EventLoop()
        var kept: [Int32] = []
        let acceptor = try Acceptor(loop) { kept.append($0.release()) }
        let result = try fetch(acceptor.socket.address, loop, patience: 30_000_000)
        #expect(result == .failure(.timedOut))
        for fd in kept { OwnedFD(owning: fd).close() }
    }

    @Test("An answer without a length ends with the connection")
    func untilClose() throws {
        let body = try fetch(answer: "HTTP/1.0 200 OK\r\n\r\n{}").get()
        #expect(body == Array("{}".utf8))
    }

    @Test("Nobody listens")
    func nobody() throws {
        let loop = try EventLoop()
        // Taken, so that nobody else listens there, and not listening itself.
        let socket = try Syscalls.streamSocket(for: .ipv4(octets: [127, 0, 0, 1], port: 0))
        try Syscalls.bind(socket.raw, .ipv4(octets: [127, 0, 0, 1], port: 0))
        let address = try Syscalls.localAddress(socket.raw)
        #expect(try fetch(address, loop) == .failure(.unreachable(.connectionRefused)))
        let path = SocketAddress.unix(path: "/nonexistent/apus.sock")
        let result = try fetch(path, loop)
        #expect(result == .failure(.unreachable(.noEntry)))
        #expect(
            StatusFetch.Failure.unreachable(.noEntry).text(path)
                == "nobody answers at unix:/nonexistent/apus.sock (No such file or directory); "
                + "start Apus with \"apus serve\", or name its status address with --status ADDR"
        )
    }
}
