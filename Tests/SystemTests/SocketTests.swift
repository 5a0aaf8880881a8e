// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import System
import Testing

struct AddressCase: CustomTestStringConvertible, Sendable {
    let text: String
    let parsed: SocketAddress?
    var testDescription: String { text.isEmpty ? "empty" : text }
}

@Suite struct SocketAddressTests {
    static let loopback6 = [UInt8](repeating: 0, count: 15) + [1]
    static let cases = [
        AddressCase(text: "127.0.0.1:3001", parsed: .ipv4(octets: [127, 0, 0, 1], port: 3001)),
        AddressCase(text: "localhost:80", parsed: .ipv4(octets: [127, 0, 0, 1], port: 80)),
        AddressCase(text: "*:0", parsed: .ipv4(octets: [0, 0, 0, 0], port: 0)),
        AddressCase(text: "[::1]:65535", parsed: .ipv6(octets: loopback6, port: 65535)),
        AddressCase(text: "unix:/run/apus.sock", parsed: .unix(path: "/run/apus.sock")),
        AddressCase(text: "unix:@apus", parsed: .unix(path: "@apus")),
        AddressCase(text: "", parsed: nil),
        AddressCase(text: "127.0.0.1", parsed: nil),
        AddressCase(text: "127.0.0.1:", parsed: nil),
        AddressCase(text: "127.0.0.1:65536", parsed: nil),
        AddressCase(text: "127.0.0.1:+80", parsed: nil),
        AddressCase(text: "127.0.0.1:80 ", parsed: nil),
        AddressCase(text: "127.0.0:80", parsed: nil),
        AddressCase(text: "::1:80", parsed: nil),
        AddressCase(text: "[127.0.0.1]:80", parsed: nil),
        AddressCase(text: "example.com:80", parsed: nil),
        AddressCase(text: ":80", parsed: nil),
        AddressCase(text: "unix:", parsed: nil),
        AddressCase(text: "unix:/" + String(repeating: "x", count: 107), parsed: nil),
    ]

    @Test("Addresses of the configuration", arguments: cases)
    func parse(row: AddressCase) {
        #expect(SocketAddress(row.text) == row.parsed)
    }

    @Test(
        "An address prints as it is written in the configuration",
        arguments: ["127.0.0.1:3001", "[::1]:80", "unix:/run/a.sock", "unix:@name", "[fe80::1]:0"]
    )
    func print(text: String) {
        #expect(SocketAddress(text)?.description == text)
    }

    @Test("Loopback is what only this machine can reach")
    func loopback() {
        #expect(SocketAddress("127.8.8.8:1")?.isLoopback == true)
        #expect(SocketAddress("[::1]:1")?.isLoopback == true)
        #expect(SocketAddress("unix:/x")?.isLoopback == true)
        #expect(SocketAddress("*:1")?.isLoopback == false)
        #expect(SocketAddress("[::]:1")?.isLoopback == false)
        #expect(SocketAddress("10.0.0.1:1")?.isLoopback == false)
    }
}

