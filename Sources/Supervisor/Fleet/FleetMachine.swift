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
        /// Exits: `rolling`, `draining`.
        case running
        /// One slot after the other gets a process of the generation. Exits: `running`,
        /// `draining`.
        case rolling(Roll)
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
        /// A worker of the generation has become ready: the configuration works.
        var isProven: Bool
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
        /// After KILL a process can only be held by the kernel; the supervisor then goes first.
        var unkillable: UInt64 = 5_000_000_000
    }

    /// Worker numbers above this are a mistake in the configuration.
    static let workersMax = 1024

    private(set) var state: State
    private(set) var slots: [WorkerSlot] = []
    /// Workers that should serve.
    private(set) var desired: Int
    /// Generation that new processes get.
    private(set) var generation: UInt32
    private(set) var isReloadPending = false

    private(set) var limits: Limits
    private var newestGeneration: UInt32
    private var nextSerial: UInt64 = 1
    private var bootFailures = 0
    private var bootFailuresByConfiguration = 0
    private var actions: [FleetAction] = []

    init(desired: Int, generation: UInt32 = 1, limits: Limits = Limits()) {
        precondition(desired >= 1 && desired <= Self.workersMax, "worker count out of range")
        self.desired = desired
        self.generation = generation
        self.limits = limits
        newestGeneration = generation
        state = .starting(deadline: .max)
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
        guard slots[index].readyReceived(now: now) else { return false }
        guard slots[index].isReady else { return true }
        actions.append(.admit(serial))
        switch state {
        case .starting:
            state = .running
            actions.append(.announceReady)
            beginPendingReload()
        case .rolling(var roll):
            let provesGeneration = !roll.isProven && slots[index].generation == roll.generation
            if provesGeneration {
                roll.isProven = true
                state = .rolling(roll)
            }
            if slots[index].purpose == .replace { promote(index, now: now) }
            if provesGeneration { resize(roll.desired, now: now) }
            continueRoll(now: now)
        case .running, .draining, .stopping, .stopped:
            break
        }
        return true
    }

    /// The process ended, and its control socket is read to the end.
    mutating func exited(
        _ serial: WorkerSerial,
        _ exit: ProcessExit,
        now: UInt64,
        jitter: UInt64
    ) {
        lost(
            serial,
            isConfigurationError: exit == .exited(code: ExitCode.badConfiguration),
            now: now,
            jitter: jitter
        )
    }

    /// The process could not be started.
    mutating func spawnFailed(_ serial: WorkerSerial, now: UInt64, jitter: UInt64) {
        lost(serial, isConfigurationError: false, now: now, jitter: jitter)
    }

    /// The process says that nothing runs any more, or it closed its control socket.
    mutating func exitAnnounced(_ serial: WorkerSerial, now: UInt64) {
        guard let index = index(of: serial) else { return }
        slots[index].exitAnnounced(now: now)
    }

    /// The process broke the control protocol, or does not answer.
    mutating func failed(_ serial: WorkerSerial, _ fault: WorkerSlot.Fault) {
        guard let index = index(of: serial) else { return }
        if slots[index].failed(fault) { actions.append(.kill(serial)) }
    }

    // MARK: Wishes of the operator

    /// TERM or INT: finish, then stop.
    ///
    /// A second one: stop now.
    mutating func terminationRequested(now: UInt64) {
        switch state {
        case .starting, .running, .rolling:
            if isReloadPending || isRolling { actions.append(.reloadEnded(.abandoned)) }
            isReloadPending = false
            let deadline = now + limits.drain
            state = .draining(deadline: deadline)
            actions.append(.stopAccepting)
            for index in slots.indices { leave(index, now: now, deadline: deadline) }
            removeEnded()
        case .draining:
            stopAll(exitCode: ExitCode.success, now: now)
        case .stopping, .stopped:
            break
        }
    }

    /// HUP: read the configuration and replace the workers one by one.
    mutating func reloadRequested() {
        switch state {
        case .running:
            actions.append(.readConfiguration)
        case .starting, .rolling:
            isReloadPending = true
        case .draining, .stopping, .stopped:
            actions.append(.reloadIgnored)
        }
    }

    /// The configuration that was asked for is valid; its workers get the returned generation.
    mutating func configurationAccepted(
        desired: Int,
        limits: Limits? = nil,
        now: UInt64
    ) -> UInt32? {
        precondition(desired >= 1 && desired <= Self.workersMax, "worker count out of range")
        guard state == .running else { return nil }
        self.limits = limits ?? self.limits
        newestGeneration += 1
        state = .rolling(
            Roll(generation: newestGeneration, desired: desired, isProven: false)
        )
        continueRoll(now: now)
        return newestGeneration
    }

    mutating func configurationRejected() {
        actions.append(.reloadEnded(.invalid))
    }

    /// TTIN, TTOU: one worker more or less, at least one.
    mutating func scaleRequested(by difference: Int, now: UInt64) {
        switch state {
        case .starting, .running, .rolling:
            resize(min(max(desired + difference, 1), Self.workersMax), now: now)
            continueRoll(now: now)
        case .draining, .stopping, .stopped:
            break
        }
    }

    // MARK: Time

    mutating func timePassed(now: UInt64) {
        for index in slots.indices {
            switch slots[index].timePassed(now: now) {
            case .nothing: break
            case .start: spawn(index, now: now)
            case .terminate: append(FleetAction.terminate, index)
            case .kill: append(FleetAction.kill, index)
            }
        }
        switch state {
        case .starting(let deadline) where deadline <= now:
            giveUp(now: now)
        case .draining(let deadline) where hardEnd(after: deadline) <= now:
            end(ExitCode.failure)
        case .stopping(let deadline, let exitCode) where hardEnd(after: deadline) <= now:
            end(exitCode == ExitCode.success ? ExitCode.failure : exitCode)
        case .starting, .running, .rolling, .draining, .stopping, .stopped:
            break
        }
    }

    // MARK: Filling and emptying slots

    private func index(of serial: WorkerSerial) -> Int? {
        slots.firstIndex { $0.serial == serial && $0.isRunning }
    }

    private var isRolling: Bool {
        if case .rolling = state { true } else { false }
    }

    /// Time until even a killed process must be gone.
    private func hardEnd(after deadline: UInt64) -> UInt64 {
        deadline + WorkerSlot.exitGrace + limits.unkillable
    }

    private mutating func append(_ action: (WorkerSerial) -> FleetAction, _ index: Int) {
        guard let serial = slots[index].serial else {
            preconditionFailure("no process in \(slots[index].state)")
        }
        actions.append(action(serial))
    }

    private mutating func spawn(_ index: Int, now: UInt64) {
        let serial = WorkerSerial(number: nextSerial)
        nextSerial += 1
        slots[index].started(serial, generation: generationForSpawn(index), now: now)
        actions.append(
            .spawn(serial, slot: slots[index].number, generation: slots[index].generation)
        )
    }

    /// A configuration that no worker has proven yet is tried by the replacement alone.
    private func generationForSpawn(_ index: Int) -> UInt32 {
        switch state {
        case .rolling(let roll) where roll.isProven || slots[index].purpose == .replace:
            roll.generation
        case .starting, .running, .rolling, .draining, .stopping, .stopped:
            generation
        }
    }

    /// Adds slots until as many serve as should.
    private mutating func fill(now: UInt64) {
        while slots.count(where: { $0.purpose == .serve }) < desired {
            // A number that a leaving worker still has would mix up their metrics.
            let taken = Set(slots.map(\.number))
            guard let number = (0...slots.count).first(where: { !taken.contains($0) }) else {
                preconditionFailure("no number is free among \(slots.count) slots")
            }
            slots.append(WorkerSlot(number: number, generation: generation, purpose: .serve))
            spawn(slots.count - 1, now: now)
        }
    }

    private mutating func resize(_ count: Int, now: UInt64) {
        desired = count
        let serving = slots.filter { $0.purpose == .serve }.map(\.number).sorted()
        let surplus = Set(serving.dropFirst(count))
        for index in slots.indices where surplus.contains(slots[index].number) {
            leave(index, now: now, deadline: now + limits.replacedDrain)
        }
        removeEnded()
        fill(now: now)
    }

    private mutating func leave(_ index: Int, now: UInt64, deadline: UInt64) {
        switch slots[index].leave(now: now, deadline: deadline) {
        case .nothing, .end:
            break
        case .terminate:
            append(FleetAction.terminate, index)
        case .drain:
            let milliseconds = (deadline - now) / 1_000_000
            append({ .drain($0, milliseconds: milliseconds) }, index)
        }
    }

    /// Removes slots that are over; while the fleet stops, the last one ends it.
    private mutating func removeEnded() {
        slots.removeAll { $0.state == .ended }
        guard slots.isEmpty else { return }
        switch state {
        case .draining: end(ExitCode.success)
        case .stopping(_, let exitCode): end(exitCode)
        case .starting, .running, .rolling, .stopped: break
        }
    }

    private mutating func end(_ exitCode: Int32) {
        state = .stopped(exitCode: exitCode)
        actions.append(.stop(exitCode: exitCode))
    }

    private mutating func stopAll(exitCode: Int32, now: UInt64) {
        let deadline = now + limits.fastStop
        state = .stopping(deadline: deadline, exitCode: exitCode)
        for index in slots.indices {
            switch slots[index].stop(deadline: deadline) {
            case .nothing, .end, .drain: break
            case .terminate: append(FleetAction.terminate, index)
            }
        }
        removeEnded()
    }

    // MARK: Failures

    private mutating func lost(
        _ serial: WorkerSerial,
        isConfigurationError: Bool,
        now: UInt64,
        jitter: UInt64
    ) {
        guard let index = index(of: serial) else { return }
        let wasReplacement = slots[index].purpose == .replace
        let action = slots[index].exited(now: now, jitter: jitter)
        switch state {
        case .starting where action != .end:
            bootFailures += 1
            if isConfigurationError { bootFailuresByConfiguration += 1 }
            if bootFailures >= limits.bootFailuresPerSlot * desired {
                giveUp(now: now)
                return
            }
        case .rolling(let roll) where wasReplacement && !roll.isProven:
            slots.remove(at: index)
            state = .running
            actions.append(.reloadEnded(.workerFailed))
            beginPendingReload()
            return
        case .rolling(let roll) where roll.isProven && !wasReplacement && action != .end:
            yieldToReplacement(index)
        case .starting, .running, .rolling, .draining, .stopping, .stopped:
            break
        }
        if action == .start, slots[index].state == .vacant { spawn(index, now: now) }
        removeEnded()
        continueRoll(now: now)
    }

    private mutating func giveUp(now: UInt64) {
        let isConfiguration = bootFailures > 0 && bootFailures == bootFailuresByConfiguration
        stopAll(
            exitCode: isConfiguration ? ExitCode.badConfiguration : ExitCode.unavailable,
            now: now
        )
    }

    // MARK: Rolling

    private mutating func beginPendingReload() {
        guard isReloadPending else { return }
        isReloadPending = false
        actions.append(.readConfiguration)
    }

    /// A slot crashed while its replacement boots: the replacement takes the place at once.
    private mutating func yieldToReplacement(_ index: Int) {
        let number = slots[index].number
        guard
            let replacement = slots.firstIndex(where: {
                $0.number == number && $0.purpose == .replace
            })
        else { return }
        slots[replacement].promoted()
        _ = slots[index].leave(now: 0, deadline: 0)
    }

    /// The replacement is ready: the old worker of its slot finishes what runs.
    private mutating func promote(_ index: Int, now: UInt64) {
        let number = slots[index].number
        slots[index].promoted()
        for old in slots.indices
        where old != index && slots[old].number == number && slots[old].purpose == .serve {
            leave(old, now: now, deadline: now + limits.replacedDrain)
        }
        removeEnded()
        endOldestLeaver(now: now)
    }

    /// Bounds the processes that finish old streams: several reloads in a row must not pile up.
    private mutating func endOldestLeaver(now: UInt64) {
        let leaving = slots.indices.filter { slots[$0].purpose == .leave }
        guard leaving.count > 2 * desired else { return }
        let oldest = leaving.filter { slots[$0].isDraining }
            .min { (slots[$0].serial?.number ?? 0) < (slots[$1].serial?.number ?? 0) }
        guard let oldest, case .terminate = slots[oldest].stop(deadline: now + limits.fastStop)
        else { return }
        append(FleetAction.terminate, oldest)
    }

    /// Starts the next replacement, or ends the roll when none is left.
    private mutating func continueRoll(now: UInt64) {
        guard case .rolling(let roll) = state else { return }
        guard !slots.contains(where: { $0.purpose == .replace }) else { return }
        for index in slots.indices
        where slots[index].purpose == .serve && slots[index].generation != roll.generation {
            // A slot that waits to restart will do so with the proven generation by itself.
            if roll.isProven, !slots[index].isRunning { continue }
            let number = slots[index].number
            slots.append(
                WorkerSlot(number: number, generation: roll.generation, purpose: .replace)
            )
            spawn(slots.count - 1, now: now)
            return
        }
        guard roll.isProven else { return }
        generation = roll.generation
        state = .running
        actions.append(.reloadEnded(.succeeded(generation: roll.generation)))
        beginPendingReload()
    }
}
