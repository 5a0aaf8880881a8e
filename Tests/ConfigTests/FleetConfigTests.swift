// SPDX-License-Identifier: Apache-2.0
import Config
import Testing

@Suite struct FleetConfigTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("the fleet's settings and their defaults")
    func values() throws {
        let plain = try ConfigSample().parse(#"{ "upstreams": { "d": { "kind": "demo" } } }"#)
        #expect(plain.fleet == FleetConfig())
        #expect(plain.fleet.lameDuck == 0 && plain.fleet.hang == 10 * Self.second)
        let config = try ConfigSample().parse(
            """
            { "upstreams": { "d": { "kind": "demo" } },
              "fleet": { "lame_duck": "5s", "drain_stalled": "2s", "hang": "3s",
                "connections_per_worker": 7, "queue": 8, "queue_age": "9s",
                "recycle_requests": 1000, "recycle_age": "24h", "recycle_memory": "512MiB" } }
            """
        )
        #expect(config.fleet.lameDuck == 5 * Self.second)
        #expect(config.fleet.drainStalled == 2 * Self.second)
        #expect(config.fleet.hang == 3 * Self.second)
        #expect(config.fleet.connectionsPerWorker == 7 && config.fleet.queue == 8)
        #expect(config.fleet.queueAge == 9 * Self.second)
        #expect(config.fleet.recycleRequests == 1000)
        #expect(config.fleet.recycleAge == 86_400 * Self.second)
        #expect(config.fleet.recycleMemory == 512 << 20)
        #expect(config.summary.contains("recycle_memory 512MiB"), "\(config.summary)")
    }

    @Test(
        "what is wrong with the fleet's settings",
        arguments: [
            (#""hangs": "1s""#, "fleet.hangs: unknown key, did you mean \"hang\"?"),
            (#""queue": 0"#, "fleet.queue: expected a whole number from 1 to 65536"),
            (
                #""connections_per_worker": 99999"#,
                "fleet.connections_per_worker: expected a whole number from 1 to 16383"
            ),
            (
                #""queue_age": 5"#,
                "fleet.queue_age: a duration carries its unit: write \"5s\" or \"5ms\""
            ),
            (#""recycle_requests": 1"#, "fleet.recycle_requests: expected a whole number from 100"),
        ]
    )
    func errors(member: String, error: String) {
        let text = #"{ "upstreams": { "d": { "kind": "demo" } }, "fleet": { \#(member) } }"#
        let errors = ConfigSample().errors(text)
        #expect(errors.count == 1 && errors[0].contains(error), "\(errors)")
    }
}
