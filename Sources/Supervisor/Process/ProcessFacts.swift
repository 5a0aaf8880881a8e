// SPDX-License-Identifier: Apache-2.0
import System

/// What /proc says about a process. proc(5)
struct ProcessFacts: Equatable {
    var residentBytes: UInt64?
    /// Share of memory: pages that several processes map count in parts.
    var proportionalBytes: UInt64?
    var processorNanoseconds: UInt64?

    /// x86-64 and the usual arm64 kernels; only a number for people depends on it.
    private static let pageBytes: UInt64 = 4096
    /// USER_HZ, which the kernel promises to programs whatever its own tick is.
    private static let ticksPerSecond: UInt64 = 100
    private static let fileBytesMax = 16 * 1024

    /// Reads the files of `pid`; a process that is gone has no facts.
    init(pid: Int32) {
        residentBytes = Self.text(pid, "statm").flatMap(Self.resident)
        proportionalBytes = Self.text(pid, "smaps_rollup").flatMap(Self.proportional)
        processorNanoseconds = Self.text(pid, "stat").flatMap(Self.processor)
    }

    /// Second number of `statm`, in pages.
    static func resident(statm: String) -> UInt64? {
        let words = statm.split(separator: " ")
        guard words.count > 1, let pages = UInt64(words[1]) else { return nil }
        return pages.multipliedReportingOverflow(by: pageBytes).partialValue
    }

    /// The `Pss:` line of `smaps_rollup`, in kB.
    static func proportional(smapsRollup: String) -> UInt64? {
        for line in smapsRollup.split(separator: "\n") where line.hasPrefix("Pss:") {
            let words = line.split(separator: " ")
            return words.count > 1 ? UInt64(words[1]).map { $0 &* 1024 } : nil
        }
        return nil
    }

    /// `utime` and `stime` of `stat`, behind the program's name, which may hold any characters.
    static func processor(stat: String) -> UInt64? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let words = stat[stat.index(after: end)...].split(separator: " ")
        // The third field of the line comes first here; utime is the 14th, stime the 15th.
        guard words.count > 12, let user = UInt64(words[11]), let system = UInt64(words[12]) else {
            return nil
        }
        return (user &+ system) &* (1_000_000_000 / ticksPerSecond)
    }

    private static func text(_ pid: Int32, _ name: String) -> String? {
        do throws(Errno) {
            let bytes = try Syscalls.contents(of: "/proc/\(pid)/\(name)", limit: fileBytesMax)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            return nil
        }
    }
}
