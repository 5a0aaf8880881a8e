// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: workers that crash")
    struct FaultsCrash {
        @Test(
            "Fault 1: an idle worker that is killed is replaced once, the others are left alone"
        )
        func idleWorkerKilled() throws {
            try BlackBox.withFleet(FleetSettings(workers: 3)) { fleet in
                let workers = try fleet.readyWorkers()
                try Syscalls.signal(process: workers[1], .kill)
                let fresh = try FaultScenes.replacement(of: workers[1], slot: 1, fleet)
                #expect(try fleet.readyWorkers() == [workers[0], fresh, workers[2]])
                let metrics = try fleet.metrics()
                #expect(metrics.sum("apus_worker_restarts_total", ["reason": "crash"]) == 1)
                #expect(metrics.sum("apus_worker_restarts_total") == 1)
                #expect(try FaultScenes.slot(1, of: fleet)?["last_exit"]?["signal"]?.int == 9)
            }
        }

        @Test(
            "Fault 2: the streams of a killed worker end with an error, those of others are whole"
        )
        func streamsOfKilledWorker() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 2)) { fleet, _ in
                let victim = try #require(try FaultScenes.worker(0, of: fleet))
                let survivor = try #require(try FaultScenes.worker(1, of: fleet))
                let spread = try FaultScenes.beginOnAll(fleet, atLeast: 40)
                let lost = spread.counts[0]
                try Syscalls.signal(process: victim, .kill)
                // Whoever comes now is served at once.
                for _ in 0..<20 { #expect(try fleet.chat("up/m").status == 200) }
                gate.open()
                let ends = try spread.connections.map { try FaultScenes.end(of: $0) }
                #expect(ends.count { $0 == .whole } == spread.counts[1], "\(ends)")
                #expect(ends.count { $0 == .error(code: "worker_lost") } == lost, "\(ends)")
                #expect(try FaultScenes.worker(1, of: fleet) == survivor)
                _ = try fleet.waitForMetrics("\(lost) ended streams") {
                    $0.sum("apus_crash_answers_total", ["kind": "stream_ended"]) == Double(lost)
                }
            }
        }

        @Test("Fault 2: a stream over HTTP/1.0 of a killed worker ends with an error event")
        func oldStreamOfKilledWorker() throws {
            try BlackBox.withFleet(FleetSettings(workers: 1)) { fleet in
                let victim = try #require(try FaultScenes.worker(0, of: fleet))
                let connection = try fleet.connect()
                let body = Fleet.chat("demo/slow", "\"stream\":true")
                try connection.send(
                    "POST /v1/chat/completions HTTP/1.0\r\nhost: a\r\n"
                        + "content-type: application/json\r\n"
                        + "content-length: \(body.utf8.count)\r\n\r\n" + body
                )
                let head = try connection.readHead()
                #expect(head.status == 200 && head.fields.values("transfer-encoding").isEmpty)
                #expect(try connection.nextEvent()?.text.hasPrefix("data: ") == true)
                try Syscalls.signal(process: victim, .kill)
                var last: StreamEvent?
                do {
                    while let event = try connection.nextEvent() { last = event }
                    // In order only because the last event says what is missing.
                    #expect(try last?.json()["error"]?["code"]?.string == "worker_lost")
                } catch let lost as ConnectionLost {
                    // Killed in the middle of a write.
                    #expect(lost.wasReset)
                }
            }
        }

        @Test(
            "Fault 3: a worker that crashes by itself leaves a report, and its streams their end",
            arguments: [("/fault/segv", 11), ("/fault/abort", 6), ("/fault/trap", 4)]
        )
        func crashReport(_ path: String, _ signal: Int) throws {
            let gate = try Gate()
            var settings = FleetSettings(workers: 1)
            settings.environment = ["APUS_WORKER_FAULT=paths"]
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let victim = try #require(try FaultScenes.worker(0, of: fleet))
                let stream = try FaultScenes.begin(1, fleet)[0]
                let reply = try fleet.get(path)
                try expectError(reply, 503, code: "worker_lost")
                #expect(reply.value("retry-after") == "1")
                #expect(try FaultScenes.end(of: stream) == .error(code: "worker_lost"))
                try FaultScenes.replacement(of: victim, slot: 0, fleet)
                let record = try fleet.waitForLog("the exit") {
                    $0["msg"]?.string == "worker exited"
                }
                #expect(record["signal"]?.int == signal)
                #expect(record["reason"]?.string == "crash")
                // What the worker wrote while it died: where it was, and for which request.
                #expect(record["backtrace"]?.string?.isEmpty == false, "\(record)")
                #expect(record["request_id"]?.string == reply.value("x-request-id"), "\(record)")
                let exit = try FaultScenes.slot(0, of: fleet)?["last_exit"]
                #expect(exit?["backtrace"]?.array?.isEmpty == false)
                // Only a trap of the runtime has words.
                let words = record["output"]?.string
                #expect(exit?["output"]?.string == words, "\(exit as Any)")
                let printed = try fleet.log().filter { $0["msg"]?.string == "a worker printed" }
                guard path == "/fault/trap" else {
                    #expect(words == nil && printed.isEmpty, "\(record) \(printed)")
                    return
                }
                #expect(words?.hasSuffix("Fatal error: a fault was asked for") == true, "\(record)")
                #expect(printed.first?["text"]?.string == words, "\(printed)")
                for line in printed {
                    #expect(line["level"]?.string == "warning" && line["slot"]?.int == 0)
                    #expect(line["generation"]?.int == 1)
                    #expect(line["worker_pid"]?.int == Int(victim), "\(line)")
                }
            }
        }

        @Test("Fault 6: a request of which a part was read is not given to another worker")
        func halfRequest() throws {
            try BlackBox.withUpstream(try .answering(), FleetSettings(workers: 2)) {
                fleet,
                upstream in
                let request = HTTPRequestText.post("/v1/chat/completions", Fleet.chat("up/m"))
                let spread = try WorkerSpread(
                    over: 0..<2,
                    of: fleet,
                    gauge: "apus_worker_connections",
                    ["state": "active"]
                ) {
                    let connection = try fleet.connect()
                    try connection.send(Array(request.dropLast(5)))
                    return connection
                }
                let lost = spread.counts[0]
                let victim = try #require(try FaultScenes.worker(0, of: fleet))
                try Syscalls.signal(process: victim, .kill)
                try FaultScenes.replacement(of: victim, slot: 0, fleet)
                // Those of the dead worker have their answer, the others wait for their rest.
                let answered = try eventually("\(lost) answers") {
                    let answered = spread.connections.filter { !$0.isQuiet }
                    return answered.count == lost ? answered : nil
                }
                for connection in answered {
                    let reply = try connection.readReply()
                    #expect(reply.status == 503)
                    #expect(reply.value("retry-after") == "1")
                    #expect(try reply.error()["code"]?.string == "worker_lost")
                }
                let others = spread.connections.filter { other in
                    !answered.contains { $0 === other }
                }
                for connection in others {
                    #expect(connection.isQuiet)
                    try connection.send(Array(request.suffix(5)))
                    #expect(try connection.readReply().status == 200)
                }
                #expect(upstream.requests.count == spread.counts[1])
                let metrics = try fleet.waitForMetrics("\(lost) answers with 503") {
                    $0.sum("apus_crash_answers_total", ["kind": "unavailable"]) == Double(lost)
                }
                #expect(
                    metrics.sum("apus_connections_handoff_total", ["result": "requeued"]) == 0
                )
            }
        }

        @Test("Fault 12: workers that never start end the first start, without READY")
        func firstStartFails() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            for (fault, code) in [("boot_exit", Int32(69)), ("boot_exit_78", 78)] {
                let socket = try NotifySocket(in: directory, name: "\(fault).sock")
                let config = try directory.write("apus.json", FleetSettings(workers: 2).text)
                let result = try ApusProgram.run(
                    ["serve", "--config", config],
                    directory: directory,
                    environment: [
                        "NOTIFY_SOCKET=\(socket.path)", "APUS_WORKER_FAULT=\(fault)",
                    ]
                )
                #expect(result.exit == .exited(code: code), "\(result.error)")
                let said = try socket.received()
                #expect(!said.contains("READY=1"), "\(said)")
                #expect(said.contains { $0.hasPrefix("STATUS=") && $0.contains("fail") }, "\(said)")
                #expect(result.error.contains("worker exited"))
            }
        }

        @Test("Fault 13: workers that cannot be replaced any more never cost the ones that live")
        func restartFailsLater() throws {
            var settings = FleetSettings(workers: 2)
            settings.workerPrelude =
                "[ -e \"$DIR/broken\" ] && { echo 'no such library' >&2; exit 1; }"
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                try fleet.directory.write("broken", "")
                try Syscalls.signal(process: workers[0], .kill)
                // Pauses of 0, 100, 200, 400 and 800 ms lie before the sixth process.
                _ = try fleet.waitForMetrics("five failures") {
                    $0.sum("apus_worker_restarts_total", ["reason": "boot_failed"]) >= 5
                }
                // The pauses get longer than the second in which they are told.
                _ = try eventually("slot that waits") { () -> Bool? in
                    let status = try fleet.status()
                    #expect(status["state"]?.string == "degraded", "\(status["state"] as Any)")
                    let slot = status["processes"]?.array?.first { $0["slot"]?.int == 0 }
                    let left = slot?["backoff_left_s"]?.number ?? 0
                    // What they said is told with each failure.
                    let words = slot?["last_exit"]?["output"]?.string
                    #expect(words == "no such library", "\(slot as Any)")
                    return slot?["state"]?.string == "backoff" && left >= 1 ? true : nil
                }
                let record = try fleet.waitForLog("the failed boot") {
                    $0["reason"]?.string == "boot_failed"
                }
                #expect(record["output"]?.string == "no such library", "\(record)")
                #expect(try fleet.statusGet("/readyz").status == 200)
                for _ in 0..<10 { #expect(try fleet.get("/health").status == 200) }
                #expect(try fleet.readyWorkers() == [workers[1]])

                try ProcessRunner.remove("\(fleet.directory.path)/broken")
                try fleet.waitForWorkers(2)
                #expect(try fleet.readyWorkers().contains(workers[1]))
                #expect(try fleet.status()["state"]?.string == "running")
            }
        }

        @Test("Fault 13: a worker whose replacement does not start is not recycled")
        func recycleFails() throws {
            var settings = FleetSettings(workers: 1, #""fleet": { "recycle_requests": 100 }"#)
            settings.workerPrelude = "[ -e \"$DIR/broken\" ] && exit 1"
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                try fleet.directory.write("broken", "")
                let connection = try fleet.connect()
                for _ in 0..<120 {
                    try connection.send(FaultScenes.health)
                    #expect(try connection.readReply().status == 200)
                }
                _ = try fleet.waitForMetrics("two failures") {
                    $0.sum("apus_worker_restarts_total", ["reason": "boot_failed"]) >= 2
                }
                #expect(try fleet.readyWorkers() == workers)
                #expect(try fleet.get("/health").status == 200)
                // The replacement that never comes is in nobody's way: this may be the cure.
                _ = try eventually("an upgrade that is not put off") {
                    let result = try ApusProgram.run(["upgrade"], directory: fleet.directory)
                    return result.error.contains("being replaced") ? nil : true
                }
                #expect(try fleet.readyWorkers() == workers)
                try ProcessRunner.remove("\(fleet.directory.path)/broken")
                try FaultScenes.replacement(of: workers[0], slot: 0, fleet)
                // The connection has moved with the work.
                try connection.send(FaultScenes.health)
                #expect(try connection.readReply().status == 200)
                #expect(try FaultScenes.restarts("recycle", fleet) == 1)
            }
        }

        @Test("Fault 14: a worker that never gets ready is killed when its boot has taken too long")
        func bootHangs() throws {
            var settings = FleetSettings(workers: 2)
            settings.environment = ["APUS_WORKER_FAULT=boot_hang:slot=1"]
            settings.readyWorkers = 1
            try BlackBox.withFleet(settings) { fleet in
                let hung = try #require(try FaultScenes.slot(1, of: fleet)?["pid"]?.int)
                #expect(try FaultScenes.slot(1, of: fleet)?["state"]?.string == "booting")
                #expect(try fleet.get("/health").status == 200)
                _ = try eventually("end of the boot", by: .after(.seconds(13))) {
                    ProcessFacts.isRunning(Int32(hung)) ? nil : true
                }
                _ = try fleet.waitForMetrics("a failed boot") {
                    $0.sum("apus_worker_restarts_total", ["reason": "boot_failed"]) == 1
                }
                #expect(try FaultScenes.slot(1, of: fleet)?["last_exit"]?["signal"]?.int == 9)
            }
        }

        struct BadProgram: CustomTestStringConvertible, Sendable {
            let name: String
            /// What is in the file; nil for no file.
            let text: String?
            let isExecutable: Bool
            let word: String
            var testDescription: String { name }
        }

        static let badPrograms = [
            BadProgram(name: "missing", text: nil, isExecutable: false, word: "No such file"),
            BadProgram(
                name: "not executable",
                text: "#!/bin/sh\n",
                isExecutable: false,
                word: "Permission denied"
            ),
            BadProgram(
                name: "of another machine",
                text: "\u{7F}ELF\u{2}\u{1}\u{1}\0\0\0\0\0\0\0\0\0\u{2}\0\u{F3}\0",
                isExecutable: true,
                word: "Exec format error"
            ),
        ]

        @Test(
            "Fault 15: a worker program that cannot be run is told with its errno",
            arguments: badPrograms
        )
        func badProgram(_ row: BadProgram) throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let path = "\(directory.path)/worker"
            if let text = row.text {
                if row.isExecutable {
                    try directory.writeProgram("worker", text)
                } else {
                    try directory.write("worker", text)
                }
            }
            let config = try directory.write("apus.json", FleetSettings(workers: 2).text)
            let result = try ApusProgram.run(
                ["serve", "--config", config],
                directory: directory,
                environment: ["APUS_WORKER_PATH=\(path)"]
            )
            #expect(result.exit == .exited(code: 69), "\(result.error)")
            #expect(result.error.contains(path), "\(result.error)")
            #expect(result.error.contains(row.word), "\(result.error)")
            // Three attempts for each slot, not a busy loop.
            let attempts = result.error.split(separator: "\n")
                .count { $0.contains("worker cannot be started") }
            #expect(attempts <= 8, "\(attempts) attempts")
        }

        @Test("Fault 15: a program that vanishes later leaves no zombie and costs no time")
        func programVanishes() throws {
            var settings = FleetSettings(workers: 2)
            settings.workerPrelude = ":"
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                try ProcessRunner.remove("\(fleet.directory.path)/worker")
                try Syscalls.signal(process: workers[0], .kill)
                _ = try fleet.waitForLog("the error") {
                    $0["msg"]?.string == "worker cannot be started"
                }
                try FaultScenes.comesToRest(fleet.pid)
                #expect(ProcessFacts.children(fleet.pid) == [workers[1]])
                #expect(try fleet.get("/health").status == 200)
                try fleet.directory.writeProgram(
                    "worker",
                    "#!/bin/sh\nexec '\(ApusProgram.worker)' \"$@\"\n"
                )
                try fleet.waitForWorkers(2)
            }
        }

        @Test(
            "Fault 16: a slot that crashes as soon as it lives is slowed down, the others are not"
        )
        func crashLoop() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                var kills = 0
                let other = try #require(try FaultScenes.worker(1, of: fleet))
                // Longer on a machine that is too busy for the first three.
                let least = Deadline.after(.seconds(4))
                let most = Deadline.after(.seconds(30))
                let start = Syscalls.monotonicNanoseconds()
                var last = start
                while !least.hasPassed || (kills < 3 && !most.hasPassed) {
                    if let victim = try FaultScenes.worker(0, of: fleet) {
                        try Syscalls.signal(process: victim, .kill)
                        kills += 1
                        last = Syscalls.monotonicNanoseconds()
                        _ = try eventually("end of \(victim)") {
                            try FaultScenes.worker(0, of: fleet) == victim ? nil : true
                        }
                    }
                    #expect(try fleet.get("/health").status == 200)
                    FaultScenes.pass(.milliseconds(20))
                }
                // 0, 100, 200, 400, 800 ... ms lie between them, each up to a tenth shorter.
                try #require(kills >= 3 && kills <= 8, "\(kills) kills")
                let pauses = 90 * ((1 << (kills - 2)) - 1)
                let taken = (last - start) / 1_000_000
                #expect(taken >= pauses, "\(kills) kills in \(taken) ms")
                #expect(try FaultScenes.worker(1, of: fleet) == other)
                try FaultScenes.comesToRest(fleet.pid)
            }
        }

        @Test("Fault 26: totals never fall over fifty deaths")
        func totalsOverDeaths() throws {
            try BlackBox.withFleet(FleetSettings(workers: 10)) { fleet in
                var last: [String: Double] = [:]
                var sent = 0.0
                for round in 1...5 {
                    for _ in 0..<10 { #expect(try fleet.get("/health").status == 200) }
                    sent += 10
                    _ = try fleet.waitForMetrics("\(sent) requests") {
                        $0.sum("apus_requests_total") == sent
                    }
                    for worker in try fleet.readyWorkers() {
                        try Syscalls.signal(process: worker, .kill)
                    }
                    let metrics = try fleet.waitForMetrics(
                        "\(10 * round) deaths",
                        by: .after(.seconds(15))
                    ) {
                        #expect(Self.fallen($0, &last) == [])
                        return $0.sum("apus_worker_restarts_total") == Double(10 * round)
                            && $0.sum("apus_workers", ["state": "ready"]) == 10
                    }
                    #expect(metrics.sum("apus_requests_total") == sent)
                }
            }
        }

        /// The counters that are lower than they were.
        private static func fallen(
            _ metrics: PrometheusText,
            _ last: inout [String: Double]
        ) -> [String] {
            var fallen: [String] = []
            for sample in metrics.samples where metrics.types[sample.name] == "counter" {
                let key = "\(sample.name) \(sample.labels.sorted { $0.key < $1.key })"
                if let before = last[key], sample.value < before { fallen.append(key) }
                last[key] = sample.value
            }
            return fallen
        }
    }
}
