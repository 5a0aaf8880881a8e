// SPDX-License-Identifier: Apache-2.0
package import Bytes
import JSON

/// Why text is not a Python literal that JSON can say, and where.
package struct PythonLiteralError: Error, Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// No value, comma, colon or closing bracket where one must stand.
        case unexpected
        /// The text ends inside a value.
        case unexpectedEnd
        /// A bare word that is none of True, False and None.
        case word
        case number
        case escape
        /// A line break inside a string, or three quotes in a row.
        case string
        /// Text and bytes next to each other, or a character that is not ASCII inside bytes.
        case bytes
        /// A container as a name.
        case name
        case tooDeep
        case tooLarge
    }

    package let kind: Kind
    /// Offset of the byte that is wrong.
    package let offset: Int
}

/// Turns Python literals, as `repr` prints them, into JSON.
///
/// SAP AI Core prints the events of converse streams this way: `{'text': "it's", 'last': True}`.
/// Dictionaries, lists, tuples, text, bytes, numbers, True, False and None are read; tuples become
/// arrays, bytes become Base64 (as AWS writes them in JSON), and names that are no text become the
/// text that Python's own `json` gives them. Sets and calls are refused. JSON is close, but not the
/// same (`\/`, `true`): try JSON first.
///
/// Spec: the Python language reference, sections 2.4 and 6.2.
package enum PythonLiteral {
    /// The largest event of any provider, with room.
    package static let bytesMax = 16 << 20
    /// Far above any event, far from the end of the stack.
    package static let depthMax = 128

    /// Appends `literal` as JSON; nothing when it throws.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, and so does half a surrogate pair.
    package static func append(
        json literal: Span<UInt8>,
        to out: ByteBuffer
    ) throws(PythonLiteralError) {
        guard literal.count <= bytesMax else {
            throw PythonLiteralError(kind: .tooLarge, offset: bytesMax)
        }
        let start = out.count
        var reader = PythonLiteralReader(out)
        do {
            try reader.document(literal)
        } catch {
            out.truncate(to: start)
            throw error
        }
    }
}

/// The recursive descent behind `PythonLiteral`.
private struct PythonLiteralReader {
    private let out: ByteBuffer
    private var at = 0

    init(_ out: ByteBuffer) {
        self.out = out
    }

    mutating func document(_ bytes: Span<UInt8>) throws(PythonLiteralError) {
        try value(bytes, depth: 0)
        skipSpace(bytes)
        guard at == bytes.count else { throw failure(.unexpected) }
    }

    private func failure(_ kind: PythonLiteralError.Kind) -> PythonLiteralError {
        PythonLiteralError(kind: kind, offset: at)
    }

