// SPDX-License-Identifier: Apache-2.0
import Metrics

/// What the status plane shows, asked for when somebody looks.
class StatusSource {
    /// Cheap and always fresh.
    var readiness: FleetReadiness { FleetReadiness(state: .starting, ready: 0, configured: 0) }

    /// What only the supervisor knows; reads a file or two per worker.
    func snapshot() -> FleetSnapshot { FleetSnapshot(version: "", pid: 0, startedAt: 0) }

    /// What workers counted.
    func metrics() -> FleetMetrics { FleetMetrics() }

    /// A process's share of memory in bytes; walks its page tables, so it is dear.
    func proportionalBytes(pid: Int) -> UInt64? { nil }

    init() {}
}

/// Whether requests are served, and if not, why.
struct FleetReadiness: Equatable {
    var state: FleetSnapshot.State
    /// Workers that take connections.
    var ready: Int
    /// Workers that should run.
    var configured: Int

    /// A fleet that drains still serves what runs, but wants nothing new.
    var isReady: Bool { ready > 0 && state != .draining }

    /// One line for people and the logs of load balancers.
    var reason: String {
        if state == .draining { return "draining" }
        let workers = configured == 1 ? "worker" : "workers"
        if ready > 0 { return "ok: \(ready) of \(configured) \(workers) ready" }
        return state == .starting
            ? "starting: none of \(configured) \(workers) is ready yet"
            : "none of \(configured) \(workers) is ready"
    }
}
