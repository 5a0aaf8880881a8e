// SPDX-License-Identifier: Apache-2.0
import Support
import System
import Testing

@testable import Supervisor

/// Processes as the kernel would have them, driven by random events in any order.
///
/// Checks after each step that the machine only speaks of processes that exist, and that it never
/// runs more of them than its rules allow.
private final class World {
    enum Mood { case healthy, hostile }

    private struct Process {
        let slot: Int
        let generation: UInt32
        var isReady = false
        var wasAdmitted = false
        var wasToldToDrain = false
        var wasTerminated = false
        var wasKilled = false
    }

    private var random: SplitMix
    private(set) var machine: FleetMachine
    private(set) var now: UInt64 = 0
    private var processes: [WorkerSerial: Process] = [:]
    private var wantsConfiguration = false
    private(set) var stopped: Int32?
    private(set) var isAccepting = false
    private(set) var hasStoppedAccepting = false
    private(set) var isTerminating = false
    private(set) var reloadsEnded = 0
    private(set) var problems: [String] = []
    var mood = Mood.hostile

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
        machine = FleetMachine(desired: 1 + random.below(6))
        machine.start(now: 0)
        perform()
    }

    var readyCount: Int { processes.values.count { $0.isReady && !$0.wasToldToDrain } }

    /// The first start failed: the fleet ends without having been told to.
    var isGivingUp: Bool {
        switch machine.state {
        case .stopping, .stopped: !isTerminating
        case .starting, .running, .rolling, .draining: false
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
            check(processes[serial] == nil, "\(serial) twice")
            check(!isTerminating, "a process is started while the fleet ends")
            check(
                !processes.values.contains { $0.slot == slot && $0.generation == generation },
                "two processes of slot \(slot), generation \(generation)"
            )
            if mood == .hostile, random.oneIn(12) {
                machine.spawnFailed(serial, now: now, jitter: random.next())
            } else {
                processes[serial] = Process(slot: slot, generation: generation)
            }
        case .admit(let serial):
            check(processes[serial]?.isReady == true, "\(serial) admitted before READY")
            check(processes[serial]?.wasAdmitted == false, "\(serial) admitted twice")
            processes[serial]?.wasAdmitted = true
        case .drain(let serial, _):
            check(processes[serial]?.wasAdmitted == true, "\(serial) drained before it served")
            check(processes[serial]?.wasToldToDrain == false, "\(serial) drained twice")
            processes[serial]?.wasToldToDrain = true
        case .terminate(let serial):
            check(processes[serial] != nil, "TERM for \(serial), which is gone")
            processes[serial]?.wasTerminated = true
        case .kill(let serial):
            check(processes[serial] != nil, "KILL for \(serial), which is gone")
            check(processes[serial]?.wasKilled == false, "\(serial) killed twice")
            processes[serial]?.wasKilled = true
        case .announceReady:
            check(!isAccepting, "announced twice")
            isAccepting = true
        case .stopAccepting:
            check(!hasStoppedAccepting, "stopped accepting twice")
            hasStoppedAccepting = true
        case .readConfiguration:
            wantsConfiguration = true
        case .reloadEnded:
            reloadsEnded += 1
        case .reloadIgnored:
            check(isTerminating || isGivingUp, "a reload was ignored in a fleet that runs")
        case .stop(let exitCode):
            stopped = exitCode
        }
    }

    private func invariants() {
        let running = Set(machine.slots.filter(\.isRunning).compactMap(\.serial))
        check(running == Set(processes.keys), "machine: \(running), world: \(processes.keys)")
        let serving = machine.slots.filter { $0.purpose == .serve }
        if !isTerminating, !isGivingUp, stopped == nil {
            check(serving.count == machine.desired, "\(serving.count) of \(machine.desired) serve")
            check(Set(serving.map(\.number)).count == serving.count, "a number serves twice")
            check(machine.slots.count { $0.purpose == .replace } <= 1, "two replacements")
        }
        for slot in machine.slots {
            switch slot.state {
            case .vacant, .ended: check(false, "slot \(slot.number) left \(slot.state)")
            case .backoff, .booting, .ready, .draining, .stopping, .killed: break
            }
        }
    }

    // MARK: Events

    func step() {
        guard stopped == nil else { return }
        if wantsConfiguration, random.oneIn(3) {
            wantsConfiguration = false
            if mood == .hostile, random.oneIn(4) {
                machine.configurationRejected()
            } else {
                _ = machine.configurationAccepted(desired: 1 + random.below(6), now: now)
            }
            perform()
            return
        }
        switch random.below(10) {
        case 0, 1, 2: boot()
        case 3, 4: end()
        case 5, 6: tick()
        case 7 where mood == .hostile && random.oneIn(4): misbehave()
        case 8 where mood == .hostile && random.oneIn(6):
            machine.reloadRequested()
            perform()
        case 9 where mood == .hostile && random.oneIn(6):
            machine.scaleRequested(by: random.oneIn(2) ? 1 : -1, now: now)
            perform()
        default: break
        }
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

    /// Processes that were told to end do so; in a hostile world others, too.
    private func end() {
        let isHostile = mood == .hostile && random.oneIn(5)
        guard
            let serial = pick({
                isHostile || $0.wasToldToDrain || $0.wasTerminated || $0.wasKilled
            })
        else { return }
        if random.oneIn(2), processes[serial]?.wasKilled == false {
            machine.exitAnnounced(serial, now: now)
            perform()
            if random.oneIn(3) { return }
        }
        processes[serial] = nil
        let exit: ProcessExit =
            random.oneIn(2) ? .exited(code: Int32(random.below(3))) : .signaled(signal: 9)
        machine.exited(serial, exit, now: now, jitter: random.next())
        perform()
    }

    private func misbehave() {
        guard let serial = pick({ _ in true }) else { return }
        machine.failed(serial, random.oneIn(2) ? .protocolError : .unresponsive)
        perform()
        // Facts about processes that are long gone must change nothing.
        let stale = WorkerSerial(number: 1_000_000)
        machine.failed(stale, .unresponsive)
        machine.exitAnnounced(stale, now: now)
        machine.exited(stale, .exited(code: 0), now: now, jitter: 0)
        let isExpected = machine.readyReceived(stale, now: now)
        check(!isExpected, "READY of a process that never was")
        perform()
    }

    private func tick() {
        if let deadline = machine.deadline, random.oneIn(2) {
            now = max(now, deadline)
        } else {
            now += UInt64(random.below(500_000_000))
        }
        machine.timePassed(now: now)
        perform()
    }

    func terminate() {
        isTerminating = true
        wantsConfiguration = false
        machine.terminationRequested(now: now)
        perform()
    }
}

