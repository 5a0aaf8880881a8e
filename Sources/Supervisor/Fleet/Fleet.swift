// SPDX-License-Identifier: Apache-2.0
import Bytes
import Control
import Log
import Loop
import Metrics
import Scoreboard
import System

/// The worker processes: the shell around `FleetMachine`.
///
/// Turns what workers and the operator do into facts for the machine and performs its actions.
final class Fleet: WorkerObserver {
    /// What the fleet asks of the supervisor around it.
    struct Hooks {
        var announceReady: () -> Void = {}
        var announceLameDuck: () -> Void = {}
        var stopAccepting: () -> Void = {}
        var readConfiguration: () -> Void = {}
        var reloadEnded: (ReloadResult) -> Void = { _ in }
        var stop: (Int32) -> Void = { _ in }
    }

    var hooks = Hooks()
    // The setters are for the files of this class.
    var machine: FleetMachine
    var processes: [WorkerSerial: WorkerProcess] = [:]
    var metrics = FleetMetrics()
    var history = WorkerHistory()

    let loop: EventLoop
    let log: FleetLog
    private let spawner: Spawner
    let handoff: Handoff
    private let relay: TimerRelay
    private(set) lazy var health = HealthMonitor(loop: loop) { [unowned self] in
        Array(processes.values)
    }
    /// What workers are replaced for while the fleet rolls.
    var rollReason = FleetSnapshot.RestartReason.reload
    /// From the start of processes to their readiness.
    var bootDuration = Histogram()
    /// Streams that workers which have ended had to cut.
    var streamsAborted: UInt64 = 0
    /// What the last probe brought that did not pass.
    private(set) var probeFailure: String?
    /// Workers whose connections were taken back since they last said something.
    var unresponsive: Set<WorkerSerial> = []
    /// Adopted workers that the loop has not taken yet.
    var unwatched: Set<WorkerSerial> = []
    private var outOfMemoryKills = MachineFacts.outOfMemoryKills()
    /// Configurations that processes may still be started with.
    private var configurations: [UInt32: ConfigurationMemory] = [:]
    /// Drains that found a worker's socket full.
    private var unsentDrains: [WorkerSerial: DrainPlan] = [:]
    private var isPerforming = false

    /// Pause before a drain is sent again that found a socket full.
    private static let drainRetry: UInt64 = 50_000_000
    /// How much a worker's deadline comes before ours.
    private static let drainMarginMilliseconds: UInt64 = 500

    init(
        _ machine: FleetMachine,
        configuration: ConfigurationMemory,
        spawner: Spawner,
        handoff: Handoff,
        loop: EventLoop,
        log: FleetLog
    ) {
        self.machine = machine
        self.spawner = spawner
        self.handoff = handoff
        self.loop = loop
        self.log = log
        relay = TimerRelay(loop: loop)
        configurations[machine.generation] = configuration
        super.init()
        metrics.define(upstreams: configuration.upstreams)
        relay.timeCame = { [unowned self] in timePassed() }
        watchHealth()
    }

    // MARK: The operator

    func start() {
        machine.start(now: loop.now)
        perform()
        health.start()
    }

    /// Stops without waiting for what runs.
    func stopNow() {
        machine.stopRequested(now: loop.now)
        perform()
    }

    func scale(to count: Int) {
        machine.scaleRequested(to: count, now: loop.now)
        perform()
    }

    func terminate() {
        machine.terminationRequested(now: loop.now)
        perform()
    }

    func reload() {
        machine.reloadRequested()
        perform()
    }

    func scale(by difference: Int) {
        machine.scaleRequested(by: difference, now: loop.now)
        perform()
    }

    /// The answer to `readConfiguration`.
    func configurationAccepted(
        _ configuration: ConfigurationMemory,
        workers: Int,
        changesWorkers: Bool
    ) {
        probeFailure = nil
        let isRunning = machine.state == .running
        let generation = machine.configurationAccepted(
            desired: workers,
            limits: configuration.limits,
            changesWorkers: changesWorkers,
            now: loop.now
        )
        // Where only the number changes the generation stays, and this is its configuration from here
        // on: the next program compares the file with it.
        if let generation = generation ?? (isRunning ? machine.generation : nil) {
            configurations[generation] = configuration
            metrics.define(upstreams: configuration.upstreams)
        }
        perform()
    }

    /// The answer to `readConfiguration`.
    func configurationRejected() {
        machine.configurationRejected()
        perform()
    }

    /// Streams that were cut because their worker had to end.
    var abortedStreams: UInt64 {
        processes.values.reduce(streamsAborted) { $0 + $1.scoreboard.load.streamsAborted }
    }

    /// The configuration in use.
    var configuration: ConfigurationMemory? { configurations[machine.generation] }

    /// Children that are no workers of the fleet.
    var children: Children { spawner.children }

    // MARK: Actions

