// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Support
import System
import Testing

@testable import Supervisor

@Suite final class ProbeTests {
    private let loop: EventLoop
    /// The worker's end.
    private let far: OwnedFD
    private let probe: Probe
    private let results = Results()

    private final class Results {
        var all: [Probe.Result] = []
    }

    init() throws {
        let loop = try EventLoop()
        self.loop = loop
        let results = results
        let pair = try Syscalls.pairs(seqpacket: false)
        far = try pair.second.duplicate()
        probe = Probe(pair.takeFirst(), loop: loop) { results.all.append($0) }
    }

    private func send(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(Syscalls.send(far.raw, bytes.span) == .bytes(bytes.count))
    }

    /// A probe is remembered longer than it lasts, but not its descriptor.
    private func expectClosed() {
        let bytes: [UInt8] = [1]
        #expect(Syscalls.send(far.raw, bytes.span) == .failed(.brokenPipe))
    }

    /// Turns until there is a result, then some more.
    private func result() throws -> Probe.Result? {
        let end = Syscalls.monotonicNanoseconds() + 5_000_000_000
        while results.all.isEmpty, Syscalls.monotonicNanoseconds() < end {
            try loop.turn(waitMax: 100)
        }
        try loop.turn(waitMax: 0)
        #expect(results.all.count <= 1, "told \(results.all.count) times")
        return results.all.first
    }

    private func turn() throws {
        for _ in 0..<3 { try loop.turn(waitMax: 1) }
    }

    @Test("The probe is a request for /health that wants no other")
    func request() throws {
        probe.start()
        #expect(isReadable(far.raw))
        let buffer = ByteBuffer()
        _ = Syscalls.receive(far.raw, into: buffer, minimum: 4096)
        #expect(buffer.text.hasPrefix("GET /health HTTP/1.1\r\n"))
        #expect(buffer.text.contains("\r\nhost: "))
        #expect(buffer.text.contains("\r\nconnection: close\r\n"))
        #expect(buffer.text.hasSuffix("\r\n\r\n"))
    }

    @Test("200 passes, in one piece or byte by byte")
    func passes() throws {
        probe.start()
        for byte in "HTTP/1.1 200" {
            send(String(byte))
            try turn()
            #expect(results.all.isEmpty)
        }
        send(" OK\r\n\r\n")
        #expect(try result() == .passed)
        // What comes later is not listened to: the socket is closed.
        expectClosed()
        try turn()
        #expect(results.all == [.passed])
    }

    @Test(
        "Anything else does not, and is quoted",
        arguments: [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 503 Service Unavailable"),
            ("HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 2000 OK"),
            ("HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.0 200 OK"),
            ("SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
            ("\r\n\r\nHTTP/1.1 200 OK", ""),
            ("\0\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{B}\u{C}\u{E}\u{F}", nil),
            (String(repeating: "x", count: 500), String(repeating: "x", count: 80)),
        ] as [(String, String?)]
    )
    func fails(answer: String, quoted: String?) throws {
        probe.start()
        send(answer)
        let result = try result()
        guard case .failed(let reason)? = result else {
            Issue.record("\(String(describing: result))")
            return
        }
        #expect(reason.hasPrefix("GET /health was answered with '"))
        if let quoted { #expect(reason == "GET /health was answered with '\(quoted)'") }
    }

    @Test(
        "A worker that closes the connection fails, also in the middle of its answer",
        arguments: ["", "HTTP/1.1", "HTTP/1.1 200"]
    )
    func closed(answer: String) throws {
        probe.start()
        if !answer.isEmpty { send(answer) }
        Syscalls.shutdown(far.raw, .write)
        #expect(try result() == .failed("the worker closed the probe without an answer"))
    }

    @Test("A worker that says nothing has no result: the fleet's deadline ends the wait")
    func silent() throws {
        probe.start()
        try turn()
        #expect(results.all.isEmpty)
        probe.cancel()
        expectClosed()
        try turn()
        #expect(results.all.isEmpty)
    }

    @Test("A connection that takes no request fails at once")
    func unsendable() throws {
        Syscalls.forceErrno(.send, .noBufferSpace, count: 1)
        probe.start()
        #expect(results.all == [.failed("the worker does not take the probe")])
    }

    @Test("A connection that cannot be watched fails at once")
    func unwatchable() throws {
        Syscalls.forceErrno(.epollControl, .noMemory, count: 1)
        probe.start()
        #expect(results.all.count == 1)
        #expect(results.all != [.passed])
    }
}
