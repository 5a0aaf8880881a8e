// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

struct CountCase: CustomTestStringConvertible, Sendable {
    let name: String
    let affinity: Int
    var quota: (UInt64, UInt64)?
    var override: Int?
    let count: Int
    var testDescription: String { name }
}

@Suite struct WorkerCountTests {
    static let cases = [
        CountCase(name: "one core", affinity: 1, count: 3),
        CountCase(name: "two cores", affinity: 2, count: 5),
        CountCase(name: "eight cores", affinity: 8, count: 17),
        CountCase(name: "half a core of eight", affinity: 8, quota: (50_000, 100_000), count: 3),
        CountCase(name: "exactly two", affinity: 8, quota: (200_000, 100_000), count: 5),
        CountCase(name: "two and a bit", affinity: 8, quota: (200_001, 100_000), count: 7),
        CountCase(name: "more than there are", affinity: 2, quota: (900_000, 100_000), count: 5),
        CountCase(name: "odd period", affinity: 16, quota: (25_000, 10_000), count: 7),
        CountCase(name: "one microsecond", affinity: 4, quota: (1, 100_000), count: 3),
        CountCase(name: "largest quota", affinity: 4, quota: (.max, 1), count: 9),
        CountCase(name: "overridden", affinity: 8, quota: (50_000, 100_000), override: 4, count: 4),
        CountCase(name: "very large machine", affinity: 1000, count: 1024),
    ]

    @Test("Twice the cores and one", arguments: cases)
    func count(row: CountCase) {
        let quota = row.quota.map {
            WorkerCount.Quota(source: "/x", microseconds: $0.0, periodMicroseconds: $0.1)
        }
        let count = WorkerCount(affinity: row.affinity, quota: quota, override: row.override)
        #expect(count.count == row.count)
    }

    @Test("The inputs can be told")
    func explanation() {
        let quota = WorkerCount.Quota(
            source: "/sys/fs/cgroup/a",
            microseconds: 150_000,
            periodMicroseconds: 100_000
        )
        #expect(
            WorkerCount(affinity: 8, quota: quota, override: nil).explanation
                == "2 x 2 cores + 1 (affinity 8, quota 150000/100000 us of /sys/fs/cgroup/a)"
        )
        #expect(
            WorkerCount(affinity: 8, quota: quota, override: 3).explanation
                == "3 workers as configured"
        )
    }

    @Test("The machine at hand has an answer")
    func machine() {
        let count = MachineFacts.workerCount(override: nil)
        #expect(count.count >= 3)
        #expect(count.count == 2 * count.cores + 1)
    }
}

@Suite struct CgroupTextTests {
    struct DirectoryCase: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        let paths: [String]
        var testDescription: String { name }
    }

    static let directoryCases = [
        DirectoryCase(
            name: "version 2",
            text: "0::/system.slice/apus.service\n",
            paths: [
                "/sys/fs/cgroup/system.slice/apus.service", "/sys/fs/cgroup/system.slice",
                "/sys/fs/cgroup",
            ]
        ),
        DirectoryCase(
            name: "version 2 in a namespace",
            text: "0::/\n",
            paths: ["/sys/fs/cgroup"]
        ),
        DirectoryCase(
            name: "outside of the namespace",
            text: "0::/../../other\n",
            paths: ["/sys/fs/cgroup/other", "/sys/fs/cgroup"]
        ),
        DirectoryCase(
            name: "version 1, joined controllers",
            text: "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n",
            paths: [
                "/sys/fs/cgroup/cpu,cpuacct/docker/abc", "/sys/fs/cgroup/cpu,cpuacct/docker",
                "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu/docker/abc",
                "/sys/fs/cgroup/cpu/docker", "/sys/fs/cgroup/cpu",
            ]
        ),
        DirectoryCase(
            name: "version 1, cpu alone, beside an empty version 2",
            text: "2:cpuacct:/a\n1:cpu:/a\n0::/\n",
            paths: ["/sys/fs/cgroup/cpu/a", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup"]
        ),
        DirectoryCase(name: "nothing", text: "", paths: []),
        DirectoryCase(name: "garbage", text: "x\n:::\n5:cpu\n\n", paths: []),
        DirectoryCase(
            name: "a path with colons",
            text: "0::/a:b\n",
            paths: ["/sys/fs/cgroup/a:b", "/sys/fs/cgroup"]
        ),
    ]

    @Test("Directories from the own cgroup to the root", arguments: directoryCases)
    func directories(row: DirectoryCase) {
        #expect(CgroupText.directories(row.text).map(\.path) == row.paths)
    }

    struct QuotaCase: CustomTestStringConvertible, Sendable {
        let text: String
        let cores: Int?
        var testDescription: String { text.isEmpty ? "empty" : text }
    }

    static let quotas = [
        QuotaCase(text: "max 100000\n", cores: nil),
        QuotaCase(text: "150000 100000\n", cores: 2),
        QuotaCase(text: "100000 100000", cores: 1),
        QuotaCase(text: "", cores: nil),
        QuotaCase(text: "150000", cores: nil),
        QuotaCase(text: "0 100000", cores: nil),
        QuotaCase(text: "100000 0", cores: nil),
        QuotaCase(text: "-1 100000", cores: nil),
        QuotaCase(text: "1 2 3", cores: nil),
        QuotaCase(text: "18446744073709551616 1", cores: nil),
    ]

    @Test("cpu.max", arguments: quotas)
    func cpuMax(row: QuotaCase) {
        #expect(CgroupText.quota(cpuMax: row.text, source: "/x")?.cores == row.cores)
    }

    @Test("cpu.cfs_quota_us says -1 for none")
    func cfs() {
        #expect(CgroupText.quota(cfsQuota: "-1\n", cfsPeriod: "100000\n", source: "/x") == nil)
        let quota = CgroupText.quota(cfsQuota: "250000\n", cfsPeriod: "100000\n", source: "/x")
        #expect(quota?.cores == 3)
    }

    @Test("The tightest quota of all parents counts")
    func tightest() {
        let quotas = ["400000 100000", "100000 100000", "900000 100000"].compactMap {
            CgroupText.quota(cpuMax: $0, source: $0)
        }
        #expect(CgroupText.tightest(quotas)?.source == "100000 100000")
        #expect(CgroupText.tightest([]) == nil)
    }
}
