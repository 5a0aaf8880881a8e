// SPDX-License-Identifier: Apache-2.0
import Loop
import Metrics
import Scoreboard
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
        snapshot.generation = supervisor.fleet.machine.generation
        snapshot.configLoadedAt = supervisor.reloads.configurationLoadedAt
        snapshot.reloadsSucceeded = supervisor.reloads.succeeded
        snapshot.reloadsFailed = supervisor.reloads.failed
        snapshot.lastReloadSucceeded = supervisor.reloads.lastSucceeded
        snapshot.workersConfigured = supervisor.fleet.machine.desired
        snapshot.workersReason = workersReason
        snapshot.restarts = supervisor.fleet.history.restarts
        snapshot.workers = supervisor.fleet.machine.slots
            .sorted { ($0.number, $0.generation) < ($1.number, $1.generation) }
            .compactMap(worker)
        snapshot.listeners = supervisor.listeners.map(Self.listener)
        snapshot.configHash = supervisor.configurationHash
        snapshot.lastReload = supervisor.changes.lastReload
        snapshot.reloads = supervisor.changes.entries
        snapshot.bootDuration = supervisor.fleet.bootDuration
        snapshot.streamsAborted[.deadline] = supervisor.fleet.abortedStreams
        addDrain(to: &snapshot)
        addHandoffs(to: &snapshot)
        addSupervisor(to: &snapshot)
        return snapshot
    }

    /// Where the number of workers comes from; an operator's wish counts until the next reload.
    private var workersReason: String {
        let desired = supervisor.fleet.machine.desired
        let explanation = supervisor.workerCount.explanation
        return desired == supervisor.workerCount.count
            ? explanation : "\(desired) workers until the next reload, else \(explanation)"
    }

    /// The supervisor's own process, and what bounds the fleet.
    private func addSupervisor(to snapshot: inout FleetSnapshot) {
        if let usage = ProcessUsage(pid: snapshot.pid) {
            snapshot.supervisor.residentBytes = usage.residentBytes
            snapshot.supervisor.processorNanoseconds = usage.processorNanoseconds
            snapshot.endedProcessorNanoseconds = usage.endedChildrenNanoseconds
        }
        snapshot.supervisor.loopLag = supervisor.lag.histogram
        snapshot.limits.descriptors = descriptorLimit
        snapshot.limits.descriptorsOpen = ProcessUsage.openDescriptors(pid: snapshot.pid)
        snapshot.limits.somaxconn = MachineLimits.somaxconn()
        snapshot.limits.processorMillicores = supervisor.workerCount.quota.map {
            $0.microseconds * 1000 / $0.periodMicroseconds
        }
        snapshot.limits.memoryBytes = MachineLimits.memoryBytes()
    }

    /// Workers inherit it; nil when it could not be read.
    private var descriptorLimit: UInt64? {
        supervisor.descriptorLimit > 0 ? supervisor.descriptorLimit : nil
    }

    private func addDrain(to snapshot: inout FleetSnapshot) {
        guard let progress = DrainProgress(supervisor.fleet, now: supervisor.loop.now) else {
            return
        }
        snapshot.drain = FleetSnapshot.Drain(
            remainingStreams: UInt64(progress.streams),
            oldestStreamSeconds: progress.oldestStreamSeconds,
            deadlineSeconds: progress.secondsLeft
        )
    }

    private func addHandoffs(to snapshot: inout FleetSnapshot) {
        let handoff = supervisor.handoff
        let counts = handoff.counts
        snapshot.handoffs[.acknowledged] = counts.acknowledged
        snapshot.handoffs[.requeued] = counts.requeued
        snapshot.handoffs[.refused] = counts.refused
        snapshot.handoffs[.returned] = counts.returned
        snapshot.handoffs[.revoked] = counts.revoked
        snapshot.handoffs[.lost] = counts.lost
        snapshot.handoffsInFlight = UInt64(handoff.unacknowledged)
        snapshot.handoffsBlocked = counts.blocked
        snapshot.handoffDuration = handoff.durations.acknowledge
        snapshot.pendingWait = handoff.durations.wait
        snapshot.connectionsPending = UInt64(handoff.pendingCount)
        snapshot.pendingOldestMilliseconds = handoff.dispatcher.oldestPendingAt.map {
            Int((supervisor.loop.now - min($0, supervisor.loop.now)) / 1_000_000)
        }
        snapshot.pendingTimeouts = counts.expired
        snapshot.rejections[.queueAge] = counts.expired
        snapshot.rejections[.stopping] = counts.rejected - counts.expired
        snapshot.rejections[.noDescriptors] = supervisor.listeners.reduce(0) {
            $0 + $1.refusedCount
        }
        let answers = handoff.crashAnswers
        snapshot.crashAnswers[.unavailable] = answers.unavailable
        snapshot.crashAnswers[.streamEnded] = answers.streamEnded
        snapshot.crashAnswers[.moved] = answers.moved
        snapshot.crashAnswers[.closed] = answers.closed
        snapshot.rejections[.crashed] = answers.unavailable + answers.closed
        for reason in FleetSnapshot.PauseReason.allCases {
            snapshot.acceptPauses[reason] = supervisor.listeners.reduce(0) {
                $0 + $1.paused(reason, now: supervisor.loop.now)
            }
        }
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
        if case .backoff(let until) = slot.state { worker.backoffSeconds = seconds(until: until) }
        guard let serial = slot.serial, let process = supervisor.fleet.processes[serial] else {
            return worker
        }
        worker.pid = Int(process.pid)
        worker.readyAt = process.readyAt
        worker.connections = UInt64(supervisor.handoff.connections(of: serial))
        let usage = ProcessUsage(pid: Int(process.pid))
        worker.residentBytes = usage?.residentBytes
        worker.processorNanoseconds = usage?.processorNanoseconds
        worker.descriptorLimit = descriptorLimit
        worker.openDescriptors = ProcessUsage.openDescriptors(pid: Int(process.pid))
        // An adopted worker runs the program from before the upgrade until it is replaced.
        worker.version = process.isAdopted ? nil : Version.text
        addLoad(of: process, slot, to: &worker)
        return worker
    }

    private func addLoad(
        of process: WorkerProcess,
        _ slot: WorkerSlot,
        to worker: inout FleetSnapshot.Worker
    ) {
        let load = process.scoreboard.load
        let now = supervisor.loop.now
        // A loop that waits for events is well: then it has just turned, so to speak.
        let beganAt = load.turnStartedAt
        worker.heartbeatAge = beganAt > 0 ? Int((now - min(beganAt, now)) / 1_000_000) : 0
        worker.loopLagMicroseconds = Int(clamping: load.lag / 1_000)
        worker.queuedBytes = UInt64(load.bytesQueued)
        if load.oldestStream > 0, load.streams > 0 {
            worker.oldestStreamSeconds = Int((now - min(load.oldestStream, now)) / 1_000_000_000)
        }
        if case .draining(let deadline) = slot.state {
            worker.drainSeconds = seconds(until: deadline)
            worker.drainingStreams = UInt64(load.streams)
        }
    }

    private func seconds(until time: UInt64) -> Int {
        Int((time - min(time, supervisor.loop.now)) / 1_000_000_000)
    }

    private static func state(_ state: WorkerSlot.State) -> FleetSnapshot.WorkerState? {
        switch state {
        // A vacant slot gets its process in the same turn.
        case .vacant, .booting: .booting
        case .probing: .probing
        case .backoff: .backoff
        case .ready: .ready
        case .draining, .stopping: .draining
        // Told to end by force: it serves nobody any more.
        case .aborting, .killed: .failed
        case .ended: nil
        }
    }
}
