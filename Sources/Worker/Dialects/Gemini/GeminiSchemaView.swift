// SPDX-License-Identifier: Apache-2.0
import JSON

/// What a schema says together with all that it refers to: `$ref`, `allOf`, and the only branch of
/// an `anyOf` that is left without null.
///
/// Of members that stand in several places the first counts, properties and required names add up.
struct GeminiSchemaView {
    /// The type, the first one of several.
    var type: GeminiSchemaType?
    /// The types behind the first one.
    var moreTypes: [GeminiSchemaType] = []
    var format: JSONNode?
    var title: JSONNode?
    var description: JSONNode?
    var enumeration: JSONNode?
    var constant: JSONNode?
    var items: JSONNode?
    var properties: [JSONNode] = []
    var required: [JSONNode] = []
    var ordering: JSONNode?
    var minimum: JSONNode?
    var maximum: JSONNode?
    var pattern: JSONNode?
    /// Counts with their names.
    var counts: [(name: StaticString, value: JSONNode)] = []
    /// Two or more alternatives, none of them null.
    var branches: [JSONNode] = []
    var isNullable = false
    /// Whether it leads back to a schema that is being written, where it has to end.
    var isRecursive = false

    /// The one type, as it is told or as the other members betray it; nil for anything.
    func likelyType(_ tape: JSONTape) -> GeminiSchemaType? {
        if let type { return type }
        if !properties.isEmpty || !required.isEmpty { return .object }
        if items != nil { return .array }
        if let enumeration {
            for value in tape.elements(of: enumeration) {
                if let type = GeminiSchemaType(of: value, tape) { return type }
            }
        }
        if let constant, let type = GeminiSchemaType(of: constant, tape) { return type }
        if minimum != nil || maximum != nil { return .number }
        return nil
    }

    /// Whether it is an object without any property.
    func isEmptyObject(_ tape: JSONTape) -> Bool {
        guard branches.isEmpty, type == nil || type == .object else { return false }
        guard enumeration == nil, constant == nil, items == nil else { return false }
        return properties.allSatisfy { tape.members(of: $0).first { _ in true } == nil }
    }
}

/// Collects views of schemas and knows which references are being followed.
struct GeminiSchemaResolver {
    /// Schemas that one view may be made of; more is a maze.
    private static let sourcesMax = 64

    /// The targets of references that are being written, the outermost schema first.
    private(set) var active: [JSONNode]
    private let root: JSONNode

    init(root: JSONNode) {
        self.root = root
        active = [root]
    }

    /// The place to go back to when a schema is written.
    var mark: Int { active.count }

    mutating func leave(_ mark: Int) {
        active.removeSubrange(mark...)
    }

