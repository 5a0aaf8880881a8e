// SPDX-License-Identifier: Apache-2.0
import Glibc
import Support
import System
import Testing

@Suite struct ProcessTests {
    @Test("A child has the listed descriptors and no other")
    func descriptors() throws {
        let extra = try Syscalls.pipe()
        // Not close-on-exec would not matter either: everything above is closed.
        let run = try runProgram(
            "/bin/ls",
            ["/proc/self/fd"],
            descriptors: [
                InheritedFD(source: extra.first.raw, target: 3),
                InheritedFD(source: extra.second.raw, target: 4),
            ]
        )
        // 5 is the directory that ls itself reads.
        #expect(run.output.split(separator: "\n") == ["0", "1", "2", "3", "4", "5"])
        #expect(run.exit == .exited(code: 0))
    }

    @Test("Sources that are targets of others arrive under the right numbers")
    func crossed() throws {
        let one = try Syscalls.sealedMemory("one", Array("one".utf8).span)
        let two = try Syscalls.sealedMemory("two", Array("two".utf8).span)
        let low = min(one.raw, two.raw)
        let high = max(one.raw, two.raw)
        let lowIsOne = low == one.raw
        let run = try runProgram(
            "/bin/cat",
            ["/proc/self/fd/\(low)", "/proc/self/fd/\(high)"],
            descriptors: [
                InheritedFD(source: high, target: low), InheritedFD(source: low, target: high),
            ]
        )
        #expect(run.output == (lowIsOne ? "twoone" : "onetwo"))
    }

    @Test("Arguments and environment arrive as given")
    func arguments() throws {
        let run = try runProgram("/usr/bin/env", environment: ["A=1", "B=two words", "C="])
        #expect(run.output == "A=1\nB=two words\nC=\n")
        let echo = try runProgram("/bin/echo", ["a b", "", "ü"])
        #expect(echo.output == "a b  ü\n")
    }

    @Test("A program that does not exist is an error of the call")
    func missing() throws {
        #expect(throws: Errno.noEntry) { _ = try runProgram("/nonexistent/program") }
        #expect(throws: Errno.accessDenied) { _ = try runProgram("/etc/passwd") }
    }

    @Test("A failing spawn can be forced")
    func forced() throws {
        Syscalls.forceErrno(.spawn, .tryAgain, count: 1)
        #expect(throws: Errno.tryAgain) { _ = try runProgram("/bin/true") }
        #expect(try runProgram("/bin/true").exit == .exited(code: 0))
    }

    @Test("The exit code of a child is reported")
    func exitCode() throws {
        #expect(try runProgram("/bin/false").exit == .exited(code: 1))
    }

    @Test("A pidfd is readable when the process ends, and names only this process")
    func pidfd() throws {
        let pid = try spawnSleep()
        let pidfd = try Syscalls.pidfd(pid)
        #expect(try Syscalls.reap(pidfd: pidfd.raw) == nil)
        #expect(!isReadable(pidfd.raw, withinMilliseconds: 0))
        try Syscalls.signal(pidfd: pidfd.raw, .kill)
        #expect(isReadable(pidfd.raw))
        #expect(try Syscalls.reap(pidfd: pidfd.raw) == .signaled(signal: 9))
        // Reaped: the descriptor does not reach a later process with the number.
        #expect(throws: Errno(code: 3)) { try Syscalls.signal(pidfd: pidfd.raw, .kill) }
    }

    @Test("A child does not inherit blocked or ignored signals")
    func signalState() throws {
        let run = try runProgram("/bin/cat", ["/proc/self/status"])
        let lines = run.output.split(separator: "\n")
        for name in ["SigBlk", "SigIgn"] {
            let line = lines.first { $0.hasPrefix(name) }
            let mask = UInt64(line?.split(separator: "\t").last ?? "", radix: 16)
            // 32 and 33 are glibc's own; its posix_spawn ignores them until the program has begun.
            #expect(mask.map { $0 & ~0x1_8000_0000 } == 0, "\(line ?? "no \(name)")")
        }
    }

    @Test("A child may lead a process group of its own")
    func group() throws {
        for ownGroup in [true, false] {
            let run = try runProgram("/bin/cat", ["/proc/self/stat"], ownGroup: ownGroup)
            // pid (name) state ppid pgrp
            let fields = run.output.split(separator: " ")
            #expect((fields[0] == fields[4]) == ownGroup)
        }
    }

    @Test("A signal arrives on the descriptor that waits for it")
    func signalDescriptor() async {
        // In a process of its own: the mask stays with the thread.
        await #expect(processExitsWith: .exitCode(9)) {
            let fd = try Syscalls.signalDescriptor([.hangup, .ttyIn])
            guard try Syscalls.readSignal(fd.raw) == nil else { Syscalls.exitNow(1) }
            // To this thread: another one of the test library has not blocked the signal.
            pthread_kill(pthread_self(), Signal.ttyIn.rawValue)
            guard isReadable(fd.raw) else { Syscalls.exitNow(2) }
            Syscalls.exitNow(try Syscalls.readSignal(fd.raw) == .ttyIn ? 9 : 3)
        }
    }

    @Test("The machine has a processor, and descriptors have a limit")
    func machine() throws {
        #expect(try Syscalls.affinityCount() >= 1)
        let limit = try Syscalls.descriptorLimit()
        #expect(limit.soft >= 64)
        #expect(limit.soft <= limit.hard)
        #expect(Syscalls.environment().contains { $0.hasPrefix("PATH=") })
    }

    private func spawnSleep() throws -> Int32 {
        let null = try Syscalls.openForReading("/dev/null")
        return try Syscalls.spawn(
            "/bin/sleep",
            arguments: ["sleep", "60"],
            environment: [],
            descriptors: [InheritedFD(source: null.raw, target: 0)]
        )
    }
}
