// SPDX-License-Identifier: Apache-2.0
import Loop
import Metrics
import System

extension Supervisor {
    /// What the status plane shows.
    ///
    /// Reads a few small files of /proc per worker: for a timer, not for each scrape.
    func snapshot() -> FleetSnapshot {
        var snapshot = FleetSnapshot(
            version: Self.version,
            pid: Int(Syscalls.processID),
            startedAt: startedAt
        )
        let uptime = Syscalls.monotonicNanoseconds() - startedNanoseconds
        snapshot.uptimeSeconds = Int(uptime / 1_000_000_000)
        snapshot.state = fleetState
        snapshot.configLoadedAt = reloads.configurationLoadedAt
        snapshot.reloadsSucceeded = reloads.succeeded
        snapshot.reloadsFailed = reloads.failed
        snapshot.lastReloadSucceeded = reloads.lastSucceeded
        snapshot.workersConfigured = fleet.machine.desired
        snapshot.workers = fleet.machine.slots.map(worker)
        snapshot.restarts = fleet.history.restarts
        snapshot.listeners = listeners.map(Self.listener)
        addHandoff(to: &snapshot)
        return snapshot
    }

    /// Whether clients are to be sent here: a worker is ready and nobody has said to stop.
    var isReady: Bool {
        switch fleet.machine.state {
        case .running, .rolling: fleet.machine.readyCount > 0
        case .starting, .draining, .stopping, .stopped: false
        }
    }

    private var fleetState: FleetSnapshot.State {
        switch fleet.machine.state {
        case .starting: .starting
        case .running: fleet.machine.readyCount < fleet.machine.desired ? .degraded : .running
        case .rolling: .reloading
        case .draining, .stopping, .stopped: .draining
        }
    }

    private func worker(_ slot: WorkerSlot) -> FleetSnapshot.Worker {
        var worker = FleetSnapshot.Worker(
            id: WorkerID(slot: slot.number, generation: slot.generation),
            state: Self.state(slot.state)
        )
        worker.restarts = fleet.history.restarts(slot: slot.number)
        worker.lastExit = fleet.history.lastExit(slot: slot.number)
        guard let serial = slot.serial, let process = fleet.processes[serial] else {
            return worker
        }
        let facts = ProcessFacts(pid: process.pid)
        worker.pid = Int(process.pid)
        worker.readyAt = process.readyAt
        worker.residentBytes = facts.residentBytes
        worker.proportionalBytes = facts.proportionalBytes
        worker.processorNanoseconds = facts.processorNanoseconds
        worker.connections = UInt64(clamping: handoff.connections(of: serial))
        return worker
    }

    private static func state(_ state: WorkerSlot.State) -> FleetSnapshot.WorkerState {
        switch state {
        case .booting: .booting
        case .ready: .ready
        case .draining, .stopping, .killed, .ended: .draining
        case .vacant, .backoff: .backoff
        }
    }

    private static func listener(_ listener: Listener) -> FleetSnapshot.Listener {
        var result = FleetSnapshot.Listener(address: "\(listener.address)")
        result.accepted = listener.acceptedCount
        result.pausedReason = listener.pause?.rawValue
        if let queue = listener.acceptQueue {
            result.acceptQueue = UInt64(clamping: queue.waiting)
            result.acceptQueueLimit = UInt64(clamping: queue.limit)
        }
        return result
    }

    private func addHandoff(to snapshot: inout FleetSnapshot) {
        let counts = handoff.counts
        snapshot.handoffs[.acknowledged] = counts.acknowledged
        snapshot.handoffs[.requeued] = counts.requeued
        snapshot.handoffs[.refused] = counts.refused
        snapshot.handoffs[.lost] = counts.lost
        snapshot.handoffsInFlight = UInt64(clamping: handoff.unacknowledged)
        snapshot.handoffsBlocked = counts.blocked
        snapshot.connectionsPending = UInt64(clamping: handoff.pendingCount)
        snapshot.connectionsRejected = counts.rejected
    }
}