    /// What the schema at `node` says; its references stay active until `leave`.
    mutating func view(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> GeminiSchemaView {
        var view = GeminiSchemaView()
        var left = Self.sourcesMax
        collect(node, into: &view, &left, tape, bytes)
        return view
    }

    private mutating func collect(
        _ node: JSONNode,
        into view: inout GeminiSchemaView,
        _ left: inout Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        left -= 1
        guard left >= 0 else { return }
        var others: [(GeminiSchemaKeyword, JSONNode)] = []
        for member in tape.members(of: node) {
            guard let keyword = GeminiSchemaKeyword(member.name, tape, bytes) else { continue }
            let value = member.value
            switch keyword {
            case .type: Self.take(types: value, into: &view, tape, bytes)
            case .format: view.format = view.format ?? value
            case .title: view.title = view.title ?? value
            case .description: view.description = view.description ?? value
            case .enumeration: view.enumeration = view.enumeration ?? value
            case .constant: view.constant = view.constant ?? value
            case .nullable: view.isNullable = view.isNullable || tape.bool(of: value) == true
            case .properties:
                if tape.kind(of: value) == .object { view.properties.append(value) }
            case .required: view.required.append(value)
            case .ordering: view.ordering = view.ordering ?? value
            case .items, .prefixItems:
                // Of a tuple the first member has to do for all.
                let first = tape.elements(of: value).first { _ in true }
                view.items = view.items ?? first ?? value
            case .count(let name): view.counts.append((name, value))
            // A little wider than what the schema says, where it excludes the limit.
            case .minimum, .exclusiveMinimum: view.minimum = view.minimum ?? value
            case .maximum, .exclusiveMaximum: view.maximum = view.maximum ?? value
            case .pattern: view.pattern = view.pattern ?? value
            case .anyOf, .oneOf, .allOf, .reference: others.append((keyword, value))
            }
        }
        // Later, so that what stands beside a reference counts more than what it leads to.
        for (keyword, value) in others {
            switch keyword {
            case .reference: follow(value, into: &view, &left, tape, bytes)
            case .allOf:
                for element in tape.elements(of: value) {
                    collect(element, into: &view, &left, tape, bytes)
                }
            default: choose(value, into: &view, &left, tape, bytes)
            }
        }
    }

    private mutating func follow(
        _ reference: JSONNode,
        into view: inout GeminiSchemaView,
        _ left: inout Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        guard let target = target(of: reference, tape, bytes) else { return }
        guard active.contains(target) else {
            active.append(target)
            collect(target, into: &view, &left, tape, bytes)
            return
        }
        view.isRecursive = true
        for name: StaticString in ["type", "description"] {
            guard let value = tape.member(name, of: target, in: bytes) else { continue }
            if name.description == "type" {
                Self.take(types: value, into: &view, tape, bytes)
            } else {
                view.description = view.description ?? value
            }
        }
    }

    /// Takes the alternatives at `list`: the only one as a part of the schema.
    private mutating func choose(
        _ list: JSONNode,
        into view: inout GeminiSchemaView,
        _ left: inout Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        var branches: [JSONNode] = []
        for element in tape.elements(of: list) {
            if Self.isNull(element, tape, bytes) {
                view.isNullable = true
            } else {
                branches.append(element)
            }
        }
        if branches.count == 1 {
            collect(branches[0], into: &view, &left, tape, bytes)
        } else if view.branches.isEmpty {
            view.branches = branches
        }
    }

    private static func isNull(
        _ schema: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        for member in tape.members(of: schema) {
            switch GeminiSchemaKeyword(member.name, tape, bytes) {
            case .type:
                if case .null? = GeminiSchemaType(member.value, tape, bytes) { return true }
            case .constant:
                if tape.isNull(member.value) { return true }
            default: break
            }
        }
        return false
    }

    /// Takes the member `type`, which may be a list with null in it.
    private static func take(
        types node: JSONNode,
        into view: inout GeminiSchemaView,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        let isFirst = view.type == nil
        if tape.kind(of: node) == .array {
            for element in tape.elements(of: node) {
                take(type: element, into: &view, isFirst, tape, bytes)
            }
        } else {
            take(type: node, into: &view, isFirst, tape, bytes)
        }
    }

    private static func take(
        type node: JSONNode,
        into view: inout GeminiSchemaView,
        _ isFirst: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        switch GeminiSchemaType(node, tape, bytes) {
        case .null?: view.isNullable = true
        case let type?:
            guard isFirst else { return }
            if view.type == nil { view.type = type } else { view.moreTypes.append(type) }
        case nil: break
        }
    }

    // MARK: References

    /// What a reference within the schema leads to; nil for any other.
    ///
    /// Spec: RFC 6901 section 6, without percent-encoding.
    private func target(
        of reference: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONNode? {
        guard let text = tape.string(of: reference, in: bytes), text.hasPrefix("#") else {
            return nil
        }
        var node = root
        for step in text.dropFirst().split(separator: "/") {
            let name = step.contains("~") ? Self.unescaped(step) : String(step)
            if let value = tape.member(named: name, of: node, in: bytes) {
                node = value
            } else if let index = Int(name), index >= 0,
                let element = tape.elements(of: node).dropFirst(index).first(where: { _ in true })
            {
                node = element
            } else {
                return nil
            }
        }
        return tape.kind(of: node) == .object ? node : nil
    }

    private static func unescaped(_ step: Substring) -> String {
        step.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
            .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
    }
}
