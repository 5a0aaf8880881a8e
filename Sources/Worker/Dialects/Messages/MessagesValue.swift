// SPDX-License-Identifier: Apache-2.0
import JSON

/// Values of the kinds that Anthropic Messages wants, and the errors for others.
///
/// `null` is handled by the callers: it counts as absent.
enum MessagesValue {
    static func string(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> JSONText {
        guard tape.kind(of: node) == .string else {
            throw .invalid(node, tape, "must be a string")
        }
        return JSONText(node, tape)
    }

    /// A string that is not empty.
    static func name(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) -> JSONText {
        let text = try string(node, tape)
        guard !text.isEmpty else { throw .invalid(node, tape, "must not be empty") }
        return text
    }

    static func integer(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        atLeast minimum: Int
    ) throws(ConversionError) -> Int {
        guard let value = tape.integer(of: node, in: bytes) else {
            throw .invalid(node, tape, "must be a whole number")
        }
        guard value >= minimum else {
            throw .invalid(node, tape, "must be at least \(minimum)")
        }
        return value
    }

    /// A number from 0 to 1.
    static func fraction(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Double {
        guard let value = tape.number(of: node, in: bytes) else {
            throw .invalid(node, tape, "must be a number")
        }
        guard value >= 0, value <= 1 else {
            throw .invalid(node, tape, "must be from 0 to 1")
        }
        return value
    }

    static func bool(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) -> Bool {
        guard let value = tape.bool(of: node) else {
            throw .invalid(node, tape, "must be true or false")
        }
        return value
    }

    static func object(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> JSONFragment {
        try mustBeObject(node, tape)
        return JSONFragment(node, tape)
    }

    static func mustBeObject(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) {
        guard tape.kind(of: node) == .object else {
            throw .invalid(node, tape, "must be an object")
        }
    }

    static func mustBeArray(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) {
        guard tape.kind(of: node) == .array else {
            throw .invalid(node, tape, "must be an array")
        }
    }

    /// The member `name` of `object`; `null` is none.
    static func member(
        _ name: StaticString,
        of object: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONNode? {
        guard let node = tape.member(name, of: object, in: bytes), !tape.isNull(node) else {
            return nil
        }
        return node
    }

    /// That the member `name` of `object` is not there.
    static func missing(
        _ name: String,
        of object: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> ConversionError {
        let path = tape.path(of: object, in: bytes)
        return ConversionError(
            .invalid,
            .path(path.isEmpty ? name : "\(path).\(name)"),
            "is required"
        )
    }

    /// The text of `node`, which is a string, for the name of an omission.
    static func label(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> String {
        tape.string(of: node, in: bytes) ?? ""
    }
}
