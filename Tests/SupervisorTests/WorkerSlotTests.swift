// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

@Suite struct WorkerSlotTests {
    private static let second: UInt64 = 1_000_000_000
    private static let serial = WorkerSerial(number: 1)
    private static let fast = [
        WorkerSlot.Fault.bootTimeout, .probeFailed, .stopped, .protocolError,
    ]

    /// With a budget that is never used up.
    private func exited(_ slot: inout WorkerSlot, now: UInt64) -> WorkerSlot.ExitAction {
        var budget = RestartBudget(workers: 1)
        return slot.exited(now: now, jitter: 0, budget: &budget)
    }

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
        let end = exited(&slot, now: 6 * Self.second)
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
        let exit = exited(&slot, now: WorkerSlot.bootTimeout + 1)
        #expect(exit == .wait)
        #expect(slot.deadline == WorkerSlot.bootTimeout + 1 + 90_000_000)
    }

    @Test("A worker that was ready is replaced at once the first time, later with delays")
    func crashes() {
        var slot = ready()
        var now = 2 * Self.second
        var delays: [UInt64] = []
        for number in 2...6 {
            if exited(&slot, now: now) == .wait {
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
        let exit = exited(&slot, now: now + RestartPolicy.stableAfter)
        #expect(exit == .start)
    }

    @Test("A worker that never became ready does not get a restart for free")
    func bootCrash() {
        var slot = booting()
        let exit = exited(&slot, now: 1)
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
        #expect(slot.state == .killed(deadline: 12 * Self.second + WorkerSlot.killGrace))
        let again = slot.timePassed(now: 17 * Self.second - 1)
        #expect(again == .nothing)
        // Not even KILL has ended it.
        let abandon = slot.timePassed(now: 17 * Self.second)
        #expect(abandon == .abandon && slot.isRunning)
        let never = slot.timePassed(now: .max - 1)
        #expect(never == .nothing)
    }

    @Test("A second wish to leave can only shorten the time")
    func leaveTwice() {
        var slot = ready()
        _ = slot.leave(now: 2 * Self.second, deadline: 10 * Self.second)
        // The worker is told: what it does with its time depends on how much there is.
        let again = slot.leave(now: 3 * Self.second, deadline: 5 * Self.second)
        #expect(again == .drain)
        #expect(slot.deadline == 5 * Self.second)
        for later in [5, 50] as [UInt64] {
            let longer = slot.leave(now: 3 * Self.second, deadline: later * Self.second)
            #expect(longer == .nothing)
            #expect(slot.deadline == 5 * Self.second)
        }
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
            let result = exited(&slot, now: 2)
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
            let result = exited(&slot, now: 4 * Self.second)
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

    @Test("A worker that cannot be trusted is killed once", arguments: fast)
    func fault(fault: WorkerSlot.Fault) {
        var slot = ready()
        let first = slot.failed(fault, now: 2 * Self.second)
        #expect(first == .kill)
        #expect(slot.state == .killed(deadline: 2 * Self.second + WorkerSlot.killGrace))
        let second = slot.failed(.hang, now: 2 * Self.second)
        #expect(second == .nothing)
        #expect(slot.fault == fault)
        let exit = exited(&slot, now: 2 * Self.second)
        #expect(exit == .start)
    }

    @Test("A worker that hangs may say where before it is killed")
    func hang() {
        var slot = ready()
        let abort = slot.failed(.hang, now: 2 * Self.second)
        #expect(abort == .abort)
        #expect(!slot.isReady && slot.isRunning)
        #expect(slot.deadline == 2 * Self.second + WorkerSlot.abortGrace)
        // Nothing changes that any more.
        let again = slot.failed(.protocolError, now: 3 * Self.second)
        #expect(again == .nothing)
        slot.exitAnnounced(now: 3 * Self.second)
        let isWelcome = slot.readyReceived(now: 3 * Self.second)
        #expect(isWelcome && !slot.isReady)
        #expect(slot.deadline == 4 * Self.second)
        let early = slot.timePassed(now: 4 * Self.second - 1)
        #expect(early == .nothing)
        let kill = slot.timePassed(now: 4 * Self.second)
        #expect(kill == .kill)
        #expect(slot.fault == .hang)
    }

    @Test("A hung worker of a fleet that stops gets no more time than the others")
    func hangWhileStopping() {
        var slot = ready()
        _ = slot.failed(.hang, now: 2 * Self.second)
        let stop = slot.stop(deadline: 3 * Self.second)
        #expect(stop == .nothing)
        #expect(slot.deadline == 3 * Self.second)
        let end = exited(&slot, now: 3 * Self.second)
        #expect(end == .end)
    }

    @Test("A canary is ready only when it has answered its probe")
    func probe() {
        var slot = booting()
        let early = slot.probePassed(now: 1)
        #expect(!early)
        let isWelcome = slot.readyReceived(now: Self.second, isProbed: true)
        #expect(isWelcome && !slot.isReady)
        #expect(slot.state == .probing(deadline: Self.second + WorkerSlot.probeTimeout))
        let twice = slot.readyReceived(now: Self.second, isProbed: true)
        #expect(!twice)
        let passed = slot.probePassed(now: 2 * Self.second)
        #expect(passed && slot.state == .ready(since: 2 * Self.second))
        let again = slot.probePassed(now: 2 * Self.second)
        #expect(!again)
    }

    @Test("A canary that does not answer is killed, and its failure is the probe's")
    func probeTimeout() {
        var slot = booting()
        _ = slot.readyReceived(now: 0, isProbed: true)
        let early = slot.timePassed(now: WorkerSlot.probeTimeout - 1)
        #expect(early == .nothing)
        let kill = slot.timePassed(now: WorkerSlot.probeTimeout)
        #expect(kill == .kill)
        #expect(slot.fault == .probeFailed && slot.readySince == nil)
        let exit = exited(&slot, now: WorkerSlot.probeTimeout)
        #expect(exit == .wait)
    }

    @Test("Only a ready worker that serves is marked as old, and its successor is not")
    func recycling() {
        var slot = booting()
        slot.recycle(.age)
        #expect(slot.recycling == nil)
        _ = slot.readyReceived(now: Self.second)
        slot.recycle(.memory)
        slot.recycle(.age)
        #expect(slot.recycling == .memory)
        let exit = exited(&slot, now: 2 * Self.second)
        #expect(exit == .start && slot.recycling == nil)
        var replacement = booting(purpose: .replace)
        _ = replacement.readyReceived(now: Self.second)
        replacement.recycle(.age)
        #expect(replacement.recycling == nil)
        replacement.promoted()
        replacement.recycle(.requests)
        #expect(replacement.recycling == .requests)
    }

    @Test("A slot waits for the budget of the fleet even after its first crash")
    func budget() {
        var budget = RestartBudget(workers: 1)
        for _ in 0..<budget.burst { _ = budget.delay(now: 2 * Self.second) }
        var slot = ready()
        let exit = slot.exited(now: 2 * Self.second, jitter: 0, budget: &budget)
        #expect(exit == .wait)
        #expect(slot.deadline == 2 * Self.second + RestartBudget.interval)
    }

    @Test("A slot that leaves takes nothing from the budget")
    func budgetOfLeavers() {
        var budget = RestartBudget(workers: 1)
        let full = budget
        var slot = ready()
        _ = slot.leave(now: 2 * Self.second, deadline: 3 * Self.second)
        let exit = slot.exited(now: 2 * Self.second, jitter: 0, budget: &budget)
        #expect(exit == .end && budget == full)
    }

    @Test("Impossible inputs end the process")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            var slot = WorkerSlot(number: 0, generation: 1, purpose: .serve)
            var budget = RestartBudget(workers: 1)
            _ = slot.exited(now: 0, jitter: 0, budget: &budget)
        }
        await #expect(processExitsWith: .failure) {
            var slot = WorkerSlot(number: 0, generation: 1, purpose: .serve)
            slot.started(WorkerSerial(number: 1), generation: 1, now: 0)
            slot.started(WorkerSerial(number: 2), generation: 1, now: 0)
        }
    }
}
