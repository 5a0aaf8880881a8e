// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Where one HTTP/1.1 message ends: requests of the mock's clients, answers to the generator.
///
/// Pure, and only as strict as a load test needs: what it does not understand is an error that
/// is counted, never a guess.
struct MessageReader {
    enum Step: Equatable {
        case needMore
        case complete
        case malformed
    }

    private enum State: Equatable {
        case head
        case fixed(remaining: Int)
        case chunkSize
        case chunkData(remaining: Int)
        case chunkEnd
        case trailer
    }

    /// Longest head accepted: far above what any server under test sends.
    static let headBytesMax = 16_384

    private var state = State.head
    /// Bytes of the head that are known not to end it.
    private var searched = 0
    /// Status of an answer; 0 for a request.
    private(set) var status = 0
    /// Whether the peer said `Connection: close`.
    private(set) var closes = false

    /// Takes what it can off the front of `buffer` and hands body bytes, unchunked, to `body`.
    mutating func read(_ buffer: ByteBuffer, body: (Span<UInt8>) -> Void) -> Step {
        while true {
            switch state {
            case .head:
                switch readHead(buffer) {
                case .complete: if state == .fixed(remaining: 0) { return finish() }
                case .needMore: return .needMore
                case .malformed: return .malformed
                }
            case .fixed(let remaining):
                let left = remaining - pass(buffer, atMost: remaining, to: body)
                state = .fixed(remaining: left)
                return left == 0 ? finish() : .needMore
            case .chunkSize:
                guard let line = takeLine(buffer) else { return .needMore }
                guard let size = Self.hexadecimal(line) else { return .malformed }
                state = size == 0 ? .trailer : .chunkData(remaining: size)
            case .chunkData(let remaining):
                let left = remaining - pass(buffer, atMost: remaining, to: body)
                state = left == 0 ? .chunkEnd : .chunkData(remaining: left)
                if left > 0 { return .needMore }
            case .chunkEnd:
                guard let line = takeLine(buffer) else { return .needMore }
                guard line.isEmpty else { return .malformed }
                state = .chunkSize
            case .trailer:
                guard let line = takeLine(buffer) else { return .needMore }
                if line.isEmpty { return finish() }
            }
        }
    }

    private mutating func finish() -> Step {
        state = .head
        searched = 0
        return .complete
    }

    private func pass(
        _ buffer: ByteBuffer,
        atMost limit: Int,
        to body: (Span<UInt8>) -> Void
    ) -> Int {
        let count = min(limit, buffer.count)
        if count > 0 {
            buffer.withBytes(in: 0..<count) { body($0) }
            buffer.consume(count)
        }
        return count
    }

    /// One line without its CRLF, nil until it is whole.
    private func takeLine(_ buffer: ByteBuffer) -> [UInt8]? {
        let end = buffer.withBytes { bytes in
            bytes.indices.first { bytes[$0] == UInt8(ascii: "\n") }
        }
        guard let end else { return nil }
        let line = buffer.withBytes(in: 0..<end) { bytes in bytes.indices.map { bytes[$0] } }
        buffer.consume(end + 1)
        return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    }

    private static func hexadecimal(_ line: [UInt8]) -> Int? {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        return Int(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private mutating func readHead(_ buffer: ByteBuffer) -> Step {
        let start = max(0, searched - 3)
        let end: Int? = buffer.withBytes { bytes in
            var index = start
            while index + 4 <= bytes.count {
                if bytes[index + 3] == UInt8(ascii: "\n"), bytes[index + 2] == UInt8(ascii: "\r"),
                    bytes[index + 1] == UInt8(ascii: "\n"), bytes[index] == UInt8(ascii: "\r")
                {
                    return index + 4
                }
                index += 1
            }
            return nil
        }
        guard let end else {
            searched = buffer.count
            return searched > Self.headBytesMax ? .malformed : .needMore
        }
        let facts = buffer.withBytes(in: 0..<end) { HeadFacts($0) }
        guard let facts else { return .malformed }
        status = facts.status
        closes = facts.closes
        buffer.consume(end)
        state = facts.isChunked ? .chunkSize : .fixed(remaining: facts.length)
        return .complete
    }
}

/// What a head says about the body behind it.
private struct HeadFacts {
    var status = 0
    var length = 0
    var isChunked = false
    var closes = false

    init?(_ head: Span<UInt8>) {
        if Self.starts(head, at: 0, "http/1.1 ") {
            for offset in 9..<12 { status = status * 10 + Int(head[offset] &- 48) }
        }
        var hasLength = false
        var line = 0
        for index in head.indices where head[index] == UInt8(ascii: "\n") {
            let start = line
            line = index + 1
            if Self.starts(head, at: start, "content-length:") {
                hasLength = true
                for offset in start + 15..<index {
                    let byte = head[offset]
                    if byte >= 48, byte <= 57 { length = length * 10 + Int(byte - 48) }
                }
            } else if Self.starts(head, at: start, "transfer-encoding: chunked") {
                isChunked = true
            } else if Self.starts(head, at: start, "connection: close") {
                closes = true
            }
        }
        // An answer that ends with its connection would look complete whenever it is cut.
        if status != 0, status != 204, status != 304, !hasLength, !isChunked { return nil }
    }

    /// Whether the bytes at `offset` are `text` (given in lower case) in any case.
    private static func starts(_ bytes: Span<UInt8>, at offset: Int, _ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard offset + count <= bytes.count else { return false }
        // SAFETY: a static string's bytes live forever; the index stays below their count.
        let expected = unsafe UnsafeBufferPointer(start: text.utf8Start, count: count).span
        for index in 0..<count {
            let byte = bytes[offset + index]
            let lower = byte >= 65 && byte <= 90 ? byte | 32 : byte
            if lower != expected[index] { return false }
        }
        return true
    }
}