    /// The next byte behind white space.
    private mutating func peek(_ bytes: Span<UInt8>) throws(PythonLiteralError) -> UInt8 {
        skipSpace(bytes)
        guard at < bytes.count else { throw failure(.unexpectedEnd) }
        return bytes[at]
    }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"),
                0x0C:
                at += 1
            default: return
            }
        }
    }

    // MARK: Values

    private mutating func value(
        _ bytes: Span<UInt8>,
        depth: Int
    ) throws(PythonLiteralError) {
        switch try peek(bytes) {
        case UInt8(ascii: "{"): try dictionary(bytes, depth: depth + 1)
        case UInt8(ascii: "["): _ = try list(bytes, closing: UInt8(ascii: "]"), depth: depth + 1)
        case UInt8(ascii: "("): try tuple(bytes, depth: depth + 1)
        default: try scalar(bytes)
        }
    }

    private mutating func scalar(_ bytes: Span<UInt8>) throws(PythonLiteralError) {
        let byte = try peek(bytes)
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
            try strings(bytes)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "+"):
            try number(bytes)
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
            if startsString(bytes) {
                try strings(bytes)
            } else {
                try word(bytes)
            }
        default: throw failure(.unexpected)
        }
    }

    private mutating func word(_ bytes: Span<UInt8>) throws(PythonLiteralError) {
        let start = at
        while at < bytes.count, Self.isWordByte(bytes[at]) { at += 1 }
        let word = bytes.extracting(start..<at)
        if Self.equals(word, "True") {
            out.append("true" as StaticString)
        } else if Self.equals(word, "False") {
            out.append("false" as StaticString)
        } else if Self.equals(word, "None") {
            out.append("null" as StaticString)
        } else {
            at = start
            throw failure(.word)
        }
    }

    // MARK: Containers

    private func check(_ depth: Int) throws(PythonLiteralError) {
        if depth > PythonLiteral.depthMax { throw failure(.tooDeep) }
    }

    private mutating func dictionary(
        _ bytes: Span<UInt8>,
        depth: Int
    ) throws(PythonLiteralError) {
        try check(depth)
        at += 1
        out.append(UInt8(ascii: "{"))
        var isFirst = true
        while try peek(bytes) != UInt8(ascii: "}") {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            try name(bytes)
            guard try peek(bytes) == UInt8(ascii: ":") else { throw failure(.unexpected) }
            at += 1
            out.append(UInt8(ascii: ":"))
            try value(bytes, depth: depth)
            if try peek(bytes) == UInt8(ascii: ",") {
                at += 1
            } else if bytes[at] != UInt8(ascii: "}") {
                throw failure(.unexpected)
            }
        }
        at += 1
        out.append(UInt8(ascii: "}"))
    }

    /// A name: text as it is, numbers and words in quotes.
    private mutating func name(_ bytes: Span<UInt8>) throws(PythonLiteralError) {
        switch try peek(bytes) {
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "("): throw failure(.name)
        default: break
        }
        let start = out.count
        let offset = at
        try scalar(bytes)
        guard out[start] != UInt8(ascii: "\"") else { return }
        out.truncate(to: start)
        out.append(UInt8(ascii: "\""))
        at = offset
        try scalar(bytes)
        out.append(UInt8(ascii: "\""))
    }

    /// Reads the elements of a list or tuple, `at` on its opening bracket, and counts the commas.
    private mutating func list(
        _ bytes: Span<UInt8>,
        closing: UInt8,
        depth: Int
    ) throws(PythonLiteralError) -> Int {
        try check(depth)
        at += 1
        out.append(UInt8(ascii: "["))
        var isFirst = true
        var commas = 0
        while try peek(bytes) != closing {
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            try value(bytes, depth: depth)
            if try peek(bytes) == UInt8(ascii: ",") {
                at += 1
                commas += 1
            } else if bytes[at] != closing {
                throw failure(.unexpected)
            }
        }
        at += 1
        out.append(UInt8(ascii: "]"))
        return commas
    }

    /// The elements of a tuple.
    ///
    /// One element needs a comma behind it: parentheses alone make no tuple, and `repr` writes none.
    private mutating func tuple(
        _ bytes: Span<UInt8>,
        depth: Int
    ) throws(PythonLiteralError) {
        let start = out.count
        let commas = try list(bytes, closing: UInt8(ascii: ")"), depth: depth)
        // Two bytes are `[]`.
        if commas == 0, out.count > start + 2 {
            at -= 1
            throw failure(.unexpected)
        }
    }

    // MARK: Numbers

    /// An integer or floating-point number in decimal digits, in the form that JSON wants.
    private mutating func number(_ bytes: Span<UInt8>) throws(PythonLiteralError) {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { out.append(UInt8(ascii: "-")) }
        if bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") { at += 1 }
        let whole = digits(bytes)
        let hasPoint = at < bytes.count && bytes[at] == UInt8(ascii: ".")
        if hasPoint { at += 1 }
        let fraction = hasPoint ? digits(bytes) : at..<at
        let exponent = try exponent(bytes)
        let isFloat = hasPoint || exponent != nil
        guard !whole.isEmpty || !fraction.isEmpty, at == bytes.count || !Self.isWordByte(bytes[at])
        else {
            at = start
            throw failure(.number)
        }
        // Python allows leading zeros in floating-point numbers and in zero itself.
        var first = whole.lowerBound
        while first + 1 < whole.upperBound, bytes[first] == UInt8(ascii: "0") { first += 1 }
        guard isFloat || first == whole.lowerBound || bytes[first] == UInt8(ascii: "0") else {
            at = start
            throw failure(.number)
        }
        if whole.isEmpty {
            out.append(UInt8(ascii: "0"))
        } else {
            out.append(bytes.extracting(first..<whole.upperBound))
        }
        if hasPoint {
            out.append(UInt8(ascii: "."))
            if fraction.isEmpty { out.append(UInt8(ascii: "0")) }
            out.append(bytes.extracting(fraction))
        }
        if let exponent { out.append(bytes.extracting(exponent)) }
    }

    private mutating func digits(_ bytes: Span<UInt8>) -> Range<Int> {
        let start = at
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
        return start..<at
    }

    private mutating func exponent(
        _ bytes: Span<UInt8>
    ) throws(PythonLiteralError) -> Range<Int>? {
        let start = at
        guard at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") else { return nil }
        at += 1
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") {
            at += 1
        }
        if digits(bytes).isEmpty { throw failure(.number) }
        return start..<at
    }

    // MARK: Strings

    /// Whether a string with a prefix starts here: `b'`, `Rb"` and the like.
    private func startsString(_ bytes: Span<UInt8>) -> Bool {
        // No prefix has more than two letters.
        for offset in at..<min(at + 3, bytes.count) {
            switch bytes[offset] {
            case UInt8(ascii: "'"), UInt8(ascii: "\""): return true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): break
            default: return false
            }
        }
        return false
    }

    /// One or more strings next to each other, which are one.
    private mutating func strings(_ bytes: Span<UInt8>) throws(PythonLiteralError) {
        var string = PythonString(at: at)
        try string.readPrefix(bytes)
        let isBytes = string.isBytes
        // Bytes are collected first, because their Base64 depends on all of them.
        let target = isBytes ? ByteBuffer() : out
        out.append(UInt8(ascii: "\""))
        while true {
            try string.read(bytes, to: target)
            at = string.at
            skipSpace(bytes)
            guard at < bytes.count,
                bytes[at] == UInt8(ascii: "'") || bytes[at] == UInt8(ascii: "\"")
                    || startsString(bytes)
            else { break }
            string = PythonString(at: at)
            try string.readPrefix(bytes)
            guard string.isBytes == isBytes else { throw failure(.bytes) }
        }
        if isBytes { target.withBytes { Base64.append(encoding: $0, to: out) } }
        out.append(UInt8(ascii: "\""))
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...0xFF:
            true
        default: false
        }
    }

    private static func equals(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        // SAFETY: a static string's bytes live forever; the span ends with this call.
        let text = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        let expected = unsafe text.span
        for index in expected.indices where bytes[index] != expected[index] { return false }
        return true
    }
}
