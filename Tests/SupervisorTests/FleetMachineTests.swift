// SPDX-License-Identifier: Apache-2.0
import System
import Testing

@testable import Supervisor

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
                .drain(s(1), fleet.stopPlan),
                .drain(s(2), fleet.stopPlan),
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

    @Test("A drain has a soft and a hard end, and idle connections are closed over a while")
    func drainPlan() {
        var limits = FleetMachine.Limits()
        limits.drain = 90_000_000_000
        limits.drainStalled = 30_000_000_000
        limits.closeSpread = 4_000_000_000
        let fleet = FleetScript.running(workers: 1, limits: limits)
        fleet.now = 1_000_000_000
        let plan = DrainPlan(
            soft: 31_000_000_000,
            hard: 91_000_000_000,
            spread: 4_000_000_000,
            returnsIdle: false
        )
        #expect(fleet.terminate() == [.stopAccepting, .drain(s(1), plan)])
        #expect(fleet.machine.state == .draining(deadline: 91_000_000_000))
    }

    @Test("A short drain has its soft end at its hard one, and no long spread")
    func shortDrainPlan() {
        var limits = FleetMachine.Limits()
        limits.drain = 2_000_000_000
        let fleet = FleetScript.running(workers: 1, limits: limits)
        let plan = DrainPlan(
            soft: 2_000_000_000,
            hard: 2_000_000_000,
            spread: 500_000_000,
            returnsIdle: false
        )
        #expect(fleet.terminate() == [.stopAccepting, .drain(s(1), plan)])
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

    @Test("Stopping without waiting sends TERM at once and KILL in half a second")
    func stopNow() {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.stopNow() == [.terminate(s(1)), .terminate(s(2))])
        #expect(fleet.stopNow() == [])
        #expect(fleet.terminate() == [])
        #expect(fleet.pass(milliseconds: 500) == [.kill(s(1)), .kill(s(2))])
        _ = fleet.exit(1, .signaled(signal: 9))
        #expect(fleet.exit(2, .signaled(signal: 9)) == [.stop(exitCode: 0)])
    }

    // MARK: Lame duck

    private static var lameDuck: FleetMachine.Limits {
        var limits = FleetMachine.Limits()
        limits.lameDuck = 5_000_000_000
        return limits
    }

    @Test("A lame duck serves on until its time is over, and drains then")
    func lameDuck() {
        let fleet = FleetScript.running(workers: 2, limits: Self.lameDuck)
        #expect(fleet.terminate() == [.announceLameDuck])
        #expect(fleet.machine.state == .lameDuck(until: 5_000_000_000))
        #expect(fleet.pass(milliseconds: 4_999) == [])
        // A crash meanwhile costs no capacity.
        #expect(fleet.exit(1, .signaled(signal: 11)) == [.spawn(s(3), slot: 0, generation: 1)])
        #expect(fleet.ready(3) == [.admit(s(3))])
        #expect(fleet.reload() == [.reloadIgnored])
        #expect(fleet.scale(1) == [])
        #expect(fleet.recycle(2) == [])
        #expect(
            fleet.pass(milliseconds: 1) == [
                .stopAccepting, .drain(s(3), fleet.stopPlan), .drain(s(2), fleet.stopPlan),
            ]
        )
        // The time for the drain begins now.
        #expect(fleet.machine.state == .draining(deadline: 65_000_000_000))
        _ = fleet.exit(2)
        #expect(fleet.exit(3) == [.stop(exitCode: 0)])
    }

    @Test("A second TERM ends a lame duck at once")
    func lameDuckSecondTerm() {
        let fleet = FleetScript.running(workers: 2, limits: Self.lameDuck)
        _ = fleet.terminate()
        #expect(fleet.terminate() == [.terminate(s(1)), .terminate(s(2))])
        _ = fleet.exit(1)
        #expect(fleet.exit(2) == [.stop(exitCode: 0)])
    }

    @Test("A fleet that serves nobody is no lame duck")
    func lameDuckInBoot() {
        let fleet = FleetScript(workers: 1, limits: Self.lameDuck)
        _ = fleet.start()
        #expect(fleet.terminate() == [.stopAccepting, .terminate(s(1))])
    }

    // MARK: Faults

    @Test("A worker that hangs gets ABRT first, KILL when it does not end, and is replaced")
    func hang() {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.failed(1, .hang) == [.abort(s(1))])
        #expect(fleet.failed(1, .hang) == [])
        #expect(fleet.machine.readyCount == 1)
        #expect(fleet.pass(milliseconds: 1_999) == [])
        #expect(fleet.pass(milliseconds: 1) == [.kill(s(1))])
        #expect(
            fleet.exit(1, .signaled(signal: 9)) == [.spawn(s(3), slot: 0, generation: 1)]
        )
    }

    @Test(
        "A worker that is stopped or breaks the protocol is killed at once",
        arguments: [WorkerSlot.Fault.stopped, .protocolError]
    )
    func killed(fault: WorkerSlot.Fault) {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.failed(2, fault) == [.kill(s(2))])
        #expect(fleet.failed(2, .hang) == [])
        #expect(
            fleet.exit(2, .signaled(signal: 9)) == [.spawn(s(3), slot: 1, generation: 1)]
        )
    }

    @Test("A worker that hangs in its drain is ended, and not replaced")
    func hangInDrain() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.scale(-1)
        #expect(fleet.failed(2, .hang) == [.abort(s(2))])
        #expect(fleet.exit(2, .signaled(signal: 6)) == [])
        #expect(fleet.machine.slots.count == 1)
    }

    @Test("A crash of all workers at once stays within the budget, and all come back")
    func crashOfAll() {
        let fleet = FleetScript.running(workers: 8)
        var next: UInt64 = 9
        // Twice each is free; the third round waits for the budget, too.
        for number in 1...8 as ClosedRange<UInt64> {
            #expect(fleet.exit(number, .signaled(signal: 11)).count == 1)
            _ = fleet.ready(next)
            next += 1
        }
        for number in 9...16 as ClosedRange<UInt64> {
            #expect(fleet.exit(number, .signaled(signal: 11)) == [])
        }
        let waiting = fleet.now
        while fleet.machine.readyCount < 8 {
            for action in fleet.passToDeadline() {
                guard case .spawn(let serial, _, _) = action else { continue }
                _ = fleet.ready(serial.number)
                next = serial.number + 1
            }
        }
        #expect(fleet.now - waiting == 90_000_000)
        for number in 17...24 as ClosedRange<UInt64> {
            #expect(fleet.exit(number, .signaled(signal: 11)) == [])
        }
        let dues = fleet.machine.slots.compactMap(\.deadline).map { ($0 - fleet.now) / 1_000_000 }
        #expect(dues == [180, 200, 300, 400, 500, 600, 700, 800])
    }

    // MARK: Facts that come late

    @Test("What is said about a process that is gone changes nothing")
    func late() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.exit(1, .signaled(signal: 9))
        let before = fleet.machine.slots.map(\.state)
        #expect(fleet.ready(1) == [])
        #expect(fleet.probed(1) == [])
        #expect(fleet.probed(1, passed: false) == [])
        #expect(fleet.failed(1, .hang) == [])
        #expect(fleet.recycle(1) == [])
        #expect(fleet.exit(1) == [])
        #expect(fleet.spawnFailed(1) == [])
        fleet.machine.exitAnnounced(s(1), now: 0)
        #expect(fleet.machine.takeActions() == [])
        #expect(fleet.machine.slots.map(\.state) == before)
    }

    // MARK: Scaling

    @Test("One worker more is started, one less is drained, and one always stays")
    func scale() {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.scale(1) == [.spawn(s(3), slot: 2, generation: 1)])
        _ = fleet.ready(3)
        #expect(fleet.scale(-1) == [.drain(s(3), fleet.replacedPlan)])
        #expect(fleet.scale(-1) == [.drain(s(2), fleet.replacedPlan)])
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

    @Test("A number can be asked for")
    func scaleTo() {
        let fleet = FleetScript.running(workers: 1)
        fleet.machine.scaleRequested(to: 3, now: 0)
        #expect(
            fleet.machine.takeActions() == [
                .spawn(s(2), slot: 1, generation: 1), .spawn(s(3), slot: 2, generation: 1),
            ]
        )
        fleet.machine.scaleRequested(to: 1, now: 0)
        #expect(fleet.machine.takeActions() == [.terminate(s(2)), .terminate(s(3))])
    }

    @Test("A reload that changes only the number touches no worker that stays")
    func scaledByReload() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        #expect(
            fleet.accept(workers: 4, changesWorkers: false) == [
                .spawn(s(3), slot: 2, generation: 1),
                .spawn(s(4), slot: 3, generation: 1),
                .reloadEnded(.scaled(workers: 4)),
            ]
        )
        #expect(fleet.machine.state == .running && fleet.machine.generation == 1)
        _ = fleet.ready(3)
        _ = fleet.ready(4)
        _ = fleet.reload()
        #expect(
            fleet.accept(workers: 1, changesWorkers: false) == [
                .drain(s(2), fleet.replacedPlan),
                .drain(s(3), fleet.replacedPlan),
                .drain(s(4), fleet.replacedPlan),
                .reloadEnded(.scaled(workers: 1)),
            ]
        )
        #expect(fleet.serving == [1])
        // The generation was not used up.
        _ = fleet.reload()
        #expect(fleet.accept(workers: 1) == [.spawn(s(5), slot: 0, generation: 2)])
    }
}
