// SPDX-License-Identifier: Apache-2.0
package import Bytes

extension JSONTape {
    @inlinable
    package func kind(of node: JSONNode) -> JSONKind {
        self[node].kind
    }

    /// Where the value stands in the document, quotes and brackets included.
    @inlinable
    package func valueRange(of node: JSONNode) -> Range<Int> {
        let entry = self[node]
        return Int(entry.start)..<Int(entry.end)
    }

    /// Where the text of a string or member name stands, without its quotes and still escaped.
    @inlinable
    package func contentRange(of node: JSONNode) -> Range<Int> {
        let entry = self[node]
        precondition(entry.kind == .string, "only strings have content")
        return Int(entry.start) + 1..<Int(entry.end) - 1
    }

    /// Whether a string holds escapes, so that its bytes are not its text.
    @inlinable
    package func hasEscapes(_ node: JSONNode) -> Bool {
        self[node].flags.contains(.escapes)
    }

    // MARK: Children

    /// The elements of an array; nothing for any other kind.
    @inlinable
    package func elements(of node: JSONNode) -> JSONElements {
        let entry = self[node]
        let isArray = entry.kind == .array
        return JSONElements(tape: self, at: node.index + 1, end: isArray ? entry.next : 0)
    }

    /// The members of an object in document order; nothing for any other kind.
    @inlinable
    package func members(of node: JSONNode) -> JSONMembers {
        let entry = self[node]
        let isObject = entry.kind == .object
        return JSONMembers(tape: self, at: node.index + 1, end: isObject ? entry.next : 0)
    }

    /// The value of the member called `name`, the last one when there are several; nil when there
    /// is none or `node` is no object.
    package func member(
        _ name: StaticString,
        of node: JSONNode,
        in bytes: Span<UInt8>
    ) -> JSONNode? {
        // SAFETY: a static string's bytes live forever; the span ends with this call.
        let text = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        return unsafe member(named: text.span, of: node, in: bytes)
    }

    /// As above, for a name that is not known when the program is built.
    package func member(
        named name: String,
        of node: JSONNode,
        in bytes: Span<UInt8>
    ) -> JSONNode? {
        var name = name
        // SAFETY: the span does not outlive the call.
        return name.withUTF8 { unsafe member(named: $0.span, of: node, in: bytes) }
    }

    /// As above; `name` is UTF-8 without escapes.
    package func member(
        named name: Span<UInt8>,
        of node: JSONNode,
        in bytes: Span<UInt8>
    ) -> JSONNode? {
        var found: JSONNode?
        for member in members(of: node) where equals(member.name, name, in: bytes) {
            found = member.value
        }
        return found
    }

    // MARK: Scalars

    /// Whether a string's text is `text`; false for other kinds.
    package func equals(_ node: JSONNode, _ text: StaticString, in bytes: Span<UInt8>) -> Bool {
        // SAFETY: a static string's bytes live forever; the span ends with this call.
        let text = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return unsafe equals(node, text.span, in: bytes)
    }

    /// As above, with text that is UTF-8 without escapes.
    package func equals(_ node: JSONNode, _ text: Span<UInt8>, in bytes: Span<UInt8>) -> Bool {
        let entry = self[node]
        guard entry.kind == .string else { return false }
        let content = bytes.extracting(contentRange(of: node))
        guard entry.flags.contains(.escapes) else {
            return content.isEqual(to: text)
        }
        var unescaper = JSONUnescaper()
        var at = 0
        while let piece = unescaper.next(in: content) {
            for index in 0..<piece.count {
                guard at < text.count, text[at] == piece[index] else { return false }
                at += 1
            }
        }
        return at == text.count
    }

    /// The text of a string; half a surrogate pair reads as U+FFFD.
    ///
    /// Nil for other kinds.
    package func string(of node: JSONNode, in bytes: Span<UInt8>) -> String? {
        let entry = self[node]
        guard entry.kind == .string else { return nil }
        guard entry.flags.contains(.escapes) else {
            return String(copying: bytes.extracting(contentRange(of: node)))
        }
        let buffer = ByteBuffer(capacity: Int(entry.end - entry.start))
        appendUnescaped(node, in: bytes, to: buffer)
        return buffer.text
    }

    /// Appends the text of a string to `buffer`, which does not hold `bytes`.
    ///
    /// - Returns: Whether the text is exact; false when half a surrogate pair became U+FFFD.
    @discardableResult
    package func appendUnescaped(
        _ node: JSONNode,
        in bytes: Span<UInt8>,
        to buffer: ByteBuffer
    ) -> Bool {
        let content = bytes.extracting(contentRange(of: node))
        guard hasEscapes(node) else {
            buffer.append(content)
            return true
        }
        return JSONStringContent.appendUnescaped(content, to: buffer)
    }

    /// A number without fraction and exponent that fits; nil for anything else.
    package func integer(of node: JSONNode, in bytes: Span<UInt8>) -> Int? {
        let entry = self[node]
        guard entry.kind == .number, !entry.flags.contains(.fractional) else { return nil }
        let digits = bytes.extracting(valueRange(of: node))
        let isNegative = digits[0] == UInt8(ascii: "-")
        var value = 0
        for index in (isNegative ? 1 : 0)..<digits.count {
            // Counted below zero, where there is room for the smallest Int.
            let (tens, overflowed) = value.multipliedReportingOverflow(by: 10)
            let digit = Int(digits[index] - UInt8(ascii: "0"))
            let (sum, exceeded) = tens.subtractingReportingOverflow(digit)
            if overflowed || exceeded { return nil }
            value = sum
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// Longest number that is converted: no exact double needs more than 767 significant digits.
    private static let numberBytesMax = 1024

    /// The nearest double of a number; nil for other kinds, beyond the range of a double and above
    /// 1024 bytes.
    package func number(of node: JSONNode, in bytes: Span<UInt8>) -> Double? {
        guard self[node].kind == .number else { return nil }
        if let integer = integer(of: node, in: bytes), integer.magnitude < 1 << 53, integer != 0 {
            return Double(integer)
        }
        let range = valueRange(of: node)
        if let value = DecimalNumber.exact(bytes.extracting(range)) { return value }
        guard range.count <= Self.numberBytesMax else { return nil }
        guard let value = Double(String(copying: bytes.extracting(range))) else { return nil }
        return value.isFinite ? value : nil
    }

    /// Nil for other kinds.
    @inlinable
    package func bool(of node: JSONNode) -> Bool? {
        let entry = self[node]
        return entry.kind == .bool ? entry.flags.contains(.isTrue) : nil
    }

    @inlinable
    package func isNull(_ node: JSONNode) -> Bool {
        self[node].kind == .null
    }
}

extension Span<UInt8> {
    func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        var index = 0
        while index < count {
            if self[index] != other[index] { return false }
            index += 1
        }
        return true
    }
}
