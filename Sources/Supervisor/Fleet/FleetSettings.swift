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

/// The settings that the fleet runs with, and those of a reload that has not ended.
///
/// Pure. Settings that did not work leave no trace: the next ones are compared with what workers
/// really have.
struct SettingsInUse: Equatable {
    private(set) var current: FleetSettings
    private var candidate: FleetSettings?

    init(_ settings: FleetSettings) {
        current = settings
    }

    /// A valid configuration was read and is rolled out from here on.
    ///
    /// Returns whether workers would notice.
    mutating func read(_ fresh: FleetSettings) -> Bool {
        candidate = fresh
        return fresh.changesWorkers(from: current)
    }

    /// The reload ended; true when other settings are in use now.
    mutating func reloadEnded(_ result: ReloadResult) -> Bool {
        defer { candidate = nil }
        switch result {
        case .succeeded, .scaled:
            guard let candidate else { return false }
            current = candidate
            return true
        case .invalid, .canaryFailed, .rolledBack, .abandoned:
            return false
        }
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
