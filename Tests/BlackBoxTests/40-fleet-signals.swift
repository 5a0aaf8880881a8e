// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Fleet: signals")
    struct FleetSignals {
        @Test(
            "TERM and INT finish the streams and exit 0",
            arguments: [
                Signal.terminate, Signal.interrupt,
            ]
        )
        func drain(_ signal: Signal) throws {
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), FleetSettings(workers: 2)) {
                fleet,
                _ in
                let workers = try fleet.readyWorkers()
                let stream = try FaultScenes.begin(1, fleet)[0]
                let idle = try fleet.connect()
                try idle.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try idle.readReply().status == 200)

                try fleet.process.signal(signal)
                #expect(try idle.waitForEnd() == ConnectionLost(wasReset: false))
                _ = try eventually("refusal of new connections") { () -> Bool? in
                    do {
                        _ = try fleet.connect()
                        return nil
                    } catch let error as Errno where error == .connectionRefused {
                        return true
                    }
                }
                #expect(try fleet.statusGet("/readyz").status == 503)
                #expect(try fleet.statusGet("/livez").status == 200)
                #expect(try fleet.status()["state"]?.string == "draining")
                let draining = ["state": "draining"]
                #expect(try fleet.metrics().sum("apus_workers", draining) >= 1)
                #expect(stream.isQuiet)
                #expect(try fleet.process.exitIfEnded() == nil)
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                #expect(!workers.contains { ProcessFacts.isRunning($0) })
            }
        }

        @Test("a second TERM stops at once")
        func secondTerm() throws {
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), FleetSettings(workers: 2)) {
                fleet,
                _ in
                let workers = try fleet.readyWorkers()
                let stream = try FaultScenes.begin(1, fleet)[0]
                try fleet.process.signal(.terminate)
                let drain = try fleet.waitForLog("the drain") { $0["msg"]?.string == "draining" }
                #expect(drain["workers"]?.int == 2)
                // The drain would go on for as long as the stream, or for 60 s.
                try fleet.process.signal(.terminate)
                let exit = try fleet.process.waitForExit()
                guard case .exited = exit else {
                    Issue.record("ended by a signal: \(exit)")
                    return
                }
                _ = try eventually("end of the workers") {
                    workers.contains { ProcessFacts.isRunning($0) } ? nil : true
                }
                // Also a stop that waits for nothing leaves nobody with half an answer.
                var last = ""
                while let event = try stream.nextEvent() { last = event.text }
                #expect(last.contains("\"error\""), "\(last)")
            }
        }

        @Test("a stream that does not end is ended at the drain deadline, with an error event")
        func drainDeadline() throws {
            let gate = try Gate()
            let settings = FleetSettings(workers: 2, #""timeouts": { "drain": "500ms" }"#)
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let stream = try FaultScenes.begin(1, fleet)[0]
                let before = Syscalls.monotonicNanoseconds()
                try fleet.process.signal(.terminate)
                var events: [StreamEvent] = []
                do {
                    while let event = try stream.nextEvent() { events.append(event) }
                } catch is ConnectionLost {
                    // Only what was said before the end counts.
                }
                #expect(events.count == 1)
                #expect(try events.last?.json()["error"]?["message"]?.string != nil)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                let taken = (Syscalls.monotonicNanoseconds() - before) / 1_000_000
                #expect(taken >= 250, "\(taken) ms")
            }
        }

        private static func naming(_ model: String) -> FleetSettings {
            FleetSettings(
                workers: 2,
                #""models": { "\#(model)": { "targets": [ { "upstream": "up", "model": "m" } ] } }"#
            )
        }

        @Test("HUP brings a new model name and drops no running stream")
        func reload() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, Self.naming("old")) { fleet, upstream in
                let workers = try fleet.readyWorkers()
                let stream = try FaultScenes.begin(1, fleet)[0]
                let kept = try fleet.connect()
                try kept.send(HTTPRequestText.post("/v1/chat/completions", Fleet.chat("old")))
                #expect(try kept.readReply().status == 200)
                try expectError(try fleet.chat("new"), 404)

                try fleet.reload(Self.naming("new").with("up", upstream))
                // No request fails meanwhile: each sees the old names or the new ones.
                _ = try eventually("new generation") { () -> Bool? in
                    #expect(try fleet.get("/health").status == 200)
                    let ready = try fleet.readyWorkers()
                    return ready.count == 2 && Set(ready).isDisjoint(with: workers) ? true : nil
                }
                for _ in 0..<10 { #expect(try fleet.chat("new").status == 200) }
                try expectError(try fleet.chat("old"), 404)
                #expect(stream.isQuiet)
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                _ = try eventually("end of the old workers") {
                    workers.contains { ProcessFacts.isRunning($0) } ? nil : true
                }
                let metrics = try fleet.metrics()
                #expect(metrics.sum("apus_reloads_total", ["result": "ok"]) == 1)
                #expect(metrics.sum("apus_worker_restarts_total", ["reason": "crash"]) == 0)
                #expect(try fleet.process.exitIfEnded() == nil)
            }
        }

        @Test("HUP changes the number of workers")
        func reloadWorkerCount() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                for count in [4, 1, 3] {
                    try fleet.reload(FleetSettings(workers: count))
                    try fleet.waitForWorkers(count)
                    _ = try eventually("\(count) children") {
                        ProcessFacts.children(fleet.pid).count == count ? true : nil
                    }
                    #expect(try fleet.get("/health").status == 200)
                }
            }
        }

        @Test("TERM while the fleet starts or reloads leaves nothing behind")
        func termWhileStarting() throws {
            for line in ["starting", "worker ready", "listening", "ready"] {
                let directory = try PrivateDirectory()
                defer { directory.remove() }
                let config = try directory.write("apus.json", FleetSettings(workers: 4).text)
                let process = try ServerProcess(
                    ApusProgram.supervisor,
                    arguments: ["serve", "--config", config],
                    environment: ApusProgram.environment(directory)
                )
                try process.waitForLine(line) {
                    try JSONValue($0)["msg"]?.string == line ? () : nil
                }
                let children = ProcessFacts.children(process.pid)
                try process.signal(.terminate)
                #expect(try process.waitForExit() == .exited(code: 0), "\(line)")
                #expect(!children.contains { ProcessFacts.isRunning($0) }, "\(line)")
            }
            try BlackBox.withFleet(FleetSettings(workers: 4)) { fleet in
                try fleet.process.signal(.hangup)
                _ = try eventually("fifth process") {
                    ProcessFacts.children(fleet.pid).count > 4 ? true : nil
                }
                let children = ProcessFacts.children(fleet.pid)
                try fleet.process.signal(.terminate)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
                #expect(!children.contains { ProcessFacts.isRunning($0) })
            }
        }

        @Test("HUP with an invalid file leaves the old one running and says what is wrong")
        func invalidReload() throws {
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), Self.naming("old")) { fleet, _ in
                let workers = try fleet.readyWorkers()
                let stream = try FaultScenes.begin(1, fleet)[0]
                let bad: [(text: String, place: String)] = [
                    ("{", "apus.json:1:2"), ("{ \"listen\": 3 }", "apus.json:1:13"),
                    ("", "apus.json:1:1"), ("{ \"upstreams\": {}, \"wrokers\": 1 }", "workers"),
                ]
                for (index, (text, place)) in bad.enumerated() {
                    try fleet.reload(text: text)
                    let failed = Double(index + 1)
                    _ = try fleet.waitForMetrics("\(failed) failed reloads") {
                        $0.sum("apus_reloads_total", ["result": "error"]) == failed
                            && $0.sum("apus_config_last_reload_successful") == 0
                    }
                    // One more for each file, and what is wrong with this one.
                    var errors = 0
                    try fleet.process.waitForLine("the error in \(text)") { line -> Void? in
                        guard try JSONValue(line)["level"]?.string == "error" else { return nil }
                        errors += 1
                        return errors > index && line.contains(place) ? () : nil
                    }
                }
                #expect(try fleet.readyWorkers() == workers)
                #expect(try fleet.chat("old").status == 200)
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)

                try fleet.reload(fleet.settings)
                _ = try fleet.waitForMetrics("a good reload") {
                    $0.sum("apus_config_last_reload_successful") == 1
                }
            }
        }

        @Test("ten reloads under load fail no request")
        func reloadsUnderLoad() throws {
            try BlackBox.withUpstream(try .answering(), Self.naming("m")) { fleet, _ in
                var requests = 0
                var kept = try fleet.connect()
                for reload in 1...10 {
                    try fleet.process.signal(.hangup)
                    _ = try fleet.waitForMetrics("\(reload) reloads") { metrics in
                        do {
                            #expect(try fleet.chat("m").status == 200)
                            // A connection that is kept may be closed between two requests only.
                            try kept.send(HTTPRequestText.bytes("GET", "/health"))
                            let reply = try kept.readReply()
                            #expect(reply.status == 200)
                            if reply.value("connection") == "close" { kept = try fleet.connect() }
                        } catch is ConnectionLost {
                            do {
                                kept = try fleet.connect()
                            } catch {
                                Issue.record("no new connection: \(error)")
                            }
                        } catch {
                            Issue.record("\(error)")
                        }
                        requests += 1
                        return metrics.sum("apus_reloads_total", ["result": "ok"]) >= Double(reload)
                    }
                }
                try fleet.waitForWorkers(2)
                _ = try eventually("two children") {
                    ProcessFacts.children(fleet.pid).count == 2 ? true : nil
                }
            }
        }

        @Test("three HUPs in a row end with the last file in use")
        func manyHangups() throws {
            try BlackBox.withUpstream(try .answering(), Self.naming("first")) { fleet, upstream in
                for name in ["second", "third", "last"] {
                    try fleet.reload(Self.naming(name).with("up", upstream))
                }
                _ = try eventually("the last name in use") {
                    try fleet.chat("last").status == 200 ? true : nil
                }
                _ = try eventually("one generation of workers") {
                    ProcessFacts.children(fleet.pid).count == 2 ? true : nil
                }
                for name in ["first", "second", "third"] {
                    try expectError(try fleet.chat(name), 404)
                }
            }
        }

        @Test("TTIN adds a worker and TTOU takes one away, down to one")
        func scale() throws {
            try BlackBox.withFleet(FleetSettings(workers: 1)) { fleet in
                try fleet.process.signal(.ttyIn)
                let two = try fleet.waitForWorkers(2)
                let connections = try (0..<4).map { _ in try fleet.connect() }
                for connection in connections {
                    try connection.send(HTTPRequestText.bytes("GET", "/health"))
                    #expect(try connection.readReply().status == 200)
                }
                for _ in 0..<3 { try fleet.process.signal(.ttyOut) }
                let one = try fleet.waitForWorkers(1)
                #expect(Set(one).isSubset(of: two))
                #expect(try fleet.get("/health").status == 200)
                _ = try eventually("one child") {
                    ProcessFacts.children(fleet.pid).count == 1 ? true : nil
                }
                #expect(try fleet.metrics().sum("apus_workers_configured") == 1)
            }
        }

        @Test("systemd hears READY when the fleet serves and STOPPING when it stops")
        func notify() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let socket = try NotifySocket(in: directory)
            var settings = FleetSettings(workers: 2)
            settings.environment = ["NOTIFY_SOCKET=\(socket.path)"]
            try BlackBox.withFleet(settings) { fleet in
                let ready = try socket.waitForLine("READY=1")
                #expect(!ready.contains("STOPPING=1"))
                let workers = try fleet.readyWorkers()
                for worker in workers {
                    let names = try ApusProgram.environmentNames(of: worker)
                    #expect(!names.contains("NOTIFY_SOCKET"))
                }
                try fleet.process.signal(.terminate)
                try socket.waitForLine("STOPPING=1")
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
        }

        @Test("a dead notify socket changes nothing")
        func deadNotifySocket() throws {
            for path in ["/nowhere/at/all.sock", "@apus-test-nobody-listens", "relative"] {
                var settings = FleetSettings()
                settings.environment = ["NOTIFY_SOCKET=\(path)"]
                try BlackBox.withFleet(settings) { (fleet) throws in
                    #expect(try fleet.get("/health").status == 200)
                }
            }
        }
    }
}
