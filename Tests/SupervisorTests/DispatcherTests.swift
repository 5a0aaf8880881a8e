// SPDX-License-Identifier: Apache-2.0
import Control
import Support
import Testing

@testable import Supervisor

/// A dispatcher with short ways to tell it facts.
private final class Desk {
    var dispatcher: Dispatcher
    var now: UInt64 = 0

    init(workers: ClosedRange<UInt64>, limits: Dispatcher.Limits = Dispatcher.Limits()) {
        dispatcher = Dispatcher(limits: limits)
        for number in workers { dispatcher.workerReady(WorkerSerial(number: number)) }
    }

    func accept(_ descriptors: ClosedRange<Int32>) {
        for descriptor in descriptors {
            dispatcher.accepted(descriptor, listener: 0, now: now)
        }
    }

    func batch(respectingWindow: Bool = true) -> Dispatcher.Batch? {
        dispatcher.nextBatch(now: now, respectingWindow: respectingWindow)
    }

    func batches() -> [Dispatcher.Batch] {
        var result: [Dispatcher.Batch] = []
        while let batch = batch() { result.append(batch) }
        return result
    }

    func report(
        _ worker: UInt64,
        _ ids: [UInt32],
        _ event: ConnectionReport.Event,
        _ reason: ConnectionReport.Reason = .none
    ) -> Dispatcher.ReportAction {
        dispatcher.reported(
            WorkerSerial(number: worker),
            ids.map { ConnectionReport(id: $0, event: event, reason: reason) },
            now: now
        )
    }

    func gone(_ worker: UInt64, touched: Set<Int32> = []) -> [Int32] {
        dispatcher.workerGone(WorkerSerial(number: worker), now: now) { !touched.contains($0) }
    }

    func count(_ worker: UInt64) -> Int {
        dispatcher.connections(of: WorkerSerial(number: worker))
    }
}

@Suite struct DispatcherTests {
    private func ids(_ batch: Dispatcher.Batch?) -> [UInt32] {
        batch?.connections.map(\.id) ?? []
    }

    @Test("A connection goes out, is received, started and closed")
    func life() {
        let desk = Desk(workers: 1...1)
        desk.accept(10...10)
        let batch = desk.batch()
        #expect(batch?.descriptors == [10])
        #expect(desk.batch() == nil)
        #expect(desk.dispatcher.unacknowledged == 1)
        #expect(desk.report(1, ids(batch), .received) == Dispatcher.ReportAction())
        #expect(desk.dispatcher.unacknowledged == 0)
        // The copy is closed when nobody else may serve the connection any more.
        #expect(desk.report(1, ids(batch), .started).closing == [10])
        #expect(desk.count(1) == 1)
        #expect(desk.report(1, ids(batch), .closed) == Dispatcher.ReportAction())
        #expect(desk.count(1) == 0)
        #expect(desk.dispatcher.counts.acknowledged == 1)
    }

    @Test("A worker may skip what it has no time to say")
    func shortReports() {
        let desk = Desk(workers: 1...1)
        desk.accept(10...11)
        let sent = ids(desk.batch())
        #expect(desk.report(1, [sent[0]], .started).closing == [10])
        #expect(desk.report(1, [sent[1]], .closed).closing == [11])
        #expect(desk.dispatcher.unacknowledged == 0)
        #expect(desk.dispatcher.counts.acknowledged == 2)
        #expect(desk.count(1) == 1)
    }

    @Test("A burst is spread evenly in few messages")
    func burst() {
        let desk = Desk(workers: 1...5)
        desk.accept(100...163)
        let batches = desk.batches()
        #expect(batches.count == 5)
        #expect(batches.map(\.connections.count).sorted() == [12, 13, 13, 13, 13])
        #expect(Set(batches.flatMap(\.descriptors)) == Set(100...163))
    }

