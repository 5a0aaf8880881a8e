// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import System
import Testing

@testable import Supervisor

@Suite struct SpawnerTests {
    /// What a program that is started like a worker writes to its metrics pipe and prints.
    private func output(of path: String) throws -> (measured: String, printed: String) {
        let spawner = try Spawner(path: path, environment: [])
        let memory = try Syscalls.sealedMemory("test", Array("{}".utf8).span)
        let worker = try spawner.spawn(slot: 3, generation: 7, memory)
        let texts = [worker.metrics.raw, worker.output.raw].map { pipe in
            let buffer = ByteBuffer()
            while isReadable(pipe) {
                guard case .bytes = Syscalls.read(pipe, into: buffer, minimum: 4096) else { break }
            }
            return buffer.text
        }
        _ = try waitForExit(worker.pidfd.raw)
        return (texts[0], texts[1])
    }

    @Test("A worker has exactly its eight descriptors, each of the right kind")
    func descriptors() throws {
        let script = try TemporaryFile("#!/bin/sh\nexec ls -l /proc/$$/fd >&4\n", mode: 0o700)
        let text = try output(of: script.path).measured
        let lines = text.split(separator: "\n").map(String.init)
        let links = lines.compactMap { line -> String? in
            guard let arrow = line.range(of: " -> ") else { return nil }
            let number = line[..<arrow.lowerBound].split(separator: " ").last ?? ""
            let target = line[arrow.upperBound...].prefix { $0 != ":" && $0 != "(" }
            return "\(number) \(target)"
        }
        // 1 and 4 are both the pipe by now; ls itself opens one more.
        #expect(links.count == 9)
        #expect(links[0] == "0 /dev/null")
        #expect(links[1] == "1 pipe")
        #expect(links[2] == "2 pipe")
        #expect(links[3] == "3 socket")
        #expect(links[4] == "4 pipe")
        #expect(links[5].hasPrefix("5 /memfd"))
        #expect(links[6].hasPrefix("6 /memfd"))
        #expect(links[7].hasPrefix("7 "))
    }

    @Test("What a worker prints and the errors it reports come through one pipe, in order")
    func prints() throws {
        let script = try TemporaryFile(
            "#!/bin/sh\necho one\necho two >&2\necho three\n",
            mode: 0o700
        )
        #expect(try output(of: script.path).printed == "one\ntwo\nthree\n")
    }

    @Test("A worker never waits for who reads what it prints")
    func neverWaits() throws {
        // Where writing waits, head never comes to its end: nobody reads.
        let script = try TemporaryFile(
            "#!/bin/sh\nhead -c 1000000 /dev/zero 2>/dev/null\nexit 7\n",
            mode: 0o700
        )
        let spawner = try Spawner(path: script.path, environment: ["PATH=/usr/bin:/bin"])
        let memory = try Syscalls.sealedMemory("test", Array("{}".utf8).span)
        let worker = try spawner.spawn(slot: 0, generation: 1, memory)
        #expect(try waitForExit(worker.pidfd.raw) == .exited(code: 7))
    }

    @Test("A worker learns its slot, its generation and who started it")
    func arguments() throws {
        let script = try TemporaryFile("#!/bin/sh\necho \"$*\" >&4\n", mode: 0o700)
        let expected = "--slot 3 --generation 7 --supervisor \(Syscalls.processID)\n"
        #expect(try output(of: script.path).measured == expected)
    }

    @Test("A worker's end of the control socket is its peer's")
    func control() throws {
        let spawner = try Spawner(path: "/bin/cat", environment: [])
        let memory = try Syscalls.sealedMemory("test", Array("{}".utf8).span)
        let worker = try spawner.spawn(slot: 0, generation: 1, memory)
        // cat refuses its arguments and ends; nobody else holds the other end.
        #expect(isReadable(worker.control.raw))
        #expect(Syscalls.peek(worker.control.raw) == .endOfStream)
        #expect(try waitForExit(worker.pidfd.raw) == .exited(code: 1))
    }

    @Test("A missing program is an error, and leaves no descriptor behind")
    func missing() throws {
        let spawner = try Spawner(path: "/nonexistent/worker", environment: [])
        let memory = try Syscalls.sealedMemory("test", Array("{}".utf8).span)
        #expect(throws: SystemError(.spawn, .noEntry)) {
            _ = try spawner.spawn(slot: 0, generation: 1, memory).pid
        }
    }

    @Test("Running out of processes is an error")
    func exhausted() throws {
        let spawner = try Spawner(path: "/bin/true", environment: [])
        let memory = try Syscalls.sealedMemory("test", Array("{}".utf8).span)
        Syscalls.forceErrno(.spawn, .tryAgain, count: 1)
        #expect(throws: SystemError(.spawn, .tryAgain)) {
            _ = try spawner.spawn(slot: 0, generation: 1, memory).pid
        }
    }

    @Test("The worker is found beside the supervisor, or where the environment says")
    func path() {
        #expect(Spawner.workerPath(environment: ["APUS_WORKER_PATH=/opt/w"]) == "/opt/w")
        #expect(Spawner.workerPath(environment: []).hasSuffix("/apus-worker"))
        #expect(Spawner.workerPath(environment: ["APUS_WORKER_PATH="]).hasPrefix("/"))
    }
}

extension String {
    /// Foundation's `range(of:)`, as far as needed here.
    fileprivate func range(of needle: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) {
                return start..<index(start, offsetBy: needle.count)
            }
            start = index(after: start)
        }
        return nil
    }
}

@Suite struct WorkerEnvironmentTests {
    @Test("Only what a worker needs is passed on")
    func filter() {
        let environment = [
            "PATH=/bin", "HOME=/root", "LC_ALL=C", "NO_PROXY=*", "TZ=UTC",
            "SSL_CERT_FILE=/x", "APUS_WORKER_PATH=/w",
            "NOTIFY_SOCKET=/run/x", "WATCHDOG_USEC=1", "WATCHDOG_PID=1", "LISTEN_FDS=1",
            "LISTEN_PID=1", "LISTEN_FDNAMES=a", "OPENAI_API_KEY=sk-1", "AICORE_SERVICE_KEY={}",
            "MY_SECRET=x", "APUS_KEY=x", "CREDENTIALS_DIRECTORY=/run/credentials",
        ]
        #expect(
            WorkerEnvironment.make(from: environment) == [
                "PATH=/bin", "HOME=/root", "LC_ALL=C", "NO_PROXY=*", "TZ=UTC",
                "SSL_CERT_FILE=/x", "APUS_WORKER_PATH=/w", "SWIFT_BACKTRACE=enable=no",
            ]
        )
    }

    @Test("A wish about crash reports is respected")
    func backtrace() {
        #expect(
            WorkerEnvironment.make(from: ["SWIFT_BACKTRACE=enable=yes"])
                == ["SWIFT_BACKTRACE=enable=yes"]
        )
    }
}
