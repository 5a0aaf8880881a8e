// SPDX-License-Identifier: Apache-2.0
import Support

/// JSON to be written: members keep their order, because vendors' bytes have one.
indirect enum Wire {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case string(String)
    case array([Wire])
    case object([(name: String, value: Wire)])

    /// How a vendor's serializer writes what JSON leaves open.
    enum Style {
        /// UTF-8 as it is.
        case plain
        /// Everything beyond ASCII as `\u` escapes, in surrogate pairs where needed.
        case ascii
        /// Python's `repr` of the same value.
        case python
    }

    init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .number(let number):
            if let whole = Int(exactly: number) {
                self = .int(whole)
            } else {
                self = .double(number)
            }
        case .string(let text): self = .string(text)
        case .array(let items): self = .array(items.map { Wire($0) })
        case .object(let members):
            self = .object(members.sorted { $0.key < $1.key }.map { ($0.key, Wire($0.value)) })
        }
    }

    /// Members of `self` and then those of `more`; nil ones of `more` are left out.
    func adding(_ more: [(String, Wire?)]) -> Wire {
        guard case .object(var members) = self else { preconditionFailure("not an object") }
        for (name, value) in more {
            if let value { members.append((name, value)) }
        }
        return .object(members)
    }

    func text(_ style: Style = .plain) -> String {
        var out = ""
        write(style, to: &out)
        return out
    }

    private func write(_ style: Style, to out: inout String) {
        let isPython = style == .python
        switch self {
        case .null: out += isPython ? "None" : "null"
        case .bool(let flag):
            out += isPython ? (flag ? "True" : "False") : (flag ? "true" : "false")
        case .int(let value): out += String(value)
        case .double(let value): out += String(value)
        case .string(let text): Self.write(text, style, to: &out)
        case .array(let items):
            out += "["
            for (index, item) in items.enumerated() {
                if index > 0 { out += isPython ? ", " : "," }
                item.write(style, to: &out)
            }
            out += "]"
        case .object(let members):
            out += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { out += isPython ? ", " : "," }
                Self.write(member.name, style, to: &out)
                out += isPython ? ": " : ":"
                member.value.write(style, to: &out)
            }
            out += "}"
        }
    }

    private static func write(_ text: String, _ style: Style, to out: inout String) {
        // Python takes double quotes only for a text with a single quote and no double one.
        let quote: Unicode.Scalar =
            style == .python && !(text.contains("'") && !text.contains("\"")) ? "'" : "\""
        out.unicodeScalars.append(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case quote, "\\":
                out += "\\"
                out.unicodeScalars.append(scalar)
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                out +=
                    style == .python ? "\\x" + hex(scalar.value, 2) : "\\u" + hex(scalar.value, 4)
            case _ where style == .python && scalar.properties.generalCategory == .format:
                out +=
                    scalar.value > 0xFFFF
                    ? "\\U" + hex(scalar.value, 8) : "\\u" + hex(scalar.value, 4)
            case _ where style == .ascii && scalar.value > 0x7E:
                for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                    out += "\\u" + hex(UInt32(unit), 4)
                }
            default: out.unicodeScalars.append(scalar)
            }
        }
        out.unicodeScalars.append(quote)
    }

    private static func hex(_ value: UInt32, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

extension Wire: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int) { self = .int(value) }
    init(floatLiteral value: Double) { self = .double(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(arrayLiteral elements: Wire...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, Wire)...) {
        self = .object(elements.map { (name: $0.0, value: $0.1) })
    }
}

extension JSONValue {
    /// The value as JSON, members in the order of their names.
    var compact: String { Wire(self).text() }
}
