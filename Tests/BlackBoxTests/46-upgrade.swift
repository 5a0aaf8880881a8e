// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Upgrade: another program takes over the process")
    struct Upgrade {
        private func upgrade(
            _ fleet: Fleet
        ) throws -> (exit: ProcessExit, output: String, error: String) {
            try ApusProgram.run(["upgrade"], directory: fleet.directory)
        }

        @Test("an upgrade cuts no stream, closes no connection, and keeps process and counts")
        func takesOver() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 2)) { fleet, _ in
                let workers = try fleet.readyWorkers()
                let streams = try FaultScenes.begin(4, fleet)
                let idle = try fleet.connect()
                try idle.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try idle.readReply().status == 200)
                for _ in 0..<10 { #expect(try fleet.chat("up/m").status == 200) }
                let counted = try fleet.waitForMetrics("ten requests") {
                    $0.sum("apus_requests_total", ["route": "chat_completions"]) == 10
                }

                let result = try upgrade(fleet)
                #expect(result.exit == .exited(code: 0), "\(result.error)")
                #expect(result.output.hasPrefix("upgraded: version "), "\(result.output)")
                _ = try fleet.waitForLog("the take-over") { $0["msg"]?.string == "taking over" }

                // The same process with new workers, and nothing forgotten.
                #expect(try fleet.process.exitIfEnded() == nil)
                #expect(try fleet.status()["pid"]?.int == Int(fleet.pid))
                _ = try eventually("set of two new workers") { () -> Bool? in
                    let ready = try fleet.readyWorkers()
                    return ready.count == 2 && Set(ready).isDisjoint(with: workers) ? true : nil
                }
                let metrics = try fleet.metrics()
                #expect(metrics.sum("apus_requests_total", ["route": "chat_completions"]) == 10)
                #expect(
                    metrics.sum("apus_connections_accepted_total")
                        == counted.sum("apus_connections_accepted_total")
                )
                #expect(metrics.sum("apus_connections_handoff_total", ["result": "lost"]) == 0)
                #expect(metrics.sum("apus_worker_restarts_total", ["reason": "upgrade"]) == 2)

                // A connection from before is still good for requests.
                try idle.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try idle.readReply().status == 200)
                #expect(streams.allSatisfy { $0.isQuiet })
                gate.open()
                for stream in streams {
                    #expect(try FaultScenes.end(of: stream) == .whole)
                    stream.close()
                }
                _ = try eventually("end of the old workers") {
                    workers.contains { ProcessFacts.isRunning($0) } ? nil : true
                }
                // All else still works: reload, crash answer, stop.
                #expect(
                    try ApusProgram.run(["reload"], directory: fleet.directory).exit
                        == .exited(code: 0)
                )
                try idle.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try idle.readReply().status == 200)
                // The worker of the third generation that has the connection that is left.
                let victim = try eventually("worker with the connection") { () -> Int? in
                    let processes = try fleet.status()["processes"]?.array ?? []
                    guard processes.allSatisfy({ $0["generation"]?.int == 3 }) else { return nil }
                    return processes.first { $0["conns_idle"]?.int == 1 }?["pid"]?.int
                }
                try Syscalls.signal(process: Int32(victim), .kill)
                try idle.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try idle.readReply().status == 200)
                _ = try fleet.waitForMetrics("a moved connection") {
                    $0.sum("apus_crash_answers_total", ["kind": "moved"]) == 1
                }
            }
        }

        @Test("what workers print that have been taken over is still in the log")
        func outputGoesOn() throws {
            let gate = try Gate()
            var settings = FleetSettings(workers: 1)
            // A word behind the upgrade, from a copy of the worker's output.
            settings.workerPrelude =
                "echo early; (until [ -e \"$DIR/say\" ]; do sleep 0.05; done; echo late) 3>&- 4>&- &"
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let worker = try fleet.readyWorkers()[0]
                let stream = try FaultScenes.begin(1, fleet)[0]
                let result = try upgrade(fleet)
                #expect(result.exit == .exited(code: 0), "\(result.error)")
                try fleet.directory.write("say", "")
                for text in ["early", "late"] {
                    let record = try fleet.waitForLog("a line of the old worker") {
                        $0["text"]?.string == text && $0["worker_pid"]?.int == Int(worker)
                    }
                    #expect(record["msg"]?.string == "a worker printed", "\(record)")
                }
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                stream.close()
            }
        }

        @Test("USR2 upgrades too, many times under load without a failed request")
        func manyTimes() throws {
            try BlackBox.withUpstream(try .answering(), FleetSettings(workers: 2)) { fleet, _ in
                let before = ProcessFacts.descriptorTargets(fleet.pid)
                let kept = try fleet.connect()
                for number in 1...5 {
                    try fleet.process.signal(.user2)
                    var seen = 0
                    _ = try eventually("upgrade \(number)") { () -> Bool? in
                        #expect(try fleet.chat("up/m").status == 200)
                        try kept.send(HTTPRequestText.bytes("GET", "/health"))
                        #expect(try kept.readReply().status == 200)
                        seen = try fleet.log().count { $0["msg"]?.string == "reloaded" }
                        return seen == number ? true : nil
                    }
                }
                try fleet.waitForWorkers(2)
                _ = try eventually("two children") {
                    ProcessFacts.children(fleet.pid).count == 2 ? true : nil
                }
                // The connection that is kept has a copy here.
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: before + ["socket:"])
                #expect(try fleet.process.exitIfEnded() == nil)
            }
        }

        /// A fleet whose program lies in `folder` and can be replaced there.
        private func withProgram(
            _ body: (_ fleet: Fleet, _ folder: PrivateDirectory) throws -> Void
        ) throws {
            let folder = try PrivateDirectory()
            defer { folder.remove() }
            let program = try ApusProgram.copy(to: folder)
            let fleet = try Fleet(FleetSettings(workers: 2), program: program)
            defer { fleet.stop(failed: false) }
            try body(fleet, folder)
        }

        @Test("a program on disk that cannot take over is told, and the old one goes on")
        func unfitProgram() throws {
            let unfit = [
                ("#!/bin/sh\necho hello\n", "does not know how to take over"),
                ("#!/bin/sh\necho no such luck\nexit 3\n", "refuses to take over"),
                ("#!/bin/sh\necho 'apus-upgrade 0.0.0.0 9.9.9'\n", "restart instead"),
                ("not a program\n", "cannot be run"),
            ]
            try withProgram { fleet, folder in
                let workers = try fleet.readyWorkers()
                for (text, reason) in unfit {
                    try folder.writeProgram("apus", text)
                    let result = try upgrade(fleet)
                    #expect(result.exit == .exited(code: 1), "\(text)")
                    #expect(result.error.contains(reason), "\(text): \(result.error)")
                    #expect(result.error.contains("the old program goes on"), "\(result.error)")
                    #expect(try fleet.readyWorkers() == workers)
                    #expect(try fleet.get("/health").status == 200)
                }
            }
        }

        @Test("a program that answers the check and then cannot be run leaves the old one running")
        func execFails() throws {
            try withProgram { fleet, folder in
                let workers = try fleet.readyWorkers()
                // Says what a fit program says, and is gone when it is to take over.
                let answer = try ApusProgram.run(
                    ["serve", "--config", "\(fleet.directory.path)/apus.json"],
                    directory: fleet.directory,
                    environment: ["APUS_UPGRADE_CHECK=1"]
                )
                #expect(answer.exit == .exited(code: 0))
                let text = "#!/bin/sh\necho '\(answer.output)'\nrm -f '\(folder.path)/apus'\n"
                try folder.writeProgram("apus", text)
                let result = try upgrade(fleet)
                #expect(result.exit == .exited(code: 1))
                #expect(result.error.contains("No such file"), "\(result.error)")
                #expect(try fleet.readyWorkers() == workers)
                #expect(try fleet.get("/health").status == 200)
                // Nothing was left open for the workers that come now.
                #expect(
                    try ApusProgram.run(["reload"], directory: fleet.directory).exit
                        == .exited(code: 0)
                )
                for worker in try fleet.readyWorkers() {
                    #expect(ProcessFacts.descriptorTargets(worker).count < 16)
                }
            }
        }

        @Test("an upgrade with a configuration that is invalid by now is refused beforehand")
        func invalidConfiguration() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let workers = try fleet.readyWorkers()
                try fleet.directory.write("apus.json", "{ \"listen\": 3 }")
                let result = try upgrade(fleet)
                #expect(result.exit == .exited(code: 1))
                #expect(result.error.contains("apus.json:1:13: listen"), "\(result.error)")
                #expect(try fleet.readyWorkers() == workers)
            }
        }
    }
}
