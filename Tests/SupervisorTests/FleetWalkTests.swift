// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

@testable import Supervisor

/// Processes as the kernel would have them, driven by random events in any order.
///
/// Checks after each step that the machine only speaks of processes that exist, that it never runs
/// more of them than its rules allow, and that nothing but a crash costs capacity.
private final class World {
    enum Mood { case healthy, hostile }

    private struct Process {
        let slot: Int
        let generation: UInt32
        var isReady = false
        var isProbed = false
        var wasAdmitted = false
        var drainEnd: UInt64?
        var wasTerminated = false
        var wasAborted = false
        var wasKilled = false
        /// It broke down: what it does is no fault of the machine.
        var isBroken = false

        var serves: Bool {
            wasAdmitted && drainEnd == nil && !wasTerminated && !wasAborted && !wasKilled
                && !isBroken
        }
    }

    private var random: SplitMix
    private(set) var machine: FleetMachine
    private(set) var now: UInt64 = 0
    private var processes: [WorkerSerial: Process] = [:]
    /// Generations whose configuration the shell has.
    private var configurations: Set<UInt32> = [1]
    private var wantsConfiguration = false
    /// Reloads that were asked for and have not ended.
    private var isReloading = false
    private var hasFailedInReload = false
    private var burst: Int
    private var restarts = 0
    /// Workers that serve whatever happens, until a fault takes them.
    private var floor = 0
    /// Workers that should serve, as last seen, and what the operator and the last configuration that
    /// worked have said.
    private var desired: Int
    private var asked: Int
    /// What the configuration under way says.
    private var askedByReload: Int?
    private(set) var stopped: Int32?
    private(set) var isAccepting = false
    private(set) var hasStoppedAccepting = false
    private(set) var isLameDuck = false
    private(set) var isTerminating = false
    private var isStopping = false
    private(set) var results: [ReloadResult] = []
    private(set) var recycled = 0
    private(set) var problems: [String] = []
    var mood = Mood.hostile

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
        let desired = 1 + random.below(6)
        var limits = FleetMachine.Limits()
        limits.lameDuck = [0, 0, 3_000_000_000][random.below(3)]
        limits.drainStalled = [1, 30, 60][random.below(3)] * 1_000_000_000
        limits.replacedDrain = [1, 60, 600][random.below(3)] * 1_000_000_000
        machine = FleetMachine(desired: desired, limits: limits)
        self.desired = desired
        asked = desired
        burst = RestartBudget(workers: desired).burst
        machine.start(now: 0)
        perform()
    }

    var readyCount: Int { processes.values.count { $0.serves } }

    /// The first start failed: the fleet ends without having been told to.
    var isGivingUp: Bool {
        switch machine.state {
        case .stopping, .stopped: !isTerminating
        case .starting, .running, .rolling, .lameDuck, .draining: false
        }
    }

    private func check(_ condition: Bool, _ problem: @autoclosure () -> String) {
        if !condition { problems.append(problem()) }
    }

    // MARK: Actions

    private func perform() {
        while true {
            let actions = machine.takeActions()
            if actions.isEmpty { break }
            for action in actions { perform(action) }
        }
        invariants()
    }

    private func perform(_ action: FleetAction) {
        check(stopped == nil, "\(action) after the end")
        switch action {
        case .spawn(let serial, let slot, let generation):
            spawn(serial, slot, generation)
        case .probe(let serial):
            check(processes[serial]?.isReady == true, "\(serial) probed before READY")
            check(processes[serial]?.isProbed == false, "\(serial) probed twice")
            processes[serial]?.isProbed = true
        case .admit(let serial):
            check(processes[serial]?.isReady == true, "\(serial) admitted before READY")
            check(processes[serial]?.wasAdmitted == false, "\(serial) admitted twice")
            processes[serial]?.wasAdmitted = true
        case .drain(let serial, let plan):
            drain(serial, plan)
        case .terminate(let serial):
            check(processes[serial] != nil, "TERM for \(serial), which is gone")
            check(processes[serial]?.wasTerminated == false, "\(serial) terminated twice")
            processes[serial]?.wasTerminated = true
        case .abort(let serial):
            check(processes[serial]?.wasAborted == false, "\(serial) aborted twice or gone")
            check(processes[serial]?.wasKilled == false, "\(serial) aborted after KILL")
            processes[serial]?.wasAborted = true
        case .kill(let serial):
            check(processes[serial] != nil, "KILL for \(serial), which is gone")
            check(processes[serial]?.wasKilled == false, "\(serial) killed twice")
            processes[serial]?.wasKilled = true
        case .announceReady:
            check(!isAccepting, "announced twice")
            isAccepting = true
        case .announceLameDuck:
            check(!isLameDuck && !hasStoppedAccepting, "lame duck twice")
            isLameDuck = true
        case .stopAccepting:
            check(!hasStoppedAccepting, "stopped accepting twice")
            hasStoppedAccepting = true
        case .readConfiguration:
            check(!isReloading, "a configuration is read while another one is rolled out")
            wantsConfiguration = true
            isReloading = true
            hasFailedInReload = false
        case .reloadEnded(let result):
            reloadEnded(result)
        case .reloadIgnored:
            check(isTerminating || isGivingUp, "a reload was ignored in a fleet that runs")
        case .stop(let exitCode):
            stopped = exitCode
        }
    }

    private func spawn(_ serial: WorkerSerial, _ slot: Int, _ generation: UInt32) {
        check(processes[serial] == nil, "\(serial) twice")
        check(!hasStoppedAccepting && !isStopping, "a process is started while the fleet ends")
        check(configurations.contains(generation), "no configuration of \(generation) any more")
        if let started = machine.slots.first(where: { $0.serial == serial }) {
            if started.restarts > 0 { restarts += 1 }
        }
        burst = max(burst, RestartBudget(workers: machine.desired).burst)
        let earned = Int(now / RestartBudget.interval)
        check(restarts <= burst + earned + 1, "\(restarts) restarts in \(now) ns")
        if mood == .hostile, random.oneIn(12) {
            hasFailedInReload = true
            machine.spawnFailed(serial, now: now, jitter: random.next())
        } else {
            processes[serial] = Process(slot: slot, generation: generation)
        }
    }

    private func drain(_ serial: WorkerSerial, _ plan: DrainPlan) {
        check(processes[serial]?.wasAdmitted == true, "\(serial) drained before it served")
        check(plan.soft <= plan.hard && plan.soft >= now, "\(plan) at \(now)")
        if let earlier = processes[serial]?.drainEnd {
            check(plan.hard < earlier, "\(serial) drained again, with more time")
        }
        processes[serial]?.drainEnd = plan.hard
        if machine.slot(serial)?.recycling != nil { recycled += 1 }
    }

    private func reloadEnded(_ result: ReloadResult) {
        results.append(result)
        switch result {
        case .succeeded(let generation, let replaced):
            check(configurations.contains(generation), "\(result) of an unknown generation")
            check(generation == machine.generation, "\(result), but \(machine.generation) runs")
            check(replaced >= 1, "\(result)")
            asked = askedByReload ?? asked
        case .canaryFailed, .rolledBack:
            check(hasFailedInReload, "\(result) although nothing failed")
        case .scaled(let workers):
            asked = workers
        case .invalid, .abandoned:
            break
        }
        check(
            result == .abandoned || machine.desired == asked,
            "\(machine.desired) wanted after \(result), asked for \(asked)"
        )
        askedByReload = nil
        check(isReloading || result == .abandoned, "\(result) of no reload")
        isReloading = false
        configurations = configurations.filter { $0 == machine.generation }
    }

    private func invariants() {
        let running = Set(machine.slots.filter(\.isRunning).compactMap(\.serial))
        check(running == Set(processes.keys), "machine: \(running), world: \(processes.keys)")
        let serving = machine.slots.filter { $0.purpose == .serve }
        let replacing = machine.slots.filter { $0.purpose == .replace }
        if !isTerminating, !isGivingUp, stopped == nil {
            check(serving.count == machine.desired, "\(serving.count) of \(machine.desired) serve")
            check(Set(serving.map(\.number)).count == serving.count, "a number serves twice")
            check(replacing.count <= 1, "two replacements")
            for slot in replacing {
                check(serving.contains { $0.number == slot.number }, "a replacement for nobody")
            }
        }
        for slot in machine.slots {
            switch slot.state {
            case .vacant, .ended: check(false, "slot \(slot.number) left \(slot.state)")
            case .backoff, .booting, .probing, .ready, .draining, .stopping, .aborting, .killed:
                break
            }
        }
        check(machine.readyCount == readyCount, "\(machine.readyCount) ready, not \(readyCount)")
        capacity()
    }

    /// No wish of the operator and no replacement costs a worker that serves.
    private func capacity() {
        if isTerminating || isGivingUp { floor = 0 }
        if desired != machine.desired {
            check(
                machine.desired == asked || machine.desired == askedByReload,
                "\(machine.desired) workers, asked for \(asked)"
            )
            expectLess(max(0, desired - machine.desired))
            desired = machine.desired
        }
        check(readyCount >= floor, "only \(readyCount) of \(floor) serve")
        floor = min(readyCount, machine.desired)
    }

    /// A worker that served has failed, or fewer are wanted.
    private func expectLess(_ count: Int = 1) { floor = max(0, floor - count) }

    // MARK: Events

    func step() {
        guard stopped == nil else { return }
        if wantsConfiguration, random.oneIn(3) {
            configuration()
            return
        }
        switch random.below(12) {
        case 0, 1, 2: boot()
        case 3, 4: end()
        case 5, 6: tick()
        case 7: probe()
        case 8 where mood == .hostile && random.oneIn(4): misbehave()
        // The shell reads the configuration before it hears of the next wish.
        case 9 where mood == .hostile && !wantsConfiguration && random.oneIn(6):
            machine.reloadRequested()
            perform()
        case 10 where mood == .hostile && random.oneIn(6): scale()
        case 11 where random.oneIn(mood == .hostile ? 4 : 20): recycle()
        default: break
        }
    }

    private func configuration() {
        wantsConfiguration = false
        if mood == .hostile, random.oneIn(4) {
            machine.configurationRejected()
        } else {
            let desired = 1 + random.below(6)
            let changesWorkers = !random.oneIn(4)
            askedByReload = desired
            if let generation = machine.configurationAccepted(
                desired: desired,
                changesWorkers: changesWorkers,
                now: now
            ) {
                check(!configurations.contains(generation), "generation \(generation) twice")
                configurations.insert(generation)
            }
        }
        perform()
    }

    private func scale() {
        let before = machine.desired
        let wanted = random.oneIn(2) ? before + 1 : before - 1
        asked = max(1, wanted)
        // Said once the configuration of a reload is proven, it stays.
        if case .rolling(let roll) = machine.state, roll.isProven { askedByReload = asked }
        if random.oneIn(3) {
            machine.scaleRequested(to: max(1, wanted), now: now)
        } else {
            machine.scaleRequested(by: wanted - before, now: now)
        }
        perform()
    }

    private func recycle() {
        guard let serial = pick({ $0.serves }) else { return }
        let reason = RecycleReason.allCases[random.below(RecycleReason.allCases.count)]
        machine.recycleRequested(serial, reason, now: now)
        perform()
    }

    private func pick(_ matches: (Process) -> Bool) -> WorkerSerial? {
        let candidates = processes.filter { matches($0.value) }.keys.sorted()
        return candidates.isEmpty ? nil : candidates[random.below(candidates.count)]
    }

    private func boot() {
        guard let serial = pick({ !$0.isReady }) else { return }
        if mood == .hostile, random.oneIn(5) { return }
        processes[serial]?.isReady = true
        let isExpected = machine.readyReceived(serial, now: now)
        check(isExpected, "READY of \(serial) refused")
        perform()
    }

    private func probe() {
        guard let serial = pick({ $0.isProbed && !$0.wasAdmitted }) else { return }
        let passed = mood == .healthy || !random.oneIn(4)
        if !passed { hasFailedInReload = true }
        machine.probed(serial, passed: passed, now: now)
        perform()
    }

    /// Processes that were told to end do so; in a hostile world others, too.
    private func end() {
        let isHostile = mood == .hostile && random.oneIn(5)
        guard
            let serial = pick({
                isHostile || $0.drainEnd != nil || $0.wasTerminated || $0.wasAborted
                    || $0.wasKilled || $0.isBroken
            })
        else { return }
        if random.oneIn(2), processes[serial]?.wasKilled == false {
            breakDown(serial)
            machine.exitAnnounced(serial, now: now)
            perform()
            if random.oneIn(3) { return }
        }
        breakDown(serial)
        processes[serial] = nil
        let exit: ProcessExit =
            random.oneIn(2) ? .exited(code: Int32(random.below(3))) : .signaled(signal: 9)
        machine.exited(serial, exit, now: now, jitter: random.next())
        perform()
    }

    private func breakDown(_ serial: WorkerSerial) {
        guard let process = processes[serial] else { return }
        if process.serves { expectLess() }
        if process.drainEnd == nil, !process.wasTerminated { hasFailedInReload = true }
        processes[serial]?.isBroken = true
    }

    private func misbehave() {
        guard let serial = pick({ _ in true }) else { return }
        breakDown(serial)
        let faults: [WorkerSlot.Fault] = [.protocolError, .hang, .stopped]
        machine.failed(serial, faults[random.below(3)], now: now)
        perform()
        // Facts about processes that are long gone must change nothing.
        let stale = WorkerSerial(number: 1_000_000)
        machine.failed(stale, .hang, now: now)
        machine.exitAnnounced(stale, now: now)
        machine.exited(stale, .exited(code: 0), now: now, jitter: 0)
        machine.probed(stale, passed: false, now: now)
        machine.recycleRequested(stale, .age, now: now)
        let isExpected = machine.readyReceived(stale, now: now)
        check(!isExpected, "READY of a process that never was")
        check(machine.takeActions() == [], "a process that never was matters")
    }

    func tick() {
        if let deadline = machine.deadline, random.oneIn(2) {
            now = max(now, deadline)
        } else {
            now += UInt64(random.below(500_000_000))
        }
        // Boots and probes that take too long fail.
        if machine.slots.contains(where: { ($0.deadline ?? .max) <= now }) {
            hasFailedInReload = true
        }
        machine.timePassed(now: now)
        perform()
    }

    func terminate() {
        if isTerminating { isStopping = true }
        isTerminating = true
        wantsConfiguration = false
        machine.terminationRequested(now: now)
        perform()
    }

    func stopNow() {
        isTerminating = true
        isStopping = true
        wantsConfiguration = false
        machine.stopRequested(now: now)
        perform()
    }

    /// Nobody says anything any more; only what was killed ends.
    func runOutTimers() {
        for _ in 0..<1000 where stopped == nil && problems.isEmpty {
            if let deadline = machine.deadline { now = max(now, deadline) }
            machine.timePassed(now: now)
            perform()
            guard stopped == nil, let serial = pick({ $0.wasKilled }), !random.oneIn(10) else {
                continue
            }
            processes[serial] = nil
            machine.exited(serial, .signaled(signal: 9), now: now, jitter: 0)
            perform()
        }
    }
}

