// SPDX-License-Identifier: Apache-2.0

/// What only the supervisor knows, at one moment: the source of `/status` and `/metrics`.
///
/// A plain value, built on a timer, so that the cost of a scrape does not depend on the fleet.
package struct FleetSnapshot {
    package enum State: UInt8, CaseIterable {
        case starting
        case running
        case reloading
        case draining
        case degraded

        package var label: StaticString {
            switch self {
            case .starting: "starting"
            case .running: "running"
            case .reloading: "reloading"
            case .draining: "draining"
            case .degraded: "degraded"
            }
        }
    }

    package enum WorkerState: UInt8, CaseIterable {
        case booting
        case ready
        case draining
        /// Waiting before the next start after a crash.
        case backoff
        case failed

        package var label: StaticString {
            switch self {
            case .booting: "booting"
            case .ready: "ready"
            case .draining: "draining"
            case .backoff: "backoff"
            case .failed: "failed"
            }
        }
    }

    /// Why a worker was replaced.
    package enum RestartReason: UInt8, CaseIterable {
        case crash
        case exit
        case bootFailed
        case unresponsive
        case reload
        case upgrade

        package var label: StaticString {
            switch self {
            case .crash: "crash"
            case .exit: "exit"
            case .bootFailed: "boot_failed"
            case .unresponsive: "unresponsive"
            case .reload: "reload"
            case .upgrade: "upgrade"
            }
        }
    }

    /// What became of a connection that was handed to a worker.
    package enum HandoffResult: UInt8, CaseIterable {
        case acknowledged
        case requeued
        case refused
        case lost

        package var label: StaticString {
            switch self {
            case .acknowledged: "acked"
            case .requeued: "requeued"
            case .refused: "nack"
            case .lost: "lost"
            }
        }
    }

    package struct Listener {
        package var address: String
        package var accepted: UInt64 = 0
        /// Connections that wait in the kernel, and how many may; nil where it is not known.
        package var acceptQueue: UInt64?
        package var acceptQueueLimit: UInt64?
        /// Why accepting rests; nil while it does not.
        package var pausedReason: String?

        package init(address: String) {
            self.address = address
        }
    }

    /// How the last process of a slot ended.
    package struct Exit {
        package var code: Int?
        package var signal: Int?
        package var reason: RestartReason
        /// Seconds since 1970.
        package var at: Int

        package init(code: Int?, signal: Int?, reason: RestartReason, at: Int) {
            self.code = code
            self.signal = signal
            self.reason = reason
            self.at = at
        }
    }

    /// One process, or a slot that waits for one.
    package struct Worker {
        package var id: WorkerID
        package var pid: Int?
        package var state: WorkerState
        /// Seconds since 1970.
        package var readyAt: Int?
        /// Milliseconds since the last sign of life.
        package var heartbeatAge: Int?
        package var restarts: UInt64 = 0
        /// Bytes of resident memory, and of it the share of this process.
        package var residentBytes: UInt64?
        package var proportionalBytes: UInt64?
        /// Nanoseconds of CPU time.
        package var processorNanoseconds: UInt64?
        package var openDescriptors: UInt64?
        /// Connections that the dispatcher counts for it.
        package var connections: UInt64 = 0
        package var lastExit: Exit?

        package init(id: WorkerID, state: WorkerState) {
            self.id = id
            self.state = state
        }
    }

    /// A counter per case of a fixed set.
    package struct Counts<Key: CaseIterable & RawRepresentable> where Key.RawValue == UInt8 {
        private var values = [UInt64](repeating: 0, count: Key.allCases.count)

        package init() {}

        package subscript(key: Key) -> UInt64 {
            get { values[Int(key.rawValue)] }
            set { values[Int(key.rawValue)] = newValue }
        }
    }

    package var version: String
    package var revision = ""
    package var pid: Int
    package var state: State = .starting
    /// Seconds since 1970.
    package var startedAt: Int
    package var uptimeSeconds: Int = 0
    /// Seconds since 1970 of the configuration in use.
    package var configLoadedAt: Int?
    package var reloadsSucceeded: UInt64 = 0
    package var reloadsFailed: UInt64 = 0
    package var lastReloadSucceeded = true

    package var workersConfigured: Int = 0
    /// Where that number comes from, in words.
    package var workersReason = ""
    /// Every process and every slot without one.
    package var workers: [Worker] = []
    package var restarts = Counts<RestartReason>()

    package var listeners: [Listener] = []
    package var handoffs = Counts<HandoffResult>()
    package var handoffsInFlight: UInt64 = 0
    /// Handovers that waited because a worker's socket was full.
    package var handoffsBlocked: UInt64 = 0
    /// Accepted connections that wait for a worker.
    package var connectionsPending: UInt64 = 0
    package var connectionsRejected: UInt64 = 0

    package init(version: String, pid: Int, startedAt: Int) {
        self.version = version
        self.pid = pid
        self.startedAt = startedAt
    }

    package func workers(in state: WorkerState) -> Int {
        workers.count { $0.state == state }
    }
}
