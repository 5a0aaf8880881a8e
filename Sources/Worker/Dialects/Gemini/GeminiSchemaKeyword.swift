// SPDX-License-Identifier: Apache-2.0
import JSON

/// The members of JSON Schema that mean something to Gemini, or stand for what does.
enum GeminiSchemaKeyword {
    case type, format, title, description, enumeration, constant, nullable
    case properties, required, ordering, items, prefixItems
    case anyOf, oneOf, allOf, reference
    case minimum, maximum, exclusiveMinimum, exclusiveMaximum, pattern
    /// One of six limits of counts, which are copied.
    case count(StaticString)

    /// Nil for all others.
    ///
    /// Schemas are most of many requests, so the length decides before any text is compared.
    init?(_ name: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        func isNamed(_ text: StaticString) -> Bool { tape.equals(name, text, in: bytes) }
        let found: GeminiSchemaKeyword?
        switch tape.contentRange(of: name).count {
        case 4:
            found =
                isNamed("type")
                ? .type
                : isNamed("enum")
                    ? .enumeration
                    : isNamed("$ref") ? .reference : nil
        case 5:
            found =
                isNamed("items")
                ? .items
                : isNamed("title")
                    ? .title
                    : isNamed("anyOf")
                        ? .anyOf
                        : isNamed("oneOf")
                            ? .oneOf
                            : isNamed("allOf") ? .allOf : isNamed("const") ? .constant : nil
        case 6: found = isNamed("format") ? .format : nil
        case 7:
            found =
                isNamed("minimum")
                ? .minimum
                : isNamed("maximum") ? .maximum : isNamed("pattern") ? .pattern : nil
        case 8:
            found =
                isNamed("required")
                ? .required
                : isNamed("nullable")
                    ? .nullable
                    : isNamed("minItems")
                        ? .count("minItems")
                        : isNamed("maxItems") ? .count("maxItems") : nil
        case 9:
            found =
                isNamed("minLength")
                ? .count("minLength")
                : isNamed("maxLength") ? .count("maxLength") : nil
        case 10: found = isNamed("properties") ? .properties : nil
        case 11:
            found =
                isNamed("description")
                ? .description
                : isNamed("prefixItems") ? .prefixItems : nil
        case 13:
            found =
                isNamed("minProperties")
                ? .count("minProperties")
                : isNamed("maxProperties") ? .count("maxProperties") : nil
        case 16:
            found =
                isNamed("exclusiveMinimum")
                ? .exclusiveMinimum
                : isNamed("exclusiveMaximum")
                    ? .exclusiveMaximum
                    : isNamed("propertyOrdering") ? .ordering : nil
        default: found = nil
        }
        guard let found else { return nil }
        self = found
    }
}

/// The types of JSON Schema.
enum GeminiSchemaType {
    case object, array, string, integer, number, boolean, null

    /// Google's capitals count as well.
    init?(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        func isNamed(_ lower: StaticString, _ upper: StaticString) -> Bool {
            tape.equals(node, lower, or: upper, in: bytes)
        }
        if isNamed("string", "STRING") {
            self = .string
        } else if isNamed("object", "OBJECT") {
            self = .object
        } else if isNamed("array", "ARRAY") {
            self = .array
        } else if isNamed("integer", "INTEGER") {
            self = .integer
        } else if isNamed("number", "NUMBER") {
            self = .number
        } else if isNamed("boolean", "BOOLEAN") {
            self = .boolean
        } else if isNamed("null", "NULL") {
            self = .null
        } else {
            return nil
        }
    }

    /// The type of a value; nil for null.
    init?(of value: JSONNode, _ tape: JSONTape) {
        switch tape.kind(of: value) {
        case .object: self = .object
        case .array: self = .array
        case .string: self = .string
        case .number: self = .number
        case .bool: self = .boolean
        case .null: return nil
        }
    }

    /// The name in quotes.
    var json: StaticString {
        switch self {
        case .object: "\"object\""
        case .array: "\"array\""
        case .string: "\"string\""
        case .integer: "\"integer\""
        case .number: "\"number\""
        case .boolean: "\"boolean\""
        case .null: "\"null\""
        }
    }
}