    @Test("Equal workers take turns")
    func rotation() {
        let desk = Desk(workers: 1...3)
        var order: [UInt64] = []
        for descriptor: Int32 in 1...6 {
            desk.accept(descriptor...descriptor)
            let batch = desk.batch()
            order.append(batch?.worker.number ?? 0)
            _ = desk.report(order[order.count - 1], ids(batch), .closed)
        }
        #expect(order == [1, 2, 3, 1, 2, 3])
    }

    @Test("The worker with the fewest connections comes first")
    func leastConnections() {
        let desk = Desk(workers: 1...2)
        desk.accept(1...10)
        for batch in desk.batches() {
            let open = ids(batch)
            _ = desk.report(batch.worker.number, open, .started)
            if batch.worker.number == 2 { _ = desk.report(2, Array(open.prefix(4)), .closed) }
        }
        #expect(desk.count(1) == 5)
        #expect(desk.count(2) == 1)
        desk.accept(11...14)
        let batches = desk.batches()
        #expect(batches.map(\.worker.number) == [2])
        #expect(desk.count(2) == 5)
    }

    @Test("A worker that acknowledges nothing gets no more than its window")
    func window() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...40)
        let first = desk.batch()
        #expect(first?.connections.count == 16)
        #expect(desk.batch() == nil)
        _ = desk.report(1, Array(ids(first).prefix(3)), .received)
        #expect(desk.batch()?.connections.count == 3)
        #expect(desk.dispatcher.pendingCount == 21)
        // Before it is told to drain, it gets the rest nevertheless.
        #expect(desk.batch(respectingWindow: false)?.connections.count == 16)
        #expect(desk.batch(respectingWindow: false)?.connections.count == 5)
    }

    @Test("A frozen worker does not keep connections from the others")
    func frozen() {
        let desk = Desk(workers: 1...2)
        desk.accept(1...100)
        var served = 0
        for _ in 0..<20 {
            for batch in desk.batches() where batch.worker.number == 2 {
                served += batch.connections.count
                _ = desk.report(2, ids(batch), .started)
                _ = desk.report(2, ids(batch), .closed)
            }
        }
        #expect(served == 84)
        #expect(desk.count(1) == 16)
    }

    @Test("What a dead worker had not begun goes to another one, first in line")
    func redispatch() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...4)
        let sent = ids(desk.batch())
        _ = desk.report(1, [sent[0]], .started)
        _ = desk.report(1, [sent[1]], .received)
        desk.accept(9...9)
        #expect(desk.gone(1) == [])
        #expect(desk.dispatcher.counts.requeued == 3)
        desk.dispatcher.workerReady(WorkerSerial(number: 2))
        #expect(desk.batch()?.descriptors == [2, 3, 4, 9])
    }

    @Test("What a dead worker had read without saying so is not served again")
    func touched() {
        let desk = Desk(workers: 1...2)
        desk.accept(1...2)
        _ = desk.batches()
        #expect(desk.gone(1, touched: [1]) == [1])
        #expect(desk.gone(2, touched: [1]) == [])
        #expect(desk.dispatcher.pendingCount == 1)
        #expect(desk.dispatcher.counts.requeued == 1)
    }

    @Test("A refused connection goes to another worker, also after it was received")
    func refused() {
        let desk = Desk(workers: 1...2)
        desk.accept(1...2)
        let batches = desk.batches()
        let first = batches[0]
        _ = desk.report(first.worker.number, ids(first), .received)
        let action = desk.report(first.worker.number, ids(first), .refused, .draining)
        #expect(action == Dispatcher.ReportAction())
        let next = desk.batch()
        #expect(next?.descriptors == first.descriptors)
        #expect(next?.worker != first.worker)
        // It gets a new name: the first worker cannot speak for it any more.
        #expect(ids(next) != ids(first))
        #expect(desk.report(first.worker.number, ids(first), .closed).isViolation)
    }

    @Test("A worker without room rests before it is tried again")
    func overloaded() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        _ = desk.report(1, ids(desk.batch()), .refused, .noDescriptor)
        #expect(desk.batch() == nil)
        #expect(desk.dispatcher.deadline(now: 0) == 100_000_000)
        desk.now = 100_000_000
        #expect(desk.batch()?.descriptors == [1])
    }

    @Test("A full socket puts the batch back, and the worker rests")
    func blocked() {
        let desk = Desk(workers: 1...2)
        desk.accept(1...6)
        guard let batch = desk.batch() else { return }
        desk.dispatcher.blocked(batch, now: 0)
        #expect(desk.count(batch.worker.number) == 0)
        let rest = desk.batches()
        #expect(rest.flatMap(\.descriptors) == [1, 2, 3, 4, 5, 6])
        #expect(rest.allSatisfy { $0.worker != batch.worker })
        #expect(desk.dispatcher.counts.blocked == 1)
    }

    @Test("A closed end puts the batch back, and the worker gets nothing more")
    func undeliverable() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...3)
        guard let batch = desk.batch() else { return }
        desk.dispatcher.undeliverable(batch)
        desk.now = 1_000_000_000
        #expect(desk.batch() == nil)
        #expect(desk.dispatcher.pendingCount == 3)
        #expect(desk.gone(1) == [])
        #expect(desk.dispatcher.pendingCount == 3)
    }

    @Test("Connections that nobody takes are given up in order, when they are old")
    func expiry() {
        let desk = Desk(workers: 1...1)
        desk.dispatcher.workerLeaving(WorkerSerial(number: 1))
        desk.accept(1...1)
        desk.now = 5_000_000_000
        desk.accept(2...2)
        #expect(desk.dispatcher.deadline(now: desk.now) == 10_000_000_000)
        #expect(desk.dispatcher.expired(now: 9_999_999_999) == [])
        #expect(desk.dispatcher.expired(now: 10_000_000_000) == [1])
        #expect(desk.dispatcher.rejectPending() == [2])
        #expect(desk.dispatcher.counts.rejected == 2)
        #expect(desk.dispatcher.deadline(now: desk.now) == nil)
    }

    @Test("The queue has an end")
    func full() {
        var limits = Dispatcher.Limits()
        limits.pendingMax = 3
        let desk = Desk(workers: 1...1, limits: limits)
        desk.accept(1...3)
        #expect(!desk.dispatcher.hasRoom)
        _ = desk.batches()
        #expect(desk.dispatcher.hasRoom)
    }

    struct Violation: CustomTestStringConvertible, Sendable {
        let name: String
        let events: [ConnectionReport.Event]
        var testDescription: String { name }
    }

    static let violations = [
        Violation(name: "received twice", events: [.received, .received]),
        Violation(name: "received after started", events: [.started, .received]),
        Violation(name: "started twice", events: [.started, .started]),
        Violation(name: "refused after started", events: [.started, .refused]),
        Violation(name: "started after closed", events: [.closed, .started]),
        Violation(name: "closed twice", events: [.closed, .closed]),
        Violation(name: "refused twice", events: [.refused, .refused]),
    ]

    @Test("A worker that says what cannot be is found out", arguments: violations)
    func violation(row: Violation) {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        let sent = ids(desk.batch())
        #expect(!desk.report(1, sent, row.events[0]).isViolation)
        #expect(desk.report(1, sent, row.events[1]).isViolation)
    }

    @Test("A worker can only speak for its own connections")
    func foreign() {
        let desk = Desk(workers: 1...2)
        desk.accept(1...1)
        let batch = desk.batch()
        #expect(batch?.worker.number == 1)
        #expect(desk.report(2, ids(batch), .received).isViolation)
        #expect(desk.report(3, ids(batch), .received).isViolation)
        #expect(desk.report(1, [12345], .received).isViolation)
        #expect(desk.report(1, [.max], .closed).isViolation)
        #expect(!desk.report(1, ids(batch), .received).isViolation)
    }
}

