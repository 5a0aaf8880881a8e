// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

@Suite struct WorkerSlotTests {
    private static let second: UInt64 = 1_000_000_000
    private static let serial = WorkerSerial(number: 1)

    private func booting(purpose: WorkerSlot.Purpose = .serve) -> WorkerSlot {
        var slot = WorkerSlot(number: 0, generation: 1, purpose: purpose)
        slot.started(Self.serial, generation: 1, now: 0)
        return slot
    }

    private func ready() -> WorkerSlot {
        var slot = booting()
        let isExpected = slot.readyReceived(now: Self.second)
        #expect(isExpected)
        return slot
    }

    @Test("A worker boots, serves, drains and ends")
    func life() {
        var slot = ready()
        #expect(slot.state == .ready(since: Self.second))
        let drain = slot.leave(now: 2 * Self.second, deadline: 60 * Self.second)
        #expect(drain == .drain)
        #expect(slot.state == .draining(deadline: 60 * Self.second))
        slot.exitAnnounced(now: 5 * Self.second)
        #expect(slot.state == .stopping(deadline: 7 * Self.second))
        let end = slot.exited(now: 6 * Self.second, jitter: 0)
        #expect(end == .end)
        #expect(slot.state == .ended)
    }

    @Test("A worker that does not become ready in time is killed, and tried again later")
    func bootTimeout() {
        var slot = booting()
        let early = slot.timePassed(now: WorkerSlot.bootTimeout - 1)
        #expect(early == .nothing)
        let kill = slot.timePassed(now: WorkerSlot.bootTimeout)
        #expect(kill == .kill)
        #expect(slot.fault == .bootTimeout)
        let exit = slot.exited(now: WorkerSlot.bootTimeout + 1, jitter: 0)
        #expect(exit == .wait)
        #expect(slot.deadline == WorkerSlot.bootTimeout + 1 + 90_000_000)
    }

    @Test("A worker that was ready is replaced at once the first time, later with delays")
    func crashes() {
        var slot = ready()
        var now = 2 * Self.second
        var delays: [UInt64] = []
        for number in 2...6 {
            if slot.exited(now: now, jitter: 0) == .wait {
                let until = slot.deadline ?? 0
                delays.append((until - now) / 1_000_000)
                let start = slot.timePassed(now: until)
                #expect(start == .start)
                now = until
            } else {
                delays.append(0)
            }
            slot.started(WorkerSerial(number: UInt64(number)), generation: 1, now: now)
            _ = slot.readyReceived(now: now)
            now += Self.second
        }
        #expect(delays == [0, 90, 180, 360, 720])
        #expect(slot.restarts == 5)
        // Ready for long enough: the failures before are forgotten.
        let exit = slot.exited(now: now + RestartPolicy.stableAfter, jitter: 0)
        #expect(exit == .start)
    }

    @Test("A worker that never became ready does not get a restart for free")
    func bootCrash() {
        var slot = booting()
        let exit = slot.exited(now: 1, jitter: 0)
        #expect(exit == .wait)
        #expect(slot.failures == 2)
    }

    @Test("A drain that takes too long goes on to TERM and KILL")
    func drainDeadline() {
        var slot = ready()
        _ = slot.leave(now: 2 * Self.second, deadline: 10 * Self.second)
        let early = slot.timePassed(now: 10 * Self.second - 1)
        #expect(early == .nothing)
        let terminate = slot.timePassed(now: 10 * Self.second)
        #expect(terminate == .terminate)
        let kill = slot.timePassed(now: 12 * Self.second)
        #expect(kill == .kill)
        #expect(slot.state == .killed)
        #expect(slot.deadline == nil)
        let again = slot.timePassed(now: 100 * Self.second)
        #expect(again == .nothing)
    }

    @Test("A second wish to leave can only shorten the time")
    func leaveTwice() {
        var slot = ready()
        _ = slot.leave(now: 2 * Self.second, deadline: 10 * Self.second)
        let again = slot.leave(now: 3 * Self.second, deadline: 5 * Self.second)
        #expect(again == .nothing)
        #expect(slot.deadline == 5 * Self.second)
        _ = slot.leave(now: 3 * Self.second, deadline: 50 * Self.second)
        #expect(slot.deadline == 5 * Self.second)
    }

    @Test("Leaving while nothing runs ends the slot, while booting sends TERM")
    func leaveEarly() {
        var vacant = WorkerSlot(number: 0, generation: 1, purpose: .serve)
        do {
            let result = vacant.leave(now: 0, deadline: 1)
            #expect(result == .end)
        }
        #expect(vacant.state == .ended)
        var slot = booting()
        do {
            let result = slot.leave(now: 0, deadline: 1)
            #expect(result == .terminate)
        }
        // READY that was under way changes nothing.
        do {
            let result = slot.readyReceived(now: 1)
            #expect(result)
        }
        #expect(!slot.isReady)
        do {
            let result = slot.exited(now: 2, jitter: 0)
            #expect(result == .end)
        }
    }

    @Test("A worker that closes its control socket and stays is killed")
    func hungUp() {
        var slot = ready()
        slot.exitAnnounced(now: 2 * Self.second)
        #expect(!slot.isReady)
        do {
            let result = slot.timePassed(now: 4 * Self.second)
            #expect(result == .kill)
        }
        do {
            let result = slot.exited(now: 4 * Self.second, jitter: 0)
            #expect(result == .start)
        }
    }

    @Test("READY is welcome once")
    func readyTwice() {
        var slot = ready()
        do {
            let result = slot.readyReceived(now: 2 * Self.second)
            #expect(!result)
        }
        _ = slot.leave(now: 2 * Self.second, deadline: 10 * Self.second)
        do {
            let result = slot.readyReceived(now: 2 * Self.second)
            #expect(!result)
        }
    }

    @Test("A worker that cannot be trusted is killed once")
    func fault() {
        var slot = ready()
        do {
            let result = slot.failed(.protocolError)
            #expect(result)
        }
        do {
            let result = slot.failed(.unresponsive)
            #expect(!result)
        }
        #expect(slot.fault == .protocolError)
        do {
            let result = slot.exited(now: 2 * Self.second, jitter: 0)
            #expect(result == .start)
        }
    }

    @Test("Impossible inputs end the process")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            var slot = WorkerSlot(number: 0, generation: 1, purpose: .serve)
            _ = slot.exited(now: 0, jitter: 0)
        }
        await #expect(processExitsWith: .failure) {
            var slot = WorkerSlot(number: 0, generation: 1, purpose: .serve)
            slot.started(WorkerSerial(number: 1), generation: 1, now: 0)
            slot.started(WorkerSerial(number: 2), generation: 1, now: 0)
        }
    }
}
