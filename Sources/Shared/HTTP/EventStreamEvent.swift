// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// One line of an event.
package struct EventStreamLine: Equatable {
    package enum Kind: Equatable {
        case event, data, id, retry
        /// A line that starts with a colon.
        case comment
        /// A field that the specification does not name.
        case other
        /// The end of the event.
        case empty
    }

    package let kind: Kind
    /// What follows the colon and one space; nothing if there is no colon.
    package let value: Range<Int>
    /// The line with its line end.
    package let line: Range<Int>
}

/// Walks over the lines of one whole event.
package struct EventStreamLineReader {
    private var position = 0

    package init() {}

    /// The next line of `bytes`, or nil behind the last one.
    ///
    /// A line without an end is none. A byte order mark before the first line is skipped.
    package mutating func next(_ bytes: Span<UInt8>) -> EventStreamLine? {
        let lineStart = position
        var start = lineStart
        if start == 0, bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            start = 3
        }
        let end = bytes.firstLineBreak(from: start)
        guard end < bytes.count else { return nil }
        position = end + 1
        if bytes[end] == ASCII.carriageReturn, position < bytes.count,
            bytes[position] == ASCII.lineFeed
        {
            position += 1
        }
        let line = lineStart..<position
        if start == end {
            return EventStreamLine(kind: .empty, value: end..<end, line: line)
        }
        // Field names are short: the colon of a line of JSON is at its fifth byte.
        var colon = start
        while colon < end, bytes[colon] != ASCII.colon { colon += 1 }
        var value = min(colon + 1, end)..<end
        if let first = value.first, bytes[first] == ASCII.space {
            value = (first + 1)..<end
        }
        return EventStreamLine(kind: Self.kind(start..<colon, bytes), value: value, line: line)
    }

    private static func kind(_ name: Range<Int>, _ bytes: Span<UInt8>) -> EventStreamLine.Kind {
        switch name.count {
        case 0: .comment
        case 2: bytes.equals(name, "id") ? .id : .other
        case 4: bytes.equals(name, "data") ? .data : .other
        case 5:
            bytes.equals(name, "event") ? .event : bytes.equals(name, "retry") ? .retry : .other
        default: .other
        }
    }
}

/// What one whole event says.
///
/// Ranges are offsets from its first byte.
package struct EventStreamEvent: Equatable {
    /// The value of the last `event` field.
    package private(set) var event: Range<Int>?
    /// The value of the first `data` field: all of the data if `dataLines` is 1.
    package private(set) var data: Range<Int>?
    /// Number of `data` fields.
    package private(set) var dataLines = 0
    /// The value of the last `id` field without a NUL in it.
    package private(set) var id: Range<Int>?
    /// The value of the last `retry` field that is all digits; milliseconds.
    package private(set) var retry: Range<Int>?
    /// Number of comment lines.
    package private(set) var comments = 0

    /// Reads the event that `bytes` are, as `EventStreamSplitter` found it.
    package init(_ bytes: Span<UInt8>) {
        var reader = EventStreamLineReader()
        while let line = reader.next(bytes) {
            switch line.kind {
            case .event:
                event = line.value
            case .data:
                if dataLines == 0 { data = line.value }
                dataLines += 1
            case .id:
                if !Self.contains(0, line.value, bytes) { id = line.value }
            case .retry:
                if Self.isNumber(line.value, bytes) { retry = line.value }
            case .comment:
                comments += 1
            case .other, .empty:
                break
            }
        }
    }

    /// Appends the data: the values of all `data` fields, joined with LF.
    package func appendData(of bytes: Span<UInt8>, to out: ByteBuffer) {
        if dataLines == 1, let data {
            out.append(bytes.extracting(data))
            return
        }
        var reader = EventStreamLineReader()
        var isFirst = true
        while let line = reader.next(bytes) {
            guard line.kind == .data else { continue }
            if !isFirst { out.append(ASCII.lineFeed) }
            isFirst = false
            out.append(bytes.extracting(line.value))
        }
    }

    private static func contains(_ byte: UInt8, _ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        for offset in range where bytes[offset] == byte { return true }
        return false
    }

    private static func isNumber(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        for offset in range where !ASCII.isDigit(bytes[offset]) { return false }
        return !range.isEmpty
    }
}
