// SPDX-License-Identifier: Apache-2.0

/// A JSON value as a tree, read by a parser of the tests' own.
///
/// The black-box tests judge what the product writes, so they do not read it with the product's
/// scanner. Strict: RFC 8259 and nothing else, and a repeated member name is an error.
package indirect enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package init(_ text: String) throws {
        try self.init(bytes: Array(text.utf8))
    }

    package init(bytes: [UInt8]) throws {
        var reader = JSONReader(bytes: bytes)
        self = try reader.document()
    }

    /// The member of an object, nil for everything else and for a member that is not there.
    package subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// The element of an array, nil when there is none.
    package subscript(index: Int) -> JSONValue? {
        guard case .array(let items) = self, items.indices.contains(index) else { return nil }
        return items[index]
    }

    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var number: Double? {
        if case .number(let value) = self { value } else { nil }
    }

    package var int: Int? { number.flatMap { Int(exactly: $0) } }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    package var array: [JSONValue]? {
        if case .array(let items) = self { items } else { nil }
    }

    package var object: [String: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }

    package var isNull: Bool { self == .null }
}

/// The parser behind `JSONValue`.
private struct JSONReader {
    let bytes: [UInt8]
    var position = 0
    /// Deeper than anything the product writes, far from the end of the stack.
    private static let depthMax = 256

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("nothing more") }
        return value
    }

    private func failure(_ expected: String) -> TestFailure {
        let text = String(decoding: bytes.prefix(400), as: UTF8.self)
        return TestFailure("JSON: expected \(expected) at byte \(position) of: \(text)")
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            position += 1
        }
    }

    private mutating func take(_ byte: Character) throws {
        skipSpace()
        guard current == byte.asciiValue else { throw failure("\(byte)") }
        position += 1
    }

    private mutating func takes(_ word: String, _ value: JSONValue) throws -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw failure(word) }
        position += word.utf8.count
        return value
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.depthMax else { throw failure("less nesting") }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try takes("true", .bool(true))
        case UInt8(ascii: "f"): return try takes("false", .bool(false))
        case UInt8(ascii: "n"): return try takes("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        try take("{")
        var members: [String: JSONValue] = [:]
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            skipSpace()
            let name = try string()
            try take(":")
            let value = try value(depth: depth + 1)
            guard members.updateValue(value, forKey: name) == nil else {
                throw failure("the name \(name) once only")
            }
            skipSpace()
            if current == UInt8(ascii: ",") {
                position += 1
                continue
            }
            try take("}")
            return .object(members)
        }
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        try take("[")
        var items: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(items)
        }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if current == UInt8(ascii: ",") {
                position += 1
                continue
            }
            try take("]")
            return .array(items)
        }
    }

    private mutating func number() throws -> Double {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        let firstDigit = position
        let whole = digits()
        if whole == 0 || (whole > 1 && bytes[firstDigit] == UInt8(ascii: "0")) {
            throw failure("a value")
        }
        if current == UInt8(ascii: ".") {
            position += 1
            if digits() == 0 { throw failure("digits after the point") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            if digits() == 0 { throw failure("digits of the exponent") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let value = Double(text) else { throw failure("a number") }
        return value
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = current, byte >= 0x30, byte <= 0x39 { position += 1 }
        return position - start
    }

    private mutating func string() throws -> String {
        guard current == UInt8(ascii: "\"") else { throw failure("a string") }
        position += 1
        var text: [UInt8] = []
        while let byte = current {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let result = String(validating: text, as: UTF8.self) else {
                    throw failure("UTF-8")
                }
                return result
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw failure("no control character")
            default: text.append(byte)
            }
        }
        throw failure("the end of the string")
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = current else { throw failure("an escape") }
        position += 1
        let simple: [UInt8: UInt8] = [
            0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D,
            0x74: 0x09,
        ]
        if let plain = simple[byte] {
            text.append(plain)
            return
        }
        guard byte == UInt8(ascii: "u") else { throw failure("a known escape") }
        var scalar = try fourHexDigits()
        if scalar >= 0xD800, scalar < 0xDC00 {
            guard bytes[position...].starts(with: Array("\\u".utf8)) else {
                throw failure("the second half of a surrogate pair")
            }
            position += 2
            let low = try fourHexDigits()
            guard low >= 0xDC00, low < 0xE000 else { throw failure("a low surrogate") }
            scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let value = Unicode.Scalar(scalar) else { throw failure("a Unicode scalar") }
        text.append(contentsOf: String(Character(value)).utf8)
    }

    private mutating func fourHexDigits() throws -> UInt32 {
        guard position + 4 <= bytes.count,
            bytes[position..<position + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(
                String(decoding: bytes[position..<position + 4], as: UTF8.self),
                radix: 16
            )
        else { throw failure("four hex digits") }
        position += 4
        return value
    }
}
