// SPDX-License-Identifier: Apache-2.0
import Scoreboard
import Support
import Testing

@testable import Supervisor

@Suite struct WorkCostTests {
    private static let now: UInt64 = 100_000_000_000
    private static let millisecond: UInt64 = 1_000_000

    /// A worker that has served for long; its loop rests.
    private func worker(
        _ number: Int,
        connections: Int = 0,
        unstarted: Int = 0,
        room: Int = 16,
        age: UInt64 = 60_000_000_000,
        _ change: (inout WorkerLoad) -> Void = { _ in }
    ) -> WorkCost.Candidate {
        var load = WorkerLoad()
        load.turnEndedAt = Self.now - 1_000_000_000
        change(&load)
        return WorkCost.Candidate(
            worker: number,
            room: room,
            connections: connections,
            unstarted: unstarted,
            age: age,
            load: load,
            now: Self.now
        )
    }

    private func chosen(_ candidates: [WorkCost.Candidate], pending: Int = 1) -> Int? {
        WorkCost().choose(candidates, pending: pending)?.worker
    }

    private func cost(_ candidate: WorkCost.Candidate) -> Int { WorkCost().cost(candidate) }

    // MARK: What counts

    @Test("Nine idle connections are less work than one request")
    func idle() {
        let idle = worker(0, connections: 9)
        let busy = worker(1, connections: 1) { $0.requests = 1 }
        #expect(chosen([busy, idle]) == 0)
        #expect(cost(idle) < cost(busy))
        // So many more that some of them will ask soon are more.
        #expect(chosen([worker(0, connections: 11), busy]) == 1)
    }

    @Test("What was handed over and not begun counts like requests")
    func unstarted() {
        let handed = worker(0, connections: 2, unstarted: 2)
        let busy = worker(1, connections: 2) { $0.requests = 2 }
        #expect(cost(handed) == cost(busy))
        #expect(cost(handed) > cost(worker(0, connections: 2)))
    }

    @Test("A request whose start is in the page, and its report still under way, counts once")
    func startedBeforeItsReport() {
        let reported = worker(0, connections: 5) { $0.requests = 5 }
        let between = worker(1, connections: 5, unstarted: 5) { $0.requests = 5 }
        #expect(cost(between) == cost(reported))
        let half = worker(2, connections: 5, unstarted: 3) { $0.requests = 4 }
        #expect(cost(half) == cost(reported))
    }

    @Test("A stream is more work than a request that only waits")
    func streams() {
        let streaming = worker(0, connections: 1) { load in
            load.requests = 1
            load.streams = 1
        }
        #expect(cost(streaming) == cost(worker(1, connections: 1) { $0.requests = 1 }) + 500)
    }

    @Test("Bytes that clients do not take count like requests")
    func bytesQueued() {
        let slow = worker(0, connections: 1) { load in
            load.requests = 1
            load.bytesQueued = 1 << 20
        }
        let busy = worker(1, connections: 4) { $0.requests = 4 }
        #expect(chosen([slow, busy]) == 1)
        #expect(cost(slow) == 5_000)
    }

    @Test("A worker whose turn runs for long is avoided, though it has little else to do")
    func longTurn() {
        let stuck = worker(0) { $0.turnStartedAt = Self.now - 20 * Self.millisecond }
        let busy = worker(1, connections: 10) { $0.requests = 10 }
        #expect(chosen([stuck, busy]) == 1)
        // A turn of usual length is none of the client's business.
        let turning = worker(0) { $0.turnStartedAt = Self.now - 2 * Self.millisecond }
        #expect(cost(turning) == 0)
        #expect(cost(worker(0) { $0.turnStartedAt = Self.now - 3 * Self.millisecond }) == 3_000)
        // Clocks of two processes: the turn may begin after the supervisor's moment.
        #expect(cost(worker(0) { $0.turnStartedAt = Self.now + 1 }) == 0)
    }

    @Test("Lag counts while it is fresh, and beyond a millisecond")
    func lag() {
        let long = 4 * Self.millisecond
        let fresh = worker(0) { load in
            load.lag = long
            load.turnEndedAt = Self.now - WorkCost.lagMemory + 1
        }
        #expect(cost(fresh) == 4_000)
        let forgotten = worker(0) { load in
            load.lag = long
            load.turnEndedAt = Self.now - WorkCost.lagMemory
        }
        #expect(cost(forgotten) == 0)
        let short = worker(0) { load in
            load.lag = WorkCost.lagPatience
            load.turnEndedAt = Self.now
        }
        #expect(cost(short) == 0)
        #expect(chosen([fresh, worker(1, connections: 3) { $0.requests = 3 }]) == 1)
    }

