// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes JSON Schemas as Gemini takes them: the part of OpenAPI 3.0 that it knows, without
/// references.
///
/// Both the Gemini API and Vertex take this form; JSON Schema itself only the newest of them do.
/// What Gemini does not know is left out, because an unknown member refuses the whole request; what
/// it says in other words is reworded (`const`, null types, `exclusiveMinimum`). A schema that
/// leads back to itself ends where it does.
/// Pure.
struct GeminiSchema {
    /// Levels of the result; Google refuses schemas that are much less deep.
    private static let depthMax = 48
    /// Bytes that written-out references may add: they can grow a schema exponentially.
    private static let growthMax = 256 << 10

    private enum Failure {
        case tooDeep, tooLarge
    }

    /// What a schema has from the one around it.
    private struct Inherited {
        var type: GeminiSchemaType?
        var description: JSONNode?
        var isNullable = false
    }

    let tape: JSONTape
    private var resolver: GeminiSchemaResolver
    private let limit: Int
    private var failure: Failure?

    private init(_ tape: JSONTape, limit: Int) {
        self.tape = tape
        self.limit = limit
        resolver = GeminiSchemaResolver(root: tape.root)
    }

    /// Writes the schema `fragment`, an object, as the value of the member `name`; not at all where
    /// it is `optional` and an object without properties, which Gemini refuses.
    ///
    /// - Throws: That the schema gets too large or too deep when its references are written out.
    static func write(
        _ fragment: JSONFragment,
        name: StaticString,
        isOptional: Bool,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        let failure: Failure??
        switch fragment {
        case .slice(let range):
            failure = write(bytes.extracting(range), name, isOptional, scratch, to: &writer)
        case .json(let text):
            failure = write(text.utf8.span, name, isOptional, scratch, to: &writer)
        }
        let what: String
        switch failure {
        case .some(.none): return
        case .none: what = "must be a JSON object"
        case .some(.tooDeep):
            what = "nests deeper than \(depthMax) levels when its references are written out"
        case .some(.tooLarge):
            what = "grows by more than \(growthMax >> 10) KiB when its references are written out"
        }
        guard case .slice(let range) = fragment else {
            throw ConversionError(.unsupported, .whole, "a schema " + what)
        }
        throw ConversionError(.unsupported, .offset(range.lowerBound), what)
    }

    /// - Returns: What went wrong; nil for what is no object.
    private static func write(
        _ bytes: Span<UInt8>,
        _ name: StaticString,
        _ isOptional: Bool,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) -> Failure?? {
        let start = writer.buffer.count
        return scratch.scan(bytes) { tape -> Failure?? in
            guard tape.kind(of: tape.root) == .object else { return nil }
            var schema = GeminiSchema(tape, limit: start + bytes.count * 2 + growthMax)
            if isOptional {
                let view = schema.resolver.view(tape.root, tape, bytes)
                schema.resolver.leave(1)
                if view.isEmptyObject(tape) { return .some(nil) }
            }
            writer.name(name)
            schema.write(tape.root, Inherited(), depth: 0, bytes, to: &writer)
            return .some(schema.failure)
        } ?? nil
    }

    // MARK: -

    /// Writes a property; `true` and `false` stand for schemas as well.
    mutating func writeProperty(
        _ node: JSONNode,
        depth: Int,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        write(node, Inherited(), depth: depth + 1, bytes, to: &writer)
    }

    private mutating func write(
        _ node: JSONNode,
        _ inherited: Inherited,
        depth: Int,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        if depth >= Self.depthMax { failure = failure ?? .tooDeep }
        if writer.buffer.count > limit { failure = failure ?? .tooLarge }
        guard failure == nil else {
            writer.raw("{}")
            return
        }
        let mark = resolver.mark
        var view = resolver.view(node, tape, bytes)
        if view.likelyType(tape) == nil { view.type = inherited.type }
        view.description = view.description ?? inherited.description
        view.isNullable = view.isNullable || inherited.isNullable
        writer.beginObject()
        if !view.branches.isEmpty, view.properties.isEmpty {
            writeBranches(view, depth: depth, bytes, to: &writer)
        } else if !view.moreTypes.isEmpty {
            writeTypes(view, depth: depth, bytes, to: &writer)
        } else {
            write(view, view.likelyType(tape) ?? .string, depth: depth, bytes, to: &writer)
        }
        writer.endObject()
        resolver.leave(mark)
    }

    /// Alternatives: Vertex takes nothing beside them, so they get what stands there.
    private mutating func writeBranches(
        _ view: GeminiSchemaView,
        depth: Int,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        var inherited = Inherited(
            type: view.moreTypes.isEmpty ? view.type : nil,
            description: view.description,
            isNullable: view.isNullable
        )
        writer.name("anyOf")
        writer.beginArray()
        for branch in view.branches {
            write(branch, inherited, depth: depth + 1, bytes, to: &writer)
            inherited.description = nil
        }
        writer.endArray()
    }

    /// Several types: one alternative for each of them.
    private mutating func writeTypes(
        _ view: GeminiSchemaView,
        depth: Int,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard let first = view.type else { return }
        var view = view
        let types = [first] + view.moreTypes
        view.moreTypes = []
        writer.name("anyOf")
        writer.beginArray()
        for type in types {
            view.type = type
            writer.beginObject()
            write(view, type, depth: depth + 1, bytes, to: &writer)
            writer.endObject()
            view.description = nil
        }
        writer.endArray()
    }

    /// The members of a schema with one type.
    private mutating func write(
        _ view: GeminiSchemaView,
        _ type: GeminiSchemaType,
        depth: Int,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        writer.name("type")
        writer.raw(type.json)
        writeText("title", view.title, bytes, to: &writer)
        writeText("description", view.description, bytes, to: &writer)
        let allowsNull = writeValues(view, type, bytes, to: &writer)
        if view.isNullable || allowsNull { writer.member("nullable", true) }
        switch type {
        case .object:
            writeProperties(view, depth: depth, bytes, to: &writer)
        case .array:
            writer.name("items")
            if let items = view.items, tape.kind(of: items) == .object, !view.isRecursive {
                write(items, Inherited(), depth: depth + 1, bytes, to: &writer)
            } else {
                writer.raw(#"{"type":"string"}"#)
            }
        case .string, .integer, .number:
            writeLimits(view, type, bytes, to: &writer)
        case .boolean, .null: break
        }
        writeCounts(view, type, bytes, to: &writer)
    }
}
