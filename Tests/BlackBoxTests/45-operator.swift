// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Operator: commands to a running supervisor")
    struct Operator {
        private func run(
            _ fleet: Fleet,
            _ arguments: String...
        ) throws -> (exit: ProcessExit, output: String, error: String) {
            try ApusProgram.run(arguments, directory: fleet.directory)
        }

        /// A command that the test does not wait for yet.
        private func start(_ fleet: Fleet, _ arguments: String...) throws -> ServerProcess {
            try ServerProcess(
                ApusProgram.supervisor,
                arguments: arguments,
                environment: ApusProgram.environment(fleet.directory)
            )
        }

        private func awaitRequest(_ fleet: Fleet, _ request: String, count: Int = 1) throws {
            var seen = 0
            _ = try fleet.waitForLog("the request \(request)") { record in
                if record["request"]?.string == request { seen += 1 }
                return seen == count
            }
        }

        // MARK: Reload

        @Test("reload waits until the new workers serve and says what was done")
        func reload() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let before = try fleet.readyWorkers()
                let result = try run(fleet, "reload")
                #expect(result.exit == .exited(code: 0), "\(result.error)")
                #expect(result.output.hasPrefix("reloaded: generation 2, 2 workers replaced in "))
                #expect(result.output.hasSuffix(" ms"))
                #expect(result.error.isEmpty)
                // The status page may be older than the answer.
                _ = try eventually("set of two new workers") { () -> Bool? in
                    let after = try fleet.readyWorkers()
                    return after.count == 2 && Set(after).isDisjoint(with: before) ? true : nil
                }
            }
        }

        @Test("reload with a bad configuration shows every error; the old one goes on")
        func badReload() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let manager = try NotifySocket(in: directory)
            var settings = FleetSettings(workers: 2)
            settings.environment = ["NOTIFY_SOCKET=\(manager.path)"]
            try BlackBox.withFleet(settings) { fleet in
                let before = try fleet.readyWorkers()
                let path = try fleet.directory.write(
                    "apus.json",
                    "{ \"upstreams\": { \"d\": { \"kind\": \"demo\" } },\n"
                        + "  \"workers\": 0,\n  \"wrong\": 1 }\n"
                )
                let result = try run(fleet, "reload")
                #expect(result.exit == .exited(code: 1))
                #expect(result.output.isEmpty)
                let lines = result.error.split(separator: "\n")
                #expect(lines.contains { $0.hasPrefix("\(path):2:14: workers: ") }, "\(lines)")
                #expect(lines.contains { $0.hasPrefix("\(path):3:3: ") }, "\(lines)")
                #expect(lines.last?.hasPrefix("apus: reload failed: ") == true)
                #expect(ProcessFacts.children(fleet.pid).sorted() == before.sorted())
                #expect(try fleet.get("/health").status == 200)
                let lastWord = "is invalid; the old one stays in use: \(path):2:14:"
                _ = try manager.waitForMatch("a status that says why") { $0.contains(lastWord) }
                try fleet.directory.write("apus.json", settings.text)
                #expect(try run(fleet, "reload").exit == .exited(code: 0))
            }
        }

        @Test("reloads that wait at once all get the result of the one that covers them")
        func concurrentReloads() throws {
            try BlackBox.withFleet(FleetSettings(workers: 3)) { fleet in
                let commands = try (0..<6).map { _ in try start(fleet, "reload") }
                for command in commands {
                    #expect(try command.waitForExit() == .exited(code: 0))
                    try command.waitForEndOfOutput(by: .soon)
                    #expect(command.lines(.output).first?.hasPrefix("reloaded: ") == true)
                }
                try fleet.waitForWorkers(3)
                // The end of the log: what came before is in it.
                try fleet.process.signal(.terminate)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                try fleet.process.waitForEndOfOutput()
                let log = try fleet.log()
                let reloads = log.count { $0["msg"]?.string == "reloaded" }
                let first = try #require(log.firstIndex { $0["msg"]?.string == "reloaded" })
                let early = log[..<first].count { $0["request"]?.string == "apus/1 reload" }
                // Those that asked while the first one ran share the second one; each that came
                // later may have had one of its own.
                #expect(reloads <= 2 + 6 - early, "\(reloads) reloads, \(early) asked early")
            }
        }

        // MARK: Scale

        @Test("scale waits for the workers it was asked for")
        func scale() throws {
            try BlackBox.withFleet(FleetSettings(workers: 1)) { fleet in
                let first = try fleet.readyWorkers()
                let up = try run(fleet, "scale", "4")
                #expect(up.exit == .exited(code: 0), "\(up.error)")
                #expect(up.output == "scaled: 4 workers, before 1")
                #expect(ProcessFacts.children(fleet.pid).count == 4)
                let down = try run(fleet, "scale", "1")
                #expect(down.output == "scaled: 1 worker, before 4")
                #expect(try fleet.waitForWorkers(1) == first)
                for wrong in ["0", "257", "x", "-1", "1.5"] {
                    #expect(try run(fleet, "scale", wrong).exit == .exited(code: 64))
                }
                #expect(try run(fleet, "scale").exit == .exited(code: 64))
            }
        }

        // MARK: Stop

        @Test("stop waits for the streams and for the end of the supervisor")
        func stop() throws {
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), FleetSettings(workers: 2)) {
                fleet,
                _ in
                let stream = try FaultScenes.begin(1, fleet)[0]
                let stop = try start(fleet, "stop")
                _ = try fleet.waitForLog("the drain") { $0["msg"]?.string == "draining" }
                // A second one waits as well; it is no second TERM.
                let second = try start(fleet, "stop")
                try awaitRequest(fleet, "apus/1 stop", count: 2)
                let late = try run(fleet, "reload")
                #expect(late.exit == .exited(code: 1))
                #expect(late.error == "apus: the supervisor is stopping")
                #expect(try run(fleet, "scale", "2").exit == .exited(code: 1))
                #expect(stream.isQuiet)
                #expect(try stop.exitIfEnded() == nil)
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                #expect(try stop.waitForExit() == .exited(code: 0))
                #expect(try fleet.process.exitIfEnded() == .exited(code: 0))
                #expect(try second.waitForExit() == .exited(code: 0))
                try stop.waitForEndOfOutput(by: .soon)
                #expect(stop.lines(.output).first?.hasPrefix("stopped in ") == true)
                #expect(stop.lines(.error).isEmpty)
            }
        }

        @Test("stop --now ends what runs, also what a stop before it waits for")
        func stopNow() throws {
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), FleetSettings(workers: 2)) {
                fleet,
                _ in
                let stream = try FaultScenes.begin(1, fleet)[0]
                let stop = try start(fleet, "stop")
                _ = try fleet.waitForLog("the drain") { $0["msg"]?.string == "draining" }
                #expect(try run(fleet, "stop", "--now").exit == .exited(code: 0))
                #expect(try stop.waitForExit() == .exited(code: 0))
                var last = ""
                while let event = try stream.nextEvent() { last = event.text }
                #expect(last.contains("\"error\""), "\(last)")
            }
        }

        @Test("an operator that leaves takes nothing back")
        func leaver() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let stop = try start(fleet, "stop")
                try awaitRequest(fleet, "apus/1 stop")
                stop.kill()
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
        }

        // MARK: Nobody there

        @Test("without a supervisor the commands exit 69 and say where they looked")
        func nobody() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            for command in [["reload"], ["scale", "2"], ["stop"], ["upgrade"]] {
                let result = try ApusProgram.run(command, directory: directory)
                #expect(result.exit == .exited(code: 69))
                #expect(result.error.contains("\(directory.path)/control.sock"))
                #expect(result.error.contains("set RUNTIME_DIRECTORY"))
            }
        }

        @Test("a supervisor that was killed leaves a socket that answers 69, and is replaced")
        func killed() throws {
            try BlackBox.withFleet { fleet in
                try fleet.process.signal(.kill)
                _ = try fleet.process.waitForExit()
                #expect(try run(fleet, "reload").exit == .exited(code: 69))
                // The number of a process that lives says nothing: the lock does.
                try fleet.directory.write("apus.lock", "1\n")
                let config = "\(fleet.directory.path)/apus.json"
                let next = try start(fleet, "serve", "--config", config)
                _ = try next.waitForLine("ready") { $0.contains("\"msg\":\"ready\"") ? true : nil }
                #expect(try run(fleet, "reload").exit == .exited(code: 0))
                #expect(try run(fleet, "stop").exit == .exited(code: 0))
                #expect(try next.waitForExit() == .exited(code: 0))
            }
        }

        @Test("a second supervisor in the directory exits 69 at once and names the first")
        func second() throws {
            try BlackBox.withFleet { fleet in
                let config = try fleet.directory.write("second.json", FleetSettings().text)
                let before = Syscalls.monotonicNanoseconds()
                let result = try run(fleet, "serve", "--config", config)
                #expect(result.exit == .exited(code: 69))
                #expect(Syscalls.monotonicNanoseconds() - before < 2_000_000_000)
                #expect(result.error.contains("pid \(fleet.pid)"), "\(result.error)")
                #expect(result.error.contains(fleet.directory.path))
                #expect(result.error.contains("set RUNTIME_DIRECTORY to run a second one"))
                #expect(try fleet.get("/health").status == 200)
                #expect(try run(fleet, "reload").exit == .exited(code: 0))
            }
        }

        // MARK: The socket

        @Test("the socket is for this user alone, and gone with the supervisor")
        func socketFile() throws {
            try BlackBox.withFleet { fleet in
                let path = "\(fleet.directory.path)/control.sock"
                let facts = try Syscalls.facts(of: path)
                #expect(facts.isSocket && facts.permissions == 0o600)
                #expect(try run(fleet, "stop").exit == .exited(code: 0))
                #expect(throws: Errno.noEntry) { try Syscalls.facts(of: path) }
            }
        }

        @Test("garbage and clients that never end their request do no harm")
        func garbage() throws {
            try BlackBox.withFleet(FleetSettings(workers: 1)) { fleet in
                let address = SocketAddress.unix(path: "\(fleet.directory.path)/control.sock")
                let descriptors = ProcessFacts.descriptorTargets(fleet.pid)
                var random = SplitMix(seed: 42)
                for round in 0..<200 {
                    let client = try HTTPConnection(to: address)
                    var bytes = (0..<(round * 7 % 500)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }
                    if round % 3 == 0 { bytes.append(0x0A) }
                    do {
                        try client.send(bytes)
                    } catch is ConnectionLost {
                        // Refused before it had said everything.
                    }
                    if round % 5 == 0 { client.reset() } else { client.close() }
                }
                // More silent ones than there is room for.
                let silent = try (0..<40).map { _ in try HTTPConnection(to: address) }
                #expect(try run(fleet, "scale", "2").exit == .exited(code: 0))
                #expect(try fleet.get("/health").status == 200)
                for client in silent { client.close() }
                #expect(try run(fleet, "scale", "1").exit == .exited(code: 0))
                try fleet.waitForWorkers(1)
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: descriptors)
            }
        }
    }
}
