// SPDX-License-Identifier: Apache-2.0
import System

/// Reads from the machine what `WorkerCount` needs.
enum MachineFacts {
    /// cgroup files hold one or two numbers; /proc/self/cgroup a line per controller.
    private static let fileBytesMax = 64 * 1024

    static func workerCount(override: Int?) -> WorkerCount {
        WorkerCount(affinity: affinity(), quota: quota(), override: override)
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
