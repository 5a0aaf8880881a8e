// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: reloads, scaling and upgrades")
    struct FaultsReload {
        private static func naming(_ model: String, workers: Int = 2) -> FleetSettings {
            FleetSettings(
                workers: workers,
                #""models": { "\#(model)": { "targets": [ { "upstream": "demo", "model": "fast" } ] } }"#
            )
        }

        private func command(
            _ arguments: [String],
            _ fleet: Fleet
        ) throws -> (exit: ProcessExit, output: String, error: String) {
            try ApusProgram.run(arguments, directory: fleet.directory)
        }

        @Test("Fault 27: a reload of an invalid file fails aloud and changes nothing")
        func invalidFile() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let socket = try NotifySocket(in: directory)
            var settings = FleetSettings(workers: 2)
            settings.environment = ["NOTIFY_SOCKET=\(socket.path)"]
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                try fleet.directory.write(
                    "apus.json",
                    #"{ "upstreams": { "demo": { "kind": "demo" } }, "wrokers": 2 }"#
                )
                let result = try command(["reload"], fleet)
                #expect(result.exit != .exited(code: 0))
                #expect(result.error.contains("wrokers"), "\(result.error)")
                let said = try socket.received()
                #expect(
                    said.contains {
                        $0.hasPrefix("STATUS=reload failed") && $0.contains("wrokers")
                    },
                    "\(said)"
                )
                #expect(said.last { $0 == "READY=1" || $0 == "RELOADING=1" } == "READY=1")
                #expect(try fleet.readyWorkers() == workers)
                _ = try eventually("the failure in the status") {
                    try fleet.status()["config"]?["last_reload_ok"]?.bool == false ? true : nil
                }
                try fleet.directory.write("apus.json", fleet.settings.text)
                #expect(try command(["reload"], fleet).exit == .exited(code: 0))
                _ = try eventually("new workers") {
                    try Set(fleet.readyWorkers()).isDisjoint(with: workers) ? true : nil
                }
            }
        }

        @Test("Fault 28: a hundred reloads under load fail no request and leave nothing behind")
        func hundredReloads() throws {
            try BlackBox.withFleet(Self.naming("m", workers: 1)) { fleet in
                let load = try SteadyLoad(fleet, connections: 4)
                defer { load.stop() }
                for _ in 0..<3 { try reloadAndWait(fleet) }
                let descriptors = ProcessFacts.descriptorTargets(fleet.pid)
                let first = ProcessFacts.residentBytes(fleet.pid)
                var middle = first
                for reload in 3..<100 {
                    if reload == 50 { middle = ProcessFacts.residentBytes(fleet.pid) }
                    try reloadAndWait(fleet)
                    // One that serves, one that comes, and two that go.
                    _ = try eventually("end of older workers") {
                        ProcessFacts.children(fleet.pid).count <= 4 ? true : nil
                    }
                }
                load.stop()
                #expect(load.problems == [])
                #expect(load.answers > 100, "\(load.answers) answers")
                // What every reload left behind would come again with the second half of them.
                let grown = [middle - first, ProcessFacts.residentBytes(fleet.pid) - middle]
                #expect(grown[1] <= grown[0] + 1 << 20, "\(grown) bytes more")
                let metrics = try fleet.metrics()
                #expect(metrics.sum("apus_reloads_total", ["result": "ok"]) == 100)
                #expect(metrics.sum("apus_worker_restarts_total", ["reason": "crash"]) == 0)
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: descriptors)
            }
        }

        private func reloadAndWait(_ fleet: Fleet) throws {
            let before = try fleet.metrics().sum("apus_reloads_total", ["result": "ok"])
            try fleet.process.signal(.hangup)
            _ = try fleet.waitForMetrics("another reload") {
                $0.sum("apus_reloads_total", ["result": "ok"]) == before + 1
            }
        }

        @Test("Fault 29: three HUPs at once are two reloads at most, and the last file counts")
        func threeHangups() throws {
            try BlackBox.withFleet(Self.naming("first")) { fleet in
                for name in ["second", "third", "last"] { try fleet.reload(Self.naming(name)) }
                _ = try eventually("the last name") {
                    try fleet.chat("last").status == 200 ? true : nil
                }
                _ = try eventually("the end of reloads") {
                    let isRunning = try fleet.status()["state"]?.string == "running"
                    return isRunning && ProcessFacts.children(fleet.pid).count == 2 ? true : nil
                }
                let reloads = try fleet.metrics().sum("apus_reloads_total")
                #expect(reloads >= 1 && reloads <= 2, "\(reloads) reloads")
                for name in ["first", "second", "third"] {
                    try expectError(try fleet.chat(name), 404)
                }
            }
        }

        @Test("Fault 30: HUP while the fleet drains is ignored with a line, and nothing is started")
        func hangupInDrain() throws {
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), FleetSettings(workers: 2)) {
                fleet,
                _ in
                let stream = try FaultScenes.begin(1, fleet)[0]
                try fleet.process.signal(.terminate)
                _ = try fleet.waitForLog("the drain") { $0["msg"]?.string == "draining" }
                try fleet.process.signal(.hangup)
                try fleet.process.signal(.ttyIn)
                _ = try fleet.waitForLog("the refusal") {
                    $0["msg"]?.string?.hasPrefix("reload ignored") == true
                }
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                #expect(try fleet.log().count { $0["msg"]?.string == "worker ready" } == 2)
            }
        }

        @Test("Fault 31: a canary that fails its probe ends the reload, and the old workers stay")
        func canaryFails() throws {
            var settings = Self.naming("old")
            settings.environment = ["APUS_WORKER_FAULT=probe_fail:generation=2"]
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                let kept = try FaultScenes.idle(fleet)
                try fleet.directory.write("apus.json", Self.naming("new").text)
                let result = try command(["reload"], fleet)
                #expect(result.exit != .exited(code: 0))
                #expect(result.error.contains("500"), "\(result.error)")
                #expect(try fleet.readyWorkers() == workers)
                #expect(ProcessFacts.children(fleet.pid).count == 2)
                #expect(try fleet.chat("old").status == 200)
                try expectError(try fleet.chat("new"), 404)
                try kept.send(FaultScenes.health)
                #expect(try kept.readReply().status == 200)
                _ = try fleet.waitForMetrics("the failure") {
                    $0.sum("apus_config_last_reload_successful") == 0
                }
                #expect(try FaultScenes.handoffs("returned", fleet) == 0, "no worker was drained")
                // The next generation is a healthy one.
                #expect(try command(["reload"], fleet).exit == .exited(code: 0))
                #expect(try fleet.chat("new").status == 200)
            }
        }

        @Test("a canary that dies, or whose successors do, is rolled back")
        func rollBack() throws {
            var settings = Self.naming("old")
            settings.environment = [
                "APUS_WORKER_FAULT=boot_exit:generation=2,boot_exit:generation=3:slot=1"
            ]
            try BlackBox.withFleet(settings) { fleet in
                for generation in 2...3 {
                    try fleet.directory.write("apus.json", Self.naming("new").text)
                    let result = try command(["reload"], fleet)
                    #expect(result.exit != .exited(code: 0), "generation \(generation)")
                    _ = try eventually("two workers of the first generation") {
                        let processes = try fleet.status()["processes"]?.array ?? []
                        let generations = processes.map { $0["generation"]?.int }
                        return generations == [1, 1]
                            && processes.allSatisfy { $0["state"]?.string == "ready" } ? true : nil
                    }
                    #expect(try fleet.chat("old").status == 200)
                }
            }
        }

        @Test("Fault 37: five TTIN and ten TTOU under load change the number, and cut nobody")
        func scaling() throws {
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), FleetSettings(workers: 3)) {
                fleet,
                _ in
                let load = try SteadyLoad(fleet, connections: 4)
                defer { load.stop() }
                // A signal that is pending already is not delivered twice: so one after the other.
                for count in 4...8 {
                    try fleet.process.signal(.ttyIn)
                    _ = try fleet.waitForMetrics("\(count) workers wanted") {
                        $0.sum("apus_workers_configured") == Double(count)
                    }
                }
                try fleet.waitForWorkers(8)
                let streams = try FaultScenes.begin(16, fleet)
                for step in 1...10 {
                    try fleet.process.signal(.ttyOut)
                    let wanted = Double(max(1, 8 - step))
                    _ = try fleet.waitForMetrics("\(wanted) workers wanted") {
                        $0.sum("apus_workers_configured") == wanted
                    }
                }
                try fleet.waitForWorkers(1)
                gate.open()
                for stream in streams { #expect(try FaultScenes.end(of: stream) == .whole) }
                _ = try eventually("one child") {
                    ProcessFacts.children(fleet.pid).count == 1 ? true : nil
                }
                load.stop()
                #expect(load.problems == [])
                let restarts = try fleet.metrics().sum("apus_worker_restarts_total")
                #expect(restarts == 0, "\(restarts) workers were not drained")
            }
        }

        @Test("Fault 38: from seventeen workers to three, fourteen drain and no stream is cut")
        func fewerWorkers() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 17)) { fleet, upstream in
                let workers = try fleet.readyWorkers()
                let streams = try FaultScenes.begin(34, fleet)
                try fleet.directory.write(
                    "apus.json",
                    FleetSettings(workers: 3).with("up", upstream).text
                )
                #expect(try command(["reload"], fleet).exit == .exited(code: 0))
                // Nothing but the number changed: the three that stay are the same processes.
                #expect(try fleet.waitForWorkers(3) == Array(workers.prefix(3)))
                #expect(ProcessFacts.children(fleet.pid).count == 17, "all have streams")
                gate.open()
                for stream in streams { #expect(try FaultScenes.end(of: stream) == .whole) }
                _ = try eventually("three children") {
                    ProcessFacts.children(fleet.pid).count == 3 ? true : nil
                }
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
            }
        }

        /// A fleet whose programs are copies that a test can replace.
        private func withCopies(
            _ body: (ServerProcess, PrivateDirectory, SocketAddress, SocketAddress) throws -> Void
        ) throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            for name in ["apus", "apus-worker"] {
                try ProcessRunner.run(
                    "/bin/cp",
                    ["\(ApusProgram.folder)/\(name)", "\(directory.path)/\(name)"]
                )
            }
            let config = try directory.write("apus.json", FleetSettings(workers: 2).text)
            let process = try ServerProcess(
                "\(directory.path)/apus",
                arguments: ["serve", "--config", config],
                environment: ApusProgram.environment(directory)
            )
            defer { process.kill(grace: .seconds(3)) }
            func address(_ message: String) throws -> SocketAddress {
                try process.waitForLine(message) { line -> SocketAddress? in
                    let record = try JSONValue(line)
                    guard record["msg"]?.string == message else { return nil }
                    return record["address"]?.string.flatMap { SocketAddress($0) }
                }
            }
            try body(process, directory, address("listening"), address("status listening"))
        }

        @Test("Fault 58: an upgrade to a program that does not run leaves the old one at work")
        func badUpgrade() throws {
            let texts = [
                ("#!/bin/sh\nexit 1\n", "exits"), ("\u{7F}ELF\u{2}\u{1}\u{1}\0\0", "cannot be run"),
            ]
            try withCopies { process, directory, address, status in
                let kept = try HTTPConnection(to: address)
                let children = ProcessFacts.children(process.pid)
                for (text, what) in texts {
                    try directory.writeProgram("apus", text)
                    let result = try ApusProgram.run(["upgrade"], directory: directory)
                    #expect(result.exit != .exited(code: 0), "\(what)")
                    #expect(!result.error.isEmpty, "\(what)")
                    #expect(try process.exitIfEnded() == nil)
                    #expect(ProcessFacts.children(process.pid) == children)
                    try kept.send(FaultScenes.health)
                    #expect(try kept.readReply().status == 200)
                }
                try process.signal(.user2)
                try process.waitForLine("the failure") {
                    try JSONValue($0)["msg"]?.string == "upgrade failed" ? () : nil
                }
                // And with a good program again it works, in the same process.
                try ProcessRunner.run(
                    "/bin/cp",
                    ["\(ApusProgram.folder)/apus", "\(directory.path)/apus.new"]
                )
                try ProcessRunner.run(
                    "/bin/mv",
                    ["\(directory.path)/apus.new", "\(directory.path)/apus"]
                )
                let result = try ApusProgram.run(["upgrade"], directory: directory)
                #expect(result.exit == .exited(code: 0), "\(result.error)")
                _ = try eventually("other workers") {
                    Set(ProcessFacts.children(process.pid)).isDisjoint(with: children) ? true : nil
                }
                try kept.send(FaultScenes.health)
                #expect(try kept.readReply().status == 200)
                let scrape = try HTTPConnection(to: status)
                try scrape.send(HTTPRequestText.bytes("GET", "/status"))
                #expect(try scrape.readReply().json()["pid"]?.int == Int(process.pid))
            }
        }
    }
}
