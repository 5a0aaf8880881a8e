// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Faults: as process 1, and with sockets of the service manager")
    struct FaultsSurroundings {
        /// Runs `body` with a fleet whose supervisor is process 1 of a namespace of its own, and the
        /// number of that supervisor out here.
        private func withProcessOne(
            _ settings: FleetSettings,
            _ body: (Fleet, Int32) throws -> Void
        ) throws {
            try #require(Launch.canChangeUser, "only root can make a process namespace")
            var settings = settings
            settings.launcher = [
                "/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
            ]
            try BlackBox.withFleet(settings) { fleet in
                let supervisor = try #require(ProcessFacts.children(fleet.pid).first)
                #expect(try fleet.status()["pid"]?.int == 1)
                try body(fleet, supervisor)
                try Syscalls.signal(process: supervisor, .terminate)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
        }

        /// Runs a shell in the namespaces of a process and returns what it writes.
        private func shell(_ supervisor: Int32, _ script: String) throws -> [String] {
            try ProcessRunner.run(
                "/usr/bin/nsenter",
                ["--target", "\(supervisor)", "--pid", "--mount", "--", "/bin/sh", "-c", script]
            )
        }

        @Test(
            "Faults 17, 47: as process 1 it reaps 256 strangers that end at once, and minds nothing else"
        )
        func orphans() throws {
            try withProcessOne(FleetSettings(workers: 2)) { fleet, supervisor in
                let workers = ProcessFacts.children(supervisor)
                #expect(workers.count == 2)
                let go = "\(fleet.directory.path)/go"
                // Each waits for the same pipe to be opened, and their parent does not wait for them.
                _ = try shell(
                    supervisor,
                    """
                    mkfifo \(go); i=0
                    while [ $i -lt 256 ]; do
                        (read line < \(go); exit 3) > /dev/null 2>&1 &
                        i=$((i + 1))
                    done
                    """
                )
                _ = try eventually("256 orphans") {
                    ProcessFacts.children(supervisor).count == 258 ? true : nil
                }
                try ProcessRunner.run("/bin/sh", ["-c", ": > \(go)"])
                _ = try eventually("nobody but the workers") {
                    ProcessFacts.children(supervisor).count == 2 ? true : nil
                }
                #expect(ProcessFacts.children(supervisor) == workers)
                #expect(try fleet.get("/health").status == 200)
                #expect(try fleet.metrics().sum("apus_worker_restarts_total") == 0)
                let loud = try fleet.log().filter { $0["msg"]?.string?.contains("orphan") == true }
                #expect(loud.isEmpty, "only a debug log tells of them: \(loud)")
            }
        }

        @Test("Fault 42: a KILL that is due later never hits the next process with the number")
        func numberUsedAgain() throws {
            var settings = FleetSettings(workers: 2, #""fleet": { "hang": "1s" }"#)
            settings.environment = ["APUS_WORKER_FAULT=paths"]
            try withProcessOne(settings) { fleet, supervisor in
                let before = try fleet.readyWorkers()
                let reply = try fleet.get("/fault/spin")
                #expect(reply.status == 503)
                // It was sent ABRT; two seconds after that KILL would have come.
                let exit = try fleet.waitForLog("the exit") { $0["msg"]?.string == "worker exited" }
                #expect(exit["signal"]?.int == 6)
                let number = try #require(exit["worker_pid"]?.int)
                #expect(before.contains(Int32(number)))
                let script = """
                    for i in 1 2 3 4 5 6 7 8; do
                        echo \(number - 1) > /proc/sys/kernel/ns_last_pid
                        sleep 30 > /dev/null 2>&1 &
                        [ $! = \(number) ] && echo got && exit 0
                        kill $!
                    done
                    """
                #expect(try shell(supervisor, script) == ["got"])
                FaultScenes.pass(.milliseconds(2_500))
                #expect(try shell(supervisor, "kill -0 \(number) && echo alive") == ["alive"])
                _ = try shell(supervisor, "kill -KILL \(number)")
                try fleet.waitForWorkers(2)
            }
        }

        // MARK: Sockets of the service manager

        private static let asChild = [
            "/bin/sh", "-c", #"export LISTEN_PID=$$; exec "$0" "$@""#,
        ]

        /// A listening socket as the service manager has them.
        private final class GivenSocket {
            let fd: OwnedFD
            let address: SocketAddress

            init(_ address: SocketAddress = .ipv4(octets: [127, 0, 0, 1], port: 0)) throws {
                fd = try Syscalls.streamSocket(for: address)
                try Syscalls.bind(fd.raw, address)
                try Syscalls.listen(fd.raw, backlog: 128)
                self.address = try Syscalls.localAddress(fd.raw)
            }
        }

        private func answers(_ address: SocketAddress) throws -> Int {
            let connection = try HTTPConnection(to: address)
            try connection.send(FaultScenes.health)
            return try connection.readReply().status
        }

        @Test(
            "Fault 48: sockets for another process, or none at all, are left alone",
            arguments: [
                ["LISTEN_PID=1", "LISTEN_FDS=1"], ["LISTEN_FDS=1"], ["LISTEN_FDS=0"],
                ["LISTEN_PID=x", "LISTEN_FDS=many"],
            ]
        )
        func foreignSockets(_ environment: [String]) throws {
            let socket = try GivenSocket()
            var settings = FleetSettings()
            settings.environment = environment
            settings.descriptors = [3: socket.fd.raw]
            try BlackBox.withFleet(settings) { fleet in
                #expect(fleet.address != socket.address)
                #expect(try fleet.get("/health").status == 200)
                let warnings = try fleet.log().count {
                    $0["msg"]?.string == "sockets of the service manager are ignored"
                }
                #expect(warnings == (environment == ["LISTEN_FDS=0"] ? 0 : 1))
            }
        }

        @Test("Fault 48: a TCP and a Unix socket of the manager serve side by side")
        func mixedSockets() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let tcp = try GivenSocket()
            let unix = try GivenSocket(.unix(path: "\(directory.path)/given.sock"))
            let status = try GivenSocket()
            var settings = FleetSettings(workers: 2)
            settings.listen = ["127.0.0.1:0", "127.0.0.1:0"]
            settings.launcher = Self.asChild
            settings.descriptors = [3: tcp.fd.raw, 4: unix.fd.raw, 5: status.fd.raw]
            settings.environment = ["LISTEN_FDS=3", "LISTEN_FDNAMES=http:local:status"]
            try BlackBox.withFleet(settings) { fleet in
                #expect(fleet.statusAddress == status.address)
                #expect(
                    Set(fleet.addresses.map { "\($0)" }) == ["\(tcp.address)", "\(unix.address)"]
                )
                for address in [tcp.address, unix.address] { #expect(try answers(address) == 200) }
                for worker in try fleet.readyWorkers() {
                    let names = try ApusProgram.environmentNames(of: worker)
                    #expect(!names.contains { $0.hasPrefix("LISTEN_") }, "\(names)")
                }
            }
        }

        @Test("Fault 48: what is no socket, or was stored under an unknown name, is given up aloud")
        func unusableSockets() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let notify = try NotifySocket(in: directory)
            let file = try Syscalls.openForReading("/etc/hostname")
            let stored = try GivenSocket()
            var settings = FleetSettings()
            settings.launcher = Self.asChild
            settings.descriptors = [3: file.raw, 4: stored.fd.raw]
            settings.environment = [
                "LISTEN_FDS=2", "LISTEN_FDNAMES=wrong:apus-future", "NOTIFY_SOCKET=\(notify.path)",
            ]
            try BlackBox.withFleet(settings) { fleet in
                #expect(try fleet.get("/health").status == 200)
                #expect(fleet.address != stored.address)
                let texts = try fleet.log().compactMap { $0["msg"]?.string }
                #expect(
                    texts.contains("descriptor of the service manager is not a listening socket")
                )
                #expect(texts.contains("socket of the service manager is not used"))
                let said = try notify.received()
                for name in ["wrong", "apus-future"] {
                    #expect(said.contains("FDNAME=\(name)"), "\(said)")
                }
                #expect(said.contains("FDSTOREREMOVE=1"), "\(said)")
                let held = ProcessFacts.descriptorTargets(fleet.pid)
                #expect(!held.contains { $0.hasSuffix("/etc/hostname") }, "\(held)")
            }
        }
    }
}
