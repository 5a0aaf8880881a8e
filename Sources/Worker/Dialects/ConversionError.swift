// SPDX-License-Identifier: Apache-2.0
package import JSON

/// Why a document cannot be read as its format, or said in another.
package struct ConversionError: Error, Equatable {
    package enum Kind: Equatable, Sendable {
        /// The document breaks its own format.
        case invalid
        /// The document is fine, but the other format has no words for it.
        case unsupported
    }

    package enum Place: Equatable, Sendable {
        /// An offset into the document; the tape knows the path of what stands there.
        case offset(Int)
        /// A path, for what is missing.
        case path(String)
        case whole
    }

    package let kind: Kind
    package let place: Place
    /// What is wrong and what would be right, to follow the path: `must be a string`.
    package let message: String

    package init(_ kind: Kind, _ place: Place, _ message: String) {
        self.kind = kind
        self.place = place
        self.message = message
    }

    /// The value of `node` is wrong.
    package static func invalid(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ message: String
    ) -> ConversionError {
        ConversionError(.invalid, .offset(tape.valueRange(of: node).lowerBound), message)
    }

    /// `text`, a part of the client's document, cannot be said to the upstream.
    package static func unsupported(_ text: JSONText?, _ message: String) -> ConversionError {
        guard case .slice(let range)? = text else {
            return ConversionError(.unsupported, .whole, message)
        }
        return ConversionError(.unsupported, .offset(range.lowerBound), message)
    }

    /// The path of the place; empty for the whole document.
    package func path(_ tape: JSONTape, _ bytes: Span<UInt8>) -> String {
        switch place {
        case .offset(let offset): tape.path(at: offset, in: bytes)
        case .path(let path): path
        case .whole: ""
        }
    }
}
