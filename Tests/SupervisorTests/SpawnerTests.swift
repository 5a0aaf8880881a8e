// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import System
import Testing

@testable import Supervisor

@Suite struct SpawnerTests {
    /// What a program says that is started like a worker; it writes to its metrics pipe.
    private func output(of path: String) throws -> String {
        let spawner = try Spawner(path: path, environment: [])
        let memory = try Syscalls.sealedMemory("test", Array("{}".utf8).span)
        let worker = try spawner.spawn(slot: 3, generation: 7, memory)
        let buffer = ByteBuffer()
        while isReadable(worker.metrics.raw) {
            guard
                case .bytes = Syscalls.read(worker.metrics.raw, into: buffer, minimum: 4096)
            else { break }
        }
        _ = try waitForExit(worker.pidfd.raw)
        return buffer.text
    }

    @Test("A worker has exactly its seven descriptors, each of the right kind")
    func descriptors() throws {
        let script = try TemporaryFile("#!/bin/sh\nexec ls -l /proc/$$/fd >&4\n", mode: 0o700)
        let lines = try output(of: script.path).split(separator: "\n").map(String.init)
        let links = lines.compactMap { line -> String? in
            guard let arrow = line.range(of: " -> ") else { return nil }
            let number = line[..<arrow.lowerBound].split(separator: " ").last ?? ""
            let target = line[arrow.upperBound...].prefix { $0 != ":" && $0 != "(" }
            return "\(number) \(target)"
        }
        // 1 and 4 are both the pipe by now; ls itself opens one more.
        #expect(links.count == 8)
        #expect(links[0] == "0 /dev/null")
        #expect(links[1] == "1 pipe")
        #expect(links[2].hasPrefix("2 "))
        #expect(links[3] == "3 socket")
        #expect(links[4] == "4 pipe")
        #expect(links[5].hasPrefix("5 /memfd"))
        #expect(links[6].hasPrefix("6 /memfd"))
    }

    @Test("A worker learns its slot, its generation and who started it")
    func arguments() throws {
        let script = try TemporaryFile("#!/bin/sh\necho \"$*\" >&4\n", mode: 0o700)
        let expected = "--slot 3 --generation 7 --supervisor \(Syscalls.processID)\n"
        #expect(try output(of: script.path) == expected)
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
