// SPDX-License-Identifier: Apache-2.0
import System
import Testing

@testable import Supervisor

@Suite struct FleetReloadTests {
    private func s(_ number: UInt64) -> WorkerSerial { WorkerSerial(number: number) }

    @Test("A reload replaces one worker after the other, each old one after its new one is ready")
    func reload() {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.reload() == [.readConfiguration])
        #expect(fleet.accept(workers: 2) == [.spawn(s(3), slot: 0, generation: 2)])
        // The first one has to answer a request before anybody depends on it.
        #expect(fleet.ready(3) == [.probe(s(3))])
        #expect(fleet.machine.readyCount == 2)
        #expect(
            fleet.probed(3) == [
                .admit(s(3)),
                .drain(s(1), fleet.replacedPlan),
                .spawn(s(4), slot: 1, generation: 2),
            ]
        )
        // An old worker may take its time: the roll goes on without it.
        #expect(
            fleet.ready(4) == [
                .admit(s(4)),
                .drain(s(2), fleet.replacedPlan),
                .reloadEnded(.succeeded(generation: 2, replaced: 2)),
            ]
        )
        #expect(fleet.exit(1) == [])
        #expect(fleet.exit(2) == [])
        #expect(fleet.machine.slots.map(\.generation) == [2, 2])
        // What crashes later comes back with the new configuration.
        #expect(fleet.exit(3) == [.spawn(s(5), slot: 0, generation: 2)])
    }

    @Test("A replaced worker returns idle connections and has longer than one that stops")
    func replacedPlan() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        fleet.now = 1_000_000_000
        let plan = DrainPlan(
            soft: 61_000_000_000,
            hard: 601_000_000_000,
            spread: 2_000_000_000,
            returnsIdle: true
        )
        #expect(fleet.proven(2).contains(.drain(s(1), plan)))
    }

    // MARK: Canaries

    struct Canary: CustomTestStringConvertible, Sendable {
        let name: String
        /// What happens to process 3, of which only its end is missing then.
        let fate: @Sendable (FleetScript) -> [FleetAction]
        let wanted: [FleetAction]
        let exit: ProcessExit?
        let failure: BootFailure
        var testDescription: String { name }
    }

    private static let third = WorkerSerial(number: 3)

    static let canaries = [
        Canary(
            name: "cannot be started",
            fate: { $0.spawnFailed(3) },
            wanted: [.reloadEnded(.canaryFailed(.notStarted))],
            exit: nil,
            failure: .notStarted
        ),
        Canary(
            name: "exits in boot",
            fate: { _ in [] },
            wanted: [],
            exit: .exited(code: 78),
            failure: .exited(.exited(code: 78))
        ),
        Canary(
            name: "crashes in boot",
            fate: { _ in [] },
            wanted: [],
            exit: .signaled(signal: 11),
            failure: .exited(.signaled(signal: 11))
        ),
        Canary(
            name: "hangs in boot",
            fate: { $0.passToDeadline() },
            wanted: [.kill(third)],
            exit: .signaled(signal: 9),
            failure: .timedOut
        ),
        Canary(
            name: "breaks the protocol",
            fate: { $0.failed(3, .protocolError) },
            wanted: [.kill(third)],
            exit: .signaled(signal: 9),
            failure: .brokeProtocol
        ),
        Canary(
            name: "answers its probe wrongly",
            fate: { $0.ready(3) + $0.probed(3, passed: false) },
            wanted: [.probe(third), .kill(third)],
            exit: .signaled(signal: 9),
            failure: .probeFailed
        ),
        Canary(
            name: "does not answer its probe",
            fate: { $0.ready(3) + $0.passToDeadline() },
            wanted: [.probe(third), .kill(third)],
            exit: .signaled(signal: 9),
            failure: .probeFailed
        ),
        Canary(
            name: "crashes at its probe",
            fate: { $0.ready(3) },
            wanted: [.probe(third)],
            exit: .signaled(signal: 6),
            failure: .exited(.signaled(signal: 6))
        ),
        Canary(
            name: "hangs at its probe",
            fate: { $0.ready(3) + $0.failed(3, .hang) },
            wanted: [.probe(third), .abort(third)],
            exit: .signaled(signal: 6),
            failure: .exited(.signaled(signal: 6))
        ),
        Canary(
            name: "leaves at its probe",
            fate: { script in
                let probe = script.ready(3)
                script.machine.exitAnnounced(third, now: script.now)
                return probe + script.passToDeadline()
            },
            wanted: [.probe(third), .kill(third)],
            exit: .signaled(signal: 9),
            failure: .exited(.signaled(signal: 9))
        ),
    ]

    @Test("A canary that fails leaves the old fleet alone", arguments: canaries)
    func canary(row: Canary) {
        let fleet = FleetScript.running(workers: 2)
        let old = fleet.machine.slots
        _ = fleet.reload()
        _ = fleet.accept(workers: 5)
        #expect(row.fate(fleet) == row.wanted)
        if let exit = row.exit {
            #expect(fleet.exit(3, exit) == [.reloadEnded(.canaryFailed(row.failure))])
        }
        #expect(fleet.machine.state == .running)
        #expect(fleet.machine.desired == 2 && fleet.machine.generation == 1)
        #expect(fleet.machine.slots.map(\.state) == old.map(\.state))
        #expect(fleet.serving == [1, 2])
        // Nothing of it is left: what crashes comes back as it was.
        #expect(fleet.exit(1) == [.spawn(s(4), slot: 0, generation: 1)])
        // The next try is a generation of its own.
        _ = fleet.reload()
        #expect(fleet.accept(workers: 2) == [.spawn(s(5), slot: 0, generation: 3)])
    }

    @Test("A reload that waited begins when the canary has failed")
    func pendingAfterCanary() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        #expect(fleet.reload() == [])
        #expect(
            fleet.exit(2, .exited(code: 1)) == [
                .reloadEnded(.canaryFailed(.exited(.exited(code: 1)))), .readConfiguration,
            ]
        )
    }

    @Test("An old worker that crashes before the configuration is proven comes back as it was")
    func crashBeforeProof() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        #expect(fleet.exit(2) == [.spawn(s(4), slot: 1, generation: 1)])
        // Not a canary: the old configuration needs no proof.
        #expect(fleet.ready(4) == [.admit(s(4))])
        #expect(fleet.exit(1) == [.spawn(s(5), slot: 0, generation: 1)])
        #expect(fleet.proven(3).first == .admit(s(3)))
    }

    @Test("An answer to a probe that nobody waits for any more is not heard")
    func lateProbe() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        _ = fleet.ready(2)
        #expect(fleet.passToDeadline() == [.kill(s(2))])
        #expect(fleet.probed(2) == [])
        #expect(fleet.machine.readyCount == 1)
    }

    // MARK: Rolling back

    @Test("Once one worker runs with it, one failure of another does not end the reload")
    func provenGeneration() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        _ = fleet.proven(3)
        #expect(fleet.exit(4, .signaled(signal: 9)) == [])
        #expect(fleet.passToDeadline() == [.spawn(s(5), slot: 1, generation: 2)])
        #expect(fleet.machine.readyCount == 2)
        #expect(
            fleet.ready(5).last == .reloadEnded(.succeeded(generation: 2, replaced: 2))
        )
    }

    @Test("When later replacements do not live, every slot goes back to the old generation")
    func rollback() {
        let fleet = FleetScript.running(workers: 3)
        _ = fleet.reload()
        _ = fleet.accept(workers: 3)
        _ = fleet.proven(4)
        #expect(fleet.serving == [4, 2, 3])
        #expect(fleet.exit(5, .exited(code: 1)) == [])
        #expect(fleet.passToDeadline() == [.spawn(s(6), slot: 1, generation: 2)])
        #expect(
            fleet.exit(6, .exited(code: 7)) == [.spawn(s(7), slot: 0, generation: 1)]
        )
        #expect(fleet.machine.readyCount == 3)
        // The old configuration needs no probe.
        #expect(
            fleet.ready(7) == [
                .admit(s(7)),
                .drain(s(4), fleet.replacedPlan),
                .reloadEnded(.rolledBack(.exited(.exited(code: 7)))),
            ]
        )
        #expect(fleet.machine.state == .running)
        #expect(fleet.machine.generation == 1)
        #expect(fleet.serving == [7, 2, 3])
        // Generations are never used twice.
        _ = fleet.reload()
        #expect(fleet.accept(workers: 3) == [.spawn(s(8), slot: 1, generation: 3)])
    }

    @Test("A reload that goes back takes its limits with it")
    func rollbackOfLimits() {
        let fleet = FleetScript.running(workers: 2)
        var limits = fleet.machine.limits
        let before = limits
        limits.drain = 7_000_000_000
        _ = fleet.reload()
        #expect(
            fleet.machine.configurationAccepted(desired: 4, limits: limits, now: fleet.now) == 2
        )
        _ = fleet.machine.takeActions()
        _ = fleet.proven(3)
        #expect(fleet.machine.desired == 4 && fleet.machine.limits == limits)
        // Two of the new ones do not live.
        for serial in fleet.machine.slots.filter({ $0.generation == 2 && !$0.isReady })
            .compactMap(\.serial).prefix(2)
        {
            _ = fleet.exit(serial.number, .exited(code: 1))
        }
        #expect(fleet.machine.limits == before)
        for _ in 0..<6 {
            for slot in fleet.machine.slots {
                guard case .booting = slot.state, let serial = slot.serial else { continue }
                _ = fleet.ready(serial.number)
            }
        }
        #expect(fleet.machine.state == .running && fleet.machine.generation == 1)
        #expect(fleet.machine.desired == 2)
        #expect(fleet.machine.slots.count { $0.purpose == .serve } == 2)
    }

    @Test("A reload to fewer workers that goes back brings them again")
    func rollbackOfFewer() {
        let fleet = FleetScript.running(workers: 3)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        #expect(
            fleet.proven(4) == [
                .admit(s(4)), .drain(s(1), fleet.replacedPlan), .drain(s(3), fleet.replacedPlan),
                .spawn(s(5), slot: 1, generation: 2),
            ]
        )
        _ = fleet.spawnFailed(5)
        _ = fleet.passToDeadline()
        #expect(
            fleet.spawnFailed(6) == [
                .spawn(s(7), slot: 3, generation: 1), .spawn(s(8), slot: 0, generation: 1),
            ]
        )
        #expect(fleet.machine.desired == 3)
    }

    @Test("Who scales in the middle of a reload that goes back has the last word")
    func scaledBeforeRollback() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 4)
        _ = fleet.proven(3)
        #expect(fleet.machine.desired == 4)
        fleet.machine.scaleRequested(to: 3, now: fleet.now)
        _ = fleet.machine.takeActions()
        for serial in fleet.machine.slots.filter({ $0.generation == 2 && !$0.isReady })
            .compactMap(\.serial).prefix(2)
        {
            _ = fleet.exit(serial.number, .exited(code: 1))
        }
        #expect(fleet.machine.desired == 3)
    }

    @Test("Going back replaces as many slots as had gone forward, one by one")
    func rollbackOfMany() {
        let fleet = FleetScript.running(workers: 4)
        _ = fleet.reload()
        _ = fleet.accept(workers: 4)
        _ = fleet.proven(5)
        _ = fleet.ready(6)
        #expect(fleet.serving == [5, 6, 3, 4])
        _ = fleet.spawnFailed(7)
        _ = fleet.passToDeadline()
        #expect(fleet.failed(8, .protocolError) == [.kill(s(8))])
        #expect(
            fleet.exit(8, .signaled(signal: 9)) == [.spawn(s(9), slot: 0, generation: 1)]
        )
        #expect(
            fleet.ready(9) == [
                .admit(s(9)),
                .drain(s(5), fleet.replacedPlan),
                .spawn(s(10), slot: 1, generation: 1),
            ]
        )
        // Failures on the way back are no reason to go anywhere else.
        for number in 10...12 as ClosedRange<UInt64> {
            #expect(fleet.exit(number, .exited(code: 1)) == [])
            #expect(fleet.machine.readyCount == 4)
            _ = fleet.passToDeadline()
        }
        #expect(
            fleet.ready(13) == [
                .admit(s(13)),
                .drain(s(6), fleet.replacedPlan),
                .reloadEnded(.rolledBack(.brokeProtocol)),
            ]
        )
        #expect(fleet.serving == [9, 13, 3, 4])
    }

    @Test("Workers of the new generation that crash while they serve count, too")
    func rollbackAfterCrashes() {
        let fleet = FleetScript.running(workers: 3)
        _ = fleet.reload()
        _ = fleet.accept(workers: 3)
        _ = fleet.proven(4)
        // Process 5 boots in slot 1 meanwhile.
        #expect(
            fleet.exit(4, .signaled(signal: 11)) == [.spawn(s(6), slot: 0, generation: 2)]
        )
        #expect(fleet.ready(6) == [.admit(s(6))])
        // What boots with the new configuration must not take the place of an old one any more.
        #expect(
            fleet.exit(6, .signaled(signal: 11)) == [
                .terminate(s(5)), .reloadEnded(.rolledBack(.exited(.signaled(signal: 11)))),
            ]
        )
        #expect(fleet.exit(5, .signaled(signal: 15)) == [])
        #expect(fleet.passToDeadline() == [.spawn(s(7), slot: 0, generation: 1)])
        _ = fleet.ready(7)
        #expect(fleet.serving == [7, 2, 3])
        #expect(fleet.machine.slots.allSatisfy { $0.generation == 1 })
    }

    @Test("TERM while the fleet goes back ends it")
    func termInRollback() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        _ = fleet.proven(3)
        _ = fleet.exit(4, .exited(code: 1))
        _ = fleet.passToDeadline()
        #expect(fleet.exit(5, .exited(code: 1)) == [.spawn(s(6), slot: 0, generation: 1)])
        let actions = fleet.terminate()
        #expect(actions.first == .reloadEnded(.abandoned))
        #expect(actions.contains(.terminate(s(6))))
        #expect(fleet.runOut().last == .stop(exitCode: 0))
    }

    // MARK: Meanwhile

    @Test("An old worker that crashes while its replacement boots is not started again")
    func crashDuringReplacement() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        _ = fleet.proven(3)
        // Slot 1 is being replaced by process 4.
        #expect(
            fleet.exit(2, .signaled(signal: 9)) == [
                .reloadEnded(.succeeded(generation: 2, replaced: 1))
            ]
        )
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
        #expect(fleet.reload() == [])
        #expect(
            fleet.proven(2) == [
                .admit(s(2)),
                .drain(s(1), fleet.replacedPlan),
                .reloadEnded(.succeeded(generation: 2, replaced: 1)),
                .readConfiguration,
            ]
        )
        #expect(fleet.accept(workers: 1) == [.spawn(s(3), slot: 0, generation: 3)])
        // Nothing more is pending.
        #expect(
            fleet.proven(3).last == .reloadEnded(.succeeded(generation: 3, replaced: 1))
        )
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
                .drain(s(1), fleet.stopPlan),
                .terminate(s(2)),
            ]
        )
        #expect(fleet.ready(2) == [])
        #expect(fleet.reload() == [.reloadIgnored])
        _ = fleet.exit(2)
        #expect(fleet.exit(1) == [.stop(exitCode: 0)])
    }

    @Test("A configuration that is read when the fleet stops already is not used")
    func acceptedTooLate() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        _ = fleet.terminate()
        #expect(fleet.accept(workers: 3) == [])
        #expect(fleet.accept(workers: 3, changesWorkers: false) == [])
        #expect(fleet.exit(1) == [.stop(exitCode: 0)])
    }

    struct Moment: CustomTestStringConvertible, Sendable {
        let name: String
        let script: @Sendable () -> FleetScript
        var testDescription: String { name }
    }

    /// A fleet of three with a roll under way, its canary booting as process 4.
    private static func rolling() -> FleetScript {
        let fleet = FleetScript.running(workers: 3)
        _ = fleet.reload()
        _ = fleet.accept(workers: 3)
        return fleet
    }

    static let moments = [
        Moment(name: "boot") {
            let fleet = FleetScript(workers: 2)
            _ = fleet.start()
            return fleet
        },
        Moment(name: "half booted") {
            let fleet = FleetScript(workers: 2)
            _ = fleet.start()
            _ = fleet.ready(1)
            return fleet
        },
        Moment(name: "backoff") {
            let fleet = FleetScript.running(workers: 2)
            for number in [1, 2, 3, 4] as [UInt64] { _ = fleet.exit(number) }
            return fleet
        },
        Moment(name: "configuration asked for") {
            let fleet = FleetScript.running(workers: 2)
            _ = fleet.reload()
            return fleet
        },
        Moment(name: "canary boots") { rolling() },
        Moment(name: "canary is probed") {
            let fleet = rolling()
            _ = fleet.ready(4)
            return fleet
        },
        Moment(name: "canary is killed") {
            let fleet = rolling()
            _ = fleet.ready(4)
            _ = fleet.probed(4, passed: false)
            return fleet
        },
        Moment(name: "rolling with a reload pending") {
            let fleet = rolling()
            _ = fleet.proven(4)
            _ = fleet.reload()
            return fleet
        },
        Moment(name: "replacement waits to restart") {
            let fleet = rolling()
            _ = fleet.proven(4)
            _ = fleet.exit(5, .exited(code: 1))
            return fleet
        },
        Moment(name: "rolling back") {
            let fleet = rolling()
            _ = fleet.proven(4)
            for number in [5, 6] as [UInt64] {
                _ = fleet.exit(number, .exited(code: 1))
                _ = fleet.passToDeadline()
            }
            return fleet
        },
        Moment(name: "recycling") {
            let fleet = FleetScript.running(workers: 2)
            _ = fleet.recycle(1)
            return fleet
        },
        Moment(name: "a worker aborts") {
            let fleet = FleetScript.running(workers: 2)
            _ = fleet.failed(1, .hang)
            return fleet
        },
        Moment(name: "old workers drain") {
            let fleet = FleetScript.running(workers: 1)
            _ = fleet.recycle(1)
            _ = fleet.ready(2)
            return fleet
        },
        Moment(name: "lame duck") {
            var limits = FleetMachine.Limits()
            limits.lameDuck = 5_000_000_000
            let fleet = FleetScript.running(workers: 2, limits: limits)
            _ = fleet.recycle(1)
            _ = fleet.terminate()
            return fleet
        },
    ]

    @Test(
        "TERM wins whatever goes on: nothing is started any more, and the end comes",
        arguments: moments
    )
    func term(moment: Moment) {
        for isImpatient in [false, true] {
            let fleet = moment.script()
            // A lame duck was told already.
            let isLameDuck = fleet.machine.deadline != nil && moment.name == "lame duck"
            var actions = isLameDuck ? fleet.passToDeadline() : fleet.terminate()
            #expect(actions.contains(.stopAccepting))
            #expect(fleet.machine.readyCount == 0)
            if isImpatient { actions += fleet.terminate() }
            actions += fleet.runOut()
            #expect(actions.last == .stop(exitCode: 0))
            for action in actions {
                if case .spawn = action { Issue.record("\(action) after TERM") }
                if case .admit = action { Issue.record("\(action) after TERM") }
            }
        }
    }

    @Test("Without waiting it ends, too, whatever goes on", arguments: moments)
    func stopNow(moment: Moment) {
        let fleet = moment.script()
        let start = fleet.now
        var actions = fleet.stopNow()
        // Processes that do not end by themselves are killed in half a second.
        actions += fleet.pass(milliseconds: 500)
        for slot in fleet.machine.slots {
            let isKilled = if case .killed = slot.state { true } else { false }
            #expect(isKilled, "\(slot)")
        }
        actions += fleet.runOut()
        #expect(actions.last == .stop(exitCode: 0))
        #expect(fleet.now - start <= 500_000_000)
        #expect(!actions.contains { if case .spawn = $0 { true } else { false } })
    }

    @Test("Of the old workers of many reloads the oldest is ended when they pile up")
    func generations() {
        let fleet = FleetScript.running(workers: 1)
        var ended: [WorkerSerial] = []
        for serial in 2...7 as ClosedRange<UInt64> {
            _ = fleet.reload()
            _ = fleet.accept(workers: 1)
            for case .drain(let worker, let plan) in fleet.proven(serial)
            where plan != fleet.replacedPlan {
                #expect(plan.soft == fleet.now)
                #expect(plan.hard == fleet.now + fleet.machine.limits.fastStop)
                ended.append(worker)
            }
        }
        // The third reload is the first one too many.
        #expect(ended == [s(1), s(2), s(3), s(4)])
        // They get TERM and KILL like any other.
        #expect(fleet.passToDeadline() == [1, 2, 3, 4].map { .terminate(s($0)) })
        #expect(fleet.now == fleet.machine.limits.fastStop)
        #expect(fleet.machine.slots.count { $0.isDraining } == 2)
    }

    @Test("Workers that finish after scaling down are not cut by a reload")
    func generationsAfterScaling() {
        let fleet = FleetScript.running(workers: 4)
        fleet.machine.scaleRequested(to: 1, now: fleet.now)
        _ = fleet.machine.takeActions()
        #expect(fleet.machine.slots.count { $0.isDraining } == 3)
        var plans: [DrainPlan] = []
        // The four old ones, and three more generations of one.
        for serial in 5...9 as ClosedRange<UInt64> {
            _ = fleet.reload()
            _ = fleet.accept(workers: 1)
            for case .drain(_, let plan) in fleet.proven(serial) { plans.append(plan) }
        }
        #expect(plans.allSatisfy { $0 == fleet.replacedPlan } && plans.count == 5)
        // The ninth that finishes is one too many.
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        let cut = fleet.proven(10).compactMap { action -> WorkerSerial? in
            if case .drain(let worker, let plan) = action, plan != fleet.replacedPlan {
                return worker
            }
            return nil
        }
        #expect(cut == [s(1)])
        // Once they are gone, the fleet is one of one worker.
        for slot in fleet.machine.slots where slot.isDraining {
            _ = fleet.exit(slot.serial?.number ?? 0)
        }
        #expect(fleet.machine.mostDesired == 1)
    }

    @Test("A canary that not even KILL ends fails the reload, and later ones are tried")
    func stuckCanary() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.reload()
        #expect(fleet.accept(workers: 1) == [.spawn(s(2), slot: 0, generation: 2)])
        #expect(fleet.passToDeadline() == [.kill(s(2))])
        #expect(fleet.passToDeadline() == [.reloadEnded(.canaryFailed(.timedOut))])
        #expect(fleet.machine.state == .running && fleet.serving == [1])
        _ = fleet.reload()
        #expect(fleet.accept(workers: 1) == [.spawn(s(3), slot: 0, generation: 3)])
        _ = fleet.proven(3)
        #expect(fleet.serving == [3])
        #expect(fleet.exit(2, .signaled(signal: 9)) == [])
    }

    @Test("The place of a worker that not even KILL ends is filled by another")
    func stuckWorker() {
        let fleet = FleetScript.running(workers: 2)
        #expect(fleet.failed(1, .stopped) == [.kill(s(1))])
        #expect(fleet.passToDeadline() == [.spawn(s(3), slot: 0, generation: 1)])
        _ = fleet.ready(3)
        #expect(fleet.machine.readyCount == 2)
        #expect(fleet.exit(1, .signaled(signal: 9)) == [])
        #expect(fleet.machine.slots.count == 2)
    }

    @Test("Two old workers per slot may finish at the same time")
    func fewGenerations() {
        let fleet = FleetScript.running(workers: 2)
        var next: UInt64 = 3
        for _ in 0..<2 {
            _ = fleet.reload()
            _ = fleet.accept(workers: 2)
            let drains =
                fleet.proven(next).filter { if case .drain = $0 { true } else { false } }
                + fleet.ready(next + 1).filter { if case .drain = $0 { true } else { false } }
            #expect(drains.count == 2)
            next += 2
        }
        #expect(fleet.machine.slots.count { $0.isDraining } == 4)
    }

    @Test("A configuration with another worker count resizes once it is proven")
    func resizeByReload() {
        let fleet = FleetScript.running(workers: 3)
        _ = fleet.reload()
        #expect(fleet.accept(workers: 1) == [.spawn(s(4), slot: 0, generation: 2)])
        #expect(
            fleet.proven(4) == [
                .admit(s(4)),
                .drain(s(1), fleet.replacedPlan),
                .drain(s(2), fleet.replacedPlan),
                .drain(s(3), fleet.replacedPlan),
                .reloadEnded(.succeeded(generation: 2, replaced: 1)),
            ]
        )
    }

    @Test("Scaling down takes a canary along, and another slot tries")
    func scaleDownCanary() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.exit(1)
        _ = fleet.exit(3)
        // Slot 0 waits to restart; slot 1 is 2.
        _ = fleet.reload()
        #expect(fleet.accept(workers: 2) == [.spawn(s(4), slot: 0, generation: 2)])
        #expect(fleet.scale(1) == [.spawn(s(5), slot: 2, generation: 1)])
        #expect(fleet.scale(-1) == [.terminate(s(5))])
        #expect(fleet.exit(5, .signaled(signal: 15)) == [])
        #expect(fleet.proven(4).first == .admit(s(4)))
    }
}

