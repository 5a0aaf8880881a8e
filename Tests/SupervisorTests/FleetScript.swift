// SPDX-License-Identifier: Apache-2.0
import System
import Testing

@testable import Supervisor

/// A fleet with short ways to tell it facts; every fact returns the actions it caused.
final class FleetScript {
    var machine: FleetMachine
    var now: UInt64 = 0

    init(workers: Int, limits: FleetMachine.Limits = FleetMachine.Limits()) {
        machine = FleetMachine(desired: workers, limits: limits)
    }

    static func serial(_ number: UInt64) -> WorkerSerial { WorkerSerial(number: number) }

    func start() -> [FleetAction] {
        machine.start(now: now)
        return machine.takeActions()
    }

    func ready(_ number: UInt64) -> [FleetAction] {
        _ = machine.readyReceived(Self.serial(number), now: now)
        return machine.takeActions()
    }

    func exit(
        _ number: UInt64,
        _ exit: ProcessExit = .exited(code: 0)
    ) -> [FleetAction] {
        machine.exited(Self.serial(number), exit, now: now, jitter: 0)
        return machine.takeActions()
    }

    func spawnFailed(_ number: UInt64) -> [FleetAction] {
        machine.spawnFailed(Self.serial(number), now: now, jitter: 0)
        return machine.takeActions()
    }

    func terminate() -> [FleetAction] {
        machine.terminationRequested(now: now)
        return machine.takeActions()
    }

    func reload() -> [FleetAction] {
        machine.reloadRequested()
        return machine.takeActions()
    }

    func accept(workers: Int, changesWorkers: Bool = true) -> [FleetAction] {
        _ = machine.configurationAccepted(
            desired: workers,
            changesWorkers: changesWorkers,
            now: now
        )
        return machine.takeActions()
    }

    func probed(_ number: UInt64, passed: Bool = true) -> [FleetAction] {
        machine.probed(Self.serial(number), passed: passed, now: now)
        return machine.takeActions()
    }

    /// The canary becomes ready and answers its probe.
    func proven(_ number: UInt64) -> [FleetAction] {
        #expect(ready(number) == [.probe(Self.serial(number))])
        return probed(number)
    }

    func failed(_ number: UInt64, _ fault: WorkerSlot.Fault) -> [FleetAction] {
        machine.failed(Self.serial(number), fault, now: now)
        return machine.takeActions()
    }

    func recycle(_ number: UInt64, _ reason: RecycleReason = .age) -> [FleetAction] {
        machine.recycleRequested(Self.serial(number), reason, now: now)
        return machine.takeActions()
    }

    func stopNow() -> [FleetAction] {
        machine.stopRequested(now: now)
        return machine.takeActions()
    }

    /// What workers are told when the fleet stops now.
    var stopPlan: DrainPlan {
        let limits = machine.limits
        return DrainPlan(
            soft: now + min(limits.drain, limits.drainStalled),
            hard: now + limits.drain,
            spread: min(limits.closeSpread, limits.drain / 4),
            returnsIdle: false
        )
    }

    /// What a worker is told that another one replaces now.
    var replacedPlan: DrainPlan {
        let limits = machine.limits
        return DrainPlan(
            soft: now + min(limits.replacedDrain, limits.drainStalled),
            hard: now + limits.replacedDrain,
            spread: limits.closeSpread,
            returnsIdle: true
        )
    }

    /// Serials of the workers that serve, by slot.
    var serving: [UInt64] {
        machine.slots.filter { $0.purpose == .serve }.sorted { $0.number < $1.number }
            .compactMap(\.serial?.number)
    }

    /// Lets every process end that exists, and every timer run out, until nothing happens.
    ///
    /// Returns what the machine wanted meanwhile.
    func runOut() -> [FleetAction] {
        var actions: [FleetAction] = []
        for _ in 0..<1000 {
            if case .stopped = machine.state { break }
            if let slot = machine.slots.first(where: \.isRunning), let serial = slot.serial {
                actions += exit(serial.number, .signaled(signal: 15))
            } else {
                actions += passToDeadline()
            }
        }
        return actions
    }

    func scale(_ difference: Int) -> [FleetAction] {
        machine.scaleRequested(by: difference, now: now)
        return machine.takeActions()
    }

    func pass(milliseconds: UInt64) -> [FleetAction] {
        now += milliseconds * 1_000_000
        machine.timePassed(now: now)
        return machine.takeActions()
    }

    /// Lets the time pass to the next deadline.
    func passToDeadline() -> [FleetAction] {
        now = max(now, machine.deadline ?? now)
        machine.timePassed(now: now)
        return machine.takeActions()
    }

    /// A fleet whose workers are all ready.
    static func running(
        workers: Int,
        limits: FleetMachine.Limits = FleetMachine.Limits()
    ) -> FleetScript {
        let script = FleetScript(workers: workers, limits: limits)
        _ = script.start()
        for number in 1...workers { _ = script.ready(UInt64(number)) }
        return script
    }
}
