// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// A document with a few byte ranges exchanged and every other byte as it was.
///
/// Holds only the edits; the original stays with its owner. Reuse one with `reset`: after warm-up
/// it allocates nothing.
package struct JSONSplice {
    /// A stretch of the result.
    package enum Segment: Equatable, Sendable {
        /// Bytes of the original.
        case original(Range<Int>)
        /// Bytes of `replacements`.
        case replacement(Range<Int>)
    }

    private struct Edit {
        /// What goes away; empty for an insertion.
        let range: Range<Int>
        /// What comes instead, in `replacements`.
        let bytes: Range<Int>
    }

    /// Sorted by offset and without overlap; insertions at one offset in the order they came.
    private var edits: [Edit] = []
    /// The new bytes of all edits.
    package let replacements = ByteBuffer()

    package init() {}

    /// Forgets all edits.
    package mutating func reset() {
        edits.removeAll(keepingCapacity: true)
        replacements.clear()
    }

    package var isEmpty: Bool { edits.isEmpty }

    // MARK: Edits of bytes

    /// Exchanges `range` for `bytes`.
    ///
    /// - Precondition: It does not overlap a range that is exchanged already.
    package mutating func replace(_ range: Range<Int>, with bytes: Span<UInt8>) {
        let start = replacements.count
        replacements.append(bytes)
        add(range, start)
    }

    /// Exchanges `range` for the JSON string whose text is `text`.
    ///
    /// - Precondition: As for `replace(_:with:)`.
    package mutating func replace(_ range: Range<Int>, withQuoted text: Span<UInt8>) {
        let start = replacements.count
        JSONWriter.appendQuoted(text, to: replacements)
        add(range, start)
    }

    /// Puts `bytes` before the byte at `offset`.
    package mutating func insert(at offset: Int, _ bytes: Span<UInt8>) {
        replace(offset..<offset, with: bytes)
    }

    private mutating func add(_ range: Range<Int>, _ start: Int) {
        let edit = Edit(range: range, bytes: start..<replacements.count)
        var place = edits.count
        while place > 0, edits[place - 1].range.lowerBound > range.lowerBound {
            place -= 1
        }
        // An insertion at the start of a replaced range stands before it.
        while place > 0, range.isEmpty, edits[place - 1].range.lowerBound == range.lowerBound,
            !edits[place - 1].range.isEmpty
        {
            place -= 1
        }
        let fitsBefore = place == 0 || edits[place - 1].range.upperBound <= range.lowerBound
        let fitsAfter = place == edits.count || range.upperBound <= edits[place].range.lowerBound
        precondition(fitsBefore && fitsAfter, "two edits of the same bytes")
        edits.insert(edit, at: place)
    }

    // MARK: Edits of members

    /// Gives the member `name` of `object` the value `json`, which is JSON.
    ///
    /// Every member of that name, should there be several: whichever a reader takes, it is ours.
    /// - Returns: Whether there was one.
    package mutating func replaceMember(
        _ name: StaticString,
        of object: JSONNode,
        with json: Span<UInt8>,
        tape: JSONTape,
        bytes: Span<UInt8>
    ) -> Bool {
        var replaced = false
        for member in tape.members(of: object) where tape.equals(member.name, name, in: bytes) {
            replace(tape.valueRange(of: member.value), with: json)
            replaced = true
        }
        return replaced
    }

    /// Replaces the member `name` of `object`, or adds it behind the last one when there is none.
    ///
    /// - Precondition: `object` is an object, and `name`, which needs no escapes, is set once.
    package mutating func setMember(
        _ name: StaticString,
        of object: JSONNode,
        to json: Span<UInt8>,
        tape: JSONTape,
        bytes: Span<UInt8>
    ) {
        precondition(tape.kind(of: object) == .object, "only objects have members")
        if replaceMember(name, of: object, with: json, tape: tape, bytes: bytes) { return }
        var last: JSONNode?
        for member in tape.members(of: object) {
            last = member.value
        }
        let offset: Int
        let followsMember: Bool
        if let last {
            offset = tape.valueRange(of: last).upperBound
            followsMember = true
        } else {
            offset = tape.valueRange(of: object).lowerBound + 1
            followsMember = edits.contains { $0.range == offset..<offset }
        }
        let start = replacements.count
        if followsMember {
            replacements.append(UInt8(ascii: ","))
        }
        replacements.append(UInt8(ascii: "\""))
        replacements.append(name)
        replacements.append("\":" as StaticString)
        replacements.append(json)
        add(offset..<offset, start)
    }

    /// Takes members out of `object`, with the commas that they leave behind.
    ///
    /// Not together with `setMember` on an object that loses all of its members.
    /// - Returns: How many were taken out.
    @discardableResult
    package mutating func removeMembers(
        of object: JSONNode,
        tape: JSONTape,
        bytes: Span<UInt8>,
        where isUnwanted: (_ name: JSONNode, _ value: JSONNode) -> Bool
    ) -> Int {
        var removal = Removal()
        for member in tape.members(of: object) {
            let start = tape.valueRange(of: member.name).lowerBound
            let end = tape.valueRange(of: member.value).upperBound
            take(start..<end, isUnwanted(member.name, member.value), &removal)
        }
        return finish(removal)
    }

    /// Takes elements out of `array`, with the commas that they leave behind.
    ///
    /// - Returns: How many were taken out.
    @discardableResult
    package mutating func removeElements(
        of array: JSONNode,
        tape: JSONTape,
        where isUnwanted: (_ element: JSONNode) -> Bool
    ) -> Int {
        var removal = Removal()
        for element in tape.elements(of: array) {
            take(tape.valueRange(of: element), isUnwanted(element), &removal)
        }
        return finish(removal)
    }

    private struct Removal {
        var count = 0
        var keptEnd: Int?
        /// Unwanted items that no kept one has followed so far.
        var run: Range<Int>?
    }

    private mutating func take(
        _ item: Range<Int>,
        _ isUnwanted: Bool,
        _ removal: inout Removal
    ) {
        if isUnwanted {
            removal.count += 1
            removal.run = (removal.run?.lowerBound ?? item.lowerBound)..<item.upperBound
            return
        }
        if let run = removal.run { replace(run.lowerBound..<item.lowerBound, with: Span()) }
        removal.run = nil
        removal.keptEnd = item.upperBound
    }

    private mutating func finish(_ removal: Removal) -> Int {
        if let run = removal.run {
            replace((removal.keptEnd ?? run.lowerBound)..<run.upperBound, with: Span())
        }
        return removal.count
    }

    // MARK: The result

    /// Number of bytes of the result for an original of `count` bytes.
    package func count(original count: Int) -> Int {
        edits.reduce(count) { $0 - $1.range.count + $1.bytes.count }
    }

    /// Appends the stretches of the result in order; none is empty.
    package func appendSegments(original count: Int, to segments: inout [Segment]) {
        var at = 0
        for edit in edits {
            if at < edit.range.lowerBound {
                segments.append(.original(at..<edit.range.lowerBound))
            }
            if !edit.bytes.isEmpty {
                segments.append(.replacement(edit.bytes))
            }
            at = edit.range.upperBound
        }
        if at < count {
            segments.append(.original(at..<count))
        }
    }

    /// Appends the whole result to `buffer`, which does not hold `original`.
    package func append(original: Span<UInt8>, to buffer: ByteBuffer) {
        buffer.reserve(count(original: original.count))
        var at = 0
        for edit in edits {
            buffer.append(original.extracting(at..<edit.range.lowerBound))
            replacements.withBytes(in: edit.bytes) { buffer.append($0) }
            at = edit.range.upperBound
        }
        buffer.append(original.extracting(at..<original.count))
    }
}
