// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: handing over connections, also as a user without privileges")
    struct FaultsHandoff {
        private func withFleet(
            _ user: FleetUser,
            _ settings: FleetSettings,
            _ body: (Fleet) throws -> Void
        ) throws {
            try BlackBox.withFleet(user.apply(to: settings)) { fleet in
                user.expect(fleet)
                let before = ProcessFacts.descriptorTargets(fleet.pid)
                try body(fleet)
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: before)
            }
        }

        /// Connections that have each sent a request.
        private func asking(_ count: Int, _ fleet: Fleet) throws -> [HTTPConnection] {
            try (0..<count).map { _ in
                let connection = try fleet.connect()
                try connection.send(FaultScenes.health)
                return connection
            }
        }

        @Test(
            "Fault 4: connections in the socket of a worker that dies are given to another",
            arguments: FleetUser.allCases
        )
        func killedBeforeReceive(_ user: FleetUser) throws {
            try withFleet(user, FleetSettings(workers: 2)) { fleet in
                let workers = try fleet.readyWorkers()
                for worker in workers { try Syscalls.signal(process: worker, .stop) }
                let waiting = try asking(10, fleet)
                _ = try fleet.waitForMetrics("handovers") {
                    $0.sum("apus_connections_handoff_inflight") == 10
                }
                try Syscalls.signal(process: workers[0], .kill)
                try Syscalls.signal(process: workers[1], .continue)
                for connection in waiting { #expect(try connection.readReply().status == 200) }
                _ = try fleet.waitForMetrics("moved connections") {
                    $0.sum("apus_connections_handoff_total", ["result": "requeued"])
                        + $0.sum("apus_connections_handoff_total", ["result": "revoked"]) >= 5
                }
                for connection in waiting { connection.close() }
                try fleet.waitForWorkers(2)
            }
        }

        @Test(
            "Fault 5: a connection received but not read by a worker that dies is given to another",
            arguments: FleetUser.allCases
        )
        func killedBeforeRead(_ user: FleetUser) throws {
            var settings = FleetSettings(workers: 2)
            settings.environment = ["APUS_WORKER_FAULT=after_receive_exit:slot=0"]
            try withFleet(user, settings) { fleet in
                for _ in 0..<20 { #expect(try fleet.get("/health").status == 200) }
                let metrics = try fleet.waitForMetrics("deaths") {
                    let deaths = $0.sum("apus_worker_restarts_total", ["reason": "crash"])
                    return deaths >= 1
                        && $0.sum("apus_connections_handoff_total", ["result": "requeued"])
                            >= deaths
                }
                #expect(metrics.sum("apus_crash_answers_total", ["kind": "unavailable"]) == 0)
                #expect(metrics.sum("apus_crash_answers_total", ["kind": "closed"]) == 0)
            }
        }

        @Test(
            "Fault 7: nobody waits for a worker that is stopped, and in the end it is replaced",
            arguments: FleetUser.allCases
        )
        func stoppedWorker(_ user: FleetUser) throws {
            let settings = FleetSettings(workers: 3, #""fleet": { "hang": "8s" }"#)
            try withFleet(user, settings) { fleet in
                let victim = try #require(try FaultScenes.worker(0, of: fleet))
                let start = Syscalls.monotonicNanoseconds()
                try Syscalls.signal(process: victim, .stop)
                let connections = try asking(500, fleet)
                for connection in connections {
                    #expect(try connection.readReply().status == 200)
                }
                // All have their answers, and it has been neither killed nor woken up: nobody
                // waited for it.
                #expect(ProcessFacts.isRunning(victim))
                // The window: what lay in its socket at most.
                let metrics = try fleet.waitForMetrics("connections taken back") {
                    $0.sum("apus_connections_handoff_total", ["result": "revoked"]) >= 1
                }
                let revoked = metrics.sum("apus_connections_handoff_total", ["result": "revoked"])
                #expect(revoked <= 32, "\(revoked) taken back")
                #expect(metrics.sum("apus_worker_restarts_total", ["reason": "stopped"]) == 0)
                try FaultScenes.replacement(
                    of: victim,
                    slot: 0,
                    fleet,
                    by: .after(.seconds(30))
                )
                let killed = (Syscalls.monotonicNanoseconds() - start) / 1_000_000
                #expect(killed >= 7_000, "killed after \(killed) ms")
                #expect(try FaultScenes.restarts("stopped", fleet) == 1)
                for connection in connections { connection.close() }
            }
        }

        @Test("Fault 7: requests under way are answered for when their stopped worker is killed")
        func stoppedWithRequest() throws {
            let settings = FleetSettings(workers: 2, #""fleet": { "hang": "3s" }"#)
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let victim = try #require(try FaultScenes.worker(0, of: fleet))
                let spread = try FaultScenes.beginOnAll(fleet, atLeast: 8)
                try Syscalls.signal(process: victim, .stop)
                gate.open()
                let ends = try spread.connections.map {
                    try FaultScenes.end(of: $0, by: .after(.seconds(20)))
                }
                #expect(ends.count { $0 == .whole } == spread.counts[1], "\(ends)")
                let lost = ends.count { $0 == .error(code: "worker_lost") }
                #expect(lost == spread.counts[0], "\(ends)")
                try FaultScenes.replacement(of: victim, slot: 0, fleet)
            }
        }

        @Test("a worker whose loop spins is asked where it is, and replaced")
        func spinningWorker() throws {
            var settings = FleetSettings(workers: 2, #""fleet": { "hang": "1s" }"#)
            settings.environment = ["APUS_WORKER_FAULT=paths"]
            try BlackBox.withFleet(settings) { fleet in
                let reply = try fleet.get("/fault/spin")
                try expectError(reply, 503, code: "worker_lost")
                let record = try fleet.waitForLog("the exit") {
                    $0["msg"]?.string == "worker exited"
                }
                #expect(record["reason"]?.string == "hang")
                #expect(record["signal"]?.int == 6)
                #expect(record["backtrace"]?.string?.isEmpty == false)
                try fleet.waitForWorkers(2)
            }
        }

        @Test(
            "Fault 8: all workers stopped for five seconds are not killed, and serve what waited",
            arguments: [FleetUser.unprivileged]
        )
        func allStopped(_ user: FleetUser) throws {
            try withFleet(user, FleetSettings(workers: 2)) { fleet in
                let workers = try fleet.readyWorkers()
                for worker in workers { try Syscalls.signal(process: worker, .stop) }
                let waiting = try asking(100, fleet)
                FaultScenes.pass(.seconds(5))
                #expect(waiting.count { $0.isQuiet } == 100)
                for worker in workers { try Syscalls.signal(process: worker, .continue) }
                for connection in waiting {
                    #expect(try connection.readReply().status == 200)
                }
                #expect(try fleet.readyWorkers() == workers)
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
                for connection in waiting { connection.close() }
            }
        }

        @Test("Fault 9: a supervisor that was stopped kills no worker when it goes on")
        func supervisorStopped() throws {
            let settings = FleetSettings(workers: 2, #""fleet": { "hang": "1s" }"#)
            let gate = try Gate()
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let workers = try fleet.readyWorkers()
                let streams = try FaultScenes.begin(4, fleet)
                let kept = try FaultScenes.idle(fleet)
                try fleet.process.signal(.stop)
                FaultScenes.pass(.seconds(4))
                // Workers need nobody for what they have.
                gate.open()
                for stream in streams { #expect(try FaultScenes.end(of: stream) == .whole) }
                try kept.send(FaultScenes.health)
                #expect(try kept.readReply().status == 200)
                try fleet.process.signal(.continue)
                #expect(try fleet.get("/health").status == 200)
                // Two looks of the watch at the workers.
                FaultScenes.pass(.milliseconds(2_200))
                #expect(try fleet.readyWorkers() == workers)
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
            }
        }

        @Test(
            "Fault 18: workers with few descriptors refuse what they cannot hold, nobody is dropped",
            arguments: FleetUser.allCases
        )
        func workersWithFewDescriptors(_ user: FleetUser) throws {
            var settings = FleetSettings(workers: 2, #""fleet": { "queue_age": "1s" }"#)
            settings.workerPrelude = "ulimit -n 64"
            try withFleet(user, settings) { fleet in
                let connections = try asking(200, fleet)
                var served = 0
                var refused = 0
                for connection in connections {
                    let reply = try connection.readReply()
                    switch reply.status {
                    case 200: served += 1
                    case 503:
                        refused += 1
                        #expect(reply.value("retry-after") != nil)
                    default: Issue.record("\(reply.status): \(reply.text)")
                    }
                }
                #expect(served >= 60 && served < 128, "\(served) served, \(refused) refused")
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
                for connection in connections { connection.close() }
                // And afterwards there is room again.
                _ = try eventually("room") {
                    try fleet.get("/health").status == 200 ? true : nil
                }
            }
        }

        @Test(
            "Fault 19: a supervisor with 64 descriptors serves all the same, and does not spin",
            arguments: FleetUser.allCases
        )
        func supervisorWithFewDescriptors(_ user: FleetUser) throws {
            var settings = FleetSettings(workers: 2, #""fleet": { "queue_age": "1s" }"#)
            settings.launcher = ["/usr/bin/prlimit", "--nofile=64:64", "--"]
            try withFleet(user, settings) { fleet in
                let workers = try fleet.readyWorkers()
                // Nobody takes what is sent: the kernel counts it against the sender's limit.
                for worker in workers { try Syscalls.signal(process: worker, .stop) }
                let connections = try asking(200, fleet)
                try FaultScenes.comesToRest(fleet.pid)
                for worker in workers { try Syscalls.signal(process: worker, .continue) }
                var answers: [Int: Int] = [:]
                for connection in connections {
                    let reply = try connection.readReply()
                    answers[reply.status, default: 0] += 1
                    connection.close()
                }
                #expect(Set(answers.keys).isSubset(of: [200, 503]), "\(answers)")
                #expect((answers[200] ?? 0) >= 50, "\(answers)")
                // It has descriptors again, and nobody is refused.
                for _ in 0..<50 { #expect(try fleet.get("/health").status == 200) }
                #expect(try fleet.readyWorkers() == workers)
            }
        }

        @Test(
            "Fault 20: without a descriptor for accept clients are told so, once that is over served",
            arguments: FleetUser.allCases
        )
        func acceptWithoutDescriptors(_ user: FleetUser) throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            defer { upstream.stop() }
            try withFleet(user, FleetSettings(workers: 2).with("up", upstream)) { fleet in
                // So few that the next connections take the last ones.
                let used = ProcessFacts.descriptors(fleet.pid).keys.max() ?? 0
                try ProcessRunner.limit(fleet, "--nofile=\(used + 9):")
                let streams = try (0..<30).map { _ in try Streams.begin(fleet) }
                var refused = 0
                for stream in streams where try stream.readHead().status == 503 { refused += 1 }
                #expect(refused >= 10 && refused < 30, "\(refused) refused")
                try FaultScenes.comesToRest(fleet.pid)
                let reply = try fleet.get("/health")
                #expect(reply.status == 503 && reply.isComplete)
                #expect(try reply.error()["code"]?.string == "service_unavailable")
                #expect(reply.value("retry-after") != nil)
                let told = fleet.process.lines().count { $0.contains("accept") }
                #expect(told >= 1 && told <= 3, "\(told) lines in about a second")
                for stream in streams { stream.close() }
                gate.open()
                _ = try eventually("service") {
                    try fleet.get("/health").status == 200 ? true : nil
                }
                try ProcessRunner.limit(fleet, "--nofile=4096:")
            }
        }

        @Test(
            "Fault 21: a kernel without memory for a handover is asked again, and nobody is dropped",
            arguments: [12, 105, 109]
        )
        func sendWithoutMemory(_ errno: Int) throws {
            var settings = FleetSettings(workers: 2)
            settings.environment = ["APUS_FAULT=sendmsg:\(errno):5"]
            try BlackBox.withFleet(settings) { fleet in
                let connections = try asking(20, fleet)
                for connection in connections {
                    #expect(try connection.readReply().status == 200)
                }
                _ = try fleet.waitForMetrics("five failures") {
                    $0.sum("apus_handoff_send_eagain_total") == 5
                }
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
            }
        }

        @Test(
            "Fault 41: clients that reset while they wait or are served leave nothing behind",
            arguments: FleetUser.allCases
        )
        func resets(_ user: FleetUser) throws {
            try withFleet(user, FleetSettings(workers: 2)) { fleet in
                let workers = try fleet.readyWorkers()
                for worker in workers { try Syscalls.signal(process: worker, .stop) }
                // More than both windows: some wait here, some in the sockets of the workers.
                let gone = try asking(100, fleet)
                for connection in gone { connection.reset() }
                let stays = try asking(5, fleet)
                for worker in workers { try Syscalls.signal(process: worker, .continue) }
                for connection in stays { #expect(try connection.readReply().status == 200) }
                for connection in stays { connection.reset() }
                _ = try fleet.waitForMetrics("no connections") {
                    $0.sum("apus_worker_connections") == 0
                        && $0.sum("apus_connections_handoff_inflight") == 0
                        && $0.sum("apus_pending_connections") == 0
                }
                #expect(try fleet.readyWorkers() == workers)
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
            }
        }
    }
}
