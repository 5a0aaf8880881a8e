// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Support
import System
import Testing

@testable import Supervisor

@Suite struct FarewellsTests {
    private let loop: EventLoop
    private let farewells: Farewells

    init() throws {
        loop = try EventLoop()
        farewells = Farewells(loop: loop)
    }

    /// Both ends of a TCP connection: only there unread bytes make a close a reset.
    private struct Connection: ~Copyable {
        let client: OwnedFD
        let server: OwnedFD

        consuming func split(_ use: (consuming OwnedFD, consuming OwnedFD) throws -> Void) rethrows
        {
            try use(client, server)
        }
    }

    private func connect() throws -> Connection {
        let address = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        let listener = try ListenerSocket.open(address)
        let client = try Syscalls.streamSocket(for: listener.address)
        do {
            try Syscalls.connect(client.raw, listener.address)
        } catch {
            #expect(error == .inProgress)
        }
        #expect(isReadable(listener.raw))
        return Connection(client: client, server: try Syscalls.accept(listener.raw))
    }

    private static let answer = Array("HTTP/1.1 503 Service Unavailable\r\n\r\n".utf8)

    private func turn(until condition: () -> Bool) throws {
        let end = Syscalls.monotonicNanoseconds() + 5_000_000_000
        while !condition(), Syscalls.monotonicNanoseconds() < end { try loop.turn(waitMax: 50) }
        #expect(condition())
    }

    /// Everything that comes until the other side has ended or broken the connection.
    private func readAll(_ fd: borrowing OwnedFD) -> (text: String, outcome: ReadOutcome) {
        let buffer = ByteBuffer()
        while isReadable(fd.raw) {
            let outcome = Syscalls.receive(fd.raw, into: buffer, minimum: 4096)
            guard case .bytes = outcome else { return (buffer.text, outcome) }
        }
        return (buffer.text, .wouldBlock)
    }

    /// Whether the other side is closed altogether, not only its sending half.
    private func expectClosed(_ client: borrowing OwnedFD) {
        let byte: [UInt8] = [0x41]
        _ = Syscalls.send(client.raw, byte.span)
        // Its kernel answers with a reset, which a connection that is half open does not.
        var failed = false
        for _ in 0..<100 where !failed {
            _ = pollDescriptors([], until: .after(.milliseconds(5)))
            if case .failed = Syscalls.send(client.raw, byte.span) { failed = true }
        }
        #expect(failed)
    }

    @Test("An answer arrives although bytes of the client wait unread, and more come")
    func unread() throws {
        try connect().split { client, server in
            let request = [UInt8](repeating: 0x41, count: 300_000)
            _ = Syscalls.send(client.raw, request.span)
            farewells.say(Self.answer, to: server)
            #expect(farewells.count == 1)
            for _ in 0..<5 {
                try loop.turn(waitMax: 5)
                _ = Syscalls.send(client.raw, request.span)
            }
            let (text, outcome) = readAll(client)
            #expect(Array(text.utf8) == Self.answer)
            #expect(outcome == .endOfStream)
            #expect(farewells.count == 1)
            // The client ends its side, and that is all.
            Syscalls.shutdown(client.raw, .write)
            try turn { farewells.count == 0 }
        }
    }

    @Test("A client that has ended already is not waited for")
    func endedBefore() throws {
        try connect().split { client, server in
            Syscalls.shutdown(client.raw, .write)
            #expect(isReadable(server.raw))
            farewells.close(server)
            #expect(farewells.count == 0)
            let (text, outcome) = readAll(client)
            #expect(text == "" && outcome == .endOfStream)
        }
    }

    @Test("A client that never ends its side is cut after two seconds, without turns in between")
    func patience() throws {
        try connect().split { client, server in
            farewells.say(Self.answer, to: server)
            let start = loop.now
            let turns = loop.turns
            try turn { farewells.count == 0 }
            #expect(loop.now - start >= 1_900_000_000)
            #expect(loop.now - start <= 4_000_000_000)
            // Waits of 50 ms each, and no event.
            #expect(loop.turns - turns <= 60)
            let (text, outcome) = readAll(client)
            #expect(Array(text.utf8) == Self.answer && outcome == .endOfStream)
            expectClosed(client)
        }
    }

