// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// Writes JSON to the end of a byte buffer and puts the commas itself.
///
/// Compact: no white space. The caller keeps the order right (a name, then its value, as many ends
/// as beginnings); a name without a value or an end without a beginning traps.
package struct JSONWriter {
    package let buffer: ByteBuffer
    /// Whether a value stands before the place in the same container.
    private var needsComma = false
    private var depth = 0
    private var awaitsValue = false

    package init(_ buffer: ByteBuffer) {
        self.buffer = buffer
    }

    // MARK: Containers

    package mutating func beginObject() {
        begin(UInt8(ascii: "{"))
    }

    package mutating func endObject() {
        end(UInt8(ascii: "}"))
    }

    package mutating func beginArray() {
        begin(UInt8(ascii: "["))
    }

    package mutating func endArray() {
        end(UInt8(ascii: "]"))
    }

    /// The name of the next member; it must need no escapes.
    package mutating func name(_ name: StaticString) {
        separate()
        buffer.append(UInt8(ascii: "\""))
        buffer.append(name)
        buffer.append("\":" as StaticString)
        awaitName()
    }

    /// The name of the next member.
    package mutating func name(escaping name: String) {
        separate()
        Self.appendQuoted(name, to: buffer)
        buffer.append(UInt8(ascii: ":"))
        awaitName()
    }

    /// The name of the next member, escaped already, such as the content range of a scanned name.
    package mutating func rawName(_ content: Span<UInt8>) {
        separate()
        buffer.append(UInt8(ascii: "\""))
        buffer.append(content)
        buffer.append("\":" as StaticString)
        awaitName()
    }

    // MARK: Values

    package mutating func value(_ text: String) {
        separate()
        Self.appendQuoted(text, to: buffer)
        needsComma = true
    }

    /// Text as UTF-8; each sequence that is not UTF-8 becomes U+FFFD.
    package mutating func value(_ text: Span<UInt8>) {
        separate()
        Self.appendQuoted(text, to: buffer)
        needsComma = true
    }

    /// A string whose content is escaped already, such as the content range of a scanned string.
    package mutating func rawString(_ content: Span<UInt8>) {
        string { $0.append(content) }
    }

    /// A string whose content `fill` appends to the buffer, escaped.
    package mutating func string(_ fill: (ByteBuffer) -> Void) {
        separate()
        buffer.append(UInt8(ascii: "\""))
        fill(buffer)
        buffer.append(UInt8(ascii: "\""))
        needsComma = true
    }

    package mutating func value(_ number: Int) {
        separate()
        buffer.append(decimal: number)
        needsComma = true
    }

    package mutating func value(_ number: UInt) {
        separate()
        buffer.append(decimal: number)
        needsComma = true
    }

    /// The shortest digits that read back as `number`; `null` for what JSON cannot say.
    package mutating func value(_ number: Double) {
        separate()
        if number.isFinite {
            buffer.append(number.description)
        } else {
            buffer.append("null" as StaticString)
        }
        needsComma = true
    }

    package mutating func value(_ truth: Bool) {
        raw(truth ? "true" : "false")
    }

    package mutating func null() {
        raw("null")
    }

    /// A value that is JSON already.
    package mutating func raw(_ json: StaticString) {
        separate()
        buffer.append(json)
        needsComma = true
    }

    /// A value that is JSON already, such as a range of a scanned document.
    package mutating func raw(_ json: Span<UInt8>) {
        separate()
        buffer.append(json)
        needsComma = true
    }

    // MARK: Members

    package mutating func member(_ name: StaticString, _ text: String) {
        self.name(name)
        value(text)
    }

    package mutating func member(_ name: StaticString, _ number: Int) {
        self.name(name)
        value(number)
    }

    package mutating func member(_ name: StaticString, _ number: Double) {
        self.name(name)
        value(number)
    }

    package mutating func member(_ name: StaticString, _ truth: Bool) {
        self.name(name)
        value(truth)
    }

    // MARK: Text

    /// Appends `text` in quotes, escaped as far as JSON demands.
    package static func appendQuoted(_ text: String, to buffer: ByteBuffer) {
        var text = text
        // SAFETY: the span does not outlive the closure.
        text.withUTF8 { unsafe appendQuoted($0.span, to: buffer) }
    }

    /// Appends `text` in quotes; each sequence that is not UTF-8 becomes U+FFFD.
    ///
    /// U+2028 and U+007F stand as they are, which RFC 8259 allows.
    package static func appendQuoted(_ text: Span<UInt8>, to buffer: ByteBuffer) {
        buffer.append(UInt8(ascii: "\""))
        appendEscaped(text, to: buffer)
        buffer.append(UInt8(ascii: "\""))
    }

    /// As `appendQuoted` without the quotes, for text that arrives in pieces.
    package static func appendEscaped(_ text: Span<UInt8>, to buffer: ByteBuffer) {
        var copied = 0
        var at = 0
        while at < text.count {
            at = PlainRun.end(from: at, in: text)
            guard at < text.count else { break }
            let byte = text[at]
            if byte >= 0x80 {
                let bad: Int
                switch UTF8Sequence(at: at, in: text) {
                case .valid(let count):
                    at += count
                    continue
                case .invalid(let count): bad = count
                case .incomplete: bad = text.count - at
                }
                buffer.append(text.extracting(copied..<at))
                buffer.append("\u{FFFD}" as StaticString)
                at += bad
            } else {
                buffer.append(text.extracting(copied..<at))
                appendEscape(byte, to: buffer)
                at += 1
            }
            copied = at
        }
        buffer.append(text.extracting(copied..<text.count))
    }

    private static func appendEscape(_ byte: UInt8, to buffer: ByteBuffer) {
        buffer.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): buffer.append(byte)
        case 0x08: buffer.append(UInt8(ascii: "b"))
        case 0x09: buffer.append(UInt8(ascii: "t"))
        case 0x0A: buffer.append(UInt8(ascii: "n"))
        case 0x0C: buffer.append(UInt8(ascii: "f"))
        case 0x0D: buffer.append(UInt8(ascii: "r"))
        default:
            buffer.append("u00" as StaticString)
            buffer.append(ByteBuffer.hexadecimalDigit(byte >> 4))
            buffer.append(ByteBuffer.hexadecimalDigit(byte & 15))
        }
    }

    // MARK: Punctuation

    /// Puts the comma a value or name needs before it.
    private mutating func separate() {
        if needsComma {
            buffer.append(UInt8(ascii: ","))
        }
        awaitsValue = false
    }

    private mutating func awaitName() {
        precondition(depth > 0, "a member outside of an object")
        needsComma = false
        awaitsValue = true
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        buffer.append(bracket)
        needsComma = false
        depth += 1
    }

    private mutating func end(_ bracket: UInt8) {
        precondition(depth > 0 && !awaitsValue, "a container that cannot end here")
        buffer.append(bracket)
        needsComma = true
        depth -= 1
    }
}
