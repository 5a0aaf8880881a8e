// SPDX-License-Identifier: Apache-2.0
import System

/// What the kernel says about a worker at one moment, for the judgement whether it is well.
struct ProcessStatus: Equatable {
    /// The state letter.
    let state: Character
    let processorNanoseconds: UInt64
    /// Resident memory that it shares with nobody's file.
    let privateBytes: UInt64

    private static let bytesMax = 4096

    /// Reads the texts of /proc/PID/stat and /proc/PID/statm; nil when they do not have the form.
    ///
    /// proc_pid_stat(5), proc_pid_statm(5).
    init?(stat: String, statm: String, pageBytes: UInt64) {
        let pages = statm.split(whereSeparator: \.isWhitespace)
        guard let usage = ProcessUsage(stat: stat, pageBytes: pageBytes),
            let nameEnd = stat.lastIndex(of: ")"),
            let letter = stat[stat.index(after: nameEnd)...].first(where: { !$0.isWhitespace }),
            pages.count > 2, let resident = UInt64(pages[1]), let shared = UInt64(pages[2])
        else { return nil }
        state = letter
        processorNanoseconds = usage.processorNanoseconds
        privateBytes = (resident - min(shared, resident)) &* pageBytes
    }

    /// The status of a process; nil when it is gone.
    init?(pid: Int32) {
        do throws(Errno) {
            let stat = try Syscalls.contents(of: "/proc/\(pid)/stat", limit: Self.bytesMax)
            let statm = try Syscalls.contents(of: "/proc/\(pid)/statm", limit: Self.bytesMax)
            self.init(
                stat: String(decoding: stat, as: UTF8.self),
                statm: String(decoding: statm, as: UTF8.self),
                pageBytes: Syscalls.pageBytes
            )
        } catch {
            return nil
        }
    }
}
