// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

extension BlackBox {
    @Suite("Upgrade: what goes on as it was")
    struct UpgradeCarried {
        private func apus(
            _ fleet: Fleet,
            _ arguments: String...
        ) throws -> (exit: ProcessExit, output: String, error: String) {
            try ApusProgram.run(arguments, directory: fleet.directory)
        }

        /// Upgrades and expects so many workers to be replaced.
        private func upgrade(_ fleet: Fleet, replacing count: Int) throws {
            let result = try apus(fleet, "upgrade")
            #expect(result.exit == .exited(code: 0), "\(result.error)")
            #expect(result.output.contains("\(count) workers replaced"), "\(result.output)")
        }

        @Test("an upgrade forgets no request that it carries over, and no gauge stays behind")
        func carriedStream() throws {
            let gate = try Gate()
            let upstream = try FaultScenes.gated(gate)
            try BlackBox.withUpstream(upstream, FleetSettings(workers: 2)) { fleet, _ in
                let stream = try #require(try FaultScenes.begin(1, fleet).first)
                _ = try fleet.waitForMetrics("the stream") { $0.sum("apus_streams_open") == 1 }
                try upgrade(fleet, replacing: 2)
                #expect(try fleet.metrics().sum("apus_streams_open") == 1)
                gate.open()
                #expect(try FaultScenes.end(of: stream) == .whole)
                let after = try fleet.waitForMetrics("the request, and nothing under way") {
                    $0.sum("apus_requests_total", ["route": "chat_completions"]) == 1
                        && $0.sum("apus_requests_in_flight") == 0
                        && $0.sum("apus_streams_open") == 0
                }
                #expect(after.sum("apus_worker_restarts_total", ["reason": "upgrade"]) == 2)
            }
        }

        @Test("an upgrade replaces the workers when the last reload had changed their number alone")
        func afterScalingReload() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                try fleet.reload(FleetSettings(workers: 3))
                let workers = try fleet.waitForWorkers(3)
                _ = try fleet.waitForLog("the reload") {
                    $0["msg"]?.string == "reloaded: only the number of workers changed"
                }
                try upgrade(fleet, replacing: 3)
                #expect(Set(try fleet.waitForWorkers(3)).isDisjoint(with: workers))
                // The number is the one of the file: it is no operator's.
                let reason = try fleet.status()["workers"]?["reason"]?.string ?? ""
                #expect(!reason.contains("until the next reload"), "\(reason)")
            }
        }

        @Test("an upgrade replaces the workers when the file has another number by now")
        func beforeScalingReload() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                let workers = try fleet.readyWorkers()
                try fleet.directory.write("apus.json", FleetSettings(workers: 3).text)
                try upgrade(fleet, replacing: 2)
                #expect(Set(try fleet.waitForWorkers(3)).isDisjoint(with: workers))
            }
        }

        @Test("the number of workers that an operator asked for outlives an upgrade, not a reload")
        func scaled() throws {
            try BlackBox.withFleet(FleetSettings(workers: 2)) { fleet in
                #expect(try apus(fleet, "scale", "3").exit == .exited(code: 0))
                let workers = try fleet.waitForWorkers(3)
                for _ in 0..<2 {
                    try upgrade(fleet, replacing: 3)
                    #expect(Set(try fleet.waitForWorkers(3)).isDisjoint(with: workers))
                    let reason = try fleet.status()["workers"]?["reason"]?.string ?? ""
                    #expect(reason.contains("3 workers until the next reload"), "\(reason)")
                }
                #expect(try apus(fleet, "reload").exit == .exited(code: 0))
                try fleet.waitForWorkers(2)
            }
        }

        @Test("the history of reloads, the hash of the configuration and all counts go on")
        func status() throws {
            var settings = FleetSettings(workers: 2)
            // In the memory of the configuration they have an order, which must not be a chance.
            for name in ["a", "b", "c", "d", "e", "f"] {
                settings.environment.append("TEST_KEY_\(name)=secret-\(name)")
                settings = settings.with(
                    name,
                    baseURL: "http://127.0.0.1:9/v1",
                    members: [#""api_key": "${env:TEST_KEY_\#(name)}""#]
                )
            }
            try BlackBox.withFleet(settings) { fleet in
                try fleet.reload(text: "{")
                _ = try fleet.waitForLog("the failure") { $0["msg"]?.string == "reload failed" }
                try fleet.directory.write("apus.json", settings.text)
                let before = try eventually("reload in the status") { () -> JSONValue? in
                    let status = try fleet.status()
                    return status["last_reload"]?["ok"] == .bool(false) ? status : nil
                }
                let lag = try fleet.metrics().sum("apus_supervisor_loop_lag_seconds_count")
                try upgrade(fleet, replacing: 2)
                let after = try eventually("upgrade in the status") { () -> JSONValue? in
                    let status = try fleet.status()
                    let kinds = status["reload_history"]?.array?.map { $0["kind"]?.string }
                    return kinds == ["reload", "upgrade"] ? status : nil
                }
                #expect(after["last_reload"] == before["last_reload"])
                let hash = try #require(before["config"]?["hash"]?.string)
                #expect(after["config"]?["hash"]?.string == hash)
                let boots = try #require(before["workers"]?["boot"]?["count"]?.int)
                #expect(boots == 2)
                #expect(after["workers"]?["boot"]?["count"]?.int == boots + 2)
                #expect(
                    try fleet.metrics().sum("apus_supervisor_loop_lag_seconds_count") >= lag
                )
            }
        }
    }
}
