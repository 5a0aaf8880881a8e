// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Fleet: starting, commands and their exit codes")
    struct FleetStart {
        /// Runs a command in a directory with the given configuration.
        private func run(
            _ arguments: [String],
            config: String? = nil,
            environment: [String] = []
        ) throws -> (exit: ProcessExit, output: String, error: String) {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            var arguments = arguments
            if let config {
                arguments += ["--config", try directory.write("apus.json", config)]
            }
            return try ApusProgram.run(
                arguments,
                directory: directory,
                environment: environment
            )
        }

        @Test("a taken port is exit 69 and names the address; the first fleet goes on")
        func takenPort() throws {
            try BlackBox.withFleet { fleet in
                var settings = FleetSettings()
                settings.listen = ["\(fleet.address)"]
                let result = try run(["serve"], config: settings.text)
                #expect(result.exit == .exited(code: 69))
                #expect(result.error.contains("\(fleet.address)"), "\(result.error)")
                #expect(result.error.contains("in use"), "\(result.error)")
                #expect(try fleet.get("/health").status == 200)

                let status = try run(
                    ["serve", "--status", "\(fleet.statusAddress)"],
                    config: FleetSettings().text
                )
                #expect(status.exit == .exited(code: 69))
            }
        }

        @Test("an address that is not this machine's is exit 69")
        func foreignAddress() throws {
            var settings = FleetSettings(#""auth": "off""#)
            settings.listen = ["192.0.2.1:0"]
            let result = try run(["serve"], config: settings.text)
            #expect(result.exit == .exited(code: 69))
            #expect(result.error.contains("192.0.2.1"), "\(result.error)")
        }

        struct BadConfig {
            let text: String
            let place: String
            let words: [String]
        }

        static let badConfigs = [
            BadConfig(text: "{", place: ":1:2:", words: []),
            BadConfig(
                text: "{\n  \"listen\": [\"127.0.0.1:0\"]\n  \"x\": 1 }",
                place: ":3:3:",
                words: []
            ),
            BadConfig(
                text: "{\n  \"upstreams\": { \"d\": { \"kind\": \"demo\" } },\n  \"wrokers\": 3\n}",
                place: ":3:3:",
                words: ["wrokers", "did you mean \"workers\""]
            ),
            BadConfig(
                text: "{ \"upstreams\": { \"d\": { \"kind\": \"demon\" } } }",
                place: ":1:",
                words: ["upstreams.d.kind", "demo"]
            ),
            BadConfig(
                text:
                    "{ \"upstreams\": { \"d\": { \"kind\": \"demo\" } },\n \"timeouts\": {\"idle\": \"5\"} }",
                place: ":2:",
                words: ["timeouts.idle"]
            ),
            BadConfig(
                text: "{ \"upstreams\": { \"d\": { \"kind\": \"demo\" } },\n \"models\": "
                    + "{ \"m\": { \"targets\": [ { \"upstream\": \"dd\" } ] } } }",
                place: ":2:",
                words: ["models.m.targets[0].upstream", "did you mean \"d\""]
            ),
            BadConfig(
                text:
                    "{ \"upstreams\": { \"u\": { \"kind\": \"openai\", \"base_url\": \"nope\" } } }",
                place: ":1:",
                words: ["upstreams.u.base_url"]
            ),
            BadConfig(
                text:
                    "{ \"upstreams\": { \"u\": { \"kind\": \"openai\", \"base_url\": \"http://a/v1\","
                    + "\n \"api_key\": \"${env:APUS_TEST_NOT_SET}\" } } }",
                place: ":2:",
                words: ["upstreams.u.api_key", "APUS_TEST_NOT_SET"]
            ),
            BadConfig(
                text: "{ \"upstreams\": {} , \"listen\": [] }",
                place: ":1:",
                words: ["listen"]
            ),
            BadConfig(text: "[]", place: ":1:1:", words: []),
            BadConfig(text: "", place: ":1:1:", words: []),
        ]

        @Test(
            "a bad configuration is exit 78 with file, line, column and path, for check and serve"
        )
        func badConfiguration() throws {
            for row in Self.badConfigs {
                for command in ["check", "serve"] {
                    let result = try run([command], config: row.text)
                    let text = result.output + result.error
                    #expect(result.exit == .exited(code: 78), "\(command): \(row.text): \(text)")
                    #expect(
                        text.contains("apus.json\(row.place)"),
                        "\(command): \(row.text): \(text)"
                    )
                    for word in row.words {
                        // A log line escapes quotes.
                        let plain = text.split(separator: "\\\"").joined(separator: "\"")
                        #expect(plain.contains(word), "\(command): \(text)")
                    }
                }
            }
        }

        @Test("a configuration that cannot be read is exit 78 and names the file")
        func missingConfiguration() throws {
            for command in ["check", "serve"] {
                let result = try run([command, "--config", "/nowhere/apus.json"])
                #expect(result.exit == .exited(code: 78))
                #expect((result.output + result.error).contains("/nowhere/apus.json"))
            }
        }

        @Test("an address that others can reach needs keys, or auth off said aloud")
        func openToTheWorld() throws {
            for listen in ["0.0.0.0:0", "[::]:0", "*:0"] {
                var settings = FleetSettings()
                settings.listen = [listen]
                for command in ["check", "serve"] {
                    let result = try run([command], config: settings.text)
                    #expect(result.exit == .exited(code: 78), "\(listen)")
                    #expect((result.output + result.error).contains("keys"), "\(listen)")
                }
                settings.members = [#""auth": "off""#]
                #expect(try run(["check"], config: settings.text).exit == .exited(code: 0))
                settings.members = [
                    #""keys": [ { "name": "a", "hash": "sha256:\#(ClientKeys.hashA)" } ]"#
                ]
                #expect(try run(["check"], config: settings.text).exit == .exited(code: 0))
            }
            let option = try run(
                ["serve", "--listen", "0.0.0.0:0"],
                config: FleetSettings().text
            )
            #expect(option.exit == .exited(code: 78))
        }

        @Test("check summarises a good configuration and masks its secrets")
        func check() throws {
            let settings = FleetSettings(workers: 3).with(
                "prov",
                baseURL: "http://127.0.0.1:9/v1",
                members: [#""api_key": "${env:PROVIDER_KEY}""#]
            )
            let result = try run(
                ["check"],
                config: settings.text,
                environment: ["PROVIDER_KEY=sk-very-secret"]
            )
            #expect(result.exit == .exited(code: 0), "\(result.error)")
            #expect(result.output.contains("prov"))
            #expect(!(result.output + result.error).contains("sk-very-secret"))
        }

        @Test("commands that do not exist and options that are wrong are exit 64")
        func usage() throws {
            for arguments in [
                ["nothing"], ["serve", "--nothing"], ["serve", "--config"],
                ["check", "extra", "x"],
                ["serve", "--workers", "many"],
            ] {
                let result = try run(arguments)
                #expect(result.exit == .exited(code: 64), "\(arguments)")
                #expect(!result.error.isEmpty, "\(arguments)")
            }
        }

        @Test("version and help answer on standard output and exit 0")
        func versionAndHelp() throws {
            let version = try run(["version"])
            #expect(version.exit == .exited(code: 0))
            #expect(version.output.contains("apus"))
            for arguments in [["help"], ["help", "serve"], ["--help"]] {
                let help = try run(arguments)
                #expect(help.exit == .exited(code: 0), "\(arguments)")
                #expect(help.output.contains("serve"), "\(arguments)")
            }
        }

        @Test("without a configuration file the demo model is served")
        func embedded() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let process = try ServerProcess(
                ApusProgram.supervisor,
                arguments: ["serve", "--listen", "127.0.0.1:0", "--status", "127.0.0.1:0"]
                    + ["--workers", "1"],
                environment: ApusProgram.environment(directory)
            )
            defer { process.kill(grace: .seconds(3)) }
            let text = try process.waitForLine("listening") { line -> String? in
                let record = try JSONValue(line)
                return record["msg"]?.string == "listening" ? record["address"]?.string : nil
            }
            let connection = try HTTPConnection(to: try #require(SocketAddress(text)))
            try connection.send(
                HTTPRequestText.post("/v1/chat/completions", Fleet.chat("demo/fast"))
            )
            #expect(try connection.readReply().status == 200)
        }

        @Test("a socket file of a killed fleet is taken over, one in use is not")
        func staleSocket() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            var settings = FleetSettings()
            settings.listen = ["unix:\(directory.path)/apus.sock"]
            try BlackBox.withFleet(settings) { fleet in
                try fleet.process.signal(.kill)
                _ = try fleet.process.waitForExit()
            }
            try BlackBox.withFleet(settings) { fleet in
                #expect(try fleet.get("/health").status == 200)
                let second = try run(["serve"], config: settings.text)
                #expect(second.exit == .exited(code: 69), "\(second.error)")
                #expect(try fleet.get("/health").status == 200)
                try fleet.process.signal(.terminate)
                #expect(try fleet.process.waitForExit() == .exited(code: 0))
            }
            #expect(throws: Errno.self, "the file goes with the fleet") {
                try HTTPConnection(to: .unix(path: "\(directory.path)/apus.sock"))
            }
        }

        @Test(
            "a log that nobody reads, or that is gone, stops nothing",
            arguments: [
                ServerProcess.ErrorReader.asleep, .gone,
            ]
        )
        func unreadLog(_ reader: ServerProcess.ErrorReader) throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let path = "\(directory.path)/apus.sock"
            let config = try directory.write(
                "apus.json",
                #"{ "listen": ["unix:\#(path)"], "status": { "listen": "unix:\#(path).status" }, "#
                    + #""workers": 2, "upstreams": { "demo": { "kind": "demo" } } }"#
            )
            let process = try ServerProcess(
                ApusProgram.supervisor,
                arguments: ["serve", "--config", config],
                environment: ApusProgram.environment(directory),
                errorReader: reader
            )
            let connection = try eventually("listener") { () -> HTTPConnection? in
                do {
                    return try HTTPConnection(to: .unix(path: path))
                } catch is Errno {
                    return nil
                }
            }
            for _ in 0..<1_000 {
                try connection.send(HTTPRequestText.bytes("GET", "/health"))
                #expect(try connection.readReply().status == 200)
            }
            let second = try HTTPConnection(to: .unix(path: path))
            try second.send(HTTPRequestText.post("/v1/chat/completions", Fleet.chat("demo/fast")))
            #expect(try second.readReply().status == 200)
            let status = try HTTPConnection(to: .unix(path: "\(path).status"))
            try status.send(HTTPRequestText.bytes("GET", "/metrics"))
            let metrics = try PrometheusText(try status.readReply().text)
            #expect(metrics.sum("apus_worker_restarts_total") == 0)
            try process.signal(.terminate)
            #expect(try process.waitForExit() == .exited(code: 0))
        }

        @Test("options override the configuration")
        func options() throws {
            var settings = FleetSettings(workers: 2)
            settings.readyWorkers = 3
            try BlackBox.withFleet(
                settings,
                arguments: ["--workers", "3", "--listen=127.83.40.1:0"]
            ) { (fleet) throws in
                #expect("\(fleet.address)".hasPrefix("127.83.40.1:"))
                #expect(try fleet.status()["workers"]?["configured"]?.int == 3)
                #expect(try fleet.get("/health").status == 200)
            }
        }

        @Test("no worker to start is exit 69, not an endless attempt")
        func noWorker() throws {
            let directory = try PrivateDirectory()
            defer { directory.remove() }
            let copy = try ServerProcess(
                "/bin/cp",
                arguments: [ApusProgram.supervisor, "\(directory.path)/apus"],
                environment: []
            )
            #expect(try copy.waitForExit() == .exited(code: 0))
            let config = try directory.write("apus.json", FleetSettings().text)
            let process = try ServerProcess(
                "\(directory.path)/apus",
                arguments: ["serve", "--config", config],
                environment: ApusProgram.environment(directory)
            )
            #expect(try process.waitForExit(by: .after(.seconds(20))) == .exited(code: 69))
            try process.waitForEndOfOutput()
            #expect(process.tail().contains("worker"))
        }

        @Test("apus status shows the fleet")
        func statusCommand() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let config = try fleet.directory.write(
                    "status.json",
                    #"{ "upstreams": { "demo": { "kind": "demo" } }, "status": { "listen": "\#(fleet.statusAddress)" } }"#
                )
                let plain = try ApusProgram.run(
                    ["status", "--config", config],
                    directory: fleet.directory
                )
                #expect(plain.exit == .exited(code: 0), "\(plain.error)")
                for worker in try fleet.readyWorkers() {
                    #expect(plain.output.contains("\(worker)"), "\(plain.output)")
                }
                let json = try ApusProgram.run(
                    ["status", "--json", "--config", config],
                    directory: fleet.directory
                )
                #expect(json.exit == .exited(code: 0), "\(json.error)")
                #expect(try JSONValue(json.output)["pid"]?.int == Int(fleet.pid))
            }
        }
    }
}
