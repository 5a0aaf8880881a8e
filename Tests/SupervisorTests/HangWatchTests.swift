// SPDX-License-Identifier: Apache-2.0
import Scoreboard
import Testing

@testable import Supervisor

@Suite struct HangWatchTests {
    private static let second: UInt64 = 1_000_000_000
    private static let limit = 10 * second

    /// A worker that is looked at once a second.
    private struct Watched {
        var watch = HangWatch()
        var look = HangWatch.Look()

        init(_ state: HangWatch.ProcessState = .sleeping) {
            look.state = state
            look.load.turns = 7
            look.load.turnStartedAt = 5
        }

        mutating func look(
            elapsed: UInt64 = HangWatchTests.second,
            isLate: Bool = false,
            processor: UInt64 = 0
        ) -> HangWatch.Verdict {
            look.processor += processor
            return watch.looked(
                look,
                elapsed: elapsed,
                isLate: isLate,
                limit: HangWatchTests.limit
            )
        }

        /// The verdicts of so many looks, runs of equal ones as one.
        mutating func looks(_ count: Int, processor: UInt64 = 0) -> [HangWatch.Verdict] {
            var verdicts: [HangWatch.Verdict] = []
            for _ in 0..<count {
                let verdict = look(processor: processor)
                if verdicts.last != verdict { verdicts.append(verdict) }
            }
            return verdicts
        }
    }

    @Test(
        "A turn that lasts is suspicious at the second look, and a hang after the limit",
        arguments: [HangWatch.ProcessState.sleeping, .waiting]
    )
    func hang(state: HangWatch.ProcessState) {
        var worker = Watched(state)
        let first = worker.look()
        #expect(first == .fine)
        let nine = worker.looks(9)
        #expect(nine == [.suspicious])
        let last = worker.look()
        #expect(last == .hung)
        #expect(worker.watch.blamed == Self.limit)
    }

    @Test("A worker whose loop waits is well, however long")
    func idle() {
        var worker = Watched()
        worker.look.load.turnStartedAt = 0
        let verdicts = worker.looks(100)
        #expect(verdicts == [.fine])
    }

    @Test("One turn more ends all suspicion")
    func moves() {
        var worker = Watched()
        _ = worker.looks(10)
        worker.look.load.turns += 1
        let moved = worker.look()
        #expect(moved == .fine && worker.watch.blamed == 0)
        // The next turn has its own time.
        let verdicts = worker.looks(9)
        #expect(verdicts == [.suspicious])
        let last = worker.look()
        #expect(last == .hung)
    }

    @Test("Of a worker that runs only its CPU time counts")
    func running() {
        var worker = Watched(.running)
        _ = worker.look()
        // A tenth of a CPU: a hundred seconds to use up ten.
        let early = worker.looks(99, processor: Self.second / 10)
        #expect(early == [.suspicious])
        let last = worker.look(processor: Self.second / 10)
        #expect(last == .hung)
    }

    @Test("A worker that gets no CPU at all is never blamed")
    func starved() {
        var worker = Watched(.running)
        let verdicts = worker.looks(1_000)
        #expect(verdicts == [.fine, .suspicious])
        #expect(worker.watch.blamed == 0)
    }

    @Test("More CPU time than has passed counts as the time that has passed")
    func manyThreads() {
        var worker = Watched(.running)
        _ = worker.look()
        let verdicts = worker.looks(9, processor: 4 * Self.second)
        #expect(verdicts == [.suspicious])
        #expect(worker.watch.blamed == 9 * Self.second)
    }

    @Test("CPU time that goes back is no evidence")
    func processorGoesBack() {
        var worker = Watched(.running)
        worker.look.processor = 50 * Self.second
        _ = worker.look()
        worker.look.processor = 1
        let verdict = worker.look()
        #expect(verdict == .suspicious && worker.watch.blamed == 0)
    }

