// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// One line under construction: fields are appended to the buffer as they come.
///
/// Nothing is collected first, so a field costs its bytes and no allocation. Names are written in
/// this code and need no escaping; values may be any bytes. A line that gets too long keeps its
/// whole fields and says `truncated`.
package struct LogRecord {
    /// Longest line, its line feed included.
    ///
    /// Limit: PIPE_BUF. Workers share one pipe; a longer write could be mixed with another's.
    package static let lineBytesMax = 4096
    /// Room for the mark of a cut line and the end of the line.
    private static let endBytes = 24

    private let out: ByteBuffer
    private let format: LogFormat
    /// Where the line begins among the readable bytes of `out`.
    private let start: Int
    private var isTruncated = false

    fileprivate init(_ format: LogFormat, start: Int, in out: ByteBuffer) {
        self.out = out
        self.format = format
        self.start = start
    }

    package mutating func field(_ name: StaticString, _ value: Int) {
        let mark = begin(name)
        out.append(decimal: value)
        end(mark)
    }

    package mutating func field(_ name: StaticString, _ value: Bool) {
        let mark = begin(name)
        out.append(value ? "true" : "false")
        end(mark)
    }

    /// A text of this code, which needs no escaping.
    package mutating func field(_ name: StaticString, _ value: StaticString) {
        let mark = begin(name)
        if format == .json {
            out.append("\"")
            out.append(value)
            out.append("\"")
        } else {
            out.append(value)
        }
        end(mark)
    }

    /// Any bytes; at most 512 of them are shown.
    package mutating func field(_ name: StaticString, _ value: Span<UInt8>) {
        let mark = begin(name)
        if format != .json, LogText.isPlain(value) {
            LogText.append(value, .bare, to: out)
        } else {
            out.append("\"")
            LogText.append(value, .quoted, to: out)
            out.append("\"")
        }
        end(mark)
    }

    /// Any text; at most 512 bytes of it are shown.
    ///
    /// Not for the hot path: it copies.
    package mutating func field(_ name: StaticString, _ value: String) {
        field(name, Array(value.utf8).span)
    }

    /// A span of time as milliseconds with three decimals.
    package mutating func field(_ name: StaticString, milliseconds nanoseconds: UInt64) {
        let mark = begin(name)
        let microseconds = UInt(nanoseconds / 1000)
        out.append(decimal: microseconds / 1000)
        out.append(".")
        let rest = microseconds % 1000
        out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / 100))
        out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / 10 % 10))
        out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
        end(mark)
    }

    private func begin(_ name: StaticString) -> Int {
        let mark = out.count
        switch format {
        case .json:
            out.append(",\"")
            out.append(name)
            out.append("\":")
        case .readable(let colours):
            out.append(colours ? " \u{1B}[2m" : " ")
            out.append(name)
            out.append(colours ? "=\u{1B}[0m" : "=")
        }
        return mark
    }

    /// Takes the field back if the line has no room for it.
    private mutating func end(_ mark: Int) {
        guard isTruncated || out.count - start > Self.lineBytesMax - Self.endBytes else { return }
        out.truncate(to: mark)
        isTruncated = true
    }

    /// Ends the line.
    fileprivate func close() {
        if isTruncated {
            out.append(format == .json ? ",\"truncated\":true" : " truncated=true")
        }
        if format == .json {
            out.append("}")
        }
        out.append("\n")
    }
}

/// Writes whole lines into a buffer: what every line has, and then its fields.
package struct LogFormatter {
    package let format: LogFormat
    private let processID: Int
    /// The slot of a worker; nil in the supervisor.
    private let slot: Int?
    private var timestamp = LogTimestamp()

    package init(format: LogFormat, processID: Int, slot: Int?) {
        self.format = format
        self.processID = processID
        self.slot = slot
    }

    /// Appends one line.
    package mutating func append(
        _ level: LogLevel,
        _ message: StaticString,
        at time: LogTime,
        to out: ByteBuffer,
        _ fields: (inout LogRecord) -> Void
    ) {
        let start = begin(level, at: time, in: out)
        out.append(message)
        finish(start, in: out, fields)
    }

    /// Appends one line whose message is any text.
    package mutating func append(
        _ level: LogLevel,
        _ message: Span<UInt8>,
        at time: LogTime,
        to out: ByteBuffer,
        _ fields: (inout LogRecord) -> Void
    ) {
        let start = begin(level, at: time, in: out)
        LogText.append(message, format == .json ? .quoted : .bare, to: out)
        finish(start, in: out, fields)
    }

    private mutating func begin(_ level: LogLevel, at time: LogTime, in out: ByteBuffer) -> Int {
        let start = out.count
        switch format {
        case .json:
            out.append("{\"ts\":\"")
            timestamp.append(time, to: out)
            out.append("\",\"level\":\"")
            out.append(level.label)
            out.append("\",\"msg\":\"")
        case .readable(let colours):
            timestamp.appendTimeOfDay(time, to: out)
            out.append(" ")
            if colours { out.append(level.colour) }
            out.append(level.column)
            out.append(colours ? "\u{1B}[0m " : " ")
        }
        return start
    }

    private func finish(
        _ start: Int,
        in out: ByteBuffer,
        _ fields: (inout LogRecord) -> Void
    ) {
        if format == .json {
            out.append("\"")
        }
        var record = LogRecord(format, start: start, in: out)
        record.field("pid", processID)
        if let slot {
            record.field("slot", slot)
        }
        fields(&record)
        record.close()
    }
}
