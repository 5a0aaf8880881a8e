// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Fleet: workers that die")
    struct FleetCrashes {
        @Test("kill -9 of a worker cuts its own streams only, and it is replaced at once")
        func killUnderLoad() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 3)) { fleet, upstream in
                let workers = try fleet.readyWorkers()
                let victim = try #require(try FaultScenes.worker(1, of: fleet))
                let spread = try FaultScenes.beginOnAll(fleet, atLeast: 30)
                let lost = spread.counts[1]
                try Syscalls.signal(process: victim, .kill)
                // Nobody who comes now is turned away.
                for _ in 0..<30 { #expect(try fleet.chat("up/m").status == 200) }
                let replacement = try eventually("new worker") {
                    let ready = try fleet.readyWorkers()
                    return ready.count == 3 && !ready.contains(victim) ? ready : nil
                }
                #expect(Set(replacement).subtracting(workers).count == 1)

                gate.open()
                let ends = try spread.connections.map { try FaultScenes.end(of: $0) }
                // Those whose worker is gone: an error event, and a proper end.
                #expect(ends.count { $0 == .error(code: "worker_lost") } == lost, "\(ends)")
                let others = spread.counts[0] + spread.counts[2]
                #expect(ends.count { $0 == .whole } == others, "\(ends)")
                _ = try fleet.waitForMetrics("\(lost) ended streams and one crash") {
                    $0.sum("apus_crash_answers_total", ["kind": "stream_ended"]) == Double(lost)
                        && $0.sum("apus_worker_restarts_total", ["reason": "crash"]) == 1
                }
                let signals = try fleet.status()["processes"]?.array?.compactMap {
                    $0["last_exit"]?["signal"]?.int
                }
                #expect(signals == [9])
                try upstream.wait(for: "the end of the dead worker's calls") {
                    $0.connections.count { $0.peerLeftAt != nil } >= lost
                }
            }
        }

        /// How fast that is, `make bench` measures, on a machine that does nothing else.
        @Test("each worker that is killed is replaced once, at the first attempt, in its slot")
        func replacements() throws {
            try BlackBox.withFleet(FleetSettings(workers: 5)) { fleet in
                var workers = try fleet.readyWorkers()
                // Each slot once: a slot that crashes again soon is backed off.
                for slot in 0..<5 {
                    let victim = workers[slot]
                    try Syscalls.signal(process: victim, .kill)
                    let fresh = try FaultScenes.replacement(of: victim, slot: slot, fleet)
                    workers[slot] = fresh
                    _ = try fleet.waitForLog("the new worker") {
                        $0["msg"]?.string == "worker ready" && $0["worker_pid"]?.int == Int(fresh)
                    }
                    let told = try fleet.log().compactMap { record -> String? in
                        guard let what = record["msg"]?.string, what.hasPrefix("worker "),
                            let pid = record["worker_pid"]?.int,
                            pid == Int(victim) || pid == Int(fresh)
                        else { return nil }
                        return "\(what) \(record["slot"]?.int ?? -1) \(pid)"
                    }
                    #expect(
                        told == [
                            "worker ready \(slot) \(victim)", "worker exited \(slot) \(victim)",
                            "worker ready \(slot) \(fresh)",
                        ]
                    )
                    #expect(try fleet.readyWorkers() == workers)
                }
                let metrics = try fleet.metrics()
                #expect(metrics.sum("apus_worker_restarts_total") == 5)
                #expect(metrics.sum("apus_worker_restarts_total", ["reason": "crash"]) == 5)
            }
        }

        @Test("a connection that a dying worker had not begun is given to another")
        func redispatch() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let workers = try fleet.readyWorkers()
                for worker in workers { try Syscalls.signal(process: worker, .stop) }
                let waiting = try (0..<6).map { _ in
                    let connection = try fleet.connect()
                    try connection.send(HTTPRequestText.bytes("GET", "/health"))
                    return connection
                }
                // Both have them in their sockets, unread, when the first one dies.
                _ = try fleet.waitForMetrics("six handovers") {
                    $0.sum("apus_connections_handoff_inflight") == 6
                }
                #expect(waiting.count { $0.isQuiet } == 6)
                try Syscalls.signal(process: workers[0], .kill)
                try Syscalls.signal(process: workers[1], .continue)
                for connection in waiting {
                    #expect(try connection.readReply().status == 200)
                }
                _ = try fleet.waitForMetrics("moved connections") {
                    $0.sum("apus_connections_handoff_total", ["result": "requeued"])
                        + $0.sum("apus_connections_handoff_total", ["result": "revoked"]) >= 1
                }
            }
        }

        @Test("totals never decrease while workers die, and lose nothing that was reported")
        func monotonicTotals() throws {
            try BlackBox.withUpstream(try .answering(), FleetSettings(workers: 4)) { fleet, _ in
                var sent = 0.0
                var last: [String: Double] = [:]
                // Each slot once: a slot that crashes again soon is backed off.
                for (index, victim) in try fleet.readyWorkers().enumerated() {
                    for _ in 0..<10 { #expect(try fleet.chat("up/m").status == 200) }
                    sent += 10
                    var metrics = try fleet.waitForMetrics("\(sent) requests") {
                        $0.sum("apus_requests_total", ["route": "chat_completions"]) == sent
                    }
                    expectGrowth(&last, metrics)
                    try Syscalls.signal(process: victim, .kill)
                    for _ in 0..<10 {
                        metrics = try fleet.metrics()
                        expectGrowth(&last, metrics)
                        #expect(
                            metrics.sum("apus_requests_total", ["route": "chat_completions"])
                                == sent
                        )
                    }
                    _ = try fleet.waitForMetrics("\(index + 1) crashes and four workers") {
                        expectGrowth(&last, $0)
                        let crashes = $0.sum("apus_worker_restarts_total", ["reason": "crash"])
                        return crashes == Double(index + 1)
                            && $0.sum("apus_workers", ["state": "ready"]) == 4
                    }
                }
            }
        }

        /// Compares every counter with its last value.
        private func expectGrowth(_ last: inout [String: Double], _ metrics: PrometheusText) {
            for sample in metrics.samples {
                let isCounter =
                    metrics.types[sample.name] == "counter" || sample.name.hasSuffix("_bucket")
                    || sample.name.hasSuffix("_count") || sample.name.hasSuffix("_sum")
                guard isCounter else { continue }
                let key = "\(sample.name) \(sample.labels.sorted { $0.key < $1.key })"
                if let before = last[key] { #expect(sample.value >= before, "\(key)") }
                last[key] = sample.value
            }
        }

        @Test("workers finish their streams when the supervisor is killed, and then they go")
        func supervisorKilled() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 2)) { fleet, _ in
                let workers = try fleet.readyWorkers()
                let stream = try FaultScenes.begin(1, fleet)[0]
                try fleet.process.signal(.kill)
                _ = try fleet.process.waitForExit()
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                _ = try eventually("end of the workers") {
                    workers.contains { ProcessFacts.isRunning($0) } ? nil : true
                }
            }
        }

        @Test(
            "after load, crashes and reloads, descriptors and children are back at their baseline"
        )
        func baseline() throws {
            try BlackBox.withUpstream(try .answering(), FleetSettings(workers: 2)) { fleet, _ in
                for _ in 0..<4 { #expect(try fleet.chat("up/m").status == 200) }
                _ = try fleet.waitForMetrics("no connection") {
                    $0.sum("apus_worker_connections") == 0
                }
                let before = ProcessFacts.descriptorTargets(fleet.pid)
                for round in 0..<3 {
                    let connections = try (0..<60).map { _ in try fleet.connect() }
                    for connection in connections {
                        try connection.send(HTTPRequestText.bytes("GET", "/health"))
                    }
                    for connection in connections {
                        #expect(try connection.readReply().status == 200)
                    }
                    if round == 1 {
                        let victim = try #require(try fleet.readyWorkers().first)
                        try Syscalls.signal(process: victim, .kill)
                    } else {
                        let workers = try fleet.readyWorkers()
                        try fleet.reload(fleet.settings)
                        _ = try eventually("new generation") {
                            let ready = try fleet.readyWorkers()
                            return ready.count == 2 && Set(ready).isDisjoint(with: workers)
                                ? true : nil
                        }
                    }
                }
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: before)
                _ = try eventually("two children") {
                    ProcessFacts.children(fleet.pid).count == 2 ? true : nil
                }
            }
        }
    }
}
