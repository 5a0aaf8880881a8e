// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

@testable import Supervisor

@Suite struct ProcessStatusTests {
    /// A line of /proc/PID/stat: user and system time 7 and 3 ticks.
    private static func stat(_ name: String, state: String = "S") -> String {
        "4711 (\(name)) \(state) 1 4711 4711 0 -1 4194560 555 0 2 0 7 3 0 0 20 0 1 0 999 8192000 "
            + "1000 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0\n"
    }

    @Test(
        "The name of a process cannot move the fields",
        arguments: ["apus-worker", "a b", "a) S 1 2 3", "(((", "))) 9 9 9", ""]
    )
    func names(_ name: String) {
        let status = ProcessStatus(
            stat: Self.stat(name),
            statm: "2000 1000 400 1 0 500 0\n",
            pageBytes: 4096
        )
        #expect(status?.state == "S")
        #expect(status?.processorNanoseconds == 100_000_000)
        #expect(status?.privateBytes == 600 * 4096)
    }

    @Test("Every state letter is passed on", arguments: ["R", "S", "D", "T", "t", "Z", "X", "I"])
    func states(_ letter: String) {
        let status = ProcessStatus(
            stat: Self.stat("x", state: letter),
            statm: "1 1 1",
            pageBytes: 4096
        )
        #expect(status?.state == Character(letter))
    }

    @Test("More shared pages than resident ones are no memory of its own")
    func sharedOnly() {
        let status = ProcessStatus(stat: Self.stat("x"), statm: "9 3 5", pageBytes: 4096)
        #expect(status?.privateBytes == 0)
    }

    @Test(
        "Text that is none",
        arguments: [
            ("", "1 1 1"), ("4711", "1 1 1"), ("4711 (x)", "1 1 1"), ("4711 (x) S 1 2 3", "1 1 1"),
            ("4711 (x) S \(String(repeating: "x ", count: 40))", "1 1 1"),
            (stat("x"), ""), (stat("x"), "1 2"), (stat("x"), "1 x 2"), (stat("x"), "1 2 x"),
            (stat("x"), "1 -2 1"),
        ]
    )
    func malformed(stat: String, statm: String) {
        #expect(ProcessStatus(stat: stat, statm: statm, pageBytes: 4096) == nil)
    }

    @Test("The kernel tells of this process")
    func own() throws {
        let status = try #require(ProcessStatus(pid: Syscalls.processID))
        #expect(status.state == "R" || status.state == "S")
        #expect(status.privateBytes > 1 << 20)
        // Ticks are 10 ms, and other tests run meanwhile.
        #expect(status.processorNanoseconds <= Syscalls.processorNanoseconds + 100_000_000)
    }

    @Test("A stopped process is seen as such, and one that is gone is not seen")
    func stopped() throws {
        let null = try Syscalls.openForReading("/dev/null")
        let pid = try Syscalls.spawn(
            "/bin/sleep",
            arguments: ["sleep", "60"],
            environment: [],
            descriptors: [InheritedFD(source: null.raw, target: 0)]
        )
        let pidfd = try Syscalls.pidfd(pid)
        try Syscalls.signal(pidfd: pidfd.raw, .stop)
        _ = try eventually("stop") {
            let status = ProcessStatus(pid: pid)
            return HangWatch.ProcessState(letter: status?.state) == .stopped ? true : nil
        }
        try Syscalls.signal(pidfd: pidfd.raw, .kill)
        #expect(try waitForExit(pidfd.raw) == .signaled(signal: 9))
        #expect(ProcessStatus(pid: pid) == nil)
    }
}
