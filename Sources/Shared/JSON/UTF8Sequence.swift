// SPDX-License-Identifier: Apache-2.0

/// One character of UTF-8 as it stands in the bytes.
///
/// Spec: RFC 3629 section 4 (no overlong forms, no surrogates, nothing beyond U+10FFFF).
enum UTF8Sequence: Equatable {
    case valid(count: Int)
    /// The bytes end inside a sequence that is right so far.
    case incomplete
    /// Not UTF-8; `count` bytes make one U+FFFD (the maximal subpart of the Unicode standard).
    case invalid(count: Int)

    /// Looks at the sequence that begins at `start`.
    @inline(__always)
    init(at start: Int, in bytes: Span<UInt8>) {
        let lead = bytes[start]
        let count: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0x00...0x7F:
            self = .valid(count: 1)
            return
        case 0xC2...0xDF:
            count = 2
        case 0xE0:
            count = 3
            second = 0xA0...0xBF
        case 0xED:
            count = 3
            second = 0x80...0x9F
        case 0xE1...0xEF:
            count = 3
        case 0xF0:
            count = 4
            second = 0x90...0xBF
        case 0xF1...0xF3:
            count = 4
        case 0xF4:
            count = 4
            second = 0x80...0x8F
        default:
            self = .invalid(count: 1)
            return
        }
        guard start + 1 < bytes.count else {
            self = .incomplete
            return
        }
        guard second.contains(bytes[start + 1]) else {
            self = .invalid(count: 1)
            return
        }
        var index = 2
        while index < count {
            guard start + index < bytes.count else {
                self = .incomplete
                return
            }
            guard bytes[start + index] & 0xC0 == 0x80 else {
                self = .invalid(count: index)
                return
            }
            index += 1
        }
        self = .valid(count: count)
    }

    /// Length of a right sequence of two or three bytes at `start`; 0 when it is anything else or
    /// stands within the last four bytes.
    @inline(__always)
    static func commonLength(at start: Int, in bytes: Span<UInt8>) -> Int {
        guard start + 4 <= bytes.count else { return 0 }
        // SAFETY: four bytes from `start` lie in the span; every bit pattern is a UInt32.
        let raw = unsafe bytes.bytes
        let loaded = unsafe raw.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self)
        let word = UInt32(littleEndian: loaded)
        // The low byte comes first. 1110xxxx 10xxxxxx 10xxxxxx: of the first five free bits, all
        // zero is an overlong form and 1101 with a one is a surrogate.
        if word & 0x00C0_C0F0 == 0x0080_80E0 {
            let telling = word & 0x200F
            return telling == 0 || telling == 0x200D ? 0 : 3
        }
        // 110xxxxx 10xxxxxx: without one of the upper four free bits it is an overlong form.
        if word & 0xC0E0 == 0x80C0 {
            return word & 0x1E == 0 ? 0 : 2
        }
        return 0
    }
}
