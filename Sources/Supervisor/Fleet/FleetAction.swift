// SPDX-License-Identifier: Apache-2.0

/// What the fleet machine wants done, in this order.
enum FleetAction: Equatable {
    /// Start a process; answer with `spawnFailed` when that does not work.
    case spawn(WorkerSerial, slot: Int, generation: UInt32)
    /// From here on the worker is given connections.
    case admit(WorkerSerial)
    /// No connection more for the worker; it has so long to finish.
    case drain(WorkerSerial, milliseconds: UInt64)
    case terminate(WorkerSerial)
    case kill(WorkerSerial)
    /// The first worker is ready: connections can be accepted.
    case announceReady
    /// Accept what waits in the kernel, hand it over, and close the listeners.
    case stopAccepting
    /// Read the configuration; answer with `configurationAccepted` or `configurationRejected`.
    case readConfiguration
    case reloadEnded(ReloadResult)
    /// A reload was asked for while the fleet drains.
    case reloadIgnored
    /// End the supervisor.
    case stop(exitCode: Int32)
}

/// How a reload ended.
enum ReloadResult: Equatable {
    case succeeded(generation: UInt32)
    /// The configuration has an error; nothing was touched.
    case invalid
    /// The first worker with the new configuration did not become ready; the others go on with
    /// the old one.
    case workerFailed
    /// The supervisor was told to stop meanwhile.
    case abandoned
}

/// Exit codes of the supervisor.
enum ExitCode {
    static let success: Int32 = 0
    static let failure: Int32 = 1
    static let usage: Int32 = 64
    /// A port is taken, or no worker boots.
    static let unavailable: Int32 = 69
    static let badConfiguration: Int32 = 78
}
