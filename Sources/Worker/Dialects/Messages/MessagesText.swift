// SPDX-License-Identifier: Apache-2.0
import Bytes

/// What Anthropic demands of texts, checked on their escaped form.
enum MessagesText {
    /// Whether a text has nothing to read; Claude refuses such blocks.
    static func isBlank(_ text: JSONText, _ bytes: Span<UInt8>) -> Bool {
        switch text {
        case .slice(let range): isBlank(bytes.extracting(range))
        case .text(let text): text.allSatisfy(\.isWhitespace)
        }
    }

    /// As above, for what stands between the quotes of a string.
    static func isBlank(_ content: Span<UInt8>) -> Bool {
        trimmedCount(content) == 0
    }

    /// Number of bytes before the white space at the end of an escaped text.
    static func trimmedCount(_ content: Span<UInt8>) -> Int {
        var end = content.count
        while end > 0 {
            if content[end - 1] == UInt8(ascii: " ") {
                end -= 1
            } else if end > 1, isSpaceEscape(content[end - 1]), content[end - 2] == backslash,
                !isEscaped(content, end - 2)
            {
                end -= 2
            } else {
                return end
            }
        }
        return 0
    }

    private static let backslash = UInt8(ascii: "\\")

    private static func isSpaceEscape(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "n") || byte == UInt8(ascii: "t") || byte == UInt8(ascii: "r")
    }

    /// Whether the byte at `offset` follows an odd number of backslashes.
    private static func isEscaped(_ content: Span<UInt8>, _ offset: Int) -> Bool {
        var start = offset
        while start > 0, content[start - 1] == backslash { start -= 1 }
        return (offset - start) % 2 == 1
    }

    /// The text without white space at its end, which Claude refuses in a turn to go on with.
    static func trimmed(_ text: JSONText, _ bytes: Span<UInt8>) -> JSONText {
        switch text {
        case .slice(let range):
            let count = trimmedCount(bytes.extracting(range))
            return .slice(range.lowerBound..<range.lowerBound + count)
        case .text(let text):
            guard let last = text.lastIndex(where: { !$0.isWhitespace }) else { return .text("") }
            return .text(String(text[...last]))
        }
    }

    /// Whether a text is a name that Claude takes for a tool.
    static func isToolName(_ text: JSONText, _ bytes: Span<UInt8>, bytesMax: Int) -> Bool {
        switch text {
        case .slice(let range):
            return isName(bytes.extracting(range), bytesMax)
        case .text(let text):
            return isName(text.utf8.span, bytesMax)
        }
    }

    private static func isName(_ name: Span<UInt8>, _ bytesMax: Int) -> Bool {
        guard name.count > 0, name.count <= bytesMax else { return false }
        for index in name.indices where !isNameByte(name[index]) { return false }
        return true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Appends an id of a call, with `_` for what Anthropic does not take in one.
    static func appendID(_ id: JSONText, _ bytes: Span<UInt8>, to out: ByteBuffer) {
        switch id {
        case .slice(let range): appendID(bytes.extracting(range), to: out)
        case .text(let text): appendID(text.utf8.span, to: out)
        }
    }

    private static func appendID(_ id: Span<UInt8>, to out: ByteBuffer) {
        for index in id.indices {
            out.append(isNameByte(id[index]) ? id[index] : UInt8(ascii: "_"))
        }
    }

    /// Whether two texts mean the same, escapes or not.
    static func equal(_ left: JSONText, _ right: JSONText, _ bytes: Span<UInt8>) -> Bool {
        if case .slice(let first) = left, case .slice(let second) = right,
            MessagesBytes.equal(bytes.extracting(first), bytes.extracting(second))
        {
            return true
        }
        return left.value(from: bytes) == right.value(from: bytes)
    }
}
