// SPDX-License-Identifier: Apache-2.0
import Config
import Metrics
import System

/// What the supervisor needs from a configuration.
struct FleetSettings: Equatable {
    var listen: [SocketAddress]
    /// Address of the status plane, nil for none.
    var status: SocketAddress?
    /// Workers to run, nil for the formula of `WorkerCount`.
    var workers: Int?
    /// The configuration as workers read it, secrets resolved.
    var bundle: [UInt8]
    var upstreams: [UpstreamDefinition] = []
    var fleet = FleetConfig()
    /// What workers run with, without their number: nil compares as something else.
    var workerConfig: Config?
    /// Time for what runs when the fleet is told to stop, in nanoseconds; nil for the default.
    var drain: UInt64?
    /// Time for what runs in a worker that is replaced, in nanoseconds; nil for the default.
    var replacedDrain: UInt64?

    /// `limits`, as far as the configuration says something else.
    func applied(to limits: FleetMachine.Limits) -> FleetMachine.Limits {
        var limits = limits
        limits.drain = drain ?? limits.drain
        limits.replacedDrain = replacedDrain ?? limits.replacedDrain
        limits.lameDuck = fleet.lameDuck
        limits.drainStalled = fleet.drainStalled
        return limits
    }

    /// `limits`, as far as the configuration says something else.
    func applied(to limits: Dispatcher.Limits) -> Dispatcher.Limits {
        var limits = limits
        limits.perWorkerMax = fleet.connectionsPerWorker
        limits.pendingMax = fleet.queue
        limits.pendingAge = fleet.queueAge
        return limits
    }

    /// Whether workers would notice the difference; their number alone is none to them.
    func changesWorkers(from old: FleetSettings) -> Bool {
        guard workers != old.workers, let workerConfig, let before = old.workerConfig else {
            return true
        }
        return workerConfig != before
    }
}

/// What reading the configuration brought.
enum ConfigurationReading: Equatable {
    case valid(FleetSettings)
    /// One line per error: `file:line:column: path: message`.
    case invalid([String])
}

/// Where the configuration comes from: read at the start and for each reload.
class ConfigurationSource {
    func read() -> ConfigurationReading { .invalid(["no configuration"]) }

    init() {}
}
