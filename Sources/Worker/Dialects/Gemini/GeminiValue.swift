// SPDX-License-Identifier: Apache-2.0
import JSON

/// Members of Gemini's requests with the types that they have to have.
enum GeminiValue {
    static func text(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) -> JSONText {
        guard tape.kind(of: node) == .string else {
            throw .invalid(node, tape, "must be a string")
        }
        return JSONText(node, tape)
    }

    /// A string that says something.
    static func name(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) -> JSONText {
        let text = try text(node, tape)
        guard !text.isEmpty else { throw .invalid(node, tape, "must not be empty") }
        return text
    }

    static func integer(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        atLeast least: Int = .min
    ) throws(ConversionError) -> Int {
        guard let number = tape.lenientInteger(of: node, in: bytes) else {
            throw .invalid(node, tape, "must be an integer")
        }
        guard number >= least else { throw .invalid(node, tape, "must be at least \(least)") }
        return number
    }

    static func number(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Double {
        guard let number = tape.number(of: node, in: bytes) else {
            throw .invalid(node, tape, "must be a number")
        }
        return number
    }

    static func bool(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) -> Bool {
        guard let truth = tape.bool(of: node) else {
            throw .invalid(node, tape, "must be true or false")
        }
        return truth
    }

    static func mustBeObject(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) {
        guard tape.kind(of: node) == .object else {
            throw .invalid(node, tape, "must be an object")
        }
    }

    /// That the member `name` of `node` is not there.
    static func missing(
        _ name: String,
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> ConversionError {
        let path = tape.path(of: node, in: bytes)
        return ConversionError(
            .invalid,
            .path(path.isEmpty ? name : "\(path).\(name)"),
            "is missing"
        )
    }

    /// The name at `node`, a member's, for the path of an omission.
    static func label(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> String {
        tape.string(of: node, in: bytes) ?? ""
    }
}

/// A list where Google's samples also have a single object: its elements, or the object itself.
struct GeminiList: Sequence, IteratorProtocol {
    private var elements: JSONElements
    private var single: JSONNode?

    /// - Throws: That `node` is neither an array nor an object.
    init(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) {
        switch tape.kind(of: node) {
        case .array: single = nil
        case .object: single = node
        case .string, .number, .bool, .null:
            throw .invalid(node, tape, "must be an array")
        }
        elements = tape.elements(of: node)
    }

    mutating func next() -> JSONNode? {
        if let node = single {
            single = nil
            return node
        }
        return elements.next()
    }
}

extension JSONTape {
    /// The member called `camel` or `snake`, unless it is null.
    func member(
        _ camel: StaticString,
        or snake: StaticString,
        of node: JSONNode,
        in bytes: Span<UInt8>
    ) -> JSONNode? {
        var found: JSONNode?
        for member in members(of: node) where !isNull(member.value) {
            if equals(member.name, camel, in: bytes) || equals(member.name, snake, in: bytes) {
                found = member.value
            }
        }
        return found
    }

    /// Whether the text of `node` is `camel` or `snake`.
    func equals(
        _ node: JSONNode,
        _ camel: StaticString,
        or snake: StaticString,
        in bytes: Span<UInt8>
    ) -> Bool {
        equals(node, camel, in: bytes) || equals(node, snake, in: bytes)
    }

    /// A number as Google's JSON has it: integers may be strings, and have a fraction of nothing.
    func lenientInteger(of node: JSONNode, in bytes: Span<UInt8>) -> Int? {
        if let integer = integer(of: node, in: bytes) { return integer }
        if kind(of: node) == .string, contentRange(of: node).count <= 20 {
            return string(of: node, in: bytes).flatMap { Int($0) }
        }
        return number(of: node, in: bytes).flatMap { Int(exactly: $0) }
    }
}
