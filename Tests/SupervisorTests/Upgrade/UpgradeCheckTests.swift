// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import System
import Testing

@testable import Supervisor

@Suite struct UpgradeCheckTests {
    /// A check on a loop that the test turns.
    private final class Harness {
        let loop: EventLoop
        let children = Children()
        private(set) var result: UpgradeCheck.Result?
        private var check: UpgradeCheck?

        init() throws {
            loop = try EventLoop()
        }

        var pid: Int32? { check?.pid }

        func start(
            _ path: String,
            arguments: [String] = ["apus"],
            patience: UInt64 = UpgradeCheck.patience
        ) throws {
            let memory = try Syscalls.sealedMemory("test", Array("in use\n".utf8).span)
            let check = UpgradeCheck(loop: loop, children: children, patience: patience) {
                [unowned self] in result = $0
            }
            self.check = check
            check.start(path, arguments: arguments, environment: [], configuration: memory.raw)
        }

        func waitForResult() throws -> UpgradeCheck.Result {
            let deadline = Deadline.soon
            while result == nil {
                if deadline.hasPassed { throw TestFailure("the check did not end in time") }
                try loop.turn(waitMax: 5)
            }
            return try #require(result)
        }
    }

    @Test("A program that does not answer in time is ended and reaped")
    func timeout() throws {
        let before = try childrenOfThread()
        let harness = try Harness()
        try harness.start("/bin/sleep", arguments: ["sleep", "60"], patience: 1_000_000)
        let pid = try #require(harness.pid)
        #expect(harness.children.contains(pid))
        #expect(
            try harness.waitForResult()
                == .failed("the program on disk did not answer in time", lines: [])
        )
        try waitForChildren(before) { harness.children.reapAbandoned() }
    }

    @Test("A program that cannot be watched is ended and reaped", arguments: [true, false])
    func unwatched(hasPidfd: Bool) throws {
        let before = try childrenOfThread()
        let harness = try Harness()
        Syscalls.forceErrno(hasPidfd ? .epollControl : .pidfdOpen, .noMemory, count: 1)
        try harness.start("/bin/sleep", arguments: ["sleep", "60"])
        #expect(
            harness.result
                == .failed("/bin/sleep cannot be run: Cannot allocate memory", lines: [])
        )
        try waitForChildren(before) { harness.children.reapAbandoned() }
    }

    @Test("A program that somebody else has reaped fails the check, and nothing more")
    func reapedElsewhere() throws {
        let harness = try Harness()
        try harness.start("/bin/true")
        let pid = try #require(harness.pid)
        _ = try eventually("end of the program") {
            try Syscalls.reap(process: pid) ? true : nil
        }
        guard case .failed(let reason, _) = try harness.waitForResult() else {
            Issue.record("passed without an answer")
            return
        }
        #expect(reason.contains("is not known"))
        #expect(!harness.children.contains(pid))
    }

    @Test("The program on disk gets the configuration in use beside the file's name")
    func configuration() throws {
        let script = try TemporaryFile(
            "#!/bin/sh\ncat /proc/self/fd/$APUS_UPGRADE_CONFIGURATION\nexit 3\n",
            mode: 0o700
        )
        let harness = try Harness()
        try harness.start(script.path)
        #expect(
            try harness.waitForResult()
                == .failed("the program on disk refuses to take over", lines: ["in use"])
        )
    }
}
