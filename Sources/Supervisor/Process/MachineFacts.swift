// SPDX-License-Identifier: Apache-2.0
import System

/// Reads from the machine what `WorkerCount` needs.
enum MachineFacts {
    /// cgroup files hold one or two numbers; /proc/self/cgroup a line per controller.
    private static let fileBytesMax = 64 * 1024

    static func workerCount(override: Int?) -> WorkerCount {
        WorkerCount(affinity: affinity(), quota: quota(), override: override)
    }

    /// CPU time that cgroups have withheld from this fleet so far; nil where none can.
    static func throttledNanoseconds() -> UInt64? {
        counter("cpu.stat", named: "throttled_usec").map { $0 &* 1000 }
    }

    /// Processes of this cgroup that the kernel has killed for want of memory; nil where it does not
    /// say.
    static func outOfMemoryKills() -> UInt64? {
        counter("memory.events", named: "oom_kill")
    }

    /// A line of a file of the own cgroup, version 2.
    ///
    /// cgroups(7). The parents are not asked: they count for others too.
    private static func counter(_ file: String, named name: String) -> UInt64? {
        guard let selfCgroup = text("/proc/self/cgroup"),
            let directory = CgroupText.directories(selfCgroup).first(where: \.isVersion2),
            let content = text(directory.path + "/" + file)
        else { return nil }
        for line in content.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name { return UInt64(words[1]) }
        }
        return nil
    }

    private static func affinity() -> Int {
        do throws(Errno) {
            return try Syscalls.affinityCount()
        } catch {
            // A machine with more CPUs than the mask holds: one is a safe answer.
            return 1
        }
    }

    private static func quota() -> WorkerCount.Quota? {
        guard let selfCgroup = text("/proc/self/cgroup") else { return nil }
        let quotas = CgroupText.directories(selfCgroup).compactMap { directory in
            if directory.isVersion2 {
                return text(directory.path + "/cpu.max").flatMap {
                    CgroupText.quota(cpuMax: $0, source: directory.path)
                }
            }
            guard let quota = text(directory.path + "/cpu.cfs_quota_us"),
                let period = text(directory.path + "/cpu.cfs_period_us")
            else { return nil }
            return CgroupText.quota(cfsQuota: quota, cfsPeriod: period, source: directory.path)
        }
        return CgroupText.tightest(quotas)
    }

    private static func text(_ path: String) -> String? {
        do throws(Errno) {
            let bytes = try Syscalls.contents(of: path, limit: fileBytesMax)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            // Most of the files do not exist on a given machine.
            return nil
        }
    }
}
