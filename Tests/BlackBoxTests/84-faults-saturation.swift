// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: saturation, floods and broken channels")
    struct FaultsSaturation {
        struct BadMessage: CustomTestStringConvertible, Sendable {
            let fault: String
            /// What the log says about it.
            let word: String
            var testDescription: String { fault }
        }

        static let badMessages = [
            BadMessage(fault: "garbage_control", word: "magic"),
            BadMessage(fault: "oversize_control", word: "tooLong"),
            BadMessage(fault: "surplus_descriptors", word: "descriptorCount"),
            BadMessage(fault: "handed_connection", word: "descriptorCount"),
        ]

        @Test(
            "Fault 22: a worker that breaks the control protocol is replaced, nobody else suffers",
            arguments: badMessages
        )
        func brokenControl(_ row: BadMessage) throws {
            var settings = FleetSettings(workers: 2)
            settings.environment = ["APUS_WORKER_FAULT=\(row.fault):slot=1"]
            settings.readyWorkers = 1
            try BlackBox.withFleet(settings) { fleet in
                let worker = try eventually("the other worker") {
                    try FaultScenes.worker(0, of: fleet)
                }
                let record = try fleet.waitForLog("the breach") {
                    $0["msg"]?.string == "worker broke the control protocol"
                }
                #expect(record["reason"]?.string?.contains(row.word) == true, "\(record)")
                _ = try fleet.waitForMetrics("three replacements") {
                    $0.sum("apus_worker_restarts_total", ["reason": "protocol"]) >= 3
                }
                for _ in 0..<20 { #expect(try fleet.get("/health").status == 200) }
                #expect(try FaultScenes.worker(0, of: fleet) == worker)
                // Nothing that came with the messages stays open.
                let targets = ProcessFacts.descriptorTargets(fleet.pid)
                #expect(targets.count < 50, "\(targets)")
                #expect(targets.count { $0.contains("pipe:") } <= 8, "\(targets)")
            }
        }

        @Test("Fault 22: an empty message looks like the end of the channel: the worker goes")
        func emptyMessage() throws {
            var settings = FleetSettings(workers: 2)
            settings.environment = ["APUS_WORKER_FAULT=empty_control:slot=1"]
            settings.readyWorkers = 1
            try BlackBox.withFleet(settings) { fleet in
                let worker = try eventually("the other worker") {
                    try FaultScenes.worker(0, of: fleet)
                }
                _ = try fleet.waitForMetrics("a replacement") {
                    $0.sum("apus_worker_restarts_total") >= 1
                }
                for _ in 0..<20 { #expect(try fleet.get("/health").status == 200) }
                #expect(try FaultScenes.worker(0, of: fleet) == worker)
            }
        }

        @Test(
            "Fault 59: a worker of another version is refused, with words an operator understands"
        )
        func otherVersion() throws {
            var settings = FleetSettings(workers: 2)
            settings.environment = ["APUS_WORKER_FAULT=bad_version:slot=1"]
            settings.readyWorkers = 1
            try BlackBox.withFleet(settings) { fleet in
                let record = try fleet.waitForLog("the refusal") {
                    $0["msg"]?.string == "worker broke the control protocol"
                }
                #expect(record["reason"]?.string?.contains("version") == true, "\(record)")
                #expect(record["reason"]?.string?.contains("one package") == true, "\(record)")
                #expect(try fleet.get("/health").status == 200)
                #expect(try fleet.readyWorkers().count == 1)
            }
        }

        @Test("Fault 23: a supervisor that reads no metrics costs a worker records, never time")
        func metricsNotRead() throws {
            // A worker floods for two seconds: on a machine that is too busy for a start within
            // them nothing has to be dropped.
            for _ in 0..<5 where try recordsDroppedWhileNotRead() > 0 { return }
            Issue.record("no record was ever dropped")
        }

        private func recordsDroppedWhileNotRead() throws -> Double {
            var dropped = 0.0
            var settings = FleetSettings(workers: 1)
            settings.environment = ["APUS_WORKER_FAULT=metrics_flood"]
            try BlackBox.withUpstream(try .answering(), settings) { fleet, _ in
                let connection = try FaultScenes.idle(fleet)
                try fleet.process.signal(.stop)
                FaultScenes.pass(.milliseconds(300))
                let request = HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m"))
                // Nobody reads the pipe while these are answered.
                for _ in 0..<200 {
                    try connection.send(request)
                    #expect(try connection.readReply().status == 200)
                }
                try fleet.process.signal(.continue)
                let metrics = try fleet.waitForMetrics("every request") {
                    $0.sum("apus_requests_total", ["route": "chat_completions"]) == 200
                }
                #expect(metrics.sum("apus_worker_restarts_total") == 0)
                dropped = metrics.sum("apus_metrics_records_dropped_total")
            }
            return dropped
        }

        /// The median time of 200 requests, each over a connection of its own, in microseconds.
        private func requestTime(_ fleet: Fleet) throws -> UInt64 {
            let times = try (0..<200).map { (_) throws -> UInt64 in
                let start = Syscalls.monotonicNanoseconds()
                #expect(try fleet.get("/health").status == 200)
                return (Syscalls.monotonicNanoseconds() - start) / 1_000
            }
            return times.sorted()[100]
        }

        /// Whether requests took about as long as others of the same run, on the same machine.
        private func expectAlike(_ time: UInt64, control: UInt64) {
            // A median moves with the load of the machine, not with a pause of this process.
            #expect(time <= 5 * control + 20_000, "\(time) us, else \(control) us")
        }

        @Test(
            "Faults 24, 25, 55: floods and garbage of one worker slow nobody else down",
            arguments: ["metrics_flood", "metrics_garbage", "stdout_flood"]
        )
        func floods(_ fault: String) throws {
            var settings = FleetSettings(workers: 2)
            settings.environment = ["APUS_WORKER_FAULT=\(fault):slot=1"]
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                // It is on: more was written than any pipe holds, or than any log gets.
                switch fault {
                case "metrics_flood":
                    _ = try eventually("flood") {
                        ProcessFacts.bytesWritten(workers[1]) > 256 << 10 ? true : nil
                    }
                case "stdout_flood":
                    let share = FaultScenes.processorShare(fleet.pid) {
                        FaultScenes.pass(.milliseconds(300))
                    }
                    #expect(share < 0.3, "\(share) of a CPU for lines that nobody gets")
                    _ = try outputLimit(fleet)
                default: break
                }
                let during = try requestTime(fleet)
                // It is over: a worker that floods turns without a pause.
                try FaultScenes.comesToRest(workers[1])
                expectAlike(during, control: try requestTime(fleet))
                let metrics = try fleet.waitForMetrics("every request") {
                    $0.sum("apus_requests_total", ["route": "health"]) == 400
                }
                if fault == "metrics_garbage" {
                    #expect(metrics.sum("apus_metrics_records_corrupt_total") > 0)
                }
                if fault == "stdout_flood" {
                    try expectBoundedOutput(fleet, of: workers[1])
                }
                #expect(try fleet.readyWorkers() == workers)
                #expect(metrics.sum("apus_worker_restarts_total") == 0)
            }
        }

        /// The record that says that more lines come than get into the log.
        private func outputLimit(_ fleet: Fleet) throws -> JSONValue {
            try fleet.waitForLog("the limit") {
                $0["msg"]?.string == "a worker prints too much: its output is held back"
            }
        }

        /// Of millions of lines a few dozen a second are in the log, and one word about the others.
        private func expectBoundedOutput(_ fleet: Fleet, of worker: Int32) throws {
            let held = try outputLimit(fleet)
            let perSecond = try #require(held["lines_per_second"]?.int)
            let log = try fleet.log()
            let printed = log.filter { $0["msg"]?.string == "a worker printed" }
            let seconds = try #require(try fleet.status()["uptime_seconds"]?.int) + 2
            #expect(printed.count >= perSecond && printed.count <= perSecond * seconds)
            for record in printed + [held] {
                #expect(record["slot"]?.int == 1 && record["worker_pid"]?.int == Int(worker))
            }
            #expect(printed.allSatisfy { $0["text"]?.string == "a line that nobody wants" })
            #expect(log.count { $0["msg"] == held["msg"] } == 1)
            #expect(log.allSatisfy { $0["msg"]?.string != "log lines were dropped" })
        }

        @Test("Fault 39: a thousand clients of a full fleet wait a bounded time, then get 503")
        func fullFleet() throws {
            let gate = try Gate()
            let settings = FleetSettings(
                workers: 2,
                #""fleet": { "connections_per_worker": 20, "queue_age": "1s" }"#
            )
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let before = ProcessFacts.descriptorTargets(fleet.pid)
                let streams = try FaultScenes.begin(40, fleet)
                let start = Syscalls.monotonicNanoseconds()
                let crowd = try (0..<1_000).map { _ in
                    let connection = try fleet.connect()
                    try connection.send(FaultScenes.health)
                    return connection
                }
                for connection in crowd {
                    let reply = try connection.readReply()
                    try expectError503(reply)
                }
                let taken = (Syscalls.monotonicNanoseconds() - start) / 1_000_000
                #expect(taken >= 900, "\(taken) ms")
                _ = try fleet.waitForMetrics("a thousand refusals") {
                    $0.sum("apus_connections_rejected_total", ["reason": "queue_age"]) == 1_000
                }
                #expect(try fleet.statusGet("/livez").status == 200)
                for connection in crowd { connection.close() }
                gate.open()
                for stream in streams { #expect(try FaultScenes.end(of: stream) == .whole) }
                for stream in streams { stream.close() }
                _ = try eventually("room") { try fleet.get("/health").status == 200 ? true : nil }
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: before)
            }
        }

        private func expectError503(_ reply: HTTPReply) throws {
            #expect(reply.status == 503 && reply.isComplete)
            #expect(reply.value("retry-after") == "1")
            #expect(reply.value("connection") == "close")
            #expect(try reply.error()["code"]?.string == "service_unavailable")
        }

        @Test("Fault 40: a thousand connections that say nothing keep nobody out for long")
        func silentConnections() throws {
            let settings = FleetSettings(
                workers: 2,
                #""timeouts": { "client_head": "1s" }"#,
                #""fleet": { "connections_per_worker": 100 }"#
            )
            try BlackBox.withFleet(settings) { fleet in
                let before = ProcessFacts.descriptorTargets(fleet.pid)
                let silent = try (0..<1_000).map { _ in try fleet.connect() }
                // Each of them has its place for one head timeout: five rounds of two hundred.
                for _ in 0..<5 {
                    let reply = try fleet.exchange(FaultScenes.health, by: .after(.seconds(20)))
                    #expect(reply.status == 200)
                }
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
                for connection in silent { connection.close() }
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: before)
            }
        }

        @Test("Fault 56: a status plane that is asked all the time, or read slowly, costs nobody")
        func statusUnderLoad() throws {
            let gate = try Gate()
            let settings = FleetSettings(
                workers: 2,
                #""fleet": { "connections_per_worker": 5, "queue_age": "500ms" }"#
            )
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                // Every worker is full: the status plane needs none.
                let streams = try FaultScenes.begin(10, fleet)
                #expect(try fleet.get("/health").status == 503)
                for target in ["/livez", "/readyz", "/metrics", "/status", "/status.txt"] {
                    #expect(try fleet.statusGet(target).status == 200, "\(target)")
                }
                gate.open()
                for stream in streams { #expect(try FaultScenes.end(of: stream) == .whole) }
                for stream in streams { stream.close() }
                _ = try eventually("room") { try fleet.get("/health").status == 200 ? true : nil }
                let control = try requestTime(fleet)

                // A reader that takes nothing of many answers, and scrapes as fast as they go.
                let slow = try HTTPConnection(to: fleet.statusAddress, receiveBuffer: 4_096)
                let scrape = HTTPRequestText.bytes("GET", "/metrics")
                do {
                    for _ in 0..<200 { try slow.send(scrape, by: .after(.milliseconds(50))) }
                } catch {
                    // It is not read any more, or cut: either is right.
                    #expect(error is TestFailure || error is ConnectionLost)
                }
                let scraper = try SteadyLoad(
                    at: fleet.statusAddress,
                    target: "/status",
                    connections: 2
                )
                defer { scraper.stop() }
                let during = try requestTime(fleet)
                _ = try eventually("hundred scrapes") { () throws -> Bool? in
                    #expect(try fleet.get("/health").status == 200)
                    return scraper.answers > 100 ? true : nil
                }
                scraper.stop()
                #expect(scraper.problems == [])
                expectAlike(during, control: control)
                #expect(ProcessFacts.residentBytes(fleet.pid) < 200 << 20)
            }
        }
    }
}
