// SPDX-License-Identifier: Apache-2.0

/// Walks over the content of a string that a scan has accepted and yields its text.
struct JSONUnescaper {
    /// Up to four bytes of UTF-8.
    struct Piece {
        private var bytes: UInt32
        let count: Int

        init(byte: UInt8) {
            bytes = UInt32(byte)
            count = 1
        }

        /// `scalar` is no surrogate and not beyond U+10FFFF.
        init(scalar: UInt32) {
            switch scalar {
            case ..<0x80:
                bytes = scalar
                count = 1
            case ..<0x800:
                bytes = 0xC0 | scalar >> 6 | Self.continuation(scalar) << 8
                count = 2
            case ..<0x1_0000:
                bytes = 0xE0 | scalar >> 12 | Self.continuation(scalar >> 6) << 8
                bytes |= Self.continuation(scalar) << 16
                count = 3
            default:
                bytes = 0xF0 | scalar >> 18 | Self.continuation(scalar >> 12) << 8
                bytes |= Self.continuation(scalar >> 6) << 16 | Self.continuation(scalar) << 24
                count = 4
            }
        }

        private static func continuation(_ bits: UInt32) -> UInt32 {
            0x80 | bits & 0x3F
        }

        subscript(index: Int) -> UInt8 {
            UInt8(truncatingIfNeeded: bytes >> UInt32(index * 8))
        }
    }

    private static let replacement: UInt32 = 0xFFFD

    private(set) var offset = 0
    /// False once half a surrogate pair was met.
    private(set) var isExact = true

    /// Moves to the next backslash or the end.
    mutating func skipPlain(in content: Span<UInt8>) {
        while offset < content.count {
            offset = PlainRun.end(from: offset, in: content)
            guard offset < content.count, content[offset] != UInt8(ascii: "\\") else { return }
            offset += 1
        }
    }

    /// The next byte or the character of the next escape; nil at the end.
    mutating func next(in content: Span<UInt8>) -> Piece? {
        guard offset < content.count else { return nil }
        let byte = content[offset]
        guard byte == UInt8(ascii: "\\") else {
            offset += 1
            return Piece(byte: byte)
        }
        let escape = content[offset + 1]
        guard escape == UInt8(ascii: "u") else {
            offset += 2
            return Piece(byte: Self.meaning(of: escape))
        }
        let unit = Self.codeUnit(at: offset, in: content)
        offset += 6
        switch unit {
        case 0xD800...0xDBFF:
            guard
                offset + 6 <= content.count,
                content[offset] == UInt8(ascii: "\\"),
                content[offset + 1] == UInt8(ascii: "u")
            else { break }
            let low = Self.codeUnit(at: offset, in: content)
            guard 0xDC00...0xDFFF ~= low else { break }
            offset += 6
            return Piece(scalar: 0x1_0000 + (unit - 0xD800) << 10 + (low - 0xDC00))
        case 0xDC00...0xDFFF:
            break
        default:
            return Piece(scalar: unit)
        }
        isExact = false
        return Piece(scalar: Self.replacement)
    }

    private static func meaning(of escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: escape
        }
    }

    /// The four digits of the `\u` escape at `start`; the scan has seen that they are there.
    private static func codeUnit(at start: Int, in content: Span<UInt8>) -> UInt32 {
        var unit: UInt32 = 0
        for index in start + 2..<start + 6 {
            unit = unit << 4 | (hexadecimalValue(content[index]) ?? 0)
        }
        return unit
    }
}
