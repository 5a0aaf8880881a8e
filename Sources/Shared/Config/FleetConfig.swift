// SPDX-License-Identifier: Apache-2.0
import JSON

/// How the supervisor runs its workers.
///
/// Units: nanoseconds, bytes.
package struct FleetConfig: Equatable, Sendable {
    /// From a wish to stop to the end of accepting; health checks fail meanwhile.
    package var lameDuck: UInt64 = 0
    /// From here on a drain waits only for answers that make progress.
    package var drainStalled: UInt64 = 60_000_000_000
    /// A worker whose loop does not turn for so long, although it could, is replaced.
    package var hang: UInt64 = 10_000_000_000
    /// Client connections of one worker.
    package var connectionsPerWorker = ConfigLimits.connectionsPerWorker.upperBound
    /// Connections that wait for a worker.
    package var queue = 1024
    /// What a connection waits at most before it is answered with 503.
    package var queueAge: UInt64 = 10_000_000_000
    /// A worker is replaced after so many requests.
    package var recycleRequests: Int?
    /// A worker is replaced when it is so old.
    package var recycleAge: UInt64?
    /// A worker is replaced when it has so much memory of its own.
    package var recycleMemory: Int?

    package init() {}
}

extension ConfigLimits {
    /// The scoreboard of a worker has a record per connection, and one for probes.
    package static let connectionsPerWorker = 1...16_383
    /// The kernel queues 4096 more.
    package static let queue = 1...65_536
    /// A worker that is replaced after less would cost more than its work.
    package static let recycleRequests = 100...1_000_000_000_000
    /// A fresh worker has 4 MiB.
    package static let recycleMemory = 16 << 20...1 << 40
}

extension ConfigParser {
    mutating func parseFleet(_ node: JSONNode) -> FleetConfig {
        var fleet = FleetConfig()
        guard let members = reader.members(node, .fleet) else { return fleet }
        fleet.lameDuck = members["lame_duck"].flatMap { reader.duration($0) } ?? fleet.lameDuck
        fleet.drainStalled =
            members["drain_stalled"].flatMap { reader.duration($0) } ?? fleet.drainStalled
        fleet.hang = members["hang"].flatMap { reader.duration($0) } ?? fleet.hang
        fleet.queueAge = members["queue_age"].flatMap { reader.duration($0) } ?? fleet.queueAge
        fleet.recycleAge = members["recycle_age"].flatMap { reader.duration($0) }
        fleet.connectionsPerWorker =
            members["connections_per_worker"].flatMap {
                reader.integer($0, in: ConfigLimits.connectionsPerWorker)
            } ?? fleet.connectionsPerWorker
        fleet.queue =
            members["queue"].flatMap { reader.integer($0, in: ConfigLimits.queue) } ?? fleet.queue
        fleet.recycleRequests = members["recycle_requests"].flatMap {
            reader.integer($0, in: ConfigLimits.recycleRequests)
        }
        fleet.recycleMemory = members["recycle_memory"].flatMap {
            reader.size($0, in: ConfigLimits.recycleMemory)
        }
        return fleet
    }
}
