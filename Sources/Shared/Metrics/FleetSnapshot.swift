// SPDX-License-Identifier: Apache-2.0

/// What only the supervisor knows, at one moment: the source of `/status` and `/metrics`.
///
/// A plain value, built when somebody looks and shown for a while, so that the cost of a scrape
/// does not depend on how often there is one. Units: seconds since 1970 for times of the day,
/// spans of time end with their unit.
package struct FleetSnapshot {
    package var version: String
    package var revision = ""
    package var pid: Int
    package var state: State = .starting
    /// Seconds since 1970.
    package var startedAt: Int
    package var uptimeSeconds: Int = 0
    /// What the supervisor itself uses.
    package var supervisor = Supervisor()
    package var limits = Limits()

    // MARK: Configuration

    /// Number of the configuration in use, from 1.
    package var generation: UInt32 = 0
    /// A short text that differs when the configuration does; nil where there is none.
    package var configHash: String?
    /// Seconds since 1970 of the configuration in use.
    package var configLoadedAt: Int?
    package var reloadsSucceeded: UInt64 = 0
    package var reloadsFailed: UInt64 = 0
    package var lastReloadSucceeded = true
    /// The last reload of the configuration; nil before the first one.
    package var lastReload: Reload?
    /// The last changes of the fleet, the newest one last.
    package var reloads: [Reload] = []

    // MARK: Workers

    package var workersConfigured: Int = 0
    /// Where that number comes from, in words.
    package var workersReason = ""
    /// Every process and every slot without one.
    package var workers: [Worker] = []
    package var restarts = Counts<RestartReason>()
    /// Nanoseconds of CPU time of all workers that have ended, for a total that never falls.
    package var endedProcessorNanoseconds: UInt64?
    /// From the start of a process to its readiness.
    package var bootDuration = Histogram()
    /// What runs until its end; nil while nothing is drained.
    package var drain: Drain?
    /// Streams that were cut because their worker had to end.
    package var streamsAborted = Counts<AbortReason>()

    // MARK: Connections

    package var listeners: [Listener] = []
    /// Nanoseconds for which listeners did not accept.
    package var acceptPauses = Counts<PauseReason>()
    package var handoffs = Counts<HandoffResult>()
    package var handoffsInFlight: UInt64 = 0
    /// Handovers that waited because a worker's socket was full.
    package var handoffsBlocked: UInt64 = 0
    /// From the sending of a connection to the worker's word that it has it.
    package var handoffDuration = Histogram()
    /// Accepted connections that wait for a worker.
    package var connectionsPending: UInt64 = 0
    /// Milliseconds for which the oldest of them has waited; nil without one.
    package var pendingOldestMilliseconds: Int?
    /// Connections that waited for longer than allowed.
    package var pendingTimeouts: UInt64 = 0
    /// From accept to the sending to a worker.
    package var pendingWait = Histogram()
    /// Connections that were refused.
    package var rejections = Counts<RejectionReason>()
    /// What became of connections whose worker died.
    package var crashAnswers = Counts<CrashAnswer>()

    package init(version: String, pid: Int, startedAt: Int) {
        self.version = version
        self.pid = pid
        self.startedAt = startedAt
    }

    /// Connections that were refused, for whatever reason.
    package var connectionsRejected: UInt64 { rejections.sum }

    package func workers(in state: WorkerState) -> Int {
        workers.count { $0.state == state }
    }
}

extension FleetSnapshot {
    /// A counter per case of a fixed set.
    package struct Counts<Key: CaseIterable & RawRepresentable>: Equatable
    where Key.RawValue == UInt8 {
        private var values = [UInt64](repeating: 0, count: Key.allCases.count)

        package init() {}

        package subscript(key: Key) -> UInt64 {
            get { values[Int(key.rawValue)] }
            set { values[Int(key.rawValue)] = newValue }
        }

        package var sum: UInt64 { values.reduce(0) { $0.addingSaturated($1) } }
    }
}