/// Replacing workers that are old.
@Suite struct FleetRecycleTests {
    private func s(_ number: UInt64) -> WorkerSerial { WorkerSerial(number: number) }

    @Test("One old worker is replaced at a time, and drains when its replacement is ready")
    func oneByOne() {
        let fleet = FleetScript.running(workers: 3)
        #expect(fleet.recycle(2, .memory) == [.spawn(s(4), slot: 1, generation: 1)])
        #expect(fleet.recycle(1, .age) == [])
        #expect(fleet.recycle(3, .requests) == [])
        #expect(fleet.recycle(2, .requests) == [])
        #expect(fleet.machine.slots.compactMap(\.recycling) == [.age, .memory, .requests])
        #expect(fleet.machine.readyCount == 3)
        #expect(
            fleet.ready(4) == [
                .admit(s(4)),
                .drain(s(2), fleet.replacedPlan),
                .spawn(s(5), slot: 0, generation: 1),
            ]
        )
        // The reason is still known when it leaves, for the operator.
        #expect(fleet.machine.slot(s(2))?.recycling == .memory)
        #expect(
            fleet.ready(5) == [
                .admit(s(5)),
                .drain(s(1), fleet.replacedPlan),
                .spawn(s(6), slot: 2, generation: 1),
            ]
        )
        #expect(fleet.ready(6) == [.admit(s(6)), .drain(s(3), fleet.replacedPlan)])
        #expect(fleet.serving == [5, 4, 6])
        #expect(
            fleet.machine.slots.filter { $0.purpose == .serve }.allSatisfy {
                $0.recycling == nil
            }
        )
    }

    @Test("A replacement that does not boot is tried again with delays, and the old one serves on")
    func replacementFails() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.recycle(1)
        for number in 2...6 as ClosedRange<UInt64> {
            let before = fleet.now
            #expect(fleet.exit(number, .exited(code: 1)) == [])
            #expect(fleet.machine.readyCount == 1)
            #expect(fleet.passToDeadline() == [.spawn(s(number + 1), slot: 0, generation: 1)])
            #expect(fleet.now - before >= 90_000_000)
        }
        #expect(fleet.ready(7) == [.admit(s(7)), .drain(s(1), fleet.replacedPlan)])
    }

    @Test("An old worker that crashes while its replacement boots is not started again")
    func oldCrashes() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.recycle(1)
        #expect(fleet.exit(1, .signaled(signal: 11)) == [])
        #expect(fleet.machine.slots.count == 2)
        #expect(fleet.ready(3) == [.admit(s(3))])
        #expect(fleet.serving == [3, 2])
        // The token is free again.
        #expect(fleet.recycle(2) == [.spawn(s(4), slot: 1, generation: 1)])
    }

    @Test("A worker that crashes while it waits for its turn needs no recycling any more")
    func waitingCrashes() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.recycle(1)
        _ = fleet.recycle(2)
        #expect(fleet.exit(2, .signaled(signal: 11)) == [.spawn(s(4), slot: 1, generation: 1)])
        _ = fleet.ready(4)
        #expect(fleet.ready(3) == [.admit(s(3)), .drain(s(1), fleet.replacedPlan)])
    }

    @Test("Scaling down takes the worker and its replacement away together")
    func scaleDown() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.recycle(2)
        #expect(fleet.scale(-1) == [.drain(s(2), fleet.replacedPlan), .terminate(s(3))])
        #expect(fleet.ready(3) == [])
        #expect(fleet.exit(3, .signaled(signal: 15)) == [])
        #expect(fleet.exit(2) == [])
        #expect(fleet.serving == [1] && fleet.machine.slots.count == 1)
        #expect(fleet.recycle(1) == [.spawn(s(4), slot: 0, generation: 1)])
    }

    @Test("A reload waits for the replacement under way, which counts as an old worker then")
    func reloadMeanwhile() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.recycle(1)
        _ = fleet.reload()
        #expect(fleet.accept(workers: 1) == [])
        #expect(
            fleet.ready(2) == [
                .admit(s(2)),
                .drain(s(1), fleet.replacedPlan),
                .spawn(s(3), slot: 0, generation: 2),
            ]
        )
        #expect(
            fleet.proven(3).last == .reloadEnded(.succeeded(generation: 2, replaced: 1))
        )
    }

    @Test("A replacement that fails while a reload waits for it comes back as the canary")
    func reloadAfterFailure() {
        let fleet = FleetScript.running(workers: 1)
        _ = fleet.recycle(1)
        _ = fleet.reload()
        _ = fleet.accept(workers: 1)
        #expect(fleet.exit(2, .exited(code: 1)) == [])
        #expect(fleet.passToDeadline() == [.spawn(s(3), slot: 0, generation: 2)])
        #expect(fleet.ready(3) == [.probe(s(3))])
        #expect(fleet.probed(3, passed: false) == [.kill(s(3))])
        #expect(
            fleet.exit(3, .signaled(signal: 9)) == [.reloadEnded(.canaryFailed(.probeFailed))]
        )
        #expect(fleet.serving == [1])
    }

    @Test("What is due while a reload runs has its turn afterwards, if it is still there")
    func afterReload() {
        let fleet = FleetScript.running(workers: 2)
        _ = fleet.reload()
        _ = fleet.accept(workers: 2)
        #expect(fleet.recycle(2) == [])
        // The roll replaces it anyway.
        _ = fleet.proven(3)
        let last = fleet.ready(4)
        #expect(last.last == .reloadEnded(.succeeded(generation: 2, replaced: 2)))
        #expect(!fleet.machine.slots.contains { $0.purpose == .replace })
    }
}

