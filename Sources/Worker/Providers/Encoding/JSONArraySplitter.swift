// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not a streamed array of objects.
package enum JSONArrayError: Error, Equatable, Sendable {
    /// A byte that cannot stand where it does, at this offset of the unread bytes.
    case unexpected(offset: Int)
    case elementTooLarge
}

/// Finds the objects of a JSON array that arrives in pieces: `[{...}\n,\n{...}]`.
///
/// Gemini streams this way when it is not asked for events. One object without an array around it
/// counts as the only element, because failures come that way. Only brackets and strings are looked
/// at: an element may still turn out not to be JSON when it is scanned. Remembers how far it has
/// looked, so that an element that drips in is looked at once.
package struct JSONArraySplitter {
    /// Far above any event of a model with an image in it.
    package static let elementBytesMax = 4 << 20

    package enum Step: Equatable, Sendable {
        /// Drop `length` bytes and call again with the same start and more bytes.
        case needMore(length: Int)
        /// One object; drop `length` bytes and call again.
        case element(Range<Int>, length: Int)
        /// The array is over; drop `length` bytes.
        case end(length: Int)
    }

    private enum State: Equatable {
        /// Nothing but white space yet. Exits: `beforeFirst`, `inElement`.
        case start
        /// Behind `[`. Exits: `inElement`, `ended`.
        case beforeFirst
        /// Behind a comma. Exits: `inElement`.
        case beforeNext
        /// In an object; `depth` brackets are open. Exits: `behindElement`, `ended`.
        case inElement
        /// Exits: `beforeNext`, `ended`.
        case behindElement
        /// Behind the last bracket.
        case ended
    }

    private var state = State.start
    /// Whether an array is around the elements.
    private var isArray = false
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Bytes of the element that need no second look.
    private var position = 0
    /// Bytes looked at since the start; what slow drip costs, for tests.
    package private(set) var bytesExamined = 0

    package init() {}

    /// Whether the array, or the only object, is over; a stream that stops before was cut.
    package var isComplete: Bool { state == .ended }

    /// Takes the unread bytes of the stream.
    ///
    /// After an error the stream cannot be read any further.
    package mutating func next(_ bytes: Span<UInt8>) throws(JSONArrayError) -> Step {
        var at = 0
        while state != .inElement {
            while at < bytes.count, Self.isSpace(bytes[at]) { at += 1 }
            guard at < bytes.count else {
                return state == .ended ? .end(length: at) : .needMore(length: at)
            }
            try punctuation(bytes[at], at: at)
            if state != .inElement { at += 1 }
        }
        return try element(bytes, start: at)
    }

    private mutating func punctuation(_ byte: UInt8, at offset: Int) throws(JSONArrayError) {
        switch (state, byte) {
        case (.start, UInt8(ascii: "[")):
            isArray = true
            state = .beforeFirst
        case (.start, UInt8(ascii: "{")), (.beforeFirst, UInt8(ascii: "{")),
            (.beforeNext, UInt8(ascii: "{")):
            state = .inElement
        case (.behindElement, UInt8(ascii: ",")):
            state = .beforeNext
        case (.beforeFirst, UInt8(ascii: "]")), (.behindElement, UInt8(ascii: "]")):
            state = .ended
        case (.start, _), (.beforeFirst, _), (.beforeNext, _), (.behindElement, _), (.ended, _):
            throw .unexpected(offset: offset)
        case (.inElement, _):
            preconditionFailure("punctuation in \(state)")
        }
    }

    /// Looks for the end of the object that starts at `start`.
    private mutating func element(
        _ bytes: Span<UInt8>,
        start: Int
    ) throws(JSONArrayError) -> Step {
        let end = min(bytes.count, start + Self.elementBytesMax)
        let first = start + position
        var at = first
        while at < end {
            let byte = bytes[at]
            at += 1
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            if depth == 0 {
                bytesExamined &+= at - first
                position = 0
                state = isArray ? .behindElement : .ended
                return .element(start..<at, length: at)
            }
        }
        bytesExamined &+= at - first
        if at - start == Self.elementBytesMax { throw .elementTooLarge }
        position = at - start
        return .needMore(length: start)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
}
