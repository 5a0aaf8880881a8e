// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Base64 inside of JSON, checked without being decoded.
enum MessagesBase64 {
    /// Whether `content`, what stands between the quotes of a string, can be base64.
    ///
    /// A slash may be escaped, as PHP does it. Missing padding is let through; no line breaks.
    ///
    /// Spec: RFC 4648 section 4.
    static func isValid(_ content: Span<UInt8>) -> Bool {
        var end = content.count
        var padding = 0
        while padding < 2, end > 0, content[end - 1] == UInt8(ascii: "=") {
            end -= 1
            padding += 1
        }
        var digits = 0
        var at = 0
        while at < end {
            let byte = content[at]
            at += 1
            if byte == UInt8(ascii: "\\") {
                guard at < end, content[at] == UInt8(ascii: "/") else { return false }
                continue
            }
            guard isDigit(byte) else { return false }
            digits += 1
        }
        guard digits > 0, digits % 4 != 1 else { return false }
        return padding == 0 || (digits + padding) % 4 == 0
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    /// The type of an image by its first bytes; nil for what is none that Claude sees.
    static func imageType(_ content: Span<UInt8>) -> JSONText? {
        // The signatures of RFC 2083, JPEG, GIF and RIFF in base64.
        if starts(content, "iVBORw0KGgo") { return .text("image/png") }
        if starts(content, "/9j/") || starts(content, "\\/9j\\/") { return .text("image/jpeg") }
        if starts(content, "R0lGOD") { return .text("image/gif") }
        if starts(content, "UklGR") { return .text("image/webp") }
        return nil
    }

    private static func starts(_ content: Span<UInt8>, _ prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard content.count >= count else { return false }
        return MessagesBytes.equal(content.extracting(first: count), prefix)
    }
}
