// SPDX-License-Identifier: Apache-2.0

/// Checks that bytes are one JSON document and notes its shape on a tape.
///
/// Pure and incremental: `scan` may be called while a body arrives, each time with all bytes from
/// the start of the document, and looks at every byte once, however they come in. Nothing is copied
/// or unescaped, and after warm-up nothing is allocated: the tape is used again for the next
/// document.
///
/// Spec: RFC 8259. A `\u` escape of half a surrogate pair is accepted, as its grammar has it, and
/// reads as U+FFFD. Stricter than the RFC: no byte order mark, and the caps of `JSONLimits`.
/// Duplicate member names are accepted; `JSONTape.duplicateName(in:bytes:)` finds them.
package struct JSONScanner: ~Copyable {
    /// Where the grammar stands between two bytes.
    enum Phase: UInt8 {
        case value
        /// Behind `[`.
        case elementOrEnd
        /// Behind a comma in an array.
        case element
        /// Behind `{`.
        case nameOrEnd
        /// Behind a comma in an object.
        case name
        case colon
        /// Behind a member of an object.
        case memberEnd
        /// Behind an element of an array.
        case elementEnd
        /// Behind the outermost value: only white space may follow.
        case end
        /// Inside a member name.
        case nameText
        /// Inside a string value.
        case text
        /// Inside a number.
        case number
    }

    /// The shape of what was scanned.
    ///
    /// Nodes are valid until `reset`; a container that is not
    /// closed yet must not be read before the scan is complete or has thrown.
    package let tape: JSONTape

    let options: JSONOptions
    let limits: JSONLimits

    /// The tape's memory, ahead of the tape only while `scan` runs.
    var entries: JSONTapeStorage
    var phase = Phase.value
    /// Offset of the first byte not looked at yet, or of a short token that has to be seen whole.
    var position = 0
    /// Index of the innermost open container; meaningless at depth 0.
    var container: UInt32 = 0
    var depth = 0
    var numberState = NumberState.start

    package init(options: JSONOptions = .strict, limits: JSONLimits = JSONLimits()) {
        self.options = options
        self.limits = limits
        tape = JSONTape()
        entries = tape.storage
    }

    /// Prepares for another document and invalidates the nodes of the last one.
    package mutating func reset() {
        entries.clear()
        tape.adopt(entries)
        phase = .value
        position = 0
        container = 0
        depth = 0
    }

    /// Goes on with the document that `bytes` begin.
    ///
    /// - Parameters:
    ///   - bytes: The document from its first byte, at least as long as in the call before.
    ///   - isFinal: Whether nothing follows.
    /// - Returns: Whether `bytes` are a whole document; always true when `isFinal`.
    /// - Throws: The first error in the bytes, the same one wherever they are cut. The tape then
    ///   holds what came before it; only `reset` may follow.
    package mutating func scan(
        _ bytes: Span<UInt8>,
        isFinal: Bool
    ) throws(JSONError) -> Bool {
        precondition(bytes.count >= position, "fewer bytes than in the call before")
        defer { tape.adopt(entries) }
        let fits = bytes.count <= limits.bytesMax
        do throws(JSONError) {
            guard fits else {
                // An error before the limit is the same however the bytes were cut.
                try advance(bytes.extracting(first: limits.bytesMax), isFinal: false)
                throw JSONError(.tooLarge(limit: limits.bytesMax), offset: limits.bytesMax)
            }
            try advance(bytes, isFinal: isFinal)
        } catch {
            closeAll(at: error.offset)
            throw error
        }
        return phase == .end
    }

    /// Gives open containers an end, so that the path to an error can be told.
    private mutating func closeAll(at offset: Int) {
        let count = UInt32(truncatingIfNeeded: entries.count)
        while depth > 0 {
            var parent: UInt32 = 0
            entries.update(container) { entry in
                parent = entry.next
                entry.next = count
                entry.end = UInt32(truncatingIfNeeded: offset)
            }
            container = parent
            depth -= 1
        }
    }
}