@Suite struct FleetWalkTests {
    @Test("Whatever happens, the fleet keeps its rules and then converges", arguments: 1...100)
    func converges(seed: UInt64) {
        let world = World(seed: seed)
        for _ in 0..<400 where world.problems.isEmpty { world.step() }
        world.mood = .healthy
        for _ in 0..<3000 where world.problems.isEmpty { world.step() }
        #expect(world.problems == [], "seed \(seed)")
        if let exitCode = world.stopped {
            // Only a first start that never worked may end by itself.
            #expect(exitCode == 69, "seed \(seed)")
            #expect(!world.isAccepting, "seed \(seed)")
            return
        }
        #expect(world.machine.state == .running, "seed \(seed)")
        #expect(world.readyCount == world.machine.desired, "seed \(seed)")
        #expect(world.machine.slots.count == world.machine.desired, "seed \(seed)")
        let generations = Set(world.machine.slots.map(\.generation))
        #expect(generations == [world.machine.generation], "seed \(seed)")
    }

    @Test("TERM ends the fleet at any moment, in bounded time", arguments: 1...100)
    func ends(seed: UInt64) {
        let world = World(seed: seed &+ 10_000)
        var random = SplitMix(seed: seed)
        for _ in 0..<random.below(500) where world.problems.isEmpty { world.step() }
        let start = world.now
        guard !world.isGivingUp else { return }
        world.terminate()
        let steps = random.below(200)
        for _ in 0..<steps where world.problems.isEmpty { world.step() }
        if random.oneIn(2), world.stopped == nil { world.terminate() }
        var left = 20_000
        while world.stopped == nil, left > 0, world.problems.isEmpty {
            world.step()
            left -= 1
        }
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.hasStoppedAccepting, "seed \(seed)")
        #expect(world.stopped == 0 || world.stopped == 1, "seed \(seed)")
        let limits = world.machine.limits
        let bound = limits.drain + WorkerSlot.exitGrace + limits.unkillable + 1_000_000_000
        #expect(world.now - start <= bound, "seed \(seed)")
    }
}
