// SPDX-License-Identifier: Apache-2.0
import System

/// All decisions about worker processes: how many, which configuration, when they end.
///
/// Pure: facts come in with the time, `FleetAction`s go out. The shell performs the actions in
/// order and calls `timePassed` when `deadline` has come.
struct FleetMachine {
    enum State: Equatable {
        /// No worker has been ready yet. Exits: `running`, `draining`, `stopping`.
        case starting(deadline: UInt64)
        /// Exits: `rolling`, `lameDuck`, `draining`.
        case running
        /// One slot after the other gets a process of the generation. Exits: `running`, `lameDuck`,
        /// `draining`.
        case rolling(Roll)
        /// Still serves, but says that it will not: load balancers look elsewhere first. Exits:
        /// `draining`, `stopping`.
        case lameDuck(until: UInt64)
        /// Workers finish what runs. Exits: `stopping`, `stopped`.
        case draining(deadline: UInt64)
        /// Workers end now. Exits: `stopped`.
        case stopping(deadline: UInt64, exitCode: Int32)
        case stopped(exitCode: Int32)
    }

    /// A rolling replacement.
    struct Roll: Equatable {
        let generation: UInt32
        /// Workers that the new configuration wants, once it is proven.
        let desired: Int
        /// Workers that should serve if it fails.
        var desiredBefore: Int
        /// A worker of the generation has answered its probe: the configuration works.
        var isProven: Bool
        /// Processes of the generation that did not live.
        var failures = 0
        /// Slots that got a process of the generation.
        var replaced = 0
        /// Why the fleet goes back to the generation it had.
        var rollback: BootFailure?
    }

    /// How much patience the fleet has, in nanoseconds.
    struct Limits: Equatable {
        /// Time for what runs when the supervisor is told to stop.
        var drain: UInt64 = 60_000_000_000
        /// Time for what runs in a worker that is replaced: nobody waits for it, and cutting an
        /// answer that a client paid for is worse than a second process.
        ///
        /// As long as the longest request may take.
        var replacedDrain: UInt64 = 600_000_000_000
        /// Time between TERM and KILL after a second TERM.
        var fastStop: UInt64 = 500_000_000
        /// The first start gives up when no worker became ready in so long.
        var firstReady: UInt64 = 20_000_000_000
        /// The first start gives up after so many failures per slot.
        var bootFailuresPerSlot = 3
        /// From a wish to stop to the end of accepting: health checks fail meanwhile.
        var lameDuck: UInt64 = 0
        /// From here on a drain waits only for answers that make progress.
        var drainStalled: UInt64 = 60_000_000_000
        /// Idle connections of a fleet that stops are closed one by one over so long.
        var closeSpread: UInt64 = 2_000_000_000
        /// New processes that may fail in a roll before it is rolled back.
        var rollFailuresMax = 2
        /// After KILL a process can only be held by the kernel; the supervisor then goes first.
        var unkillable = WorkerSlot.killGrace
    }

    /// Worker numbers above this are a mistake in the configuration.
    static let workersMax = 1024

    // The setters are for the files of this machine.
    var state: State
    var slots: [WorkerSlot] = []
    /// Workers that should serve.
    var desired: Int
    /// The most that should since the oldest worker that finishes was told to.
    var mostDesired: Int
    /// Generation that new processes get.
    var generation: UInt32
    var isReloadPending = false
    var actions: [FleetAction] = []

    var limits: Limits
    /// What a roll that fails goes back to.
    var limitsBefore: Limits?
    private var newestGeneration: UInt32
    var nextSerial: UInt64 = 1
    var bootFailures = 0
    var bootFailuresByConfiguration = 0
    var budget: RestartBudget

    init(desired: Int, generation: UInt32 = 1, limits: Limits = Limits()) {
        precondition(desired >= 1 && desired <= Self.workersMax, "worker count out of range")
        self.desired = desired
        mostDesired = desired
        self.generation = generation
        self.limits = limits
        newestGeneration = generation
        budget = RestartBudget(workers: desired)
        state = .starting(deadline: .max)
    }

    /// A fleet that another supervisor started and that serves.
    init(
        adopting slots: [WorkerSlot],
        desired: Int,
        generation: UInt32,
        limits: Limits = Limits()
    ) {
        self.init(desired: desired, generation: generation, limits: limits)
        self.slots = slots
        mostDesired = max(desired, slots.count)
        newestGeneration = slots.reduce(generation) { max($0, $1.generation) }
        nextSerial = slots.reduce(1) { max($0, ($1.serial?.number ?? 0) + 1) }
        state = .running
    }

    // MARK: What can be asked

