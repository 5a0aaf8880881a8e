// SPDX-License-Identifier: Apache-2.0

import Bytes

/// Makes any bytes fit for a log line.
///
/// What comes out is UTF-8 without control characters: neither a line break nor an escape sequence
/// nor a change of writing direction can forge a line or reach a terminal. Escapes are those of
/// JSON in both formats. Bytes that are not UTF-8 become U+FFFD, one each.
enum LogText {
    /// What stands around the text.
    enum Context {
        /// Double quotes: they and backslashes are escaped.
        case quoted
        /// Nothing.
        case bare
    }

    /// Longest text of one field: longer ones are cut, and end with `...`.
    ///
    /// Limit: even if every byte needs six, the line stays below `LogRecord.lineBytesMax`.
    static let bytesMax = 512

    static func append(_ text: Span<UInt8>, _ context: Context, to out: ByteBuffer) {
        guard text.count > bytesMax else {
            appendWhole(text, context, to: out)
            return
        }
        // Cut in front of the character that crosses the limit; one has at most 4 bytes.
        var end = bytesMax
        while end > bytesMax - 4, text[end] & 0xC0 == 0x80 {
            end -= 1
        }
        appendWhole(text.extracting(0..<end), context, to: out)
        out.append("...")
    }

    /// Whether a value can be read on a terminal without quotes.
    static func isPlain(_ text: Span<UInt8>) -> Bool {
        for index in text.indices {
            switch text[index] {
            case UInt8(ascii: "\""), UInt8(ascii: "="), UInt8(ascii: "\\"): return false
            case 0x21...0x7E: continue
            default: return false
            }
        }
        return !text.isEmpty
    }

    private static func appendWhole(
        _ text: Span<UInt8>,
        _ context: Context,
        to out: ByteBuffer
    ) {
        var run = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte >= 0x20, byte < 0x7F {
                let isSpecial = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                if isSpecial, context == .quoted {
                    out.append(text.extracting(run..<index))
                    out.append(UInt8(ascii: "\\"))
                    run = index
                }
                index += 1
                continue
            }
            let (scalar, length) = decode(text, at: index)
            if !isUnsafe(scalar) {
                index += length
                continue
            }
            out.append(text.extracting(run..<index))
            appendEscape(scalar, to: out)
            index += length
            run = index
        }
        out.append(text.extracting(run..<text.count))
    }

    /// Control characters, line separators, marks that turn the writing direction, and U+FFFD,
    /// which stands for bytes that are none.
    private static func isUnsafe(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0..<0x20, 0x7F..<0xA0: true
        case 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        case 0xFEFF, 0xFFFD: true
        default: false
        }
    }

    private static func appendEscape(_ scalar: UInt32, to out: ByteBuffer) {
        switch scalar {
        case 0x09: out.append("\\t")
        case 0x0A: out.append("\\n")
        case 0x0D: out.append("\\r")
        default:
            out.append("\\u")
            for shift in stride(from: UInt32(12), through: 0, by: -4) {
                out.append(
                    ByteBuffer.hexadecimalDigit(UInt8(truncatingIfNeeded: scalar >> shift) & 15)
                )
            }
        }
    }

    /// The character at `index` and its bytes; U+FFFD and 1 for a byte that begins none.
    ///
    /// Spec: RFC 3629 section 4.
    private static func decode(
        _ text: Span<UInt8>,
        at index: Int
    ) -> (scalar: UInt32, length: Int) {
        let first = text[index]
        let length: Int
        let second: ClosedRange<UInt8>
        switch first {
        case 0..<0x80: return (UInt32(first), 1)
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return (0xFFFD, 1)
        }
        guard index + length <= text.count, second.contains(text[index + 1]) else {
            return (0xFFFD, 1)
        }
        var scalar = UInt32(first) & (0xFF >> UInt32(length + 1))
        for offset in 1..<length {
            let byte = text[index + offset]
            guard byte & 0xC0 == 0x80 else { return (0xFFFD, 1) }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        return (scalar, length)
    }
}