/// Accepted descriptors as the kernel would have them, with workers that do anything.
private final class HandoffWorld {
    private enum Where: Equatable {
        case supervisor
        case worker(UInt64, id: UInt32, isReceived: Bool)
        /// One worker reads; the supervisor's copy is closed.
        case started(UInt64, id: UInt32)
    }

    private var random: SplitMix
    private(set) var dispatcher: Dispatcher
    private var now: UInt64 = 0
    private var places: [Int32: Where] = [:]
    private var workers: Set<UInt64> = []
    private var leaving: Set<UInt64> = []
    private var nextWorker: UInt64 = 1
    private var nextDescriptor: Int32 = 10
    /// Read by a worker that died before it could say so.
    private var secretlyRead: Set<Int32> = []
    private(set) var problems: [String] = []
    private(set) var accepted = 0
    private(set) var served = 0
    private(set) var rejected = 0

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
        var limits = Dispatcher.Limits()
        limits.pendingMax = 50
        dispatcher = Dispatcher(limits: limits)
    }

    var open: Int { places.count }

    private func check(_ condition: Bool, _ problem: @autoclosure () -> String) {
        if !condition { problems.append(problem()) }
    }

    private func worker() -> WorkerSerial? {
        let sorted = workers.sorted()
        return sorted.isEmpty ? nil : WorkerSerial(number: sorted[random.below(sorted.count)])
    }

    func step() {
        switch random.below(12) {
        case 0 where workers.count < 5: addWorker()
        case 1 where random.oneIn(8): killWorker()
        case 2 where random.oneIn(10):
            if let worker = worker() {
                dispatcher.workerLeaving(worker)
                leaving.insert(worker.number)
            }
        case 3: now += UInt64(random.below(300_000_000))
        case 4, 5, 6: accept()
        case 7, 8: dispatch()
        default: report()
        }
        invariants()
    }

    func addWorker() {
        dispatcher.workerReady(WorkerSerial(number: nextWorker))
        workers.insert(nextWorker)
        nextWorker += 1
    }

    private func accept() {
        for _ in 0..<random.below(20) where dispatcher.hasRoom {
            dispatcher.accepted(nextDescriptor, listener: 0, now: now)
            places[nextDescriptor] = .supervisor
            nextDescriptor += 1
            accepted += 1
        }
    }

    func dispatch() {
        for descriptor in dispatcher.expired(now: now) { reject(descriptor) }
        while let batch = dispatcher.nextBatch(now: now) {
            check(workers.contains(batch.worker.number), "a batch for a worker that is gone")
            check(!leaving.contains(batch.worker.number), "a batch for a worker that leaves")
            check((1...16).contains(batch.connections.count), "batch of \(batch.connections.count)")
            check(batch.connections.count == batch.descriptors.count, "counts differ")
            if random.oneIn(15) {
                dispatcher.blocked(batch, now: now)
                continue
            }
            if random.oneIn(30) {
                dispatcher.undeliverable(batch)
                leaving.insert(batch.worker.number)
                continue
            }
            for (connection, descriptor) in zip(batch.connections, batch.descriptors) {
                check(places[descriptor] == .supervisor, "\(descriptor) was elsewhere")
                places[descriptor] = .worker(
                    batch.worker.number,
                    id: connection.id,
                    isReceived: false
                )
            }
        }
    }

    private func reject(_ descriptor: Int32) {
        check(places[descriptor] == .supervisor, "\(descriptor) rejected while a worker has it")
        places[descriptor] = nil
        rejected += 1
    }

    func report() {
        guard let worker = worker() else { return }
        var reports: [ConnectionReport] = []
        var closing: Set<Int32> = []
        for descriptor in places.keys.sorted() where random.oneIn(3) {
            switch places[descriptor] {
            case .worker(worker.number, let id, let isReceived):
                switch random.below(5) {
                case 0 where !isReceived:
                    reports.append(ConnectionReport(id: id, event: .received))
                    places[descriptor] = .worker(worker.number, id: id, isReceived: true)
                case 1:
                    reports.append(
                        ConnectionReport(id: id, event: .refused, reason: .overloaded)
                    )
                    places[descriptor] = .supervisor
                case 2:
                    reports.append(ConnectionReport(id: id, event: .closed))
                    closing.insert(descriptor)
                    places[descriptor] = nil
                    served += 1
                default:
                    reports.append(ConnectionReport(id: id, event: .started))
                    closing.insert(descriptor)
                    places[descriptor] = .started(worker.number, id: id)
                }
            case .started(worker.number, let id):
                reports.append(ConnectionReport(id: id, event: .closed))
                places[descriptor] = nil
                served += 1
            case .supervisor, .worker, .started, nil:
                break
            }
        }
        let action = dispatcher.reported(worker, reports, now: now)
        check(!action.isViolation, "a true report was called a violation")
        check(Set(action.closing) == closing, "closed \(action.closing), expected \(closing)")
        check(action.closing.count == closing.count, "closed twice")
    }

    private func killWorker() {
        guard let worker = worker() else { return }
        workers.remove(worker.number)
        leaving.remove(worker.number)
        var expected: Set<Int32> = []
        for (descriptor, place) in places {
            switch place {
            case .worker(worker.number, _, _):
                if random.oneIn(5) {
                    secretlyRead.insert(descriptor)
                    expected.insert(descriptor)
                    places[descriptor] = nil
                    served += 1
                } else {
                    places[descriptor] = .supervisor
                }
            case .started(worker.number, _):
                places[descriptor] = nil
                served += 1
            case .supervisor, .worker, .started:
                break
            }
        }
        let secretlyRead = secretlyRead
        let closing = dispatcher.workerGone(worker, now: now) { !secretlyRead.contains($0) }
        check(Set(closing) == expected && closing.count == expected.count, "closed \(closing)")
    }

    private func invariants() {
        let waiting = places.values.count { $0 == .supervisor }
        check(dispatcher.pendingCount == waiting, "\(dispatcher.pendingCount) of \(waiting) wait")
        for number in workers {
            var held = 0
            for place in places.values {
                switch place {
                case .worker(number, _, _), .started(number, _): held += 1
                case .supervisor, .worker, .started: break
                }
            }
            let counted = dispatcher.connections(of: WorkerSerial(number: number))
            check(counted == held, "worker \(number): \(counted) counted, \(held) held")
        }
        check(dispatcher.counts.lost == 0, "a connection was lost")
        check(accepted == places.count + served + rejected, "a descriptor disappeared")
    }

    func finish() {
        now += 1_000_000_000
        addWorker()
        for _ in 0..<10_000 where !places.isEmpty && problems.isEmpty {
            dispatch()
            report()
            if leaving.count == workers.count { addWorker() }
            now += 50_000_000
            invariants()
        }
    }
}

@Suite struct DispatcherWalkTests {
    @Test("No descriptor is ever in two places, none is lost", arguments: 1...60)
    func walk(seed: UInt64) {
        let world = HandoffWorld(seed: seed)
        for _ in 0..<600 where world.problems.isEmpty { world.step() }
        world.finish()
        #expect(world.problems == [], "seed \(seed)")
        #expect(world.open == 0, "seed \(seed)")
        #expect(world.served > 50, "seed \(seed)")
    }
}

@Suite struct PendingQueueTests {
    @Test("The queue holds what an array would", arguments: 1...20)
    func walk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var queue = PendingQueue()
        var model: [Int] = []
        for step in 0..<1000 {
            switch random.below(3) {
            case 0:
                queue.append(step)
                model.append(step)
            case 1:
                queue.prepend(step)
                model.insert(step, at: 0)
            default:
                let first = queue.popFirst()
                let expected = model.isEmpty ? nil : model.removeFirst()
                #expect(first == expected, "seed \(seed)")
            }
            #expect(queue.count == model.count)
            #expect(queue.first == model.first)
        }
    }
}
