// SPDX-License-Identifier: Apache-2.0
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
    /// Time for what runs when the fleet is told to stop, in nanoseconds; nil for the default.
    var drain: UInt64?
    /// Time for what runs in a worker that is replaced, in nanoseconds; nil for the default.
    var replacedDrain: UInt64?

    /// `limits`, as far as the configuration says something else.
    func applied(to limits: FleetMachine.Limits) -> FleetMachine.Limits {
        var limits = limits
        limits.drain = drain ?? limits.drain
        limits.replacedDrain = replacedDrain ?? limits.replacedDrain
        return limits
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
