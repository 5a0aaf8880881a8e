// SPDX-License-Identifier: Apache-2.0
import JSON

/// Values of a request of OpenAI Responses, each with the complaint for a wrong type.
enum ResponsesValue {
    /// Longest member name that is worth a place among what was left out.
    private static let nameBytesMax = 64

    static func text(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) -> JSONText {
        guard tape.kind(of: node) == .string else {
            throw .invalid(node, tape, "must be a string")
        }
        return JSONText(node, tape)
    }

    static func object(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) {
        guard tape.kind(of: node) == .object else {
            throw .invalid(node, tape, "must be an object")
        }
    }

    static func array(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) {
        guard tape.kind(of: node) == .array else {
            throw .invalid(node, tape, "must be an array")
        }
    }

    static func flag(_ node: JSONNode, _ tape: JSONTape) throws(ConversionError) -> Bool {
        guard let value = tape.bool(of: node) else {
            throw .invalid(node, tape, "must be true or false")
        }
        return value
    }

    static func number(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Double {
        guard let value = tape.number(of: node, in: bytes) else {
            throw .invalid(node, tape, "must be a number")
        }
        return value
    }

    static func positive(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Int {
        guard let value = tape.integer(of: node, in: bytes), value > 0 else {
            throw .invalid(node, tape, "must be a positive integer")
        }
        return value
    }

    /// The complaint that `node` lacks the member `name`.
    static func missing(
        _ name: String,
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> ConversionError {
        let path = tape.path(of: node, in: bytes)
        let place = path.isEmpty ? name : "\(path).\(name)"
        return ConversionError(.invalid, .path(place), "is missing")
    }

    /// The complaint that what `node` says has no words in another format.
    static func unsupported(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ message: String
    ) -> ConversionError {
        let place = tape.valueRange(of: node).lowerBound
        return ConversionError(.unsupported, .offset(place), message)
    }

    /// Notes that a member is left out, by its name and what stands before that.
    static func leaveOut(
        _ name: JSONNode,
        under prefix: String = "",
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions
    ) {
        let range = tape.contentRange(of: name)
        guard range.count <= nameBytesMax, let text = tape.string(of: name, in: bytes) else {
            omissions.add(prefix + "…")
            return
        }
        omissions.add(prefix + text)
    }
}
