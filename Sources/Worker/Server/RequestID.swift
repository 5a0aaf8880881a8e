// SPDX-License-Identifier: Apache-2.0
import Bytes

/// The id of a request: the client's own, or one that we made.
enum RequestID: Equatable {
    /// Where the client's id stands in the request head.
    case client(Range<Int>)
    case generated(UInt64, UInt64)

    /// Longest id taken from a client.
    static let clientBytesMax = 128

    /// Whether `text` may serve as an id: visible ASCII, so that it can stand in a log line and a
    /// header of any other system.
    static func isAcceptable(_ text: Span<UInt8>) -> Bool {
        guard !text.isEmpty, text.count <= clientBytesMax else { return false }
        for index in 0..<text.count {
            let byte = text[index]
            if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "\"") || byte == 0x5C {
                return false
            }
        }
        return true
    }

    /// Appends the id's text; `head` is the request head that the id may stand in.
    func append(to out: ByteBuffer, head: ByteBuffer?) {
        switch self {
        case .client(let range):
            head?.withBytes(in: range) { out.append($0) }
        case .generated(let high, let low):
            out.append("req_")
            Self.append(high, to: out)
            Self.append(low, to: out)
        }
    }

    private static func append(_ word: UInt64, to out: ByteBuffer) {
        var digits: InlineArray<16, UInt8> = .init(repeating: 0)
        var rest = word
        for index in (0..<16).reversed() {
            let digit = UInt8(truncatingIfNeeded: rest) & 15
            digits[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            rest >>= 4
        }
        out.append(digits.span)
    }
}

/// Makes request ids that no other worker makes: SplitMix64 over a random start.
///
/// Ids need to be unique, not secret.
struct RequestIDGenerator {
    private var state: UInt64
    private let worker: UInt64

    init(seed: UInt64, worker: UInt64) {
        state = seed
        // Never 0, which would make both halves of an id the same.
        self.worker = Self.mix(worker &+ 1) | 1
    }

    mutating func next() -> RequestID {
        state &+= 0x9E37_79B9_7F4A_7C15
        return .generated(Self.mix(state), Self.mix(state ^ worker))
    }

    /// 32 hexadecimal digits that stand for nothing else.
    mutating func nextUnique() -> String {
        guard case .generated(let high, let low) = next() else { return "" }
        let digits = [high, low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits.joined()
    }

    private static func mix(_ word: UInt64) -> UInt64 {
        var mixed = word
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
