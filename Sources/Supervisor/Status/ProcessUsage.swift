// SPDX-License-Identifier: Apache-2.0
import System

/// What the kernel says about the resources of one process.
struct ProcessUsage: Equatable {
    /// Nanoseconds of CPU time, user and system.
    var processorNanoseconds: UInt64
    var residentBytes: UInt64
    /// Nanoseconds of CPU time of its children that have ended and were waited for.
    var endedChildrenNanoseconds: UInt64 = 0

    /// Nanoseconds of one tick: the kernel shows times in units of USER_HZ, 100 per second on every
    /// architecture that Swift runs on.
    private static let tickNanoseconds: UInt64 = 10_000_000
    /// The file has one line of 52 numbers and a name of at most 64 bytes.
    private static let statBytesMax = 4096
    /// 25 lines of below 40 bytes.
    private static let rollupBytesMax = 16 << 10

    init(
        processorNanoseconds: UInt64,
        residentBytes: UInt64,
        endedChildrenNanoseconds: UInt64 = 0
    ) {
        self.processorNanoseconds = processorNanoseconds
        self.residentBytes = residentBytes
        self.endedChildrenNanoseconds = endedChildrenNanoseconds
    }

    /// Reads the text of /proc/PID/stat.
    ///
    /// Nil when it does not have the form. proc_pid_stat(5).
    init?(stat text: String, pageBytes: UInt64) {
        // The name in parentheses may hold spaces and parentheses, what follows does not.
        guard let nameEnd = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: nameEnd)...].split(whereSeparator: \.isWhitespace)
        // The first field here is number 3; utime, stime, cutime, cstime and rss are 14 to 17 and 24.
        guard fields.count > 21, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
            let endedUser = UInt64(fields[13]), let endedSystem = UInt64(fields[14]),
            let pages = UInt64(fields[21])
        else { return nil }
        processorNanoseconds = (user &+ system) &* Self.tickNanoseconds
        endedChildrenNanoseconds = (endedUser &+ endedSystem) &* Self.tickNanoseconds
        residentBytes = pages &* pageBytes
    }

    /// The usage of a process; nil when it is gone.
    init?(pid: Int) {
        guard let text = Self.text("/proc/\(pid)/stat", limit: Self.statBytesMax) else {
            return nil
        }
        self.init(stat: text, pageBytes: Syscalls.pageBytes)
    }

    /// Open descriptors of a process; nil when it is gone.
    static func openDescriptors(pid: Int) -> UInt64? {
        do throws(Errno) {
            return UInt64(try Syscalls.openDescriptors(of: Int32(pid)))
        } catch {
            // It has ended since, or runs as another user.
            return nil
        }
    }

    /// The share of memory of a process; nil when it is gone.
    static func proportionalBytes(pid: Int) -> UInt64? {
        text("/proc/\(pid)/smaps_rollup", limit: rollupBytesMax).flatMap(proportionalBytes)
    }

    /// The line `Pss:` of /proc/PID/smaps_rollup, in bytes.
    ///
    /// proc_pid_smaps(5).
    static func proportionalBytes(rollup text: String) -> UInt64? {
        for line in text.split(separator: "\n") where line.hasPrefix("Pss:") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[2] == "kB", let kibibytes = UInt64(words[1]) else {
                return nil
            }
            return kibibytes &* 1024
        }
        return nil
    }

    private static func text(_ path: String, limit: Int) -> String? {
        do throws(Errno) {
            return String(decoding: try Syscalls.contents(of: path, limit: limit), as: UTF8.self)
        } catch {
            // The process has ended since.
            return nil
        }
    }
}