/// A fleet that another supervisor started.
@Suite struct FleetAdoptionTests {
    private func s(_ number: UInt64) -> WorkerSerial { WorkerSerial(number: number) }

    /// A slot that another program has brought to where it serves.
    private func slot(_ number: Int, _ serial: UInt64, generation: UInt32) -> WorkerSlot {
        var slot = WorkerSlot(number: number, generation: generation, purpose: .serve)
        slot.started(s(serial), generation: generation, now: 0)
        let isExpected = slot.readyReceived(now: 500)
        #expect(isExpected)
        return slot
    }

    private func adopted() -> FleetScript {
        let script = FleetScript(workers: 1)
        script.now = 1_000
        let slots = [slot(0, 7, generation: 4), slot(1, 9, generation: 4)]
        script.machine = FleetMachine(adopting: slots, desired: 2, generation: 4)
        return script
    }

    @Test("It serves at once, and its numbers go on")
    func serves() {
        let fleet = adopted()
        #expect(fleet.machine.state == .running)
        #expect(fleet.machine.readyCount == 2)
        #expect(fleet.machine.takeActions() == [])
        #expect(fleet.machine.deadline == nil)
        #expect(fleet.exit(7, .signaled(signal: 9)) == [.spawn(s(10), slot: 0, generation: 4)])
        #expect(fleet.machine.slots[0].restarts == 1)
    }

