// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Operator: service manager, inherited and closed descriptors")
    struct ServiceManagerTests {
        private static let loopback = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)

        private func listening() throws -> OwnedFD {
            let fd = try Syscalls.streamSocket(for: Self.loopback)
            try Syscalls.bind(fd.raw, Self.loopback)
            try Syscalls.listen(fd.raw, backlog: 16)
            return fd
        }

        /// Starts a fleet through a shell, which knows the process id that LISTEN_PID needs.
        private func serve(
            _ prefix: String,
            _ settings: FleetSettings,
            in directory: PrivateDirectory,
            environment: [String] = [],
            descriptors: [InheritedFD] = []
        ) throws -> ServerProcess {
            let config = try directory.write("apus.json", settings.text)
            return try ServerProcess(
                "/bin/sh",
                arguments: [
                    "-c", "\(prefix) exec \"$0\" serve --config \"$1\"", ApusProgram.supervisor,
                    config,
                ],
                environment: ApusProgram.environment(directory) + environment,
                descriptors: descriptors
            )
        }

        /// The addresses that clients can use, once the fleet is ready.
        private func clientAddresses(_ process: ServerProcess) throws -> [String] {
            _ = try process.waitForLine("ready") { line in
                try JSONValue(line)["msg"]?.string == "ready" ? true : nil
            }
            return try process.lines().compactMap { line in
                let record = try JSONValue(line)
                return record["msg"]?.string == "listening" ? record["address"]?.string : nil
            }
        }

        private func warnings(_ process: ServerProcess) throws -> [JSONValue] {
            try process.lines().map { try JSONValue($0) }
                .filter { $0["level"]?.string == "warning" }
        }

        private func end(_ process: ServerProcess) throws {
            try process.signal(.terminate)
            #expect(try process.waitForExit() == .exited(code: 0))
        }

        @Test("sockets of a unit are used in place of the configuration's")
        func socketUnit() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let http = try listening()
            let status = try listening()
            let file = try Syscalls.openForReading("/dev/null")
            let process = try serve(
                "LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=http:odd:status",
                FleetSettings(),
                in: directory,
                descriptors: [
                    InheritedFD(source: http.raw, target: 3),
                    InheritedFD(source: file.raw, target: 4),
                    InheritedFD(source: status.raw, target: 5),
                ]
            )
            let address = try Syscalls.localAddress(http.raw)
            #expect(try clientAddresses(process) == ["\(address)"])
            let connection = try HTTPConnection(to: address)
            try connection.send(HTTPRequestText.bytes("GET", "/health"))
            #expect(try connection.readReply().status == 200)
            let operatorConnection = try HTTPConnection(to: Syscalls.localAddress(status.raw))
            try operatorConnection.send(HTTPRequestText.bytes("GET", "/livez"))
            #expect(try operatorConnection.readReply().status == 200)
            let warned = try warnings(process)
            #expect(warned.count == 1 && warned.first?["name"]?.string == "odd", "\(warned)")
            try end(process)
        }

        static let ignored: [(prefix: String, reason: String?)] = [
            ("LISTEN_PID=1 LISTEN_FDS=1", "LISTEN_PID names another process"),
            ("LISTEN_FDS=1", "LISTEN_FDS is set without LISTEN_PID"),
            ("LISTEN_PID=$$ LISTEN_FDS=x", "LISTEN_FDS is no number from 1 to 64"),
            ("LISTEN_PID=$$ LISTEN_FDS=0", nil),
        ]

        @Test(
            "announcements that are not for this process are ignored, and told",
            arguments: ignored
        )
        func announcedWrongly(prefix: String, reason: String?) throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let socket = try listening()
            let process = try serve(
                prefix,
                FleetSettings(),
                in: directory,
                descriptors: [InheritedFD(source: socket.raw, target: 3)]
            )
            let addresses = try clientAddresses(process)
            #expect(addresses.count == 1)
            #expect(addresses != ["\(try Syscalls.localAddress(socket.raw))"])
            let reasons = try warnings(process).map { $0["reason"]?.string }
            #expect(reasons == (reason.map { [$0] } ?? []))
            try end(process)
        }

        @Test("stored listeners come back; what is not configured is closed and removed")
        func stored() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let manager = try NotifySocket(in: directory)
            let kept = try listening()
            let old = try listening()
            let future = try listening()
            let keptAddress = try Syscalls.localAddress(kept.raw)
            let oldAddress = try Syscalls.localAddress(old.raw)
            var settings = FleetSettings()
            settings.listen = ["\(keptAddress)", "127.0.0.1:0", "unix:\(directory.path)/a.sock"]
            let process = try serve(
                "LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=apus-status:apus-listen-0:apus-future",
                settings,
                in: directory,
                environment: ["NOTIFY_SOCKET=\(manager.path)"],
                descriptors: [
                    InheritedFD(source: old.raw, target: 3),
                    InheritedFD(source: kept.raw, target: 4),
                    InheritedFD(source: future.raw, target: 5),
                ]
            )
            let addresses = try clientAddresses(process)
            #expect(addresses.first == "\(keptAddress)")
            #expect(addresses.count == 3 && !addresses.contains("\(oldAddress)"))
            let lines = try manager.waitForLine("READY=1")
            // The configured status address has port 0, which takes what there was before.
            #expect(lines.contains("FDSTOREREMOVE=1") && lines.contains("FDNAME=apus-future"))
            #expect(!lines.contains("FDNAME=apus-status"))
            #expect(!lines.contains("FDNAME=apus-listen-0"))
            #expect(lines.contains("FDSTORE=1") && lines.contains("FDNAME=apus-listen-1"))
            #expect(lines.filter { $0 == "FDSTORE=1" }.count == 1, "\(lines)")
            let connection = try HTTPConnection(to: keptAddress)
            try connection.send(HTTPRequestText.bytes("GET", "/health"))
            #expect(try connection.readReply().status == 200)
            try end(process)
        }

        @Test("a new fleet leaves its listeners and sends signs of life")
        func notifies() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let manager = try NotifySocket(in: directory)
            var settings = FleetSettings(workers: 1)
            settings.environment = ["NOTIFY_SOCKET=\(manager.path)", "WATCHDOG_USEC=100000"]
            try BlackBox.withFleet(settings) { fleet in
                let lines = try manager.waitForLine("READY=1")
                #expect(lines.contains("FDNAME=apus-listen-0"))
                #expect(lines.contains("FDNAME=apus-status"))
                try manager.waitForLine("WATCHDOG=1")
                try fleet.process.signal(.terminate)
                _ = try manager.waitForMatch("more time to stop") {
                    $0.hasPrefix("EXTEND_TIMEOUT_USEC=")
                }
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
        }

        @Test(
            "closed standard descriptors are not mistaken for anything",
            arguments: ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-", "2>/dev/full"]
        )
        func closed(redirection: String) throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let path = "\(directory.path)/apus.sock"
            var settings = FleetSettings(workers: 2)
            settings.listen = ["unix:\(path)"]
            let process = try serve("exec \(redirection);", settings, in: directory)
            let connection = try eventually("listener") { () -> HTTPConnection? in
                do {
                    return try HTTPConnection(to: .unix(path: path))
                } catch is Errno {
                    return nil
                }
            }
            let chat = HTTPRequestText.post("/v1/chat/completions", Fleet.chat("demo/fast"))
            try connection.send(chat)
            #expect(try connection.readReply().status == 200)
            let reload = try ApusProgram.run(["reload"], directory: directory)
            #expect(reload.exit == .exited(code: 0), "\(reload.error)")
            let stop = try ApusProgram.run(["stop"], directory: directory)
            #expect(stop.exit == .exited(code: 0), "\(stop.error)")
            #expect(try process.waitForExit() == .exited(code: 0))
        }
    }
}
