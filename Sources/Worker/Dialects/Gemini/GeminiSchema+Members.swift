// SPDX-License-Identifier: Apache-2.0
import JSON

extension GeminiSchema {
    /// Products of names above which names are looked up in a table.
    private static let pairsMax = 4_096

    func writeText(
        _ name: StaticString,
        _ node: JSONNode?,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard let node, tape.kind(of: node) == .string else { return }
        writer.name(name)
        writer.rawString(bytes.extracting(tape.contentRange(of: node)))
    }

    /// Writes the allowed values: Gemini has them for texts only.
    ///
    /// - Returns: Whether null is one of them.
    func writeValues(
        _ view: GeminiSchemaView,
        _ type: GeminiSchemaType,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) -> Bool {
        guard view.constant != nil || view.enumeration != nil else { return false }
        var hasNull = false
        var texts: [JSONNode] = []
        func take(_ value: JSONNode) {
            if tape.isNull(value) { hasNull = true }
            // An empty text is refused.
            if tape.kind(of: value) == .string, !tape.contentRange(of: value).isEmpty {
                texts.append(value)
            }
        }
        if let constant = view.constant {
            take(constant)
        } else if let enumeration = view.enumeration {
            for value in tape.elements(of: enumeration) { take(value) }
        }
        guard case .string = type, !texts.isEmpty else { return hasNull }
        writer.name("enum")
        writer.beginArray()
        for text in texts {
            writer.rawString(bytes.extracting(tape.contentRange(of: text)))
        }
        writer.endArray()
        return hasNull
    }

    func writeLimits(
        _ view: GeminiSchemaView,
        _ type: GeminiSchemaType,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        if let format = view.format, isKnown(format, type, bytes) {
            writeText("format", format, bytes, to: &writer)
        }
        if case .string = type {
            writeText("pattern", view.pattern, bytes, to: &writer)
            return
        }
        // One number allowed is a range of that number.
        for (name, node): (StaticString, JSONNode?) in [
            ("minimum", view.minimum ?? view.constant),
            ("maximum", view.maximum ?? view.constant),
        ] {
            guard let node, tape.kind(of: node) == .number else { continue }
            writer.name(name)
            writer.raw(bytes.extracting(tape.valueRange(of: node)))
        }
    }

    /// Whether Gemini knows a format; it refuses the others.
    private func isKnown(
        _ format: JSONNode,
        _ type: GeminiSchemaType,
        _ bytes: Span<UInt8>
    ) -> Bool {
        func isOne(_ names: StaticString...) -> Bool {
            names.contains { tape.equals(format, $0, in: bytes) }
        }
        switch type {
        case .string: return isOne("enum", "date-time")
        case .integer: return isOne("int32", "int64")
        case .number: return isOne("float", "double")
        case .object, .array, .boolean, .null: return false
        }
    }

    /// Writes the limits of counts that the type has.
    func writeCounts(
        _ view: GeminiSchemaView,
        _ type: GeminiSchemaType,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard !view.counts.isEmpty else { return }
        var seen: [String] = []
        for (name, value) in view.counts {
            let text = name.description
            let fits =
                switch type {
                case .array: text.hasSuffix("Items")
                case .string: text.hasSuffix("Length")
                case .object: text.hasSuffix("Properties")
                case .integer, .number, .boolean, .null: false
                }
            guard fits, !seen.contains(text), tape.lenientInteger(of: value, in: bytes) != nil
            else { continue }
            seen.append(text)
            writer.name(name)
            writer.raw(bytes.extracting(tape.valueRange(of: value)))
        }
    }

    mutating func writeProperties(
        _ view: GeminiSchemaView,
        depth: Int,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard !view.isRecursive else { return }
        var names: [JSONNode] = []
        for properties in view.properties {
            let isFirst = names.isEmpty
            for property in tape.members(of: properties) {
                // Another part of the schema has the same property.
                if !isFirst, isName(property.name, among: names, bytes) { continue }
                if names.isEmpty {
                    writer.name("properties")
                    writer.beginObject()
                }
                names.append(property.name)
                writer.rawName(bytes.extracting(tape.contentRange(of: property.name)))
                writeProperty(property.value, depth: depth, bytes, to: &writer)
            }
        }
        guard !names.isEmpty else { return }
        writer.endObject()
        for (list, name): ([JSONNode], StaticString) in [
            (view.required, "required"),
            (view.ordering.map { [$0] } ?? [], "propertyOrdering"),
        ] {
            writeNames(list, name, among: names, bytes, to: &writer)
        }
    }

    /// Writes the names in `lists` that are `names`; Gemini refuses others, and an empty list.
    private func writeNames(
        _ lists: [JSONNode],
        _ name: StaticString,
        among names: [JSONNode],
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        var table: Set<String>?
        var pairs = 0
        var isOpen = false
        for list in lists {
            for element in tape.elements(of: list) where tape.kind(of: element) == .string {
                pairs += names.count
                if pairs > Self.pairsMax, table == nil {
                    table = Set(names.compactMap { tape.string(of: $0, in: bytes) })
                }
                let isKnown =
                    if let table {
                        table.contains(tape.string(of: element, in: bytes) ?? "")
                    } else {
                        isName(element, among: names, bytes)
                    }
                guard isKnown else { continue }
                if !isOpen {
                    writer.name(name)
                    writer.beginArray()
                    isOpen = true
                }
                writer.rawString(bytes.extracting(tape.contentRange(of: element)))
            }
        }
        if isOpen { writer.endArray() }
    }

    private func isName(
        _ node: JSONNode,
        among names: [JSONNode],
        _ bytes: Span<UInt8>
    ) -> Bool {
        let text = JSONText(node, tape)
        return names.contains { JSONText($0, tape).isSame(as: text, in: bytes) }
    }
}