    func perform() {
        // An action can bring the next fact: then the loop below takes its actions too.
        guard !isPerforming else { return }
        isPerforming = true
        while true {
            let actions = machine.takeActions()
            if actions.isEmpty { break }
            for action in actions { perform(action) }
        }
        isPerforming = false
        setTimer()
    }

    func perform(_ action: FleetAction) {
        switch action {
        case .spawn(let serial, let slot, let generation):
            spawn(serial, slot: slot, generation: generation)
        case .probe(let serial):
            probe(serial)
        case .admit(let serial):
            admit(serial)
        case .drain(let serial, let plan):
            handoff.leaving(serial)
            noteReplacement(serial)
            drain(serial, plan)
        case .terminate(let serial):
            handoff.leaving(serial)
            processes[serial]?.signal(.terminate)
        case .abort(let serial):
            handoff.leaving(serial)
            processes[serial]?.signal(.abort)
        case .kill(let serial):
            handoff.leaving(serial)
            processes[serial]?.isKilledByUs = true
            processes[serial]?.signal(.kill)
        case .announceReady:
            hooks.announceReady()
        case .announceLameDuck:
            hooks.announceLameDuck()
        case .stopAccepting:
            hooks.stopAccepting()
        case .readConfiguration:
            hooks.readConfiguration()
        case .reloadEnded(let result):
            forgetConfigurations()
            rollReason = .reload
            hooks.reloadEnded(result)
        case .reloadIgnored:
            log.warning("reload ignored: the fleet drains")
        case .stop(let exitCode):
            hooks.stop(exitCode)
        }
    }

    private func spawn(_ serial: WorkerSerial, slot: Int, generation: UInt32) {
        guard let configuration = configurations[generation] else {
            preconditionFailure("no configuration of generation \(generation)")
        }
        do throws(SystemError) {
            let process = WorkerProcess(
                try spawner.spawn(slot: slot, generation: generation, configuration.fd),
                serial: serial,
                slot: slot,
                generation: generation,
                loop: loop,
                observer: self
            )
            do throws(SystemError) {
                try process.start()
            } catch {
                // Without its events it could not be watched.
                children.abandon(process.pid)
                throw error
            }
            processes[serial] = process
            metrics.workerStarted(id(of: process))
            log.sink.log(.debug, "worker started") { record in
                record.field("slot", slot)
                record.field("generation", Int(generation))
                record.field("worker_pid", Int(process.pid))
            }
        } catch {
            log.error("worker cannot be started") { record in
                record.field("slot", slot)
                record.field("path", spawner.path)
                record.field("error", "\(error)")
            }
            history.bootFailed(slot: slot, at: Syscalls.wallClock().seconds)
            machine.spawnFailed(serial, now: loop.now, jitter: jitter())
        }
    }

    private func admit(_ serial: WorkerSerial) {
        guard let process = processes[serial] else {
            preconditionFailure("a worker became ready that does not run")
        }
        process.readyAt = Syscalls.wallClock().seconds
        bootDuration.record(nanoseconds: Syscalls.monotonicNanoseconds() - process.spawnedAt)
        log.info("worker ready") { record in
            record.field("slot", process.slot)
            record.field("generation", Int(process.generation))
            record.field("worker_pid", Int(process.pid))
            record.field(
                "boot_ms",
                milliseconds: Syscalls.monotonicNanoseconds() - process.spawnedAt
            )
        }
        handoff.admit(process)
    }

    /// Counts a worker that leaves because another one has its place.
    private func noteReplacement(_ serial: WorkerSerial) {
        guard let slot = machine.slot(serial) else { return }
        let isReplaced = machine.slots.contains {
            $0.number == slot.number && $0.purpose == .serve && $0.serial != serial
        }
        guard isReplaced else { return }
        if let reason = slot.recycling {
            history.recycled()
            log.info("worker recycled") { record in
                record.field("slot", slot.number)
                record.field("reason", reason.rawValue)
            }
        } else {
            history.replaced(rollReason)
        }
    }

    private func probe(_ serial: WorkerSerial) {
        guard let process = processes[serial] else {
            preconditionFailure("a worker is to be probed that does not run")
        }
        handoff.probe(process) { [unowned self] result in
            switch result {
            case .passed:
                machine.probed(serial, passed: true, now: loop.now)
            case .failed(let reason):
                probeFailure = reason
                machine.probed(serial, passed: false, now: loop.now)
            }
            perform()
        }
    }

    func drain(_ serial: WorkerSerial, _ plan: DrainPlan) {
        guard let process = processes[serial] else { return }
        let left = Self.milliseconds(until: plan.hard, from: loop.now)
        // The worker's own end comes before ours: it can still tell its clients, which TERM does not
        // let it.
        let hard = left - min(Self.drainMarginMilliseconds, left / 4)
        let order = DrainOrder(
            softMilliseconds: UInt32(
                clamping: min(hard, Self.milliseconds(until: plan.soft, from: loop.now))
            ),
            hardMilliseconds: UInt32(clamping: hard),
            spreadMilliseconds: UInt16(clamping: plan.spread / 1_000_000),
            returnsIdle: plan.returnsIdle
        )
        switch process.send(.drain(order)) {
        case .sent, .peerGone: unsentDrains[serial] = nil
        case .full: unsentDrains[serial] = plan
        }
    }

