// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Makes a JSON value that fits a JSON Schema, as far as the demo model needs it.
///
/// Types, `properties`, `items`, `enum` and `const` are followed; a schema that says nothing else
/// gets the text. Depth is bounded, since schemas may be nested at will.
enum DemoSchema {
    private static let depthMax = 16

    /// An instance of `schema`, as JSON; an empty object without one.
    static func instance(
        _ schema: JSONNode?,
        text: String,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> String {
        guard let schema else { return "{}" }
        let out = ByteBuffer()
        append(schema, text: text, depth: 0, tape, bytes, to: out)
        return out.text
    }

    /// An object of strings, as JSON.
    static func object(_ members: KeyValuePairs<String, String>) -> String {
        let out = ByteBuffer()
        var writer = JSONWriter(out)
        writer.beginObject()
        for (name, value) in members {
            writer.name(escaping: name)
            writer.value(value)
        }
        writer.endObject()
        return out.text
    }

    private static func append(
        _ schema: JSONNode,
        text: String,
        depth: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard depth < depthMax else {
            out.append("null")
            return
        }
        if let fixed = tape.member("const", of: schema, in: bytes) {
            out.append(bytes.extracting(tape.valueRange(of: fixed)))
            return
        }
        if let choices = tape.member("enum", of: schema, in: bytes) {
            var elements = tape.elements(of: choices)
            if let first = elements.next() {
                out.append(bytes.extracting(tape.valueRange(of: first)))
                return
            }
        }
        switch type(of: schema, tape, bytes) {
        case "object":
            appendObject(schema, text: text, depth: depth, tape, bytes, to: out)
        case "array":
            out.append(UInt8(ascii: "["))
            if let items = tape.member("items", of: schema, in: bytes) {
                append(items, text: text, depth: depth + 1, tape, bytes, to: out)
            }
            out.append(UInt8(ascii: "]"))
        case "integer": out.append(decimal: text.utf8.count)
        case "number":
            out.append(decimal: text.utf8.count)
            out.append(".5")
        case "boolean": out.append("true")
        case "null": out.append("null")
        default: JSONWriter.appendQuoted(text, to: out)
        }
    }

    /// The schema's type; the first one of several.
    private static func type(
        of schema: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> String {
        guard let node = tape.member("type", of: schema, in: bytes) else {
            return tape.member("properties", of: schema, in: bytes) == nil ? "string" : "object"
        }
        if let name = tape.string(of: node, in: bytes) { return name }
        var elements = tape.elements(of: node)
        return elements.next().flatMap { tape.string(of: $0, in: bytes) } ?? "string"
    }

    private static func appendObject(
        _ schema: JSONNode,
        text: String,
        depth: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        out.append(UInt8(ascii: "{"))
        var isFirst = true
        if let properties = tape.member("properties", of: schema, in: bytes) {
            for member in tape.members(of: properties) {
                if !isFirst { out.append(UInt8(ascii: ",")) }
                isFirst = false
                out.append(bytes.extracting(tape.valueRange(of: member.name)))
                out.append(UInt8(ascii: ":"))
                append(member.value, text: text, depth: depth + 1, tape, bytes, to: out)
            }
        }
        out.append(UInt8(ascii: "}"))
    }
}
