// SPDX-License-Identifier: Apache-2.0
import Bytes
package import System

/// The peer ended the connection where the test expected bytes.
package struct ConnectionLost: Error, Equatable, CustomStringConvertible, Sendable {
    package let wasReset: Bool

    package init(wasReset: Bool) {
        self.wasReset = wasReset
    }

    package var description: String { wasReset ? "connection reset" : "connection closed" }
}

/// A client's connection to the product: a raw socket, with a deadline on each operation.
///
/// It sends exactly the bytes it is told to and keeps what it reads apart from how it was framed,
/// because the tests are about just that.
package final class HTTPConnection {
    private var socket: Int32?
    private let incoming = ByteBuffer()
    private var framing = Framing.head
    private var events = StreamEventReader()

    private enum Framing: Equatable {
        /// Between answers.
        case head
        case length(remaining: Int)
        case chunked
        case untilClose
    }

    /// Connects; `receiveBuffer` bounds what the kernel holds for a reader that does not read.
    package init(
        to address: SocketAddress,
        receiveBuffer: Int32? = nil,
        by deadline: Deadline = .soon
    ) throws {
        socket = try Self.connect(to: address, receiveBuffer: receiveBuffer, by: deadline)
    }

    private static func connect(
        to address: SocketAddress,
        receiveBuffer: Int32?,
        by deadline: Deadline
    ) throws -> Int32 {
        let socket = try Syscalls.streamSocket(for: address)
        if let receiveBuffer { Syscalls.setReceiveBuffer(socket.raw, bytes: receiveBuffer) }
        do throws(Errno) {
            try Syscalls.connect(socket.raw, address)
        } catch {
            guard error == .inProgress else { throw error }
            let events = pollDescriptors([(socket.raw, .writable)], until: deadline)
            if events[0].isEmpty { throw TestFailure("no connection to \(address) in time") }
            if let failure = Syscalls.socketError(socket.raw) { throw failure }
        }
        if case .unix = address {} else { Syscalls.setNoDelay(socket.raw) }
        return socket.release()
    }

    deinit {
        close()
    }

    private func descriptor() throws -> Int32 {
        guard let raw = socket else { throw TestFailure("this connection was closed by us") }
        return raw
    }

    // MARK: Sending

    /// Sends all of `bytes`.
    ///
    /// - Throws: `ConnectionLost` when the peer does not take them any more.
    package func send(_ bytes: [UInt8], by deadline: Deadline = .soon) throws {
        let raw = try descriptor()
        let outgoing = ByteBuffer(bytes)
        while !outgoing.isEmpty {
            switch Syscalls.send(raw, from: outgoing) {
            case .bytes: continue
            case .wouldBlock:
                if pollDescriptors([(raw, .writable)], until: deadline)[0].isEmpty {
                    throw TestFailure("\(outgoing.count) bytes were not taken in time")
                }
            case .failed: throw ConnectionLost(wasReset: true)
            }
        }
    }

    package func send(_ text: String, by deadline: Deadline = .soon) throws {
        try send(Array(text.utf8), by: deadline)
    }

    /// Sends byte by byte, each in a packet of its own, `pause` apart.
    package func drip(_ bytes: [UInt8], pause: Duration, by deadline: Deadline = .soon) throws {
        for byte in bytes {
            try send([byte], by: deadline)
            if pause > .zero { _ = pollDescriptors([], until: .after(pause)) }
        }
    }

    // MARK: Reading

    /// The next head.
    ///
    /// A final one fixes how the body is read.
    /// `toHead` says that the request was a HEAD, so that no body follows.
    package func readHead(
        toHead: Bool = false,
        by deadline: Deadline = .soon
    ) throws -> HTTPReplyHead {
        var lines: [String] = []
        while true {
            let line = try readLine(by: deadline)
            if line.isEmpty { break }
            lines.append(line)
        }
        let head = try HTTPReplyHead(lines: lines)
        framing = try Self.framing(of: head, toHead: toHead)
        return head
    }

    private static func framing(of head: HTTPReplyHead, toHead: Bool) throws -> Framing {
        let lengths = head.fields.values("content-length")
        let codings = head.fields.values("transfer-encoding")
        if lengths.count > 1 || codings.count > 1 || (!lengths.isEmpty && !codings.isEmpty) {
            throw TestFailure("an answer with unclear framing: \(head.fields)")
        }
        if head.status < 200 || head.status == 204 || head.status == 304 {
            if head.status != 304, !lengths.isEmpty || !codings.isEmpty {
                throw TestFailure("a \(head.status) with framing: \(head.fields)")
            }
            return .head
        }
        if toHead { return .head }
        if let coding = codings.first {
            guard coding == "chunked" else { throw TestFailure("transfer-encoding: \(coding)") }
            return .chunked
        }
        guard let length = lengths.first else { return .untilClose }
        guard let count = Int(length), length.allSatisfy(\.isNumber) else {
            throw TestFailure("content-length: \(length)")
        }
        return count == 0 ? .head : .length(remaining: count)
    }

    /// The next bytes of the body: one whole chunk, or what one read brought.
    ///
    /// Nil at its end.
    ///
    /// - Throws: `ConnectionLost` when the connection ended before the framing said so.
    package func nextPiece(by deadline: Deadline = .soon) throws -> [UInt8]? {
        switch framing {
        case .head: return nil
        case .length(let remaining):
            if incoming.isEmpty { try receive(by: deadline) }
            let piece = take(min(remaining, incoming.count))
            framing = piece.count == remaining ? .head : .length(remaining: remaining - piece.count)
            return piece
        case .chunked:
            let line = try readLine(by: deadline)
            guard let size = Int(line, radix: 16), !line.hasPrefix("+"), size >= 0 else {
                throw TestFailure("not a chunk size: \(line)")
            }
            if size > 0 {
                while incoming.count < size { try receive(by: deadline) }
                let piece = take(size)
                guard try readLine(by: deadline).isEmpty else {
                    throw TestFailure("a chunk longer than its size")
                }
                return piece
            }
            while try !readLine(by: deadline).isEmpty {}
            framing = .head
            return nil
        case .untilClose:
            do {
                if incoming.isEmpty { try receive(by: deadline) }
                return take(incoming.count)
            } catch let lost as ConnectionLost where !lost.wasReset {
                framing = .head
                return nil
            }
        }
    }

    /// The whole next answer.
    ///
    /// A body that the connection cut is returned with `isComplete` false.
    package func readReply(
        toHead: Bool = false,
        by deadline: Deadline = .soon
    ) throws -> HTTPReply {
        var reply = HTTPReply(head: try readHead(toHead: toHead, by: deadline))
        let isChunked = framing == .chunked
        do {
            while let piece = try nextPiece(by: deadline) {
                reply.body += piece
                if isChunked { reply.chunks.append(piece) }
            }
            reply.isComplete = true
        } catch is ConnectionLost {
            framing = .head
        }
        return reply
    }

    /// The next server-sent event of the body, nil when the body has ended in an orderly way.
    package func nextEvent(by deadline: Deadline = .soon) throws -> StreamEvent? {
        while true {
            if let event = events.next() { return event }
            guard let piece = try nextPiece(by: deadline) else {
                guard events.rest.isEmpty else {
                    throw TestFailure("a stream that ends inside an event")
                }
                return nil
            }
            events.append(piece)
        }
    }

    /// Waits for the peer to end the connection, with nothing more to read before.
    package func waitForEnd(by deadline: Deadline = .soon) throws -> ConnectionLost {
        do {
            guard incoming.isEmpty else {
                throw TestFailure("bytes where the end was expected: \(incoming.text)")
            }
            try receive(by: deadline)
            throw TestFailure("bytes where the end was expected: \(incoming.text)")
        } catch let lost as ConnectionLost {
            return lost
        }
    }

    /// Whether the peer has sent nothing and not left, as far as the kernel knows.
    package var isQuiet: Bool {
        guard let raw = socket, incoming.isEmpty else { return false }
        return Syscalls.peek(raw) == .wouldBlock
    }

    private func take(_ count: Int) -> [UInt8] {
        // SAFETY: the bytes are copied inside the closure.
        let bytes = incoming.withBytes(in: 0..<count) { span in
            unsafe span.withUnsafeBufferPointer { unsafe [UInt8]($0) }
        }
        incoming.consume(count)
        return bytes
    }

    private func receive(by deadline: Deadline) throws {
        let raw = try descriptor()
        while true {
            switch Syscalls.receive(raw, into: incoming, minimum: 16_384) {
            case .bytes: return
            case .endOfStream: throw ConnectionLost(wasReset: false)
            case .failed: throw ConnectionLost(wasReset: true)
            case .wouldBlock:
                if pollDescriptors([(raw, .readable)], until: deadline)[0].isEmpty {
                    throw TestFailure("nothing came in time (buffered: \(incoming.text))")
                }
            }
        }
    }

    /// A line without its CR LF, which nothing may replace.
    private func readLine(by deadline: Deadline) throws -> String {
        var searched = 0
        while true {
            while searched < incoming.count {
                if incoming[searched] == 0x0A {
                    guard searched > 0, incoming[searched - 1] == 0x0D else {
                        throw TestFailure("a bare line feed: \(incoming.text)")
                    }
                    let line = take(searched + 1).dropLast(2)
                    return String(decoding: line, as: UTF8.self)
                }
                searched += 1
            }
            guard searched < 1_048_576 else { throw TestFailure("a line without end") }
            try receive(by: deadline)
        }
    }

    // MARK: Ending

    /// Closes in the orderly way.
    package func close() {
        if let raw = socket { OwnedFD(owning: raw).close() }
        socket = nil
    }

    /// Closes with a reset.
    package func reset() {
        if let raw = socket { Syscalls.setResetOnClose(raw) }
        close()
    }

    /// Says that no more will be sent, and goes on reading.
    package func endWriting() {
        if let raw = socket { Syscalls.shutdown(raw, .write) }
    }
}

extension ByteBuffer {
    /// The first readable bytes as text, for messages.
    var text: String { String(decoding: array.prefix(2_000), as: UTF8.self) }
}
