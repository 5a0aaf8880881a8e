// SPDX-License-Identifier: Apache-2.0

/// The value at one place of a document: an index into its tape.
package struct JSONNode: Equatable, Hashable, Sendable {
    @usableFromInline let index: UInt32

    @inlinable init(index: UInt32) {
        self.index = index
    }
}

@usableFromInline
package enum JSONKind: UInt8, Equatable, Sendable {
    case object
    case array
    case string
    case number
    case bool
    case null
}

/// The shape of one scanned document: where each value begins and ends, and what it is.
///
/// A flat array in document order, 16 bytes per value and per member name. It holds no text: the
/// bytes stay with whoever owns them and are passed along as `bytes` where a value is read, always
/// the same bytes that were scanned. A class, because the scanner fills it and readers look at it;
/// the next `reset` of the scanner invalidates every node. Not thread-safe: one loop owns it.
@safe
package final class JSONTape {
    /// Lent to the scanner, which grows it and hands it back at the end of each call.
    @usableFromInline private(set) var storage = JSONTapeStorage()

    init() {}

    deinit {
        storage.free()
    }

    /// Number of values and member names.
    @inlinable package var count: Int { storage.count }

    /// Takes the storage back from the scanner.
    func adopt(_ filled: JSONTapeStorage) {
        storage = filled
    }

    /// The outermost value.
    ///
    /// The tape must hold a scanned document.
    @inlinable package var root: JSONNode {
        precondition(count > 0, "an empty tape has no root")
        return JSONNode(index: 0)
    }

    @inlinable
    subscript(node: JSONNode) -> JSONTapeEntry {
        storage[node.index]
    }
}

/// One value or member name.
@usableFromInline
struct JSONTapeEntry {
    /// Offset of the first byte, a string's opening quote included.
    @usableFromInline var start: UInt32
    /// Offset behind the last byte; 0 while the value is open.
    @usableFromInline var end: UInt32
    /// Index of the entry behind this value and all it contains; for an open container, which
    /// is in nobody's hands yet, the index of the container around it.
    @usableFromInline var next: UInt32
    @usableFromInline var kind: JSONKind
    @usableFromInline var flags: Flags

    init(start: UInt32, end: UInt32, next: UInt32, kind: JSONKind, flags: Flags) {
        self.start = start
        self.end = end
        self.next = next
        self.kind = kind
        self.flags = flags
    }

    @usableFromInline
    struct Flags: OptionSet, Sendable {
        @usableFromInline let rawValue: UInt8

        @usableFromInline init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// A string with at least one backslash.
        @usableFromInline static let escapes = Flags(rawValue: 1)
        /// A number with a fraction or an exponent.
        @usableFromInline static let fractional = Flags(rawValue: 2)
        /// The bool `true`.
        @usableFromInline static let isTrue = Flags(rawValue: 4)
        /// A string that names a member.
        @usableFromInline static let name = Flags(rawValue: 8)
    }
}
