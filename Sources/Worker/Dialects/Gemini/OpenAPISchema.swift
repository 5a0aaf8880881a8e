// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Turns Gemini's schemas, OpenAPI 3.0 with types in capitals, into JSON Schema.
///
/// Pure.
enum OpenAPISchema {
    /// The schema at `node`, an object, as JSON Schema: as it stands if it is that already.
    static func jsonSchema(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONFragment {
        guard isForeign(node, tape, bytes) else { return JSONFragment(node, tape) }
        let out = ByteBuffer(capacity: tape.valueRange(of: node).count)
        var writer = JSONWriter(out)
        write(node, tape, bytes, to: &writer)
        return .json(out.text)
    }

    /// Whether anything in the schema reads differently in JSON Schema.
    private static func isForeign(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        for member in tape.members(of: node) {
            let value = member.value
            let keyword = Keyword(member.name, tape, bytes)
            if keyword.name != nil { return true }
            switch keyword.role {
            case .type:
                if type(value, tape, bytes) != nil { return true }
            case .omitted: return true
            case .format:
                if tape.equals(value, "enum", in: bytes) { return true }
            case .count:
                if tape.kind(of: value) == .string { return true }
            case .schema:
                if isForeign(value, tape, bytes) { return true }
            case .schemas:
                for element in tape.elements(of: value) where isForeign(element, tape, bytes) {
                    return true
                }
            case .properties:
                for property in tape.members(of: value)
                where isForeign(property.value, tape, bytes) {
                    return true
                }
            case .values, .other: break
            }
        }
        return false
    }

    private static func write(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard tape.kind(of: node) == .object else {
            writer.raw(bytes.extracting(tape.valueRange(of: node)))
            return
        }
        let nullable = tape.member("nullable", of: node, in: bytes)
        let isNullable = nullable.flatMap { tape.bool(of: $0) } ?? false
        writer.beginObject()
        for member in tape.members(of: node) {
            let keyword = Keyword(member.name, tape, bytes)
            if isDropped(keyword, member.value, tape, bytes) { continue }
            if let name = keyword.name {
                writer.name(name)
            } else {
                writer.rawName(bytes.extracting(tape.contentRange(of: member.name)))
            }
            writeValue(member.value, keyword, isNullable, tape, bytes, to: &writer)
        }
        writer.endObject()
    }

    /// Whether a member says nothing in JSON Schema.
    private static func isDropped(
        _ keyword: Keyword,
        _ value: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        switch keyword.role {
        case .omitted: true
        case .type: tape.equals(value, "TYPE_UNSPECIFIED", in: bytes)
        case .format: tape.equals(value, "enum", in: bytes)
        default: tape.isNull(value)
        }
    }

    private static func writeValue(
        _ value: JSONNode,
        _ keyword: Keyword,
        _ isNullable: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        let raw = bytes.extracting(tape.valueRange(of: value))
        switch keyword.role {
        case .type:
            let type = type(value, tape, bytes)
            if isNullable { writer.beginArray() }
            if let type { writer.raw(type) } else { writer.raw(raw) }
            if isNullable {
                writer.raw("\"null\"")
                writer.endArray()
            }
        case .count where tape.kind(of: value) == .string:
            // Google writes 64-bit integers as strings.
            if let count = tape.lenientInteger(of: value, in: bytes) {
                writer.value(count)
            } else {
                writer.raw(raw)
            }
        case .values where isNullable:
            writer.beginArray()
            for element in tape.elements(of: value) {
                writer.raw(bytes.extracting(tape.valueRange(of: element)))
            }
            writer.null()
            writer.endArray()
        case .schema:
            write(value, tape, bytes, to: &writer)
        case .schemas:
            writer.beginArray()
            for element in tape.elements(of: value) {
                write(element, tape, bytes, to: &writer)
            }
            if isNullable { writer.raw(#"{"type":"null"}"#) }
            writer.endArray()
        case .properties where tape.kind(of: value) == .object:
            writer.beginObject()
            for property in tape.members(of: value) {
                writer.rawName(bytes.extracting(tape.contentRange(of: property.name)))
                write(property.value, tape, bytes, to: &writer)
            }
            writer.endObject()
        case .omitted, .format, .count, .values, .properties, .other:
            writer.raw(raw)
        }
    }

    /// JSON Schema's name of a type, in quotes; nil for one that needs no change.
    private static func type(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> StaticString? {
        if tape.equals(node, "STRING", in: bytes) { return "\"string\"" }
        if tape.equals(node, "OBJECT", in: bytes) { return "\"object\"" }
        if tape.equals(node, "ARRAY", in: bytes) { return "\"array\"" }
        if tape.equals(node, "INTEGER", in: bytes) { return "\"integer\"" }
        if tape.equals(node, "NUMBER", in: bytes) { return "\"number\"" }
        if tape.equals(node, "BOOLEAN", in: bytes) { return "\"boolean\"" }
        if tape.equals(node, "NULL", in: bytes) { return "\"null\"" }
        return tape.equals(node, "TYPE_UNSPECIFIED", in: bytes) ? "" : nil
    }
}

/// A member of Gemini's schema.
private struct Keyword {
    enum Role {
        case type, format
        /// Means nothing in JSON Schema, or is said otherwise there.
        case omitted
        /// A number that may be a string.
        case count
        /// The allowed values.
        case values
        /// One schema, a list of them, and a map of them.
        case schema, schemas, properties
        case other
    }

    let role: Role
    /// The name in JSON Schema; nil for the name as it stands.
    let name: StaticString?

    /// The length decides before any text is compared: schemas are most of many requests.
    init(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        func isNamed(_ name: StaticString) -> Bool { tape.equals(node, name, in: bytes) }
        var snakeName: StaticString?
        switch tape.contentRange(of: node).count {
        case 4: role = isNamed("type") ? .type : isNamed("enum") ? .values : .other
        case 5: role = isNamed("items") ? .schema : isNamed("anyOf") ? .schemas : .other
        case 6:
            role = isNamed("format") ? .format : isNamed("any_of") ? .schemas : .other
            if role == .schemas { snakeName = "anyOf" }
        case 7: role = isNamed("example") ? .omitted : .other
        case 8:
            role =
                isNamed("nullable")
                ? .omitted : isNamed("minItems") || isNamed("maxItems") ? .count : .other
        case 9:
            if isNamed("min_items") { snakeName = "minItems" }
            if isNamed("max_items") { snakeName = "maxItems" }
            role =
                snakeName != nil || isNamed("minLength") || isNamed("maxLength") ? .count : .other
        case 10:
            if isNamed("min_length") { snakeName = "minLength" }
            if isNamed("max_length") { snakeName = "maxLength" }
            role = isNamed("properties") ? .properties : snakeName != nil ? .count : .other
        case 13: role = isNamed("minProperties") || isNamed("maxProperties") ? .count : .other
        case 14:
            if isNamed("min_properties") { snakeName = "minProperties" }
            if isNamed("max_properties") { snakeName = "maxProperties" }
            role = snakeName != nil ? .count : .other
        case 16: role = isNamed("propertyOrdering") ? .omitted : .other
        case 17: role = isNamed("property_ordering") ? .omitted : .other
        default: role = .other
        }
        name = snakeName
    }
}
