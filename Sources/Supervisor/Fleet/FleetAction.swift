// SPDX-License-Identifier: Apache-2.0
import System

/// What the fleet machine wants done, in this order.
enum FleetAction: Equatable {
    /// Start a process; answer with `spawnFailed` when that does not work.
    case spawn(WorkerSerial, slot: Int, generation: UInt32)
    /// Let the worker answer a request before it is admitted; answer with `probed`.
    case probe(WorkerSerial)
    /// From here on the worker is given connections.
    case admit(WorkerSerial)
    /// No connection more for the worker; it is to finish.
    case drain(WorkerSerial, DrainPlan)
    case terminate(WorkerSerial)
    /// ABRT: the worker does not get on, and is to note where it stands.
    case abort(WorkerSerial)
    case kill(WorkerSerial)
    /// The first worker is ready: connections can be accepted.
    case announceReady
    /// Health checks fail from here on, while everything is still served.
    case announceLameDuck
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

/// How a worker is to finish.
///
/// Units: nanoseconds, the first two on the loop's clock.
struct DrainPlan: Equatable {
    /// From here on only answers that make progress may go on.
    let soft: UInt64
    /// From here on nothing may go on.
    let hard: UInt64
    /// Idle connections that cannot be given to other workers are closed over so long.
    let spread: UInt64
    /// Whether other workers take idle connections.
    let returnsIdle: Bool
}

/// How a reload ended.
enum ReloadResult: Equatable {
    case succeeded(generation: UInt32, replaced: Int)
    /// Nothing but the number of workers has changed: the others were not touched.
    case scaled(workers: Int)
    /// The configuration has an error; nothing was touched.
    case invalid
    /// The first worker with the new configuration did not live, or did not answer its probe; the
    /// others go on with the old one.
    case canaryFailed(BootFailure)
    /// Later ones did not live: all workers have the old configuration again.
    case rolledBack(BootFailure)
    /// The supervisor was told to stop meanwhile.
    case abandoned
}

extension ReloadResult {
    /// Why the new configuration is not in use although it is valid; nil for other ends.
    ///
    /// `probe` tells what the probe brought.
    func failureText(probe: String?) -> String? {
        switch self {
        case .canaryFailed(let failure):
            let detail = failure == .probeFailed ? probe.map { ": \($0)" } : nil
            return "the new worker \(failure.text)\(detail ?? ""); "
                + "the old configuration stays in use"
        case .rolledBack(let failure):
            return "a new worker \(failure.text); all workers have the old configuration again"
        case .succeeded, .scaled, .invalid, .abandoned:
            return nil
        }
    }
}

/// Why a new process does not serve.
enum BootFailure: Equatable {
    case notStarted
    case timedOut
    case probeFailed
    case brokeProtocol
    /// It does not end, though it was killed.
    case stuck
    case exited(ProcessExit)

    /// What the supervisor did to it counts before how it ended.
    init(of slot: WorkerSlot, _ loss: BootFailure) {
        switch slot.fault {
        case .bootTimeout: self = .timedOut
        case .probeFailed: self = .probeFailed
        case .protocolError: self = .brokeProtocol
        case .hang, .stopped, nil: self = loss
        }
    }

    /// In words, after "the new worker".
    var text: String {
        switch self {
        case .notStarted: "could not be started"
        case .timedOut: "did not become ready in time"
        case .probeFailed: "did not answer its probe"
        case .brokeProtocol: "did not follow the control protocol"
        case .stuck: "does not end, though it was killed"
        case .exited(.exited(let code)): "exited with code \(code)"
        case .exited(.signaled(let signal)): "was ended by signal \(signal)"
        case .exited(.unknown): "ended, and how is not known"
        }
    }
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