    func slot(_ serial: WorkerSerial) -> WorkerSlot? {
        slots.first { $0.serial == serial && $0.isRunning }
    }

    var readyCount: Int { slots.count { $0.isReady } }

    /// When `timePassed` has something to do; nil when nothing is awaited.
    var deadline: UInt64? {
        var earliest = slots.compactMap(\.deadline).min()
        switch state {
        case .starting(let deadline):
            earliest = min(earliest ?? .max, deadline)
        case .lameDuck(let until):
            earliest = min(earliest ?? .max, until)
        case .draining(let deadline):
            earliest = min(earliest ?? .max, hardEnd(after: deadline))
        case .stopping(let deadline, _):
            earliest = min(earliest ?? .max, hardEnd(after: deadline))
        case .running, .rolling, .stopped:
            break
        }
        return earliest == .max ? nil : earliest
    }

    /// The actions since the last call, in order.
    mutating func takeActions() -> [FleetAction] {
        defer { actions.removeAll(keepingCapacity: true) }
        return actions
    }

    // MARK: Processes

    mutating func start(now: UInt64) {
        guard slots.isEmpty else { preconditionFailure("start in \(state)") }
        state = .starting(deadline: now + limits.firstReady)
        fill(now: now)
    }

    /// The process says READY; false when it had no business to.
    mutating func readyReceived(_ serial: WorkerSerial, now: UInt64) -> Bool {
        guard let index = index(of: serial) else { return false }
        let isProbed = isCanary(index)
        guard slots[index].readyReceived(now: now, isProbed: isProbed) else { return false }
        if case .probing = slots[index].state { actions.append(.probe(serial)) }
        if slots[index].isReady { becameReady(index, now: now) }
        return true
    }

    /// The process has answered its probe, or has not.
    mutating func probed(_ serial: WorkerSerial, passed: Bool, now: UInt64) {
        guard let index = index(of: serial) else { return }
        guard passed else {
            failed(serial, .probeFailed, now: now)
            return
        }
        if slots[index].probePassed(now: now) { becameReady(index, now: now) }
    }

    private func isCanary(_ index: Int) -> Bool {
        guard case .rolling(let roll) = state else { return false }
        return !roll.isProven && slots[index].generation == roll.generation
    }

    private mutating func becameReady(_ index: Int, now: UInt64) {
        guard let serial = slots[index].serial else {
            preconditionFailure("no process in \(slots[index].state)")
        }
        actions.append(.admit(serial))
        switch state {
        case .starting:
            state = .running
            actions.append(.announceReady)
            beginPendingReload()
        case .running:
            if slots[index].purpose == .replace { promote(index, now: now) }
            beginRecycle(now: now)
        case .rolling(var roll):
            let isFirst = !roll.isProven && slots[index].generation == roll.generation
            if isFirst { roll.isProven = true }
            // A replacement of an old worker that was under way before belongs to no generation.
            if slots[index].purpose == .replace, slots[index].generation == roll.generation {
                roll.replaced += 1
            }
            state = .rolling(roll)
            if slots[index].purpose == .replace { promote(index, now: now) }
            if isFirst { resize(roll.desired, now: now) }
            continueRoll(now: now)
        case .lameDuck, .draining, .stopping, .stopped:
            break
        }
    }

    /// The process ended, and its control socket is read to the end.
    mutating func exited(
        _ serial: WorkerSerial,
        _ exit: ProcessExit,
        now: UInt64,
        jitter: UInt64
    ) {
        lost(serial, .exited(exit), now: now, jitter: jitter)
    }

    /// The process could not be started.
    mutating func spawnFailed(_ serial: WorkerSerial, now: UInt64, jitter: UInt64) {
        lost(serial, .notStarted, now: now, jitter: jitter)
    }

    /// The process says that nothing runs any more, or it closed its control socket.
    mutating func exitAnnounced(_ serial: WorkerSerial, now: UInt64) {
        guard let index = index(of: serial) else { return }
        slots[index].exitAnnounced(now: now)
    }

    /// The process broke the control protocol, or does not answer.
    mutating func failed(_ serial: WorkerSerial, _ fault: WorkerSlot.Fault, now: UInt64) {
        guard let index = index(of: serial) else { return }
        switch slots[index].failed(fault, now: now) {
        case .nothing: break
        case .abort: actions.append(.abort(serial))
        case .kill: actions.append(.kill(serial))
        }
    }

    // MARK: Wishes of the operator

