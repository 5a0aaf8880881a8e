// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: processes, descriptors and what surrounds them")
    struct FaultsProcess {
        @Test("Fault 11: a worker whose supervisor dies before it begins does not begin")
        func supervisorDiesBeforeBoot() throws {
            var settings = FleetSettings(workers: 2)
            settings.readyWorkers = 1
            settings.workerPrelude =
                #"[ "$2" = 1 ] && { mkfifo "$DIR/go"; read line < "$DIR/go"; }"#
            try BlackBox.withFleet(settings) { fleet in
                let first = try #require(try FaultScenes.worker(0, of: fleet))
                let second = try #require(
                    ProcessFacts.children(fleet.pid).first { $0 != first }
                )
                try fleet.process.signal(.kill)
                _ = try fleet.process.waitForExit()
                // Only now the second one becomes a worker, with a stranger as its parent.
                try ProcessRunner.run("/bin/sh", ["-c", "echo > \(fleet.directory.path)/go"])
                _ = try eventually("end of both") {
                    [first, second].contains { ProcessFacts.isRunning($0) } ? nil : true
                }
            }
        }

        @Test("Fault 11: a worker that is still booting goes with its supervisor")
        func supervisorDiesDuringBoot() throws {
            var settings = FleetSettings(workers: 2)
            settings.readyWorkers = 1
            settings.environment = ["APUS_WORKER_FAULT=boot_hang:slot=1"]
            try BlackBox.withFleet(settings) { fleet in
                let workers = ProcessFacts.children(fleet.pid)
                #expect(workers.count == 2)
                try fleet.process.signal(.kill)
                _ = try fleet.process.waitForExit()
                _ = try eventually("end of both") {
                    workers.contains { ProcessFacts.isRunning($0) } ? nil : true
                }
            }
        }

        @Test("Fault 43: a lock file that names a living stranger keeps nobody from starting")
        func staleLockFile() throws {
            var settings = FleetSettings()
            settings.files = ["apus.lock": "1\n"]
            try BlackBox.withFleet(settings) { (fleet) throws in
                #expect(try fleet.get("/health").status == 200)
            }
        }

        @Test("Fault 44: a second supervisor in the same place ends at once, the first goes on")
        func secondSupervisor() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let workers = try fleet.readyWorkers()
                // Same directory, other port: the lock.
                let config = try fleet.directory.write("second.json", FleetSettings().text)
                let locked = try ApusProgram.run(
                    ["serve", "--config", config],
                    directory: fleet.directory
                )
                #expect(locked.exit == .exited(code: 69))
                #expect(locked.error.contains("\(fleet.pid)"), "\(locked.error)")
                // Other directory, same port.
                let directory = try PrivateDirectory()
                defer { directory.remove() }
                let taken = try ApusProgram.run(
                    ["serve", "--config", config, "--listen", "\(fleet.address)"],
                    directory: directory
                )
                #expect(taken.exit == .exited(code: 69))
                #expect(taken.error.contains("in use"), "\(taken.error)")
                #expect(try fleet.get("/health").status == 200)
                #expect(try fleet.readyWorkers() == workers)
                let status = try ApusProgram.run(
                    ["reload"],
                    directory: fleet.directory
                )
                #expect(status.exit == .exited(code: 0), "its control socket still answers")
            }
        }

        @Test("Fault 45: a worker has the descriptors that were meant for it, and no other")
        func inheritedDescriptors() throws {
            let stray = try Syscalls.openForReading("/etc/hostname")
            let pipe = try Syscalls.pipe()
            var settings = FleetSettings(workers: 2)
            settings.readyWorkers = 1
            settings.descriptors = [9: stray.raw, 17: pipe.first.raw, 40: pipe.second.raw]
            settings.environment = ["APUS_WORKER_FAULT=boot_hang:slot=1"]
            try BlackBox.withFleet(settings) { fleet in
                #expect(ProcessFacts.descriptors(fleet.pid)[9]?.hasSuffix("/etc/hostname") == true)
                // One that has just been started, and one that serves.
                let booting = try FaultScenes.slot(1, of: fleet)?["pid"]?.int.map { Int32($0) }
                try #require(booting != nil)
                for worker in ProcessFacts.children(fleet.pid) {
                    let held = ProcessFacts.descriptors(worker)
                    #expect(held[0] == "/dev/null")
                    #expect(held[3]?.hasPrefix("socket:") == true, "\(held)")
                    #expect(held[4]?.hasPrefix("pipe:") == true, "\(held)")
                    let page = held[6] ?? "unmapped"
                    #expect(page.contains("memfd:") || page == "unmapped", "\(held)")
                    // What it prints is its own, its log goes where the supervisor's does.
                    let supervisor = ProcessFacts.descriptors(fleet.pid)
                    #expect(held[1]?.hasPrefix("pipe:") == true, "\(held)")
                    #expect(held[1] == held[2] && held[1] != held[4] && held[1] != held[7])
                    #expect(supervisor.values.count { $0 == held[1] } == 1, "\(supervisor)")
                    #expect(held[7] == supervisor[2], "\(held)")
                    // What it opens itself is nobody else's, but for a copy of the log.
                    let log = held[7] ?? ""
                    let others = supervisor.values.filter {
                        !$0.hasPrefix("anon_inode:") && $0 != "/dev/null" && $0 != log
                    }
                    for (number, target) in held where number > 7 {
                        #expect(!others.contains(target), "\(number) is \(target)")
                        if worker == booting {
                            #expect(target.hasPrefix("anon_inode:"), "\(number) is \(target)")
                        }
                    }
                    #expect(!held.values.contains { $0.hasSuffix("/etc/hostname") })
                }
            }
        }

        @Test("Who keeps the output of a worker open that has died delays nothing")
        func outputKeptOpen() throws {
            var settings = FleetSettings(workers: 2)
            settings.workerPrelude =
                "sleep 60 3>&- 4>&- & echo $! >> \"$DIR/sleepers\"; echo last words >&2"
            try BlackBox.withFleet(settings) { fleet in
                defer { endSleepers(of: fleet) }
                let workers = try fleet.readyWorkers()
                let before = ProcessFacts.descriptorTargets(fleet.pid)
                try Syscalls.signal(process: workers[0], .kill)
                try FaultScenes.replacement(of: workers[0], slot: 0, fleet)
                let exit = try FaultScenes.slot(0, of: fleet)?["last_exit"]
                #expect(exit?["output"]?.string == "last words")
                try ProcessFacts.waitForDescriptors(of: fleet.pid, atMost: before)
            }
        }

        private func endSleepers(of fleet: Fleet) {
            do {
                let path = "\(fleet.directory.path)/sleepers"
                let bytes = try Syscalls.contents(of: path, limit: 4096)
                let words = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
                for pid in words.compactMap({ Int32($0) }) {
                    try Syscalls.signal(process: pid, .kill)
                }
            } catch {
                Issue.record("sleepers live on: \(error)")
            }
        }

        @Test("Fault 46: without descriptors 0, 1 and 2 nothing else takes their numbers")
        func standardDescriptorsClosed() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let path = "\(directory.path)/apus.sock"
            var settings = FleetSettings(workers: 2)
            settings.listen = ["unix:\(path)"]
            let config = try directory.write("apus.json", settings.text)
            let process = try ServerProcess(
                "/bin/sh",
                arguments: [
                    "-c", #"exec "$0" "$@" 0<&- 1>&- 2>&-"#, ApusProgram.supervisor, "serve",
                    "--config", config,
                ],
                environment: ApusProgram.environment(directory)
            )
            defer { process.kill(grace: .seconds(3)) }
            let connection = try eventually("listener") { () -> HTTPConnection? in
                do {
                    return try HTTPConnection(to: .unix(path: path))
                } catch is Errno {
                    return nil
                }
            }
            for _ in 0..<100 {
                try connection.send(FaultScenes.health)
                #expect(try connection.readReply().status == 200)
            }
            let supervisor = ProcessFacts.descriptors(process.pid)
            for number in 0...2 { #expect(supervisor[number] == "/dev/null", "\(supervisor)") }
            let workers = ProcessFacts.children(process.pid)
            #expect(workers.count == 2)
            for worker in workers {
                let held = ProcessFacts.descriptors(worker)
                // 7 is the supervisor's 2; what a worker prints has a pipe of its own.
                #expect(held[0] == "/dev/null" && held[7] == "/dev/null", "\(held)")
                #expect(held[1]?.hasPrefix("pipe:") == true && held[1] == held[2], "\(held)")
            }
            try process.signal(.terminate)
            #expect(try process.waitForExit() == .exited(code: 0))
        }

        @Test("Fault 47: workers that all die in one moment are all reaped and all replaced")
        func allDieAtOnce() throws {
            try BlackBox.withFleet(FleetSettings(workers: 24)) { fleet in
                let workers = try fleet.readyWorkers()
                try ProcessRunner.run("/bin/kill", ["-KILL"] + workers.map { "\($0)" })
                _ = try eventually("set of 24 new workers", by: .after(.seconds(30))) {
                    let ready = try fleet.readyWorkers()
                    return ready.count == 24 && Set(ready).isDisjoint(with: workers) ? true : nil
                }
                _ = try fleet.waitForMetrics("24 crashes") {
                    $0.sum("apus_worker_restarts_total", ["reason": "crash"]) == 24
                }
                #expect(ProcessFacts.children(fleet.pid).count == 24)
                #expect(try fleet.get("/health").status == 200)
            }
        }

        @Test("Fault 50: without, with an abstract and with a dead NOTIFY_SOCKET it runs alike")
        func notifySockets() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let abstract = try NotifySocket(in: directory, name: "@apus-test-\(directory.path)")
            let paths = [abstract.path, "\(directory.path)/nobody.sock", "/", "@", "relative"]
            for path in paths {
                var settings = FleetSettings(workers: 1)
                settings.environment = ["NOTIFY_SOCKET=\(path)"]
                try BlackBox.withFleet(settings) { fleet in
                    try fleet.reload(fleet.settings)
                    _ = try fleet.waitForMetrics("a reload") {
                        $0.sum("apus_reloads_total", ["result": "ok"]) == 1
                    }
                    #expect(try fleet.get("/health").status == 200)
                    let complaints = fleet.process.lines().filter {
                        $0.contains("notif") || $0.contains("NOTIFY")
                    }
                    #expect(complaints.count <= 1, "\(complaints)")
                    try fleet.process.signal(.terminate)
                    #expect(try fleet.process.waitForExit() == .exited(code: 0), "\(path)")
                }
            }
            let said = try abstract.received()
            for line in ["READY=1", "RELOADING=1", "STOPPING=1"] {
                #expect(said.contains(line), "\(said)")
            }
        }

        @Test("Fault 57: while no process can be started the others serve, later it goes on")
        func noMoreProcesses() throws {
            try #require(Launch.canChangeUser, "only root can start a fleet as another user")
            var settings = FleetSettings(workers: 2)
            settings.isUnprivileged = true
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                try ProcessRunner.limit(fleet, "--nproc=1:")
                let killed = Syscalls.monotonicNanoseconds()
                try Syscalls.signal(process: workers[0], .kill)
                let record = try fleet.waitForLog("the failure") {
                    $0["msg"]?.string == "worker cannot be started"
                }
                #expect(
                    record["error"]?.string?.contains("Resource temporarily unavailable") == true,
                    "\(record)"
                )
                for _ in 0..<20 { #expect(try fleet.get("/health").status == 200) }
                try FaultScenes.comesToRest(fleet.pid)
                let failures = Int(try FaultScenes.restarts("boot_failed", fleet))
                let elapsed = (Syscalls.monotonicNanoseconds() - killed) / 1_000_000
                // 0, 100, 200, 400 ... ms lie between them, each up to a tenth shorter.
                try #require(failures >= 1 && failures < 32, "\(failures)")
                let pauses = 90 * ((1 << (failures - 1)) - 1)
                #expect(elapsed >= pauses, "\(failures) in \(elapsed) ms")
                #expect(try FaultScenes.slot(0, of: fleet)?["state"]?.string == "backoff")
                try ProcessRunner.limit(fleet, "--nproc=4096:")
                #expect(try fleet.waitForWorkers(2).contains(workers[1]))
            }
        }

        @Test("Fault 53: ten busy workers on a tenth of a CPU are not taken for hung")
        func littleProcessorTime() throws {
            let settings = FleetSettings(workers: 10, #""fleet": { "hang": "1s" }"#)
            try BlackBox.withFleet(settings) { fleet in
                let workers = try fleet.readyWorkers()
                let limit = try ProcessorLimit(percent: 10, [fleet.pid] + workers)
                defer { limit?.end() }
                // Without a control group for it: all on one CPU, behind everything else.
                if limit == nil {
                    let processor = try #require(ProcessFacts.processors.first)
                    for pid in [fleet.pid] + workers {
                        try ProcessRunner.run("/usr/bin/renice", ["-n", "19", "-p", "\(pid)"])
                        try ProcessRunner.run("/usr/bin/taskset", ["-pc", processor, "\(pid)"])
                    }
                }
                let load = try SteadyLoad(fleet, connections: 20, patience: .seconds(60))
                defer { load.stop() }
                FaultScenes.pass(.seconds(5))
                limit?.end()
                load.stop()
                #expect(load.problems == [])
                #expect(try fleet.readyWorkers() == workers)
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
                #expect(!fleet.process.lines().contains { $0.contains("replaced by force") })
            }
        }

        @Test("Fault 54: a wall clock that jumps by a day, forth and back, changes nothing")
        func clockJumps() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let clock = try #require(
                try WallClock(in: directory),
                "no C compiler here: nothing can stand between the programs and their clock"
            )
            let gate = try Gate()
            var settings = FleetSettings(
                workers: 2,
                #""timeouts": { "client_idle": "20s" }"#,
                #""fleet": { "hang": "1s", "recycle_age": "1h" }"#
            )
            settings.environment = clock.environment
            try BlackBox.withUpstream(try FaultScenes.gated(gate), settings) { fleet, _ in
                let workers = try fleet.readyWorkers()
                let streams = try FaultScenes.begin(2, fleet)
                let idle = try FaultScenes.idle(fleet)
                let started = try fleet.status()["started_at"]
                for seconds in [86_400, -86_400, 0] {
                    try clock.shift(bySeconds: seconds)
                    // Two looks of the watch.
                    FaultScenes.pass(.milliseconds(1_500))
                    #expect(streams.count { $0.isQuiet } == 2)
                    try idle.send(FaultScenes.health)
                    #expect(try idle.readReply().status == 200)
                    #expect(try fleet.readyWorkers() == workers)
                }
                #expect(try fleet.status()["started_at"] == started)
                gate.open()
                for stream in streams { #expect(try FaultScenes.end(of: stream) == .whole) }
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
                // It did jump: the log is written with the wall clock.
                let days = Set(try fleet.log().compactMap { $0["ts"]?.string?.prefix(10) })
                #expect(days.count >= 3, "\(days)")
            }
        }
    }
}
