// SPDX-License-Identifier: Apache-2.0

/// How much of what one worker prints gets into the log.
///
/// Pure: time is an argument, in nanoseconds of the monotonic clock. Per second there are so many
/// lines and bytes, whichever ends first; what was not used is not saved up. A second begins with
/// its first line.
struct OutputAllowance: Equatable {
    /// Lines per second.
    ///
    /// Limit: a trap prints one, a library that complains about a request a few; a log in which a
    /// worker has more than 32 of them in a second hides the rest of the fleet.
    static let linesMax = 32
    /// Bytes per second.
    ///
    /// Limit: a quarter of what waits for a slow reader of the log (`LogQueue`), so that the words of
    /// one worker never cost those of the others.
    static let bytesMax = 16 << 10
    static let second: UInt64 = 1_000_000_000
    /// Between two words about output that is held back.
    ///
    /// Limit: whoever reads the log has to know once; a worker that prints all day must not make
    /// a line a second of it.
    static let noticePause: UInt64 = 60_000_000_000

    private var lines = 0
    private var bytes = 0
    /// When there is a whole allowance again.
    private(set) var refilledAt: UInt64 = 0
    private var noticedAt: UInt64?

    /// Whether a line of so many bytes, its line feed included, may be logged now.
    mutating func take(_ count: Int, now: UInt64) -> Bool {
        if now >= refilledAt {
            lines = Self.linesMax
            bytes = Self.bytesMax
            refilledAt = now + Self.second
        }
        guard lines > 0, bytes >= count else { return false }
        lines -= 1
        bytes -= count
        return true
    }

    /// Whether the log is to say that output is held back.
    mutating func notice(now: UInt64) -> Bool {
        if let noticedAt, now < noticedAt + Self.noticePause { return false }
        noticedAt = now
        return true
    }
}
