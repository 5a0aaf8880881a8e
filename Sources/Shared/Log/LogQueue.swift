// SPDX-License-Identifier: Apache-2.0

import Bytes

/// Lines that wait to be written: bounded, and dropped only as a whole.
struct LogQueue {
    /// Most bytes that wait; lines beyond are dropped.
    ///
    /// Limit: a reader that is too slow must cost neither memory nor time of a worker, and one
    /// that rests for a moment finds a few hundred lines.
    static let bytesMax = 65_536
    /// From here on the owner writes without waiting for the end of the loop's turn.
    static let flushBytes = 32_768

    /// Lines are appended here directly; `lineAppended` then decides whether they stay.
    let pending = ByteBuffer()
    /// Lines lost since the start.
    private(set) var linesDropped: UInt64 = 0
    /// Whether the front is the rest of a line whose start is already written.
    private var isInsideLine = false

    /// A line was appended behind the first `start` bytes: takes it back if it does not fit.
    mutating func lineAppended(behind start: Int) {
        guard pending.count > Self.bytesMax else { return }
        pending.truncate(to: start)
        linesDropped &+= 1
    }

    /// Length of the whole lines at the front that one write of `limit` bytes can carry.
    ///
    /// At least one line: none is longer than `LogRecord.lineBytesMax`.
    func frontBytes(limit: Int) -> Int {
        guard pending.count > limit else { return pending.count }
        return pending.withBytes { bytes in
            var end = limit
            while end > 0, bytes[end - 1] != UInt8(ascii: "\n") {
                end -= 1
            }
            return end > 0 ? end : limit
        }
    }

    /// `count` bytes were written.
    mutating func written(_ count: Int) {
        guard count > 0 else { return }
        isInsideLine = pending[count - 1] != UInt8(ascii: "\n")
        pending.consume(count)
    }

    /// Drops and counts everything that waits.
    mutating func dropAll() {
        pending.withBytes { bytes in
            for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
                linesDropped &+= 1
            }
        }
        pending.clear()
        if isInsideLine {
            // The next line must not continue the one that was cut.
            pending.append("\n")
        }
    }

    /// Counts a line that was not even formatted.
    mutating func dropLine() {
        linesDropped &+= 1
    }
}
