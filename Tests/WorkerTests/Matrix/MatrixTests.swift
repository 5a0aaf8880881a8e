// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import Testing

@testable import Worker

@Suite("Every dialect through every upstream")
struct MatrixTests {
    static let rows = ClientDialect.allCases.flatMap { client in
        UpstreamRow.all.map { Pair(client: client, row: $0) }
    }

    struct Pair: CustomTestStringConvertible {
        let client: ClientDialect
        let row: UpstreamRow
        var testDescription: String { "\(client.rawValue) -> \(row.title)" }
    }

    /// A worker in front of the mock with every row's models.
    static func harness() throws -> (harness: WorkerHarness, mock: ProviderMock) {
        let loop = try EventLoop()
        let mock = try ProviderMock(on: loop)
        let models = UpstreamRow.all.map(\.entries).joined(separator: ",\n")
        let config = """
            {"upstreams": {\(mock.upstreams)}, "models": {\(models)},
            "retries": {"tries_per_target": 1}}
            """
        return (try WorkerHarness(config, on: loop), mock)
    }

    @Test("means the same on both sides", arguments: rows)
    func meansTheSame(_ pair: Pair) throws {
        let (harness, mock) = try Self.harness()
        let client = try harness.client()
        for scenario in Scenario.all {
            for isStream in [false, true] {
                let cell = MatrixCell(
                    client: pair.client,
                    row: pair.row,
                    scenario: scenario,
                    isStream: isStream
                )
                try cell.run(harness, client, mock)
            }
        }
        try harness.loop.wait("the buffers") {
            harness.worker.buffers.taken == 0 && harness.worker.lane.buffersInUse == 0
        }
    }
}
