// SPDX-License-Identifier: Apache-2.0

/// The elements of an array, one after the other.
package struct JSONElements: Sequence, IteratorProtocol {
    @usableFromInline let tape: JSONTape
    @usableFromInline var index: UInt32
    @usableFromInline let end: UInt32

    @inlinable init(tape: JSONTape, at index: UInt32, end: UInt32) {
        self.tape = tape
        self.index = index
        self.end = end
    }

    @inlinable
    package mutating func next() -> JSONNode? {
        guard index < end else { return nil }
        let node = JSONNode(index: index)
        index = tape[node].next
        return node
    }
}

/// The members of an object, one after the other.
package struct JSONMembers: Sequence, IteratorProtocol {
    package struct Member: Equatable, Sendable {
        /// A string.
        package let name: JSONNode
        package let value: JSONNode

        @inlinable init(name: JSONNode, value: JSONNode) {
            self.name = name
            self.value = value
        }
    }

    @usableFromInline let tape: JSONTape
    @usableFromInline var index: UInt32
    @usableFromInline let end: UInt32

    @inlinable init(tape: JSONTape, at index: UInt32, end: UInt32) {
        self.tape = tape
        self.index = index
        self.end = end
    }

    @inlinable
    package mutating func next() -> Member? {
        // Of a document that broke off behind a name there is no value.
        guard index + 1 < end else { return nil }
        let value = JSONNode(index: index + 1)
        defer { index = tape[value].next }
        return Member(name: JSONNode(index: index), value: value)
    }
}