@Suite struct SocketTests {
    private static let loopback = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)

    private func connected() throws -> DescriptorPair {
        let listener = try Syscalls.streamSocket(for: Self.loopback)
        try Syscalls.bind(listener.raw, Self.loopback)
        try Syscalls.listen(listener.raw, backlog: 16)
        #expect(Syscalls.isListening(listener.raw))
        let address = try Syscalls.localAddress(listener.raw)
        let client = try Syscalls.streamSocket(for: address)
        do {
            try Syscalls.connect(client.raw, address)
        } catch {
            #expect(error == .inProgress)
        }
        #expect(isReadable(listener.raw))
        return DescriptorPair(first: client, second: try Syscalls.accept(listener.raw))
    }

    @Test("The kernel tells how much of a connection was read, by whomever")
    func consumed() throws {
        let pair = try connected()
        let server = try pair.second.duplicate()
        #expect(Syscalls.bytesConsumed(server.raw) == 0)
        _ = Syscalls.send(pair.first.raw, Array("GET / HTTP/1.1\r\n".utf8).span)
        #expect(isReadable(server.raw))
        _ = Syscalls.peek(server.raw)
        #expect(Syscalls.bytesConsumed(server.raw) == 0)
        // The peer's end takes a sequence number and must not count as a byte that was read.
        Syscalls.shutdown(pair.first.raw, .write)
        let buffer = ByteBuffer()
        while Syscalls.bytesConsumed(server.raw) == 0 {
            guard case .bytes = Syscalls.receive(pair.second.raw, into: buffer, minimum: 16) else {
                break
            }
        }
        #expect(buffer.text == "GET / HTTP/1.1\r\n")
        #expect(Syscalls.bytesConsumed(server.raw) == 16)
    }

    @Test("An end without a byte leaves a connection unread")
    func consumedAtEnd() throws {
        let pair = try connected()
        Syscalls.shutdown(pair.first.raw, .write)
        #expect(isReadable(pair.second.raw))
        #expect(Syscalls.bytesConsumed(pair.second.raw) == 0)
        _ = Syscalls.receive(pair.second.raw, into: ByteBuffer(), minimum: 16)
        #expect(Syscalls.bytesConsumed(pair.second.raw) == 0)
    }

    @Test("What was written and read is told exactly while the other side reads and writes")
    func countsUnderTraffic() throws {
        let pair = try connected()
        let mine = pair.second.raw
        let theirs = pair.first.raw
        let total = 8 << 20
        // The peer sends back what it gets: acknowledgements and data come at any moment.
        let peer = try TestThread {
            let buffer = ByteBuffer()
            var left = total
            while left > 0 {
                guard case .bytes(let count) = Syscalls.receive(theirs, into: buffer, minimum: 4096)
                else {
                    if !isReadable(theirs) { return }
                    continue
                }
                left -= count
                while !buffer.isEmpty {
                    guard case .failed = Syscalls.send(theirs, from: buffer) else { continue }
                    return
                }
            }
        }
        let piece = [UInt8](repeating: 0x41, count: 1024)
        let input = ByteBuffer()
        var written = 0
        var consumed = 0
        var known = 0
        let end = Syscalls.monotonicNanoseconds() + 20_000_000_000
        while consumed < total, Syscalls.monotonicNanoseconds() < end {
            if written < total, case .bytes(let count) = Syscalls.send(mine, piece.span) {
                written += count
            }
            if let count = Syscalls.bytesWritten(mine) {
                #expect(count == written)
                known += 1
            }
            input.clear()
            if case .bytes(let count) = Syscalls.receive(mine, into: input, minimum: 4096) {
                consumed += count
            }
            if let count = Syscalls.bytesConsumed(mine) { #expect(count == consumed) }
        }
        #expect(consumed == total)
        #expect(known > 0)
        peer.join()
    }

    @Test("Of other sockets the kernel does not tell")
    func consumedElsewhere() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        #expect(Syscalls.bytesConsumed(pair.first.raw) == nil)
        #expect(Syscalls.acceptQueue(pair.first.raw) == nil)
    }

    @Test("A listener tells how many connections wait")
    func queue() throws {
        let listener = try Syscalls.streamSocket(for: Self.loopback)
        try Syscalls.bind(listener.raw, Self.loopback)
        try Syscalls.listen(listener.raw, backlog: 16)
        let address = try Syscalls.localAddress(listener.raw)
        let client = try Syscalls.streamSocket(for: address)
        do {
            try Syscalls.connect(client.raw, address)
        } catch {
            #expect(error == .inProgress)
        }
        #expect(isReadable(listener.raw))
        let queue = Syscalls.acceptQueue(listener.raw)
        #expect(queue?.waiting == 1)
        #expect(queue?.limit == 16)
    }

    @Test("Forced failures come back as values, the given number of times")
    func forced() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        let bytes: [UInt8] = [1]
        Syscalls.forceErrno(.send, .noBufferSpace, count: 2)
        #expect(Syscalls.send(pair.first.raw, bytes.span) == .failed(.noBufferSpace))
        #expect(Syscalls.send(pair.first.raw, bytes.span) == .failed(.noBufferSpace))
        #expect(Syscalls.send(pair.first.raw, bytes.span) == .bytes(1))
        Syscalls.forceErrno(.receive, .tryAgain, count: 1)
        #expect(Syscalls.receive(pair.second.raw, into: ByteBuffer(), minimum: 1) == .wouldBlock)
        #expect(Syscalls.receive(pair.second.raw, into: ByteBuffer(), minimum: 1) == .bytes(1))
        #expect(Syscalls.receive(pair.second.raw, into: ByteBuffer(), minimum: 1) == .wouldBlock)
    }

    @Test("A write to a closed peer is an error, not a signal")
    func brokenPipe() throws {
        let pair = try Syscalls.pairs(seqpacket: false)
        let near = try pair.first.duplicate()
        pair.split { first, second in
            first.close()
            second.close()
        }
        let bytes: [UInt8] = [1]
        #expect(Syscalls.send(near.raw, bytes.span) == .failed(.brokenPipe))
    }

    @Test("A Unix address reads back, in the file system and in the abstract namespace")
    func unixAddress() throws {
        for path in ["@apus-test-\(Syscalls.processID)", "/tmp/apus-test-\(Syscalls.processID)"] {
            let address = SocketAddress.unix(path: path)
            let socket = try Syscalls.streamSocket(for: address)
            try Syscalls.bind(socket.raw, address)
            #expect(try Syscalls.localAddress(socket.raw) == address)
            if path.hasPrefix("/") {
                #expect(Syscalls.isSocket(path))
                try Syscalls.unlink(path)
            }
        }
    }
}
