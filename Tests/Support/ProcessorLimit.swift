// SPDX-License-Identifier: Apache-2.0
import Glibc
import System

/// A control group that gives some processes a part of one CPU.
///
/// Of cgroups version 1, or of version 2 where its CPU controller is at hand.
package final class ProcessorLimit {
    private let path: String
    private var processes: [Int32]
    private let parent: String

    private static let period = 100_000

    /// Nil when this machine lets nobody make one.
    package init?(percent: Int, _ processes: [Int32]) throws {
        let quota = Self.period * percent / 100
        let places = [
            ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "\(quota)"),
            ("/sys/fs/cgroup", "cpu.max", "\(quota) \(Self.period)"),
        ]
        var made: (parent: String, path: String)?
        for (parent, file, value) in places where made == nil {
            let path = "\(parent)/apus-test-\(getpid())"
            // SAFETY: a plain call of libc with a string that lives through it.
            guard unsafe mkdir(path, 0o755) == 0 else { continue }
            if Self.write(value, to: "\(path)/\(file)") {
                made = (parent, path)
            } else {
                // SAFETY: as above.
                unsafe rmdir(path)
            }
        }
        guard let made else { return nil }
        (parent, path) = made
        self.processes = processes
        for process in processes where !Self.write("\(process)", to: "\(path)/cgroup.procs") {
            throw TestFailure("\(process) cannot be moved to \(path)")
        }
    }

    deinit {
        end()
    }

    /// Gives the processes back what they had.
    package func end() {
        for process in processes { _ = Self.write("\(process)", to: "\(parent)/cgroup.procs") }
        processes = []
        // SAFETY: as above.
        unsafe rmdir(path)
    }

    private static func write(_ text: String, to path: String) -> Bool {
        // SAFETY: as above.
        let fd = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard fd >= 0 else { return false }
        let file = OwnedFD(owning: fd)
        return Syscalls.write(file.raw, text.utf8.span) == .bytes(text.utf8.count)
    }
}
