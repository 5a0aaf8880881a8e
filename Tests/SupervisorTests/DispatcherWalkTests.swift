// SPDX-License-Identifier: Apache-2.0
import Control
import Support
import Testing

@testable import Supervisor

/// Accepted descriptors as the kernel would have them, with workers that do anything.
private final class HandoffWorld {
    private enum Stage { case sent, received, started }

    /// What one worker has, or had before it was taken back.
    private struct Held {
        let worker: UInt64
        let id: UInt32
        let record: UInt16
        let isKept: Bool
        var stage = Stage.sent
        /// The worker has read from it; it may not have said so.
        var isTaken = false

        /// Whether the supervisor has a copy.
        var hasCopy: Bool { isKept || stage != .started }
    }

    private enum Where {
        case supervisor
        case worker(Held)
    }

    private var random: SplitMix
    private(set) var dispatcher: Dispatcher
    private var now: UInt64 = 0
    private var places: [Int32: Where] = [:]
    private var workers: Set<UInt64> = []
    private var leaving: Set<UInt64> = []
    private var silent: Set<UInt64> = []
    /// What was taken back from a worker, which may speak of it: records by ids.
    private var ghosts: [UInt64: [UInt32: UInt16]] = [:]
    private var used: Set<Int32> = []
    /// Descriptors that were given back to be closed.
    private var closed: Set<Int32> = []
    private var nextWorker: UInt64 = 1
    private var nextDescriptor: Int32 = 10
    private(set) var problems: [String] = []
    private var counts = Dispatcher.Counts()
    private(set) var served = 0

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
        var limits = Dispatcher.Limits()
        limits.pendingMax = 50
        limits.descriptorsMax = 60 + random.below(60)
        limits.keptMax = [0, 10, 40, .max][random.below(4)]
        limits.perWorkerMax = [20, .max][random.below(2)]
        dispatcher = Dispatcher(limits: limits)
    }

    var open: Int { places.count }
    var moves: UInt64 { counts.requeued + counts.revoked + counts.returned + counts.refused }

    private func check(_ condition: Bool, _ problem: @autoclosure () -> String) {
        if !condition { problems.append(problem()) }
    }

    private func worker() -> WorkerSerial? {
        let sorted = workers.sorted()
        return sorted.isEmpty ? nil : WorkerSerial(number: sorted[random.below(sorted.count)])
    }

    private func held(by worker: UInt64) -> [(descriptor: Int32, held: Held)] {
        var result: [(descriptor: Int32, held: Held)] = []
        for (descriptor, place) in places {
            if case .worker(let held) = place, held.worker == worker {
                result.append((descriptor, held))
            }
        }
        return result.sorted { $0.descriptor < $1.descriptor }
    }

    /// The shell closes what it is given, once.
    private func close(_ descriptor: Int32) {
        check(closed.insert(descriptor).inserted, "\(descriptor) closed twice")
    }

    func step() {
        switch random.below(14) {
        case 0 where workers.count < 5: addWorker()
        case 1 where random.oneIn(6): killWorker()
        case 2 where random.oneIn(10):
            if let worker = worker() {
                dispatcher.workerLeaving(worker)
                leaving.insert(worker.number)
            }
        case 3: now += UInt64(random.below(300_000_000))
        case 4, 5, 6: accept()
        case 7, 8: dispatch()
        case 9: read()
        case 10 where random.oneIn(3): findSilent()
        case 11 where random.oneIn(6):
            if let worker = worker() { takeBack(worker.number) }
        default: report()
        }
        invariants()
    }

    func addWorker() {
        dispatcher.workerReady(WorkerSerial(number: nextWorker), now: now)
        workers.insert(nextWorker)
        nextWorker += 1
    }

    private func accept() {
        for _ in 0..<random.below(20) where dispatcher.hasRoom {
            dispatcher.accepted(nextDescriptor, listener: 0, now: now)
            places[nextDescriptor] = .supervisor
            nextDescriptor += 1
            counts.accepted += 1
        }
    }

    // MARK: To the workers

    func dispatch() {
        for rejected in dispatcher.expired(now: now) {
            counts.expired += 1
            counts.rejected += 1
            reject(rejected.descriptor)
        }
        if let oldest = dispatcher.oldestPendingAt {
            check(oldest + dispatcher.limits.pendingAge > now, "somebody waits for too long")
        }
        let respectingWindow = !random.oneIn(20)
        while let batch = dispatcher.nextBatch(now: now, respectingWindow: respectingWindow) {
            check(batch)
            if random.oneIn(15) {
                dispatcher.blocked(batch, now: now)
                counts.blocked += 1
                continue
            }
            if random.oneIn(30) {
                dispatcher.undeliverable(batch)
                leaving.insert(batch.worker.number)
                continue
            }
            for (connection, descriptor) in zip(batch.connections, batch.descriptors) {
                places[descriptor] = .worker(
                    Held(
                        worker: batch.worker.number,
                        id: connection.id,
                        record: connection.record,
                        isKept: connection.isKept
                    )
                )
            }
        }
    }

    private func check(_ batch: Dispatcher.Batch) {
        let number = batch.worker.number
        check(workers.contains(number), "a batch for a worker that is gone")
        check(!leaving.contains(number), "a batch for a worker that leaves")
        check(!silent.contains(number), "a batch for a worker that is silent")
        check((1...16).contains(batch.connections.count), "batch of \(batch.connections.count)")
        check(batch.connections.count == batch.descriptors.count, "counts differ")
        let held = held(by: number).map(\.held)
        var records = Set(held.map(\.record)).union(ghosts[number, default: [:]].values)
        var ids = Set(held.map(\.id)).union(ghosts[number, default: [:]].keys)
        for (connection, descriptor) in zip(batch.connections, batch.descriptors) {
            if case .supervisor? = places[descriptor] {
            } else {
                check(false, "\(descriptor) was elsewhere")
            }
            check(!closed.contains(descriptor), "\(descriptor) handed over after its close")
            check(records.insert(connection.record).inserted, "record \(connection.record) shared")
            check(ids.insert(connection.id).inserted, "id \(connection.id) shared")
            check(connection.record != RecordPool.probe, "the record of probes was given away")
            check(
                batch.used.contains(connection.id) == used.contains(descriptor),
                "\(descriptor): used is wrong"
            )
        }
    }

    private func reject(_ descriptor: Int32) {
        if case .supervisor? = places[descriptor] {
        } else {
            check(false, "\(descriptor) rejected while a worker has it")
        }
        places[descriptor] = nil
        close(descriptor)
    }

    // MARK: From the workers

    /// A worker reads from connections and does not say so yet.
    private func read() {
        guard let worker = worker() else { return }
        for (descriptor, held) in held(by: worker.number) where random.oneIn(4) {
            var held = held
            held.isTaken = true
            places[descriptor] = .worker(held)
        }
    }

    func report() {
        guard let worker = worker() else { return }
        var reports: [ConnectionReport] = []
        var closing: [Int32] = []
        for (descriptor, held) in held(by: worker.number) where random.oneIn(3) {
            reports.append(event(descriptor, held, &closing))
        }
        for ghost in ghosts[worker.number, default: [:]].keys.sorted() where random.oneIn(4) {
            let isLast = random.oneIn(2)
            reports.append(ConnectionReport(id: ghost, event: isLast ? .refused : .received))
            if isLast { ghosts[worker.number]?[ghost] = nil }
        }
        reports.shuffle(using: &random)
        silent.remove(worker.number)
        let action = dispatcher.reported(worker, reports, now: now)
        check(!action.isViolation, "a true report was called a violation")
        check(action.closing.sorted() == closing.sorted(), "\(action.closing), not \(closing)")
        for descriptor in action.closing { close(descriptor) }
    }

    private func event(
        _ descriptor: Int32,
        _ held: Held,
        _ closing: inout [Int32]
    ) -> ConnectionReport {
        var held = held
        if held.stage == .sent { counts.acknowledged += 1 }
        switch (held.stage, random.below(6)) {
        case (.sent, 0):
            held.stage = .received
            places[descriptor] = .worker(held)
            return ConnectionReport(id: held.id, event: .received)
        case (.sent, 1) where !held.isTaken, (.received, 1) where !held.isTaken:
            if held.stage == .sent { counts.acknowledged -= 1 }
            counts.refused += 1
            places[descriptor] = .supervisor
            return ConnectionReport(id: held.id, event: .refused, reason: .overloaded)
        case (.started, 2) where held.isKept, (.started, 3) where held.isKept:
            counts.returned += 1
            places[descriptor] = .supervisor
            return ConnectionReport(id: held.id, event: .returned)
        case (.sent, 4), (.received, 4), (.started, _):
            if held.hasCopy { closing.append(descriptor) }
            places[descriptor] = nil
            served += 1
            return ConnectionReport(id: held.id, event: .closed)
        case (.sent, _), (.received, _):
            held.stage = .started
            held.isTaken = true
            used.insert(descriptor)
            if !held.isKept { closing.append(descriptor) }
            places[descriptor] = .worker(held)
            return ConnectionReport(id: held.id, event: .started)
        }
    }

    private func findSilent() {
        for worker in dispatcher.silent(now: now) {
            check(workers.contains(worker.number), "a worker that is gone is silent")
            check(silent.insert(worker.number).inserted, "silent twice")
            check(
                held(by: worker.number).contains { $0.held.stage == .sent },
                "a worker that owes nothing is silent"
            )
            if !random.oneIn(4) { takeBack(worker.number) }
        }
    }

    private func takeBack(_ number: UInt64) {
        var asked: Set<Int> = []
        var granted: Set<Int> = []
        let before = held(by: number).filter { $0.held.stage != .started }
        let taken = dispatcher.takeBackUnstarted(
            of: WorkerSerial(number: number),
            now: now
        ) { record in
            check(asked.insert(record).inserted, "record \(record) revoked twice")
            guard let match = before.first(where: { Int($0.held.record) == record }) else {
                check(false, "record \(record) is not of a connection that can be revoked")
                return false
            }
            guard !match.held.isTaken else { return false }
            granted.insert(record)
            return true
        }
        check(taken == granted.count, "\(taken) of \(granted.count) taken back")
        check(asked.count == before.count, "\(asked.count) of \(before.count) asked for")
        for (descriptor, held) in before where !held.isTaken {
            places[descriptor] = .supervisor
            ghosts[number, default: [:]][held.id] = held.record
            counts.revoked += 1
        }
    }

    private func killWorker() {
        guard let worker = worker() else { return }
        let number = worker.number
        workers.remove(number)
        leaving.remove(number)
        silent.remove(number)
        ghosts[number] = nil
        let held = held(by: number)
        var judged: Set<Int32> = []
        var moving: Set<Int32> = []
        let ending = dispatcher.workerGone(worker, now: now) { orphan in
            check(judged.insert(orphan.descriptor).inserted, "\(orphan.descriptor) judged twice")
            guard let match = held.first(where: { $0.descriptor == orphan.descriptor }) else {
                check(false, "\(orphan.descriptor) was not the worker's")
                return .end
            }
            check(Int(match.held.record) == orphan.record, "the record of another connection")
            check((match.held.stage == .started) == orphan.isStarted, "isStarted is wrong")
            check(match.held.hasCopy, "\(orphan.descriptor) is judged without a copy")
            // An idle connection moves although it was used.
            let moves = match.held.isTaken ? match.held.isKept && random.oneIn(3) : true
            if moves { moving.insert(orphan.descriptor) }
            return moves ? .move : .end
        }
        let copies = held.filter { $0.held.hasCopy }.map(\.descriptor)
        check(judged == Set(copies), "judged \(judged), held \(copies)")
        check(Set(ending.map(\.descriptor)) == judged.subtracting(moving), "ended \(ending)")
        check(ending.count == judged.count - moving.count, "ended twice")
        for (descriptor, held) in held {
            if moving.contains(descriptor) {
                counts.requeued += 1
                places[descriptor] = .supervisor
                // Perhaps: the worker may have read from it without saying so.
                used.insert(descriptor)
            } else {
                if held.hasCopy { close(descriptor) }
                places[descriptor] = nil
                served += 1
            }
        }
    }

    // MARK: Rules

    private func invariants() {
        var waiting = 0
        var copies = 0
        var kept = 0
        var unacknowledged = 0
        var held: [UInt64: (all: Int, unstarted: Int)] = [:]
        for (descriptor, place) in places {
            switch place {
            case .supervisor:
                waiting += 1
                copies += 1
                check(!closed.contains(descriptor), "\(descriptor) waits and is closed")
            case .worker(let one):
                if one.hasCopy { copies += 1 }
                if one.isKept { kept += 1 }
                if one.stage == .sent { unacknowledged += 1 }
                held[one.worker, default: (0, 0)].all += 1
                if one.stage != .started { held[one.worker, default: (0, 0)].unstarted += 1 }
                check(closed.contains(descriptor) != one.hasCopy, "\(descriptor): copy is wrong")
            }
        }
        check(dispatcher.pendingCount == waiting, "\(dispatcher.pendingCount) of \(waiting) wait")
        check(dispatcher.descriptors == copies, "\(dispatcher.descriptors), counted \(copies)")
        check(dispatcher.kept == kept, "\(dispatcher.kept) kept, counted \(kept)")
        check(kept <= dispatcher.limits.keptMax, "too many are kept")
        check(dispatcher.unacknowledged == unacknowledged, "unacknowledged is wrong")
        for number in workers {
            let serial = WorkerSerial(number: number)
            let counted = dispatcher.connections(of: serial)
            check(counted == held[number]?.all ?? 0, "worker \(number): \(counted) counted")
            let unstarted = dispatcher.unstarted(of: serial)
            check(unstarted == held[number]?.unstarted ?? 0, "worker \(number): unstarted")
            check(counted <= dispatcher.limits.perWorkerMax, "worker \(number) has too many")
        }
        check(dispatcher.counts == counts, "\(dispatcher.counts), not \(counts)")
        check(
            counts.accepted == UInt64(places.count + served) + counts.rejected,
            "a descriptor disappeared"
        )
    }

    func finish() {
        now += 1_000_000_000
        addWorker()
        for _ in 0..<10_000 where !places.isEmpty && problems.isEmpty {
            dispatch()
            report()
            if leaving.union(silent).count == workers.count { addWorker() }
            now += 50_000_000
            invariants()
        }
    }
}

@Suite struct DispatcherWalkTests {
    @Test("No descriptor is ever in two places, none is lost", arguments: 1...40)
    func walk(seed: UInt64) {
        let world = HandoffWorld(seed: seed)
        for _ in 0..<400 where world.problems.isEmpty { world.step() }
        world.finish()
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.open == 0, "seed \(seed)")
        #expect(world.served > 50 && world.moves > 20, "seed \(seed)")
    }
}
