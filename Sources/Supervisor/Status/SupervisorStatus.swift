// SPDX-License-Identifier: Apache-2.0
import Loop
import Metrics
import System

/// Shows a running supervisor.
final class SupervisorStatus: StatusSource {
    /// Owns the listener that this object serves.
    private unowned let supervisor: Supervisor

    init(_ supervisor: Supervisor) {
        self.supervisor = supervisor
        super.init()
    }

    override var readiness: FleetReadiness {
        let machine = supervisor.fleet.machine
        return FleetReadiness(
            state: Self.state(machine),
            ready: machine.readyCount,
            configured: machine.desired
        )
    }

    private static func state(_ machine: FleetMachine) -> FleetSnapshot.State {
        switch machine.state {
        case .starting: .starting
        case .running: machine.readyCount < machine.desired ? .degraded : .running
        case .rolling: .reloading
        case .lameDuck, .draining, .stopping, .stopped: .draining
        }
    }

    override func metrics() -> FleetMetrics { supervisor.fleet.metrics }

    override func proportionalBytes(pid: Int) -> UInt64? {
        ProcessUsage.proportionalBytes(pid: pid)
    }

    override func snapshot() -> FleetSnapshot {
        var snapshot = FleetSnapshot(
            version: Version.text,
            pid: Int(Syscalls.processID),
            startedAt: supervisor.startedAt
        )
        let elapsed = supervisor.loop.now - supervisor.startedNanoseconds
        snapshot.uptimeSeconds = Int(elapsed / 1_000_000_000)
        snapshot.state = Self.state(supervisor.fleet.machine)
        snapshot.configLoadedAt = supervisor.reloads.configurationLoadedAt
        snapshot.reloadsSucceeded = supervisor.reloads.succeeded
        snapshot.reloadsFailed = supervisor.reloads.failed
        snapshot.lastReloadSucceeded = supervisor.reloads.lastSucceeded
        snapshot.workersConfigured = supervisor.fleet.machine.desired
        snapshot.workersReason = supervisor.workerCount.explanation
        snapshot.restarts = supervisor.fleet.history.restarts
        snapshot.workers = supervisor.fleet.machine.slots
            .sorted { ($0.number, $0.generation) < ($1.number, $1.generation) }
            .compactMap(worker)
        snapshot.listeners = supervisor.listeners.map(Self.listener)
        addHandoffs(to: &snapshot)
        return snapshot
    }

    private func addHandoffs(to snapshot: inout FleetSnapshot) {
        let counts = supervisor.handoff.counts
        snapshot.handoffs[.acknowledged] = counts.acknowledged
        snapshot.handoffs[.requeued] = counts.requeued
        snapshot.handoffs[.refused] = counts.refused
        snapshot.handoffs[.lost] = counts.lost
        snapshot.handoffsInFlight = UInt64(supervisor.handoff.unacknowledged)
        snapshot.handoffsBlocked = counts.blocked
        snapshot.connectionsPending = UInt64(supervisor.handoff.pendingCount)
        snapshot.connectionsRejected = counts.rejected
    }

    private static func listener(_ listener: Listener) -> FleetSnapshot.Listener {
        var shown = FleetSnapshot.Listener(address: "\(listener.address)")
        shown.accepted = listener.acceptedCount
        if let queue = listener.acceptQueue {
            shown.acceptQueue = UInt64(queue.waiting)
            shown.acceptQueueLimit = UInt64(queue.limit)
        }
        shown.pausedReason = listener.pause?.rawValue
        return shown
    }

    /// Nil for a slot that is about to go.
    private func worker(_ slot: WorkerSlot) -> FleetSnapshot.Worker? {
        guard let state = Self.state(slot.state) else { return nil }
        let id = WorkerID(
            slot: slot.number,
            generation: slot.generation,
            process: slot.serial?.number ?? 0
        )
        var worker = FleetSnapshot.Worker(id: id, state: state)
        worker.restarts = supervisor.fleet.history.restarts(slot: slot.number)
        worker.lastExit = supervisor.fleet.history.lastExit(slot: slot.number)
        guard let serial = slot.serial, let process = supervisor.fleet.processes[serial] else {
            return worker
        }
        worker.pid = Int(process.pid)
        worker.readyAt = process.readyAt
        worker.connections = UInt64(supervisor.handoff.connections(of: serial))
        let usage = ProcessUsage(pid: Int(process.pid))
        worker.residentBytes = usage?.residentBytes
        worker.processorNanoseconds = usage?.processorNanoseconds
        worker.openDescriptors = ProcessUsage.openDescriptors(pid: Int(process.pid))
        return worker
    }

    private static func state(_ state: WorkerSlot.State) -> FleetSnapshot.WorkerState? {
        switch state {
        // A vacant slot gets its process in the same turn.
        case .vacant, .booting, .probing: .booting
        case .backoff: .backoff
        case .ready: .ready
        case .draining, .stopping: .draining
        // Told to end by force: it serves nobody any more.
        case .aborting, .killed: .failed
        case .ended: nil
        }
    }
}