@Suite struct FleetWalkTests {
    @Test("Whatever happens, the fleet keeps its rules and then converges", arguments: 1...100)
    func converges(seed: UInt64) {
        let world = World(seed: seed)
        for _ in 0..<400 where world.problems.isEmpty { world.step() }
        world.mood = .healthy
        for _ in 0..<2000 where world.problems.isEmpty { world.step() }
        #expect(world.problems == [], "seed \(seed)")
        if let exitCode = world.stopped {
            // Only a first start that never worked may end by itself.
            #expect(exitCode == 69, "seed \(seed)")
            #expect(!world.isAccepting, "seed \(seed)")
            return
        }
        #expect(world.machine.readyCount == world.machine.desired, "seed \(seed)")
        switch world.machine.state {
        case .running: break
        case .starting, .rolling, .lameDuck, .draining, .stopping, .stopped:
            Issue.record("\(world.machine.state), seed \(seed)")
        }
        let serving = world.machine.slots.filter { $0.purpose == .serve }
        #expect(serving.count == world.machine.desired, "seed \(seed)")
        let generations = Set(serving.map(\.generation))
        #expect(generations == [world.machine.generation], "seed \(seed)")
    }

    @Test("The walks come by every kind of end that a reload has, and recycle workers")
    func coverage() {
        var names: Set<String> = []
        var recycled = 0
        for seed in 1...40 as ClosedRange<UInt64> {
            let world = World(seed: seed)
            for _ in 0..<600 where world.problems.isEmpty { world.step() }
            world.terminate()
            recycled += world.recycled
            for result in world.results {
                let name = "\(result)".prefix { $0 != "(" }
                names.insert(String(name))
            }
        }
        #expect(
            names == [
                "succeeded", "scaled", "invalid", "canaryFailed", "rolledBack", "abandoned",
            ]
        )
        #expect(recycled > 20)
    }

    @Test("TERM ends the fleet at any moment, in bounded time", arguments: 1...100)
    func ends(seed: UInt64) {
        let world = World(seed: seed &+ 10_000)
        var random = SplitMix(seed: seed)
        for _ in 0..<random.below(500) where world.problems.isEmpty { world.step() }
        let start = world.now
        guard !world.isGivingUp else { return }
        if random.oneIn(8) { world.stopNow() } else { world.terminate() }
        let steps = random.below(200)
        for _ in 0..<steps where world.problems.isEmpty { world.step() }
        if random.oneIn(2), world.stopped == nil { world.terminate() }
        if random.oneIn(2) {
            world.runOutTimers()
        } else {
            for _ in 0..<20_000 where world.stopped == nil && world.problems.isEmpty {
                world.step()
            }
        }
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.stopped == 0 || world.stopped == 1, "seed \(seed)")
        let limits = world.machine.limits
        let bound =
            limits.lameDuck + limits.drain + WorkerSlot.exitGrace + limits.unkillable
            + 1_000_000_000
        #expect(world.now - start <= bound, "seed \(seed)")
    }
}
