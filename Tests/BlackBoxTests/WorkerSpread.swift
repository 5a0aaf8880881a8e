// SPDX-License-Identifier: Apache-2.0
import Support

/// Connections that are open at the same time, on every worker of a fleet.
///
/// Which worker gets a connection depends on how soon each of them acknowledges the ones before, so
/// no number of connections is sure to reach all of them: more are opened until it is so. How many
/// each worker has is then read, not assumed.
struct WorkerSpread {
    private(set) var connections: [HTTPConnection]
    /// How many of them each slot has, in the order of the slots.
    private(set) var counts: [Int] = []

    /// Opens connections until `gauge` is at least one in each slot.
    ///
    /// The gauge counts exactly these connections, and none of them changes it any more.
    init(
        over slots: Range<Int>,
        of fleet: Fleet,
        gauge: String,
        _ labels: [String: String] = [:],
        startingWith connections: [HTTPConnection] = [],
        by deadline: Deadline = .after(.seconds(30)),
        open: () throws -> HTTPConnection
    ) throws {
        self.connections = connections
        while counts.isEmpty || counts.contains(0) {
            if deadline.hasPassed {
                throw TestFailure("\(self.connections.count) connections lie as \(counts)")
            }
            if !counts.isEmpty || connections.isEmpty { self.connections.append(try open()) }
            let count = Double(self.connections.count)
            let metrics = try fleet.waitForMetrics("\(count) in \(gauge)") {
                $0.sum(gauge, labels) == count
            }
            counts = slots.map {
                Int(metrics.sum(gauge, labels.merging(["slot": "\($0)"]) { $1 }))
            }
        }
    }
}
