// SPDX-License-Identifier: Apache-2.0
import Control
import Config
import Log
import Loop
import Metrics
import Scoreboard
import Support
import System
import Testing

// The tests' support has types of these names as well.
@testable import class Supervisor.Fleet
@testable import struct Supervisor.FleetSettings
@testable import Supervisor

/// A fleet on a loop that the test turns, and what its workers are told.
private final class Harness {
    let loop: EventLoop
    let fleet: Fleet
    let spawner: Spawner
    private let memory: ConfigurationMemory

    /// With workers of another program when `slots` are given, else with those it starts itself.
    ///
    /// Without a program none is started in the place of one that ended: no child outlives a test.
    init(_ worker: String = "/nonexistent/worker", slots: [WorkerSlot]? = nil) throws {
        loop = try EventLoop()
        spawner = try Spawner(path: worker, environment: [])
        let settings = FleetSettings(listen: [], status: nil, workers: 1, bundle: [])
        memory = try ConfigurationMemory(settings)
        let null = try Syscalls.openForReading("/dev/null")
        let machine =
            slots.map { FleetMachine(adopting: $0, desired: 1, generation: 1) }
            ?? FleetMachine(desired: 1)
        fleet = Fleet(
            machine,
            configuration: memory,
            spawner: spawner,
            handoff: Handoff(loop: loop),
            loop: loop,
            log: FleetLog(LogSink(descriptor: null.raw, level: .error), loop: loop)
        )
    }

    func turn(until what: String, _ condition: () -> Bool) throws {
        let deadline = Deadline.soon
        while !condition() {
            if deadline.hasPassed { throw TestFailure("in time there was no \(what)") }
            try loop.turn(waitMax: 5)
        }
    }
}

/// A worker of the program before, whose process does nothing.
private final class FormerWorker {
    let state: UpgradeState.Process
    let channel: ControlChannel
    let slot: WorkerSlot

    init(isDraining: Bool = false, drainEnd: UInt64 = 0) throws {
        var state = UpgradeState.Process()
        state.serial = 1
        state.generation = 1
        state.pid = try spawnSleeper()
        state.pidfd = try Syscalls.pidfd(state.pid).release()
        let control = try Syscalls.pairs(seqpacket: true)
        state.control = try control.first.duplicate().release()
        channel = ControlChannel(control.takeSecond())
        state.metrics = try Syscalls.pipe().takeFirst().release()
        state.output = try Syscalls.pipe().takeFirst().release()
        state.scoreboard = try Scoreboard().releasedCopy()
        self.state = state
        var slot = Self.slot()
        if isDraining { _ = slot.leave(now: 0, deadline: drainEnd) }
        self.slot = slot
    }

    /// The slot of a worker that is ready.
    static func slot() -> WorkerSlot {
        var slot = WorkerSlot(number: 0, generation: 1, purpose: .serve)
        slot.started(WorkerSerial(number: 1), generation: 1, now: 0)
        _ = slot.readyReceived(now: 0)
        return slot
    }

    func kill() throws { try Syscalls.signal(process: state.pid, .kill) }
}

extension Scoreboard {
    /// A descriptor of the same memory that the caller owns.
    fileprivate func releasedCopy() throws -> Int32 {
        let own = OwnedFD(owning: descriptor)
        do {
            let copy = try own.duplicate().release()
            _ = own.release()
            return copy
        } catch {
            _ = own.release()
            throw error
        }
    }
}

@Suite struct FleetUpgradeTests {
    @Test("A worker that the loop does not take is ended and reaped")
    func spawnWithoutEvents() throws {
        let before = try childrenOfThread()
        let script = try TemporaryFile("#!/bin/sh\nexec sleep 60\n", mode: 0o700)
        let harness = try Harness(script.path)
        Syscalls.forceErrno(.epollControl, .noSpace, count: 1)
        harness.fleet.start()
        #expect(harness.fleet.processes.isEmpty)
        try waitForChildren(before) { harness.fleet.reapChildren() }
    }

    @Test("An adopted worker that the loop does not take at once goes on and is watched later")
    func watchedLater() throws {
        let former = try FormerWorker()
        let harness = try Harness(slots: [former.slot])
        let fleet = harness.fleet
        let process = try WorkerProcess(adopting: former.state, loop: harness.loop, observer: fleet)
        fleet.adopt([process], UpgradeState())
        Syscalls.forceErrno(.epollControl, .noSpace, count: 1)
        fleet.resume()
        #expect(fleet.unwatched == [process.serial])
        #expect(fleet.machine.slots.map(\.isReady) == [true])
        fleet.watchAdopted()
        #expect(fleet.unwatched.isEmpty)
        #expect(former.channel.receive() == .message(.recount, descriptors: []))
        try former.kill()
        try harness.turn(until: "end of the worker") { fleet.processes[process.serial] == nil }
    }

    @Test("An adopted worker that leaves is told so again, with the end it had")
    func drainsAgain() throws {
        let seconds: UInt64 = 20
        let end = Syscalls.monotonicNanoseconds() + seconds * 1_000_000_000
        let former = try FormerWorker(isDraining: true, drainEnd: end)
        let harness = try Harness(slots: [former.slot])
        let fleet = harness.fleet
        let process = try WorkerProcess(adopting: former.state, loop: harness.loop, observer: fleet)
        fleet.adopt([process], UpgradeState())
        fleet.resume()
        #expect(former.channel.receive() == .message(.recount, descriptors: []))
        guard case .message(.drain(let order), _) = former.channel.receive() else {
            Issue.record("no drain")
            return
        }
        // Ours comes behind the worker's own.
        #expect(UInt64(order.hardMilliseconds) < seconds * 1_000)
        #expect(order.softMilliseconds <= order.hardMilliseconds)
        #expect(order.returnsIdle)
        try former.kill()
        try harness.turn(until: "end of the worker") { fleet.processes[process.serial] == nil }
    }

    @Test("A worker that somebody else has reaped has ended, and its slot goes on")
    func reapedElsewhere() throws {
        let former = try FormerWorker()
        let harness = try Harness(slots: [former.slot])
        let fleet = harness.fleet
        let process = try WorkerProcess(adopting: former.state, loop: harness.loop, observer: fleet)
        fleet.adopt([process], UpgradeState())
        fleet.resume()
        try former.kill()
        _ = try eventually("end of the worker") {
            try Syscalls.reap(process: former.state.pid) ? true : nil
        }
        try harness.turn(until: "end of the worker") { fleet.processes[process.serial] == nil }
        #expect(fleet.history.restarts[.exit] == 1)
    }

    @Test("A reload that changes the number of workers alone is what the next program gets")
    func scaledConfiguration() throws {
        let fleet = try Harness(slots: [FormerWorker.slot()]).fleet
        let fresh = try ConfigurationMemory(
            FleetSettings(listen: [], status: nil, workers: 1, bundle: [1])
        )
        fleet.configurationAccepted(fresh, workers: 1, changesWorkers: false)
        #expect(fleet.configuration === fresh)
        #expect(fleet.machine.generation == 1)
    }
}
