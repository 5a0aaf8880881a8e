// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// A string on its way from one document to another.
///
/// Every format is JSON, so a string is copied as it stands, escapes included; only who needs its
/// value pays for unescaping it.
package enum JSONText: Equatable, Sendable {
    /// What stands between the quotes of a string of the document at hand.
    case slice(Range<Int>)
    /// A text of ours, without escapes.
    case text(String)

    /// The string of `node`.
    package init(_ node: JSONNode, _ tape: JSONTape) {
        self = .slice(tape.contentRange(of: node))
    }

    /// Whether the string is empty.
    package var isEmpty: Bool {
        switch self {
        case .slice(let range): range.isEmpty
        case .text(let text): text.isEmpty
        }
    }

    /// Appends what belongs between the quotes of a string.
    package func append(from bytes: Span<UInt8>, to out: ByteBuffer) {
        switch self {
        case .slice(let range): out.append(bytes.extracting(range))
        case .text(let text): JSONWriter.appendEscaped(text.utf8.span, to: out)
        }
    }

    /// Appends the string with its quotes.
    package func appendQuoted(from bytes: Span<UInt8>, to out: ByteBuffer) {
        out.append(UInt8(ascii: "\""))
        append(from: bytes, to: out)
        out.append(UInt8(ascii: "\""))
    }

    /// Appends the text that the string stands for.
    package func appendValue(from bytes: Span<UInt8>, to out: ByteBuffer) {
        switch self {
        case .slice(let range):
            JSONStringContent.appendUnescaped(bytes.extracting(range), to: out)
        case .text(let text):
            out.append(text)
        }
    }

    /// The text that the string stands for.
    package func value(from bytes: Span<UInt8>) -> String {
        switch self {
        case .slice(let range):
            let buffer = ByteBuffer(capacity: range.count)
            JSONStringContent.appendUnescaped(bytes.extracting(range), to: buffer)
            return buffer.text
        case .text(let text):
            return text
        }
    }
}

/// A JSON value on its way from one document to another, as it stands.
package enum JSONFragment: Equatable, Sendable {
    /// A value of the document at hand.
    case slice(Range<Int>)
    /// JSON of ours.
    case json(String)

    /// The value of `node`.
    package init(_ node: JSONNode, _ tape: JSONTape) {
        self = .slice(tape.valueRange(of: node))
    }

    package func append(from bytes: Span<UInt8>, to out: ByteBuffer) {
        switch self {
        case .slice(let range): out.append(bytes.extracting(range))
        case .json(let text): out.append(text)
        }
    }

    /// Appends the JSON as what belongs between the quotes of a string.
    package func appendEscaped(from bytes: Span<UInt8>, to out: ByteBuffer) {
        switch self {
        case .slice(let range): JSONWriter.appendEscaped(bytes.extracting(range), to: out)
        case .json(let text): JSONWriter.appendEscaped(text.utf8.span, to: out)
        }
    }
}

extension JSONWriter {
    package mutating func value(_ text: JSONText, from bytes: Span<UInt8>) {
        switch text {
        case .slice(let range): rawString(bytes.extracting(range))
        case .text(let text): value(text)
        }
    }

    package mutating func value(_ fragment: JSONFragment, from bytes: Span<UInt8>) {
        switch fragment {
        case .slice(let range): raw(bytes.extracting(range))
        case .json(let text): raw(text.utf8.span)
        }
    }
}