    @Test("A client that does not stop sending is cut when it has sent too much")
    func flood() throws {
        try connect().split { client, server in
            farewells.close(server)
            let piece = [UInt8](repeating: 0x41, count: 256 << 10)
            var sent = 0
            while farewells.count > 0, sent < 16 << 20 {
                if case .bytes(let count) = Syscalls.send(client.raw, piece.span) { sent += count }
                try loop.turn(waitMax: 1)
            }
            #expect(farewells.count == 0)
            #expect(sent > 4 << 20)
        }
    }

    @Test("A body without framing that gets its last word ends in order")
    func unframed() throws {
        try connect().split { client, server in
            farewells.say(Self.answer, to: server, isFramed: false)
            #expect(farewells.count == 1)
            let (text, outcome) = readAll(client)
            #expect(Array(text.utf8) == Self.answer && outcome == .endOfStream)
        }
    }

    @Test("A body without framing that cannot get its last word ends with a reset")
    func unframedAndFull() throws {
        try connect().split { client, server in
            Syscalls.forceErrno(.send, .tryAgain, count: 1)
            farewells.say(Self.answer, to: server, isFramed: false)
            #expect(farewells.count == 0)
            let (text, outcome) = readAll(client)
            #expect(text == "" && outcome == .failed(.connectionReset))
        }
    }

    @Test("A reset reaches the client behind what it has got")
    func resetByUs() throws {
        try connect().split { client, server in
            _ = Syscalls.send(server.raw, Self.answer.span)
            #expect(isReadable(client.raw))
            farewells.reset(server)
            #expect(farewells.count == 0)
            let (text, outcome) = readAll(client)
            #expect(Array(text.utf8) == Self.answer && outcome == .failed(.connectionReset))
        }
    }

    @Test("A client that resets the connection is forgotten at once")
    func reset() throws {
        try connect().split { client, server in
            farewells.say(Self.answer, to: server)
            #expect(isReadable(client.raw))
            // Unread bytes make this close a reset.
            client.close()
            try turn { farewells.count == 0 }
        }
    }

    @Test("A brief answer arrives although a request waits unread, and nothing stays open")
    func brief() throws {
        try connect().split { client, server in
            let request = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
            _ = Syscalls.send(client.raw, request.span)
            #expect(isReadable(server.raw))
            farewells.sayBriefly(Self.answer, to: server)
            #expect(farewells.count == 0)
            let (text, outcome) = readAll(client)
            #expect(Array(text.utf8) == Self.answer && outcome == .endOfStream)
            expectClosed(client)
        }
    }

    @Test("A connection that takes no answer is closed like any other")
    func unsendable() throws {
        try connect().split { client, server in
            Syscalls.forceErrno(.send, .brokenPipe, count: 1)
            farewells.say(Self.answer, to: server)
            #expect(farewells.count == 1)
            let (text, outcome) = readAll(client)
            #expect(text == "" && outcome == .endOfStream)
        }
    }

    @Test("No more than so many are waited for; the rest gets its answer and is closed")
    func countMax() throws {
        // Pairs cost two descriptors each, and the limit of this process may be low.
        let limit = try Syscalls.descriptorLimit()
        try Syscalls.setDescriptorLimit(soft: limit.hard)
        try #require(limit.hard >= 3 * UInt64(Farewells.countMax), "too few for this test")
        var clients: [Int32] = []
        for _ in 0..<Farewells.countMax + 3 {
            let pair = try Syscalls.pairs(seqpacket: false)
            pair.split { near, far in
                farewells.say(Self.answer, to: near)
                clients.append(far.release())
            }
        }
        #expect(farewells.count == Farewells.countMax)
        for client in clients.suffix(4) {
            let buffer = ByteBuffer()
            _ = Syscalls.receive(client, into: buffer, minimum: 4096)
            #expect(buffer.array == Self.answer)
            #expect(Syscalls.peek(client) == .endOfStream)
        }
        for client in clients { OwnedFD(owning: client).close() }
        try turn { farewells.count == 0 }
    }
}
