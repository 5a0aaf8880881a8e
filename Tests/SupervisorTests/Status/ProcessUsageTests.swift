// SPDX-License-Identifier: Apache-2.0
import System
import Testing

@testable import Supervisor

@Suite struct ProcessUsageTests {
    /// A line of /proc/PID/stat; fields 14 to 17 and 24 are 7, 3, 20, 4 and 1000.
    private static func stat(_ name: String) -> String {
        "4711 (\(name)) S 1 4711 4711 0 -1 4194560 555 0 2 0 7 3 20 4 20 0 1 0 999 8192000 1000 "
            + "18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    }

    @Test(
        "The name of a process cannot move the fields",
        arguments: ["apus-worker", "a b", "a) S 1 2 3", "(((", "))) 9 9 9", ""]
    )
    func names(_ name: String) {
        let usage = ProcessUsage(stat: Self.stat(name), pageBytes: 4096)
        #expect(usage?.processorNanoseconds == 100_000_000)
        #expect(usage?.residentBytes == 4_096_000)
        #expect(usage?.endedChildrenNanoseconds == 240_000_000)
    }

    @Test(
        "Text that is none",
        arguments: [
            "", "4711", "4711 (x)", "4711 (x) S 1 2 3",
            "4711 (x) S \(String(repeating: "x ", count: 40))",
        ]
    )
    func malformed(_ text: String) {
        #expect(ProcessUsage(stat: text, pageBytes: 4096) == nil)
    }

    @Test(
        "The share of memory",
        arguments: [
            (
                "00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss:   8 kB\nPss:    3412 kB\n",
                3_493_888
            ),
            ("Pss_Anon: 5 kB\nPss:  0 kB", 0), ("Pss_Anon: 5 kB\n", nil), ("", nil),
            ("Pss: many kB\n", nil), ("Pss: 5 MB\n", nil),
        ] as [(String, UInt64?)]
    )
    func rollup(text: String, expected: UInt64?) {
        #expect(ProcessUsage.proportionalBytes(rollup: text) == expected)
    }

    @Test("The kernel tells of this process")
    func own() throws {
        let pid = Int(Syscalls.processID)
        let usage = try #require(ProcessUsage(pid: pid))
        #expect(usage.residentBytes > 1 << 20)
        #expect(usage.processorNanoseconds <= Syscalls.processorNanoseconds + 100_000_000)
        let share = try #require(ProcessUsage.proportionalBytes(pid: pid))
        #expect(share > 1 << 20 && share <= usage.residentBytes * 2)
        #expect((ProcessUsage.openDescriptors(pid: pid) ?? 0) >= 3)
    }

    @Test("Of a process that is gone nothing is known")
    func gone() {
        // Above the kernel's largest pid_max.
        let pid = 1 << 23
        #expect(ProcessUsage(pid: pid) == nil)
        #expect(ProcessUsage.proportionalBytes(pid: pid) == nil)
        #expect(ProcessUsage.openDescriptors(pid: pid) == nil)
    }
}