    @Test("Whatever a broken worker has in its page, the sum is a number")
    func extremes() {
        let broken = worker(0, connections: .max / 4, unstarted: .max / 4) { load in
            load.requests = .max
            load.streams = .max
            load.bytesQueued = .max
            load.lag = .max
            load.turnEndedAt = .max
            load.turnStartedAt = 1
        }
        let negative = worker(1, connections: -5, unstarted: 0) { load in
            load.requests = -5
            load.streams = -5
            load.bytesQueued = -5
        }
        #expect(cost(negative) == 0)
        #expect(cost(broken) > 1_000_000)
        #expect(chosen([broken, negative, worker(2)]) == 1)
        #expect(chosen([broken], pending: 1) == 0)
    }

    // MARK: Choosing

    @Test("Among equals the first comes, and the caller turns them round")
    func ties() {
        let workers = [worker(3), worker(1), worker(2)]
        #expect(chosen(workers) == 3)
        #expect(chosen(Array(workers[1...]) + [workers[0]]) == 1)
    }

    @Test("Nobody is chosen when nobody has room, and nothing is given when nothing waits")
    func none() {
        #expect(WorkCost().choose([], pending: 3) == nil)
        #expect(WorkCost().choose([worker(0, room: 0), worker(1, room: -1)], pending: 3) == nil)
        #expect(WorkCost().choose([worker(0)], pending: 0) == WorkCost.Choice(worker: 0, count: 0))
    }

    @Test("A worker that is stuck for a second gets nothing while another one moves")
    func stuck() {
        let stuck = worker(0) { $0.turnStartedAt = Self.now - WorkCost.stuckAfter }
        // However much the other one has to do.
        let busy = worker(1, connections: 4_000) { $0.requests = 4_000 }
        #expect(chosen([stuck, busy]) == 1)
        #expect(chosen([stuck, worker(1, room: 0)]) == 0)
    }

    @Test("When all are stuck, the one that is stuck for the shortest time is chosen")
    func allStuck() {
        let workers = [5, 3, 4].map { seconds in
            worker(seconds) { $0.turnStartedAt = Self.now - UInt64(seconds) * 1_000_000_000 }
        }
        #expect(chosen(workers) == 3)
    }

    /// Gives out `pending` connections message by message, like the dispatcher.
    private func deal(
        _ candidates: [WorkCost.Candidate],
        pending: Int,
        work: WorkCost = WorkCost()
    ) -> [Int: Int] {
        var candidates = candidates
        var left = pending
        var given: [Int: Int] = [:]
        while left > 0, let choice = work.choose(candidates, pending: left) {
            guard choice.count > 0 else { break }
            given[choice.worker, default: 0] += choice.count
            left -= choice.count
            candidates = candidates.map { old in
                guard old.worker == choice.worker else { return old }
                return WorkCost.Candidate(
                    worker: old.worker,
                    room: old.room - choice.count,
                    connections: old.connections + choice.count,
                    unstarted: old.unstarted + choice.count,
                    age: old.age,
                    load: old.load,
                    now: old.now
                )
            }
        }
        return given
    }

    @Test("A burst is dealt out evenly", arguments: 1...9)
    func burst(workers: Int) {
        let given = deal((0..<workers).map { worker($0, room: 100) }, pending: 100)
        #expect(given.values.reduce(0, +) == 100)
        #expect(given.count == workers)
        let counts = given.values.sorted()
        #expect(counts[workers - 1] - counts[0] <= 1, "\(counts)")
    }

    @Test("A burst fills up the worker that has less to do")
    func unevenBurst() {
        let workers = [
            worker(0, connections: 6) { $0.requests = 6 },
            worker(1, connections: 2) { $0.requests = 2 },
        ]
        #expect(deal(workers, pending: 4) == [1: 4])
        #expect(deal(workers, pending: 10) == [0: 3, 1: 7])
    }

    @Test("No worker gets more than its room, and the rest waits")
    func room() {
        let workers = [worker(0, room: 2), worker(1, room: 5), worker(2, room: 0)]
        #expect(deal(workers, pending: 100) == [0: 2, 1: 5])
        #expect(deal(workers, pending: 6) == [0: 2, 1: 4])
        // One message holds what the worker has room for at once.
        #expect(WorkCost().choose([worker(0, room: 3)], pending: 9)?.count == 3)
    }