    private static func milliseconds(until time: UInt64, from now: UInt64) -> UInt64 {
        (time - min(now, time)) / 1_000_000
    }

    /// Keeps the configuration in use only: processes of others are not started any more.
    private func forgetConfigurations() {
        let current = machine.generation
        configurations = configurations.filter { $0.key == current }
    }

    // MARK: Time

    func setTimer() {
        var due = machine.deadline
        if !unsentDrains.isEmpty {
            due = min(due ?? .max, loop.now + Self.drainRetry)
        }
        relay.set(due)
    }

    private func timePassed() {
        for (serial, plan) in unsentDrains { drain(serial, plan) }
        machine.timePassed(now: loop.now)
        perform()
    }

    private func jitter() -> UInt64 { UInt64.random(in: 0...UInt64.max) }

    // MARK: What workers say

    override func workerSaid(_ message: ControlMessage, _ worker: WorkerProcess) {
        switch message {
        case .ready(let generation, let version):
            let isExpected =
                generation == worker.generation && version == ControlMessage.version
                && machine.readyReceived(worker.serial, now: loop.now)
            if !isExpected { distrust(worker, "unexpected READY") }
        case .report(let reports):
            unresponsive.remove(worker.serial)
            if !handoff.reported(worker.serial, reports) {
                distrust(worker, "impossible report")
            }
        case .drained:
            machine.exitAnnounced(worker.serial, now: loop.now)
        case .connections, .drain, .recount:
            distrust(worker, "message in the wrong direction")
        }
        perform()
    }

    override func workerBrokeProtocol(_ error: ControlError, _ worker: WorkerProcess) {
        if case .version(let version) = error {
            distrust(
                worker,
                "the worker speaks version \(version) of control, this supervisor version "
                    + "\(ControlMessage.version): install both from one package"
            )
        } else {
            distrust(worker, "\(error)")
        }
        perform()
    }

    override func workerHungUp(_ worker: WorkerProcess) {
        // It may still run for a moment, so its connections stay its own until it has ended.
        handoff.leaving(worker.serial)
        machine.exitAnnounced(worker.serial, now: loop.now)
        perform()
    }

    override func workerMeasured(_ bytes: ByteBuffer, _ worker: WorkerProcess) {
        metrics.received(bytes, from: id(of: worker))
    }

    override func workerPrinted(_ text: Span<UInt8>, isCut: Bool, _ worker: WorkerProcess) {
        logOutput(text, isCut: isCut, worker)
    }

    override func workerHeldBack(_ worker: WorkerProcess) {
        logHeldBack(worker)
    }

    override func workerExited(_ exit: ProcessExit, _ worker: WorkerProcess) {
        processes[worker.serial] = nil
        unsentDrains[worker.serial] = nil
        unresponsive.remove(worker.serial)
        metrics.workerEnded(id(of: worker))
        streamsAborted += worker.scoreboard.load.streamsAborted
        // Clients first: they wait for what only this process can tell them now.
        handoff.gone(worker)
        if let slot = machine.slot(worker.serial) {
            let end = WorkerEnd(
                exit: exit,
                note: worker.scoreboard.crashNote,
                output: worker.lastOutput,
                wasOutOfMemory: wasOutOfMemory(exit, worker),
                at: Syscalls.wallClock().seconds
            )
            let reason = history.exited(slot, end)
            logExit(end, worker, reason)
        }
        machine.exited(worker.serial, exit, now: loop.now, jitter: jitter())
        perform()
    }

    /// Whether the kernel took the worker's life for want of memory.
    private func wasOutOfMemory(_ exit: ProcessExit, _ worker: WorkerProcess) -> Bool {
        guard exit == .signaled(signal: Signal.kill.rawValue), !worker.isKilledByUs else {
            return false
        }
        let before = outOfMemoryKills
        outOfMemoryKills = MachineFacts.outOfMemoryKills()
        guard let before, let outOfMemoryKills else { return false }
        return outOfMemoryKills > before
    }

    private func distrust(_ worker: WorkerProcess, _ reason: String) {
        log.error("worker broke the control protocol") { record in
            record.field("slot", worker.slot)
            record.field("worker_pid", Int(worker.pid))
            record.field("reason", reason)
        }
        machine.failed(worker.serial, .protocolError, now: loop.now)
    }

    private func id(of worker: WorkerProcess) -> WorkerID {
        WorkerID(
            slot: worker.slot,
            generation: worker.generation,
            process: worker.serial.number
        )
    }
}
