// SPDX-License-Identifier: Apache-2.0

/// Finds the events of a server-sent event stream.
///
/// Lines end with LF, CR or CRLF, in any mix; an event ends with an empty line. Remembers how far
/// it has looked, so that an event that drips in is looked at once. Knows no limit: the caller
/// bounds what it buffers while the answer is nil.
///
/// Spec: WHATWG HTML, section 9.2.5 and 9.2.6.
package struct EventStreamSplitter {
    /// Offset behind the last byte that needs no second look.
    private var position = 0
    private var lineStart = 0
    /// Whether the line before this one ended with CR alone.
    private var afterBareReturn = false
    /// Bytes looked at since the start of the stream; what slow drip costs, for tests.
    package private(set) var bytesExamined = 0

    package init() {}

    /// Takes the unread bytes of the stream, the first one of an event on.
    ///
    /// An empty line without fields before it counts as an event of its own; a byte order mark
    /// belongs to the first event. After nil call again with the same start and more bytes; after a
    /// length drop that many.
    ///
    /// An empty line that ends with CR is complete at once if the line before it ended with CR
    /// alone. Otherwise the next byte decides whether an LF belongs to it, and is waited for.
    ///
    /// - Returns: Bytes of the next whole event with its empty line, or nil.
    package mutating func next(_ bytes: Span<UInt8>) -> Int? {
        while true {
            let found = bytes.firstLineBreak(from: position)
            bytesExamined &+= min(found + 1, bytes.count) - position
            position = found
            if found == bytes.count { return nil }

            let isEmptyLine = found == lineStart
            var end = found + 1
            var isBareReturn = false
            if bytes[found] == ASCII.carriageReturn {
                if isEmptyLine, afterBareReturn { return finish(end) }
                if end == bytes.count { return nil }
                if bytes[end] == ASCII.lineFeed {
                    end += 1
                } else {
                    isBareReturn = true
                }
            }
            if isEmptyLine { return finish(end) }
            position = end
            lineStart = end
            afterBareReturn = isBareReturn
        }
    }

    /// Tells that the stream ended; `bytes` are what is still unread.
    ///
    /// - Returns: Bytes of a last event that only waited to see whether an LF follows its CR, or
    ///   nil: what is left is not a whole event and must be dropped.
    package mutating func endOfStream(_ bytes: Span<UInt8>) -> Int? {
        guard position == lineStart, position + 1 == bytes.count,
            bytes[position] == ASCII.carriageReturn
        else { return nil }
        return finish(bytes.count)
    }

    private mutating func finish(_ length: Int) -> Int {
        position = 0
        lineStart = 0
        afterBareReturn = false
        return length
    }
}