    // MARK: Fresh workers

    @Test("A fresh worker is not flooded: it is taken to have a falling share of the others' work")
    func ramp() {
        let old = [0, 1].map { worker($0, connections: 8) { $0.requests = 8 } }
        let shares = [0, 500, 1_000, 1_500, 2_000].map { age in
            deal(
                old + [worker(9, room: 100, age: UInt64(age) * Self.millisecond)],
                pending: 6
            )[9] ?? 0
        }
        // Each that it gets is begun at once, so that its share of the others' work is what counts.
        #expect(shares == shares.sorted())
        #expect(shares.first == 0 && shares.last == 6)
        // Half way it counts like half of the average.
        let half = worker(9, age: 1_000 * Self.millisecond)
        #expect(chosen([half, worker(0, connections: 3) { $0.requests = 3 }] + old) == 0)
        #expect(chosen([half, worker(0, connections: 9) { $0.requests = 9 }] + old) == 9)
    }

    @Test("Work that a fresh worker has counts in full")
    func rampOfBusy() {
        let fresh = worker(0, connections: 20, age: 1) { $0.requests = 20 }
        #expect(chosen([fresh, worker(1, connections: 10) { $0.requests = 10 }]) == 1)
    }

    @Test("When all workers are fresh, none is held back")
    func allFresh() {
        let given = deal((0..<4).map { worker($0, age: 1) }, pending: 8)
        #expect(given == [0: 2, 1: 2, 2: 2, 3: 2])
    }

    @Test("An idle fleet gives a fresh worker its turn at once")
    func freshAmongIdle() {
        #expect(deal([worker(0), worker(1, age: 1)], pending: 2) == [0: 1, 1: 1])
    }

    @Test(
        "Whatever the loads, a choice has room, and none cheaper was passed over",
        arguments: 1...40
    )
    func walk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        for _ in 0..<50 {
            let candidates = (0..<1 + random.below(8)).map { number in
                worker(
                    number,
                    connections: random.below(50),
                    unstarted: random.below(8),
                    room: random.below(20),
                    age: UInt64(random.below(4_000)) * Self.millisecond
                ) { load in
                    load.requests = random.below(50)
                    load.streams = random.below(10)
                    load.bytesQueued = random.below(1 << 21)
                    load.turnStartedAt =
                        random.oneIn(2) ? 0 : Self.now - random.next() % 3_000_000_000
                }
            }
            let pending = 1 + random.below(40)
            guard let choice = WorkCost().choose(candidates, pending: pending) else {
                #expect(candidates.allSatisfy { $0.room == 0 }, "seed \(seed)")
                continue
            }
            let chosen = candidates[choice.worker]
            #expect(choice.count >= 1 && choice.count <= min(chosen.room, pending), "seed \(seed)")
            // Among grown workers that move, the cheapest one wins.
            var plain = WorkCost()
            plain.ramp = 0
            let best = candidates.filter { $0.room > 0 }.map(plain.cost).min() ?? 0
            let first = plain.choose(candidates, pending: 1)
            let cost = first.map { plain.cost(candidates[$0.worker]) }
            #expect(cost == best, "seed \(seed)")
        }
    }
}

@Suite struct RecordPoolTests {
    @Test("Records are given back ones first, and never twice at a time", arguments: 1...10)
    func walk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var pool = RecordPool()
        var taken: [UInt16] = []
        var highest: UInt16 = 0
        for _ in 0..<2_000 {
            if taken.isEmpty || random.below(5) < 3 {
                guard let record = pool.take() else { break }
                #expect(!taken.contains(record), "seed \(seed)")
                taken.append(record)
                highest = max(highest, record)
            } else {
                pool.give(taken.remove(at: random.below(taken.count)))
            }
            #expect(pool.room == Scoreboard.recordsMax - 1 - taken.count, "seed \(seed)")
        }
        // Pages of records beyond the most that were ever taken stay untouched.
        #expect(Int(highest) < 2_000 * 3 / 4, "seed \(seed)")
    }

    @Test("The pool has an end, and the record of probes is not in it")
    func end() {
        var pool = RecordPool()
        var taken: Set<UInt16> = []
        while let record = pool.take() { taken.insert(record) }
        #expect(taken.count == Scoreboard.recordsMax - 1)
        #expect(!taken.contains(RecordPool.probe))
        #expect(pool.room == 0)
        pool.give(7)
        #expect(pool.room == 1)
        let again = pool.take()
        #expect(again == 7)
    }
}
