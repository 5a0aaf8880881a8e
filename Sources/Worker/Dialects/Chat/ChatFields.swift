// SPDX-License-Identifier: Apache-2.0
import JSON

/// Members of OpenAI's requests with the types that they have to have.
enum ChatFields {
    static func text(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> JSONText {
        guard tape.kind(of: node) == .string else {
            throw .invalid(node, tape, "must be a string")
        }
        return JSONText(node, tape)
    }

    /// A string that says something.
    static func name(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> JSONText {
        let text = try text(node, tape)
        guard !text.isEmpty else { throw .invalid(node, tape, "must not be empty") }
        return text
    }

    static func integer(
        _ node: JSONNode,
        from least: Int = .min,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Int {
        guard let number = tape.integer(of: node, in: bytes) else {
            throw .invalid(node, tape, "must be an integer")
        }
        guard number >= least else {
            throw .invalid(node, tape, "must be at least \(least)")
        }
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

    static func bool(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> Bool {
        guard let truth = tape.bool(of: node) else {
            throw .invalid(node, tape, "must be true or false")
        }
        return truth
    }

    static func object(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) {
        guard tape.kind(of: node) == .object else {
            throw .invalid(node, tape, "must be an object")
        }
    }

    static func array(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> JSONElements {
        guard tape.kind(of: node) == .array else {
            throw .invalid(node, tape, "must be an array")
        }
        return tape.elements(of: node)
    }

    /// The member `name` of `node` if it is there and not null.
    static func member(
        _ name: StaticString,
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONNode? {
        guard let value = tape.member(name, of: node, in: bytes), !tape.isNull(value) else {
            return nil
        }
        return value
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
            .path(path.isEmpty ? name : path + "." + name),
            "is missing"
        )
    }

    /// Whether a value says nothing: null, `false`, or a container or string without content.
    static func isNothing(_ node: JSONNode, _ tape: JSONTape) -> Bool {
        switch tape.kind(of: node) {
        case .null: true
        case .bool: tape.bool(of: node) == false
        case .string: tape.contentRange(of: node).isEmpty
        case .array:
            tape.elements(of: node).first { _ in true } == nil
        case .object:
            tape.members(of: node).first { _ in true } == nil
        case .number: false
        }
    }
}