    /// TERM or INT: finish, then stop.
    ///
    /// A second one: stop now.
    mutating func terminationRequested(now: UInt64) {
        switch state {
        case .starting, .running, .rolling:
            abandonReload()
            if limits.lameDuck > 0, readyCount > 0 {
                state = .lameDuck(until: now + limits.lameDuck)
                actions.append(.announceLameDuck)
            } else {
                beginDrain(now: now)
            }
        case .lameDuck, .draining:
            stopAll(exitCode: ExitCode.success, now: now)
        case .stopping, .stopped:
            break
        }
    }

    /// Stop without waiting for anything.
    mutating func stopRequested(now: UInt64) {
        switch state {
        case .starting, .running, .rolling, .lameDuck, .draining:
            abandonReload()
            stopAll(exitCode: ExitCode.success, now: now)
        case .stopping, .stopped:
            break
        }
    }

    private mutating func abandonReload() {
        if isReloadPending || isRolling { actions.append(.reloadEnded(.abandoned)) }
        isReloadPending = false
    }

    private mutating func beginDrain(now: UInt64) {
        let end = now + limits.drain
        state = .draining(deadline: end)
        actions.append(.stopAccepting)
        let plan = DrainPlan(
            soft: min(end, now + limits.drainStalled),
            hard: end,
            spread: min(limits.closeSpread, limits.drain / 4),
            returnsIdle: false
        )
        for index in slots.indices { leave(index, now: now, plan) }
        removeEnded()
    }

    /// HUP: read the configuration and replace the workers one by one.
    mutating func reloadRequested() {
        switch state {
        case .running:
            actions.append(.readConfiguration)
        case .starting, .rolling:
            isReloadPending = true
        case .lameDuck, .draining, .stopping, .stopped:
            actions.append(.reloadIgnored)
        }
    }

    /// The configuration that was asked for is valid; its workers get the returned generation.
    ///
    /// With `changesWorkers` false nothing but their number has changed: then no worker that stays is
    /// touched, and nil is returned.
    mutating func configurationAccepted(
        desired: Int,
        limits: Limits? = nil,
        changesWorkers: Bool = true,
        now: UInt64
    ) -> UInt32? {
        precondition(desired >= 1 && desired <= Self.workersMax, "worker count out of range")
        guard state == .running else { return nil }
        limitsBefore = self.limits
        self.limits = limits ?? self.limits
        guard changesWorkers else {
            resize(desired, now: now)
            actions.append(.reloadEnded(.scaled(workers: desired)))
            beginPendingReload()
            return nil
        }
        newestGeneration += 1
        state = .rolling(
            Roll(
                generation: newestGeneration,
                desired: desired,
                desiredBefore: self.desired,
                isProven: false
            )
        )
        continueRoll(now: now)
        return newestGeneration
    }

    mutating func configurationRejected() {
        actions.append(.reloadEnded(.invalid))
        beginPendingReload()
    }

    /// TTIN, TTOU: one worker more or less, at least one.
    mutating func scaleRequested(by difference: Int, now: UInt64) {
        scaleRequested(to: min(max(desired + difference, 1), Self.workersMax), now: now)
    }

    /// So many workers, until the next reload says something else.
    mutating func scaleRequested(to count: Int, now: UInt64) {
        precondition(count >= 1 && count <= Self.workersMax, "worker count out of range")
        switch state {
        case .rolling(var roll):
            roll.desiredBefore = count
            state = .rolling(roll)
            resize(count, now: now)
            continueRoll(now: now)
        case .starting, .running:
            resize(count, now: now)
        case .lameDuck, .draining, .stopping, .stopped:
            break
        }
    }

    /// The worker is to be replaced by a fresh one, when no other is being replaced.
    mutating func recycleRequested(
        _ serial: WorkerSerial,
        _ reason: RecycleReason,
        now: UInt64
    ) {
        guard let index = index(of: serial) else { return }
        slots[index].recycle(reason)
        beginRecycle(now: now)
    }

    // MARK: Time

    mutating func timePassed(now: UInt64) {
        for index in slots.indices {
            switch slots[index].timePassed(now: now) {
            case .nothing: break
            case .start: spawn(index, now: now)
            case .terminate: append(FleetAction.terminate, index)
            case .kill: append(FleetAction.kill, index)
            case .abandon: abandon(index, now: now)
            }
        }
        switch state {
        case .starting(let deadline) where deadline <= now:
            giveUp(now: now)
        case .lameDuck(let until) where until <= now:
            beginDrain(now: now)
        case .draining(let deadline) where hardEnd(after: deadline) <= now:
            end(ExitCode.failure)
        case .stopping(let deadline, let exitCode) where hardEnd(after: deadline) <= now:
            end(exitCode == ExitCode.success ? ExitCode.failure : exitCode)
        case .starting, .running, .rolling, .lameDuck, .draining, .stopping, .stopped:
            break
        }
    }
}
