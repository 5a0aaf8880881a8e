// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Upgrade: while the program on disk is asked")
    struct UpgradeChecks {
        /// A fleet whose program on disk is a script that answers like it and has taken its place when the
        /// test opens `door`, a named pipe.
        private func withSlowAnswer(
            _ settings: FleetSettings = FleetSettings(workers: 2),
            _ body: (_ fleet: Fleet, _ open: () throws -> Void) throws -> Void
        ) throws {
            let folder = try PrivateDirectory()
            defer { folder.remove() }
            let program = try ApusProgram.copy(to: folder)
            let fleet = try Fleet(settings, program: program)
            defer { fleet.stop(failed: false) }
            let answer = try ApusProgram.run(
                ["serve", "--config", "\(fleet.directory.path)/apus.json"],
                directory: fleet.directory,
                environment: ["APUS_UPGRADE_CHECK=1"]
            )
            #expect(answer.exit == .exited(code: 0), "\(answer.error)")
            let door = "\(folder.path)/door"
            try ProcessRunner.run("/usr/bin/mkfifo", [door])
            try ProcessRunner.run("/bin/mv", [program, "\(program).real"])
            try folder.writeProgram(
                "apus",
                """
                #!/bin/sh
                read line < '\(door)'
                mv '\(program).real' '\(program)'
                echo '\(answer.output)'

                """
            )
            try body(fleet) { try ProcessRunner.run("/bin/sh", ["-c", ": > '\(door)'"]) }
            #expect(fleet.faultsAtEnd() == [])
        }

        /// Waits until the program on disk has been asked.
        private func waitForCheck(_ fleet: Fleet) throws {
            _ = try fleet.waitForLog("the check") {
                $0["msg"]?.string == "upgrade: asking the program on disk"
            }
        }

        @Test(
            "an operator who leaves meanwhile stops nothing, and whoever comes then is not mistaken",
            arguments: [false, true]
        )
        func operatorLeaves(isReplaced: Bool) throws {
            try withSlowAnswer { fleet, open in
                let before = try fleet.readyWorkers()
                let held = ProcessFacts.descriptorTargets(fleet.pid)
                // Its number is lower than the operator's, so that what the supervisor opens next does
                // not get the operator's.
                let earlier = try FaultScenes.idle(fleet)
                let operation = try ServerProcess(
                    ApusProgram.supervisor,
                    arguments: ["upgrade"],
                    environment: ApusProgram.environment(fleet.directory)
                )
                try waitForCheck(fleet)
                let during = ProcessFacts.descriptorCount(fleet.pid)
                try operation.signal(.kill)
                _ = try operation.waitForExit()
                earlier.close()
                _ = try eventually("end of the operator's connection and of the other one") {
                    ProcessFacts.descriptorCount(fleet.pid) <= during - 2 ? true : nil
                }
                // They get the lowest numbers that are free, so the operator's among them.
                let clients = try (0..<(isReplaced ? 8 : 0)).map { _ in
                    try FaultScenes.idle(fleet)
                }
                try open()
                _ = try fleet.waitForLog("the take-over") { $0["msg"]?.string == "taking over" }
                _ = try fleet.waitForLog("the replacement") { $0["msg"]?.string == "reloaded" }
                for client in clients {
                    #expect(client.isQuiet)
                    try client.send(FaultScenes.health)
                    #expect(try client.readReply().status == 200)
                }
                _ = try eventually("set of two new workers") { () -> Bool? in
                    let ready = try fleet.readyWorkers()
                    return ready.count == 2 && Set(ready).isDisjoint(with: before) ? true : nil
                }
                try ProcessFacts.waitForDescriptors(
                    of: fleet.pid,
                    atMost: held + clients.map { _ in "socket:" }
                )
            }
        }

        @Test("a reload meanwhile wins: the configuration in use is not the one that was checked")
        func reloadMeanwhile() throws {
            try withSlowAnswer { fleet, open in
                try fleet.process.signal(.user2)
                try waitForCheck(fleet)
                try fleet.process.signal(.hangup)
                _ = try fleet.waitForLog("the reload") { $0["msg"]?.string == "reloaded" }
                try open()
                let record = try fleet.waitForLog("the failure") {
                    $0["msg"]?.string == "upgrade failed"
                }
                #expect(record["reason"]?.string?.contains("has changed meanwhile") == true)
                #expect(try fleet.get("/health").status == 200)
                // The good program lies there by now.
                let result = try ApusProgram.run(["upgrade"], directory: fleet.directory)
                #expect(result.exit == .exited(code: 0), "\(result.error)")
            }
        }

        @Test("a program that cannot read the configuration in use does not pass the check")
        func unreadableMemory() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let config = try directory.write("apus.json", FleetSettings().text)
            let memory = try Syscalls.sealedMemory("test", Array("{\"version\":0}".utf8).span)
            let run = try runProgram(
                ApusProgram.supervisor,
                ["serve", "--config", config],
                environment: ApusProgram.environment(directory)
                    + ["APUS_UPGRADE_CHECK=1", "APUS_UPGRADE_CONFIGURATION=3"],
                descriptors: [InheritedFD(source: memory.raw, target: 3)]
            )
            #expect(run.exit == .exited(code: 1))
            #expect(run.output.contains("cannot read the configuration in use"), "\(run.output)")
        }

        @Test("process 1 upgrades as well: nobody reaps the program on disk but who asked it")
        func asProcessOne() throws {
            try #require(Launch.canChangeUser, "only root can make a process namespace")
            var settings = FleetSettings(workers: 2)
            settings.launcher = [
                "/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
            ]
            try withSlowAnswer(settings) { fleet, open in
                let supervisor = try #require(ProcessFacts.children(fleet.pid).first)
                let workers = try fleet.status()["processes"]?.array?.map { $0["pid"]?.int }
                try Syscalls.signal(process: supervisor, .user2)
                try waitForCheck(fleet)
                try open()
                _ = try fleet.waitForLog("the replacement") { $0["msg"]?.string == "reloaded" }
                _ = try eventually("set of two new workers") { () -> Bool? in
                    let now = try fleet.readyWorkers()
                    let isNew = now.allSatisfy { workers?.contains(Int($0)) == false }
                    return now.count == 2 && isNew ? true : nil
                }
                _ = try eventually("nobody but the workers") {
                    ProcessFacts.children(supervisor).count == 2 ? true : nil
                }
                try Syscalls.signal(process: supervisor, .terminate)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
        }
    }
}