    @Test("It rolls like any other")
    func rolls() {
        let fleet = adopted()
        _ = fleet.reload()
        #expect(fleet.accept(workers: 2) == [.spawn(s(10), slot: 0, generation: 5)])
        #expect(
            fleet.proven(10) == [
                .admit(s(10)),
                .drain(s(7), fleet.replacedPlan),
                .spawn(s(11), slot: 1, generation: 5),
            ]
        )
        #expect(
            fleet.ready(11).last == .reloadEnded(.succeeded(generation: 5, replaced: 2))
        )
    }

    @Test("It is recycled, scaled and stopped like any other")
    func others() {
        let fleet = adopted()
        #expect(fleet.recycle(9) == [.spawn(s(10), slot: 1, generation: 4)])
        #expect(fleet.scale(1) == [.spawn(s(11), slot: 2, generation: 4)])
        _ = fleet.terminate()
        #expect(fleet.runOut().last == .stop(exitCode: 0))
    }

    @Test("Generations that its leaving workers have are not used again")
    func generations() {
        var old = slot(0, 1, generation: 9)
        _ = old.leave(now: 0, deadline: 1_000)
        let new = slot(0, 2, generation: 4)
        let script = FleetScript(workers: 1)
        script.machine = FleetMachine(adopting: [old, new], desired: 1, generation: 4)
        _ = script.reload()
        #expect(script.accept(workers: 1) == [.spawn(s(3), slot: 0, generation: 10)])
    }
}
