// SPDX-License-Identifier: Apache-2.0

/// How many workers to run, and why: `(2 x cores) + 1`.
///
/// Pure: works on the texts of /proc/self/cgroup and of the cgroup files.
struct WorkerCount: Equatable {
    /// A limit on CPU time that a cgroup sets.
    struct Quota: Equatable {
        /// Directory of the cgroup that sets it.
        let source: String
        let microseconds: UInt64
        let periodMicroseconds: UInt64

        /// CPUs that are needed to use the quota up.
        var cores: Int {
            Int(clamping: (microseconds - 1) / periodMicroseconds + 1)
        }
    }

    /// CPUs that the affinity mask allows.
    ///
    /// sched_getaffinity(2).
    let affinity: Int
    /// The tightest quota, nil when none is set.
    let quota: Quota?
    /// A number that the operator gave.
    let override: Int?

    var cores: Int { max(1, min(affinity, quota?.cores ?? .max)) }

    /// Workers to run.
    var count: Int { min(override ?? (2 * cores + 1), FleetMachine.workersMax) }

    /// The inputs in words, for the log and `status`.
    var explanation: String {
        if let override { return "\(override) workers as configured" }
        var inputs = "affinity \(affinity)"
        if let quota {
            inputs += ", quota \(quota.microseconds)/\(quota.periodMicroseconds) us of "
            inputs += quota.source
        }
        return "2 x \(cores) cores + 1 (\(inputs))"
    }
}

/// Reads the quota files of the cgroups that this process is in.
enum CgroupText {
    /// A cgroup directory to look into.
    struct Directory: Equatable {
        let path: String
        /// Version 2 has `cpu.max`, version 1 `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
        let isVersion2: Bool
    }

    /// Directories from the own cgroup up to the root, for both versions.
    ///
    /// A quota of any parent binds too. Inside of a container the path may be the one of the host
    /// and not exist; its root then is the container's own cgroup. cgroups(7).
    static func directories(_ selfCgroup: String) -> [Directory] {
        var result: [Directory] = []
        for line in selfCgroup.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let controllers = parts[1].split(separator: ",")
            if parts[0] == "0", controllers.isEmpty {
                result += chain("/sys/fs/cgroup", String(parts[2]), isVersion2: true)
            } else if controllers.contains("cpu") {
                result += chain("/sys/fs/cgroup/\(parts[1])", String(parts[2]), isVersion2: false)
                if controllers.count > 1 {
                    result += chain("/sys/fs/cgroup/cpu", String(parts[2]), isVersion2: false)
                }
            }
        }
        return result
    }

    private static func chain(_ mount: String, _ path: String, isVersion2: Bool) -> [Directory] {
        var names = path.split(separator: "/")
        // A path of another namespace starts with "..", which leads out of the mount.
        names.removeAll { $0 == ".." }
        var result: [Directory] = []
        while true {
            let directory = ([mount] + names.map(String.init)).joined(separator: "/")
            result.append(Directory(path: directory, isVersion2: isVersion2))
            if names.isEmpty { return result }
            names.removeLast()
        }
    }

    /// The quota in `cpu.max`: `MAX PERIOD`, where MAX may be `max`.
    ///
    /// Nil for none.
    static func quota(cpuMax text: String, source: String) -> WorkerCount.Quota? {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2 else { return nil }
        return quota(String(words[0]), String(words[1]), source)
    }

    /// The quota in `cpu.cfs_quota_us`, which is -1 for none, and `cpu.cfs_period_us`.
    static func quota(
        cfsQuota: String,
        cfsPeriod: String,
        source: String
    ) -> WorkerCount.Quota? {
        quota(
            String(cfsQuota.filter { !$0.isWhitespace }),
            String(cfsPeriod.filter { !$0.isWhitespace }),
            source
        )
    }

    private static func quota(
        _ quota: String,
        _ period: String,
        _ source: String
    ) -> WorkerCount.Quota? {
        guard let microseconds = UInt64(quota), microseconds > 0,
            let periodMicroseconds = UInt64(period), periodMicroseconds > 0
        else { return nil }
        return WorkerCount.Quota(
            source: source,
            microseconds: microseconds,
            periodMicroseconds: periodMicroseconds
        )
    }

    /// The quota that leaves the fewest cores.
    static func tightest(_ quotas: [WorkerCount.Quota]) -> WorkerCount.Quota? {
        quotas.min { $0.cores < $1.cores }
    }
}
