// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// One string of a Python literal: its prefix, quotes and escapes.
///
/// Spec: the Python language reference, section 2.4.1.
struct PythonString {
    private(set) var at: Int
    private(set) var isBytes = false
    private var isRaw = false
    private var quote: UInt8 = 0

    /// The first half of a surrogate pair that waits for the second one.
    private var highSurrogate: UInt32?

    init(at: Int) {
        self.at = at
    }

    private func failure(_ kind: PythonLiteralError.Kind) -> PythonLiteralError {
        PythonLiteralError(kind: kind, offset: at)
    }

    /// Reads what stands before the text: `r`, `b`, `u` or nothing, and the opening quote.
    mutating func readPrefix(_ bytes: Span<UInt8>) throws(PythonLiteralError) {
        let start = at
        var isText = false
        prefix: while at < bytes.count {
            switch bytes[at] | 0x20 {
            case UInt8(ascii: "b") where !isBytes && !isText: isBytes = true
            case UInt8(ascii: "r") where !isRaw && !isText: isRaw = true
            case UInt8(ascii: "u") where at == start: isText = true
            default: break prefix
            }
            at += 1
        }
        guard at < bytes.count, bytes[at] == UInt8(ascii: "'") || bytes[at] == UInt8(ascii: "\"")
        else {
            at = start
            throw failure(.word)
        }
        quote = bytes[at]
        if at + 2 < bytes.count, bytes[at + 1] == quote, bytes[at + 2] == quote {
            throw failure(.string)
        }
        at += 1
    }

    /// Appends the text, escaped for JSON, or the plain bytes, up to the closing quote.
    mutating func read(_ bytes: Span<UInt8>, to out: ByteBuffer) throws(PythonLiteralError) {
        while true {
            let run = at
            while at < bytes.count, bytes[at] != quote, bytes[at] != UInt8(ascii: "\\"),
                bytes[at] != UInt8(ascii: "\n"), bytes[at] != UInt8(ascii: "\r")
            {
                if isBytes, bytes[at] >= 0x80 { throw failure(.bytes) }
                at += 1
            }
            if at > run { append(bytes.extracting(run..<at), to: out) }
            guard at < bytes.count else { throw failure(.unexpectedEnd) }
            if bytes[at] == quote {
                at += 1
                endSurrogate(out)
                return
            }
            guard bytes[at] == UInt8(ascii: "\\") else { throw failure(.string) }
            try escape(bytes, to: out)
        }
    }

    // MARK: Escapes

    /// Reads one escape, `at` on its backslash.
    private mutating func escape(
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) throws(PythonLiteralError) {
        guard at + 1 < bytes.count else { throw failure(.unexpectedEnd) }
        let name = bytes[at + 1]
        if isRaw {
            // The backslash stays, and keeps a quote from ending the string.
            append(UInt8(ascii: "\\"), to: out)
            at += 1
            if name == UInt8(ascii: "\\") || name == quote {
                append(name, to: out)
                at += 1
            }
            return
        }
        switch name {
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): append(name, to: out)
        case UInt8(ascii: "a"): append(0x07, to: out)
        case UInt8(ascii: "b"): append(0x08, to: out)
        case UInt8(ascii: "t"): append(0x09, to: out)
        case UInt8(ascii: "n"): append(0x0A, to: out)
        case UInt8(ascii: "v"): append(0x0B, to: out)
        case UInt8(ascii: "f"): append(0x0C, to: out)
        case UInt8(ascii: "r"): append(0x0D, to: out)
        case UInt8(ascii: "\n"): break
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            try octal(bytes, to: out)
            return
        case UInt8(ascii: "x"):
            try hexadecimal(bytes, digits: 2, to: out)
            return
        case UInt8(ascii: "u") where !isBytes:
            try hexadecimal(bytes, digits: 4, to: out)
            return
        case UInt8(ascii: "U") where !isBytes:
            try hexadecimal(bytes, digits: 8, to: out)
            return
        case UInt8(ascii: "N") where !isBytes:
            // Needs the names of all characters; `repr` never writes it.
            throw failure(.escape)
        default:
            // Python keeps the backslash of an escape it does not know; what follows it is read on
            // its own, because it may be the first byte of several.
            append(UInt8(ascii: "\\"), to: out)
            at += 1
            return
        }
        at += 2
    }

    private mutating func octal(
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) throws(PythonLiteralError) {
        var value: UInt32 = 0
        var end = at + 1
        while end < bytes.count, end < at + 4,
            (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(bytes[end])
        {
            value = value << 3 | UInt32(bytes[end] - UInt8(ascii: "0"))
            end += 1
        }
        if isBytes, value > 0xFF { throw failure(.escape) }
        append(scalar: value, to: out)
        at = end
    }

    private mutating func hexadecimal(
        _ bytes: Span<UInt8>,
        digits: Int,
        to out: ByteBuffer
    ) throws(PythonLiteralError) {
        let end = at + 2 + digits
        guard end <= bytes.count else { throw failure(.escape) }
        var value: UInt32 = 0
        for offset in (at + 2)..<end {
            guard let digit = Self.hexadecimalValue(bytes[offset]) else { throw failure(.escape) }
            value = value << 4 | digit
        }
        guard value <= 0x10FFFF else { throw failure(.escape) }
        append(scalar: value, to: out)
        at = end
    }

    private static func hexadecimalValue(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    // MARK: Output

    private mutating func append(_ text: Span<UInt8>, to out: ByteBuffer) {
        endSurrogate(out)
        if isBytes {
            out.append(text)
        } else {
            JSONWriter.appendEscaped(text, to: out)
        }
    }

    private mutating func append(_ byte: UInt8, to out: ByteBuffer) {
        append(scalar: UInt32(byte), to: out)
    }

    /// Appends a byte of bytes, or a character of text, which may be half a surrogate pair.
    private mutating func append(scalar value: UInt32, to out: ByteBuffer) {
        if isBytes {
            out.append(UInt8(truncatingIfNeeded: value))
            return
        }
        if let high = highSurrogate, (0xDC00..<0xE000).contains(value) {
            highSurrogate = nil
            append(character: 0x10000 + (high - 0xD800) << 10 + (value - 0xDC00), to: out)
            return
        }
        endSurrogate(out)
        if (0xD800..<0xDC00).contains(value) {
            highSurrogate = value
        } else {
            append(character: value, to: out)
        }
    }

    /// Puts U+FFFD for half a pair without the other half.
    private mutating func endSurrogate(_ out: ByteBuffer) {
        guard highSurrogate != nil else { return }
        highSurrogate = nil
        append(character: 0xFFFD, to: out)
    }

    private func append(character value: UInt32, to out: ByteBuffer) {
        let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
        var text: [4 of UInt8] = [0, 0, 0, 0]
        var count = 0
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
            text[count] = byte
            count += 1
        }
        JSONWriter.appendEscaped(text.span.extracting(0..<count), to: out)
    }
}
