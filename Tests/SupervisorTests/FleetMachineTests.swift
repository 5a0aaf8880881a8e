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

    func accept(workers: Int) -> [FleetAction] {
        _ = machine.configurationAccepted(desired: workers, now: now)
        return machine.takeActions()
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
    static func running(workers: Int) -> FleetScript {
        let script = FleetScript(workers: workers)
        _ = script.start()
        for number in 1...workers { _ = script.ready(UInt64(number)) }
        return script
    }
}

@Suite struct FleetMachineTests {
    private func s(_ number: UInt64) -> WorkerSerial { WorkerSerial(number: number) }

    @Test("All workers start at once; the first that is ready opens the doors")
    func start() {
        let fleet = FleetScript(workers: 3)
        #expect(
            fleet.start() == [
                .spawn(s(1), slot: 0, generation: 1),
                .spawn(s(2), slot: 1, generation: 1),
                .spawn(s(3), slot: 2, generation: 1),
            ]
        )
        #expect(fleet.ready(2) == [.admit(s(2)), .announceReady])
        #expect(fleet.ready(1) == [.admit(s(1))])
        #expect(fleet.machine.state == .running)
        #expect(fleet.machine.readyCount == 2)
    }

    @Test("A worker that crashes is replaced at once in its slot, again and again with delays")
    func crash() {
        let fleet = FleetScript.running(workers: 2)
        #expect(
            fleet.exit(1, .signaled(signal: 9)) == [.spawn(s(3), slot: 0, generation: 1)]
        )
        #expect(fleet.ready(3) == [.admit(s(3))])
        #expect(fleet.exit(3, .signaled(signal: 11)) == [])
        #expect(fleet.pass(milliseconds: 89) == [])
        #expect(fleet.pass(milliseconds: 1) == [.spawn(s(4), slot: 0, generation: 1)])
        #expect(fleet.machine.state == .running)
    }

    @Test("The first start gives up with 69 when no worker boots")
    func bootFailure() {
        let fleet = FleetScript(workers: 1)
        _ = fleet.start()
        #expect(fleet.exit(1, .exited(code: 1)) == [])
        _ = fleet.passToDeadline()
        #expect(fleet.exit(2, .signaled(signal: 6)) == [])
        #expect(fleet.passToDeadline() == [.spawn(s(3), slot: 0, generation: 1)])
        #expect(fleet.exit(3, .exited(code: 1)) == [.stop(exitCode: 69)])
        #expect(fleet.machine.state == .stopped(exitCode: 69))
    }

    @Test("The first start gives up with 78 when every worker refuses the configuration")
    func badConfiguration() {
        let fleet = FleetScript(workers: 1)
        _ = fleet.start()
        for number in 1...2 as ClosedRange<UInt64> {
            _ = fleet.exit(number, .exited(code: 78))
            _ = fleet.passToDeadline()
        }
        #expect(fleet.exit(3, .exited(code: 78)) == [.stop(exitCode: 78)])
    }

    @Test("A worker program that cannot be started fails like one that does not boot")
    func spawnFailure() {
        let fleet = FleetScript(workers: 1)
        _ = fleet.start()
        #expect(fleet.spawnFailed(1) == [])
        _ = fleet.passToDeadline()
        _ = fleet.spawnFailed(2)
        _ = fleet.passToDeadline()
        #expect(fleet.spawnFailed(3) == [.stop(exitCode: 69)])
    }

    @Test("Workers that hang in boot are killed, and the first start gives up in time")
    func bootHang() {
        let fleet = FleetScript(workers: 1)
        _ = fleet.start()
        #expect(fleet.passToDeadline() == [.kill(s(1))])
        #expect(fleet.now == WorkerSlot.bootTimeout)
        #expect(fleet.exit(1, .signaled(signal: 9)) == [])
        #expect(fleet.passToDeadline() == [.spawn(s(2), slot: 0, generation: 1)])
        // The budget of the whole start ends before the second worker's own.
        #expect(fleet.passToDeadline() == [.terminate(s(2))])
        #expect(fleet.now == 20_000_000_000)
        #expect(fleet.exit(2, .signaled(signal: 15)) == [.stop(exitCode: 69)])
    }

    @Test("Failures after the first READY never end the supervisor")
    func steadyFailures() {
        let fleet = FleetScript.running(workers: 1)
        var serial: UInt64 = 1
        for _ in 0..<50 {
            _ = fleet.exit(serial, .exited(code: 1))
            if fleet.machine.deadline != nil { _ = fleet.passToDeadline() }
            serial += 1
        }
        #expect(fleet.machine.state == .running)
        // Delays have grown to their maximum by now.
        _ = fleet.exit(serial, .exited(code: 1))
        #expect((fleet.machine.deadline ?? 0) - fleet.now == 4_500_000_000)
    }

    @Test("TERM closes the doors, drains every worker and ends with the last one")
    func drain() {
        let fleet = FleetScript.running(workers: 2)
        #expect(
            fleet.terminate() == [
                .stopAccepting,
                .drain(s(1), milliseconds: 60_000),
                .drain(s(2), milliseconds: 60_000),
            ]
        )
        #expect(fleet.exit(1) == [])
        #expect(fleet.exit(2) == [.stop(exitCode: 0)])
    }

    @Test("A worker that crashes during the drain is not replaced")
    func crashInDrain() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.terminate()
        #expect(fleet.exit(2, .signaled(signal: 11)) == [])
        #expect(fleet.exit(1) == [.stop(exitCode: 0)])
    }

    @Test("Streams that outlast the drain are cut by TERM, then KILL")
    func drainDeadline() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.terminate()
        #expect(fleet.pass(milliseconds: 59_999) == [])
        #expect(fleet.pass(milliseconds: 1) == [.terminate(s(1))])
        #expect(fleet.pass(milliseconds: 2_000) == [.kill(s(1))])
        #expect(fleet.exit(1, .signaled(signal: 9)) == [.stop(exitCode: 0)])
    }

    @Test("A process that even KILL does not end cannot hold the supervisor")
    func unkillable() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.terminate()
        _ = fleet.passToDeadline()
        _ = fleet.passToDeadline()
        #expect(fleet.passToDeadline() == [.stop(exitCode: 1)])
    }

    @Test("A second TERM stops at once, KILL following in half a second")
    func secondTerm() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.terminate()
        #expect(fleet.terminate() == [.terminate(s(1)), .terminate(s(2))])
        #expect(fleet.terminate() == [])
        #expect(fleet.pass(milliseconds: 500) == [.kill(s(1)), .kill(s(2))])
        _ = fleet.exit(1, .signaled(signal: 9))
        #expect(fleet.exit(2, .signaled(signal: 9)) == [.stop(exitCode: 0)])
    }

    @Test("TERM during the first boot ends the workers that boot, with exit code 0")
    func termInBoot() {
        let fleet = FleetScript(workers: 2)
        _ = fleet.start()
        #expect(fleet.terminate() == [.stopAccepting, .terminate(s(1)), .terminate(s(2))])
        _ = fleet.exit(1, .signaled(signal: 15))
        #expect(fleet.exit(2, .signaled(signal: 15)) == [.stop(exitCode: 0)])
    }

    @Test("TERM while every slot waits to restart ends at once")
    func termInBackoff() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.exit(1)
        _ = fleet.exit(2)
        #expect(fleet.terminate() == [.stopAccepting, .stop(exitCode: 0)])
    }

    // MARK: Reload

    @Test("A reload replaces one worker after the other, each old one after its new one is ready")
    func reload() {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.reload() == [.readConfiguration])
        #expect(fleet.accept(workers: 2) == [.spawn(s(3), slot: 0, generation: 2)])
        #expect(
            fleet.ready(3) == [
                .admit(s(3)),
                .drain(s(1), milliseconds: 600_000),
                .spawn(s(4), slot: 1, generation: 2),
            ]
        )
        // An old worker may take its time: the roll goes on without it.
        #expect(
            fleet.ready(4) == [
                .admit(s(4)),
                .drain(s(2), milliseconds: 600_000),
                .reloadEnded(.succeeded(generation: 2)),
            ]
        )
        #expect(fleet.exit(1) == [])
        #expect(fleet.exit(2) == [])
        #expect(fleet.machine.slots.map(\.generation) == [2, 2])
        // What crashes later comes back with the new configuration.
        #expect(fleet.exit(3) == [.spawn(s(5), slot: 0, generation: 2)])
    }

    @Test("A new configuration with which no worker boots leaves the old fleet alone")
    func rollback() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 5)
        #expect(fleet.exit(3, .exited(code: 78)) == [.reloadEnded(.workerFailed)])
        #expect(fleet.machine.state == .running)
        #expect(fleet.machine.desired == 2)
        #expect(fleet.exit(1) == [.spawn(s(4), slot: 0, generation: 1)])
        // The next try is a generation of its own.
        _ = fleet.reload()
        #expect(fleet.accept(workers: 2) == [.spawn(s(5), slot: 0, generation: 3)])
    }

    @Test("A new worker that hangs in boot ends the reload, too")
    func rollbackAfterHang() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        #expect(fleet.passToDeadline() == [.kill(s(2))])
        #expect(fleet.exit(2, .signaled(signal: 9)) == [.reloadEnded(.workerFailed)])
        #expect(fleet.machine.readyCount == 1)
    }

    @Test("Once one worker runs with it, the configuration is kept though others fail")
    func provenGeneration() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        _ = fleet.ready(3)
        #expect(fleet.exit(4, .signaled(signal: 9)) == [])
        #expect(fleet.passToDeadline() == [.spawn(s(5), slot: 1, generation: 2)])
        #expect(fleet.machine.readyCount == 2)
        #expect(fleet.ready(5).last == .reloadEnded(.succeeded(generation: 2)))
    }

    @Test("An old worker that crashes before the configuration is proven comes back as it was")
    func crashBeforeProof() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        #expect(fleet.exit(2) == [.spawn(s(4), slot: 1, generation: 1)])
    }

    @Test("An old worker that crashes while its replacement boots is not started again")
    func crashDuringReplacement() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        _ = fleet.ready(3)
        // Slot 1 is being replaced by process 4.
        #expect(fleet.exit(2, .signaled(signal: 9)) == [.reloadEnded(.succeeded(generation: 2))])
        #expect(fleet.ready(4) == [.admit(s(4))])
        #expect(fleet.machine.readyCount == 2)
    }

    @Test("An invalid configuration touches nothing")
    func invalid() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        fleet.machine.configurationRejected()
        #expect(fleet.machine.takeActions() == [.reloadEnded(.invalid)])
        #expect(fleet.machine.state == .running)
    }

    @Test("Reloads that come during a reload become one more")
    func coalesced() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        #expect(fleet.reload() == [])
        #expect(fleet.reload() == [])
        #expect(
            fleet.ready(2) == [
                .admit(s(2)),
                .drain(s(1), milliseconds: 600_000),
                .reloadEnded(.succeeded(generation: 2)),
                .readConfiguration,
            ]
        )
        #expect(fleet.accept(workers: 1) == [.spawn(s(3), slot: 0, generation: 3)])
        #expect(fleet.ready(3).last == .reloadEnded(.succeeded(generation: 3)))
    }

    @Test("A reload during the first boot waits for the first ready worker")
    func reloadInBoot() {
        let fleet = FleetScript(workers: 1)
        _ = fleet.start()
        #expect(fleet.reload() == [])
        #expect(fleet.ready(1) == [.admit(s(1)), .announceReady, .readConfiguration])
    }

    @Test("TERM wins over a reload")
    func termInReload() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        _ = fleet.reload()
        #expect(
            fleet.terminate() == [
                .reloadEnded(.abandoned),
                .stopAccepting,
                .drain(s(1), milliseconds: 60_000),
                .terminate(s(2)),
            ]
        )
        #expect(fleet.ready(2) == [])
        #expect(fleet.reload() == [.reloadIgnored])
        _ = fleet.exit(2)
        #expect(fleet.exit(1) == [.stop(exitCode: 0)])
    }

    @Test("Old workers of several reloads do not pile up without end")
    func generations() {
        let fleet = FleetScript.running(workers: 1)
        var serial: UInt64 = 1
        var terminated: [WorkerSerial] = []
        for _ in 0..<6 {
            _ = fleet.reload()
            _ = fleet.accept(workers: 1)
            serial += 1
            for action in fleet.ready(serial) {
                if case .terminate(let worker) = action { terminated.append(worker) }
            }
        }
        #expect(terminated.prefix(2) == [s(1), s(2)])
    }

    // MARK: Scaling

    @Test("One worker more is started, one less is drained, and one always stays")
    func scale() {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.scale(1) == [.spawn(s(3), slot: 2, generation: 1)])
        _ = fleet.ready(3)
        #expect(fleet.scale(-1) == [.drain(s(3), milliseconds: 600_000)])
        #expect(fleet.scale(-1) == [.drain(s(2), milliseconds: 600_000)])
        #expect(fleet.scale(-1) == [])
        #expect(fleet.machine.desired == 1)
    }

    @Test("A slot number stays with a worker that leaves until it is gone")
    func numbers() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.scale(-1)
        #expect(fleet.scale(1) == [.spawn(s(3), slot: 2, generation: 1)])
        _ = fleet.exit(2)
        #expect(fleet.scale(1) == [.spawn(s(4), slot: 1, generation: 1)])
    }

    @Test("A configuration with another worker count resizes once it is proven")
    func resizeByReload() {
        let fleet = FleetScript.running(workers: 3)
        _ = fleet.reload()
        #expect(fleet.accept(workers: 1) == [.spawn(s(4), slot: 0, generation: 2)])
        #expect(
            fleet.ready(4) == [
                .admit(s(4)),
                .drain(s(1), milliseconds: 600_000),
                .drain(s(2), milliseconds: 600_000),
                .drain(s(3), milliseconds: 600_000),
                .reloadEnded(.succeeded(generation: 2)),
            ]
        )
    }
}