    @Test(
        "A cgroup that withholds CPU time excuses a worker",
        arguments: [
            HangWatch.ProcessState.sleeping, .waiting, .running,
        ]
    )
    func heldBack(state: HangWatch.ProcessState) {
        var worker = Watched(state)
        worker.look.isHeldBack = true
        let verdicts = worker.looks(100, processor: Self.second)
        #expect(verdicts == [.fine, .suspicious])
        #expect(worker.watch.blamed == 0)
        // From here on it has no excuse; what was before is not held against it.
        worker.look.isHeldBack = false
        let after = worker.looks(9, processor: Self.second)
        #expect(after == [.suspicious])
        let last = worker.look(processor: Self.second)
        #expect(last == .hung)
    }

    @Test("A worker under a debugger is left alone for ever")
    func traced() {
        var worker = Watched(.traced)
        worker.look.owesClients = true
        let verdicts = worker.looks(10_000)
        #expect(verdicts == [.fine, .suspicious])
        #expect(worker.watch.blamed == 0 && worker.watch.stoppedFor == 0)
    }

    @Test("A supervisor that was held up itself concludes nothing")
    func late() {
        var worker = Watched()
        _ = worker.looks(9)
        #expect(worker.watch.blamed == 8 * Self.second)
        let late = worker.look(elapsed: 3_600 * Self.second, isLate: true)
        #expect(late == .fine && worker.watch.blamed == 8 * Self.second)
        let suspicious = worker.look()
        #expect(suspicious == .suspicious)
        let hung = worker.look()
        #expect(hung == .hung)
    }

    @Test(
        "The first look at a worker says nothing, whatever its state",
        arguments: [
            HangWatch.ProcessState.running, .sleeping, .waiting, .stopped, .traced,
        ]
    )
    func first(state: HangWatch.ProcessState) {
        var worker = Watched(state)
        worker.look.owesClients = true
        let verdict = worker.look(elapsed: .max / 2)
        #expect(verdict == .fine)
    }

    // MARK: Stopped workers

    @Test("A stopped worker that owes clients something is ended after the limit")
    func stopped() {
        var worker = Watched(.stopped)
        worker.look.owesClients = true
        let verdicts = worker.looks(10)
        #expect(verdicts == [.fine, .suspicious])
        let last = worker.look()
        #expect(last == .stopped)
    }

    @Test("A stopped worker for which nobody waits may stay stopped")
    func stoppedWithoutClients() {
        var worker = Watched(.stopped)
        worker.look.load.turnStartedAt = 0
        let verdicts = worker.looks(1_000)
        #expect(verdicts == [.fine, .suspicious])
        // It has used up its time when a client comes.
        worker.look.owesClients = true
        let last = worker.look()
        #expect(last == .stopped)
    }

    @Test("A worker that goes on after a stop has all its time again")
    func continued() {
        var worker = Watched(.stopped)
        worker.look.owesClients = true
        _ = worker.looks(10)
        #expect(worker.watch.stoppedFor == 9 * Self.second)
        worker.look.state = .sleeping
        let first = worker.look()
        #expect(first == .suspicious && worker.watch.stoppedFor == 0)
        let more = worker.looks(8)
        #expect(more == [.suspicious])
        let hung = worker.look()
        #expect(hung == .hung)
    }

    @Test("A stop clears what a worker was blamed for")
    func stoppedInBetween() {
        var worker = Watched()
        _ = worker.looks(10)
        worker.look.state = .stopped
        let stopped = worker.look()
        #expect(stopped == .suspicious && worker.watch.blamed == 0)
    }

    @Test(
        "The letters of the kernel",
        arguments: [
            ("R", .running), ("S", .sleeping), ("D", .waiting), ("T", .stopped), ("t", .traced),
            ("I", .sleeping), ("Z", .sleeping), ("?", .sleeping), (nil, .sleeping),
        ] as [(Character?, HangWatch.ProcessState)]
    )
    func letters(letter: Character?, state: HangWatch.ProcessState) {
        #expect(HangWatch.ProcessState(letter: letter) == state)
    }
}
