// SPDX-License-Identifier: Apache-2.0
import Control
import Scoreboard
import Testing

@testable import Supervisor

/// A dispatcher with short ways to tell it facts.
private final class Desk {
    var dispatcher: Dispatcher
    var now: UInt64 = 0

    init(workers: ClosedRange<UInt64>, limits: Dispatcher.Limits = Dispatcher.Limits()) {
        dispatcher = Dispatcher(limits: limits)
        for number in workers { ready(number) }
    }

    func ready(_ number: UInt64) {
        dispatcher.workerReady(WorkerSerial(number: number), now: now)
    }

    func accept(_ descriptors: ClosedRange<Int32>) {
        for descriptor in descriptors {
            dispatcher.accepted(descriptor, listener: 0, now: now)
        }
    }

    /// Requests under way, by worker.
    var requests: [UInt64: Int] = [:]

    func batch(respectingWindow: Bool = true) -> Dispatcher.Batch? {
        dispatcher.nextBatch(now: now, respectingWindow: respectingWindow) { worker in
            var load = WorkerLoad()
            load.requests = requests[worker.number] ?? 0
            return load
        }
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

    /// The worker dies having begun with what it said, and with `touched`; what it did not begin
    /// moves.
    ///
    /// Returns the descriptors that are left to the shell.
    func gone(_ worker: UInt64, touched: Set<Int32> = []) -> [Int32] {
        let ending = dispatcher.workerGone(WorkerSerial(number: worker), now: now) { orphan in
            orphan.isStarted || touched.contains(orphan.descriptor) ? .end : .move
        }
        return ending.map(\.descriptor).sorted()
    }

    /// Takes back what the worker has not begun; `begun` are the records that it has.
    func takeBack(_ worker: UInt64, begun: Set<Int> = []) -> Int {
        dispatcher.takeBackUnstarted(of: WorkerSerial(number: worker), now: now) {
            !begun.contains($0)
        }
    }

    func count(_ worker: UInt64) -> Int {
        dispatcher.connections(of: WorkerSerial(number: worker))
    }
}

@Suite struct DispatcherTests {
    private func ids(_ batch: Dispatcher.Batch?) -> [UInt32] {
        batch?.connections.map(\.id) ?? []
    }

    @Test("A connection goes out, is received, started and closed; its copy is kept for life")
    func life() {
        let desk = Desk(workers: 1...1)
        desk.accept(10...10)
        let batch = desk.batch()
        #expect(batch?.descriptors == [10])
        #expect(batch?.connections.first?.isKept == true)
        #expect(batch?.used == [])
        #expect(desk.batch() == nil)
        #expect(desk.dispatcher.unacknowledged == 1)
        #expect(desk.dispatcher.unstarted(of: WorkerSerial(number: 1)) == 1)
        #expect(desk.report(1, ids(batch), .received).closing == [])
        #expect(desk.dispatcher.unacknowledged == 0)
        #expect(desk.report(1, ids(batch), .started) == Dispatcher.ReportAction())
        #expect(desk.dispatcher.unstarted(of: WorkerSerial(number: 1)) == 0)
        #expect(desk.count(1) == 1)
        #expect(desk.dispatcher.descriptors == 1 && desk.dispatcher.kept == 1)
        #expect(desk.report(1, ids(batch), .closed).closing == [10])
        #expect(desk.count(1) == 0)
        #expect(desk.dispatcher.descriptors == 0 && desk.dispatcher.kept == 0)
        #expect(desk.dispatcher.counts.acknowledged == 1)
    }

    @Test("A copy that is not kept is closed when nobody else may serve the connection any more")
    func lifeUnkept() {
        var limits = Dispatcher.Limits()
        limits.keptMax = 0
        let desk = Desk(workers: 1...1, limits: limits)
        desk.accept(10...10)
        let batch = desk.batch()
        #expect(batch?.connections.first?.isKept == false)
        #expect(desk.report(1, ids(batch), .received).closing == [])
        #expect(desk.dispatcher.descriptors == 1)
        #expect(desk.report(1, ids(batch), .started).closing == [10])
        #expect(desk.dispatcher.descriptors == 0 && desk.dispatcher.kept == 0)
        #expect(desk.count(1) == 1)
        #expect(desk.report(1, ids(batch), .closed).closing == [])
        #expect(desk.count(1) == 0)
    }

    @Test("No more are kept than may be, and a place that is free again is used")
    func keptMax() {
        var limits = Dispatcher.Limits()
        limits.keptMax = 2
        let desk = Desk(workers: 1...1, limits: limits)
        desk.accept(1...4)
        let batch = desk.batch()
        #expect(batch?.connections.map(\.isKept) == [true, true, false, false])
        #expect(desk.dispatcher.kept == 2)
        #expect(desk.report(1, ids(batch), .started).closing == [3, 4])
        #expect(desk.report(1, [ids(batch)[2], ids(batch)[0]], .closed).closing == [1])
        #expect(desk.dispatcher.kept == 1)
        desk.accept(5...6)
        #expect(desk.batch()?.connections.map(\.isKept) == [true, false])
        // What waits again does not count as kept.
        #expect(desk.takeBack(1) == 2)
        #expect(desk.dispatcher.kept == 1)
        #expect(desk.dispatcher.descriptors == 3)
    }

    @Test("Open descriptors bound what is accepted, kept ones included")
    func descriptorsMax() {
        var limits = Dispatcher.Limits()
        limits.descriptorsMax = 3
        limits.keptMax = 2
        let desk = Desk(workers: 1...1, limits: limits)
        desk.accept(1...3)
        #expect(!desk.dispatcher.hasRoom)
        let sent = ids(desk.batch())
        #expect(!desk.dispatcher.hasRoom)
        #expect(desk.report(1, sent, .started).closing == [3])
        #expect(desk.dispatcher.hasRoom)
        desk.accept(4...4)
        #expect(!desk.dispatcher.hasRoom)
        #expect(desk.report(1, [sent[1]], .closed).closing == [2])
        #expect(desk.dispatcher.hasRoom)
    }

    @Test("A worker may skip what it has no time to say")
    func shortReports() {
        let desk = Desk(workers: 1...1)
        desk.now = 1_000
        desk.accept(10...11)
        let sent = ids(desk.batch())
        desk.now = 4_000
        let started = desk.report(1, [sent[0]], .started)
        #expect(started.closing == [] && started.acknowledgedAfter == [3_000])
        let closed = desk.report(1, [sent[1]], .closed)
        #expect(closed.closing == [11] && closed.acknowledgedAfter == [3_000])
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

    @Test("The worker with the least work comes first, not the one with the fewest connections")
    func leastWork() {
        let desk = Desk(workers: 1...2)
        desk.accept(1...10)
        for batch in desk.batches() {
            let open = ids(batch)
            _ = desk.report(batch.worker.number, open, .started)
            if batch.worker.number == 2 { _ = desk.report(2, Array(open.prefix(4)), .closed) }
        }
        #expect(desk.count(1) == 5)
        #expect(desk.count(2) == 1)
        desk.requests = [1: 5, 2: 1]
        desk.accept(11...14)
        #expect(desk.batches().map(\.worker.number) == [2])
        #expect(desk.count(2) == 5)
        // Now worker 1 only keeps idle connections, and worker 2 is at work.
        desk.requests = [1: 0, 2: 1]
        desk.accept(15...15)
        #expect(desk.batches().map(\.worker.number) == [1])
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
        // The one it had begun with is kept, and left to the shell.
        #expect(desk.gone(1) == [1])
        #expect(desk.dispatcher.counts.requeued == 3)
        #expect(desk.dispatcher.descriptors == 4 && desk.dispatcher.kept == 0)
        desk.ready(2)
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
        #expect(
            desk.dispatcher.expired(now: 10_000_000_000) == [
                Dispatcher.Rejected(descriptor: 1, isUsed: false)
            ]
        )
        #expect(
            desk.dispatcher.rejectPending() == [
                Dispatcher.Rejected(descriptor: 2, isUsed: false)
            ]
        )
        #expect(desk.dispatcher.counts.rejected == 2)
        #expect(desk.dispatcher.deadline(now: desk.now) == nil)
    }

    @Test("Who waits behind connections that were put back in front is given up in time, too")
    func expiryOutOfOrder() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        _ = desk.batch()
        desk.dispatcher.workerLeaving(WorkerSerial(number: 1))
        desk.accept(2...3)
        desk.now = 9_000_000_000
        #expect(desk.gone(1) == [])
        #expect(desk.dispatcher.pendingCount == 3)
        #expect(desk.dispatcher.oldestPendingAt == 0)
        #expect(desk.dispatcher.deadline(now: desk.now) == 10_000_000_000)
        #expect(desk.dispatcher.expired(now: 10_000_000_000).map(\.descriptor) == [2, 3])
        #expect(desk.dispatcher.deadline(now: desk.now) == 19_000_000_000)
        #expect(desk.dispatcher.expired(now: 19_000_000_000).map(\.descriptor) == [1])
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
        Violation(name: "returned before it was started", events: [.received, .returned]),
        Violation(name: "started after it was returned", events: [.returned, .started]),
        Violation(name: "returned twice", events: [.returned, .returned]),
        Violation(name: "refused after it was returned", events: [.returned, .refused]),
    ]

    @Test("A worker that says what cannot be is found out", arguments: violations)
    func violation(row: Violation) {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        let sent = ids(desk.batch())
        if row.events[0] == .returned { _ = desk.report(1, sent, .started) }
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

    @Test("A connection that is not kept cannot be returned")
    func returnedUnkept() {
        var limits = Dispatcher.Limits()
        limits.keptMax = 0
        let desk = Desk(workers: 1...1, limits: limits)
        desk.accept(1...1)
        let sent = ids(desk.batch())
        #expect(desk.report(1, sent, .started).closing == [1])
        let action = desk.report(1, sent, .returned)
        #expect(action.isViolation && action.closing == [])
    }

    // MARK: Connections that change their worker

    @Test("A returned connection goes to another worker, which learns that it was used")
    func returned() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...2)
        let sent = ids(desk.batch())
        _ = desk.report(1, sent, .started)
        desk.dispatcher.workerLeaving(WorkerSerial(number: 1))
        desk.ready(2)
        #expect(desk.report(1, [sent[0]], .returned) == Dispatcher.ReportAction())
        #expect(desk.dispatcher.counts.returned == 1)
        #expect(desk.count(1) == 1)
        desk.accept(3...3)
        let batch = desk.batch()
        #expect(batch?.worker.number == 2)
        // First in line: its client has been served before.
        #expect(batch?.descriptors == [1, 3])
        #expect(batch?.used == [ids(batch)[0]])
        #expect(ids(batch)[0] != sent[0])
        // Its life goes on like any other's.
        #expect(desk.report(2, ids(batch), .started).closing == [])
        #expect(desk.report(2, [ids(batch)[0]], .closed).closing == [1])
        #expect(desk.report(1, [sent[0]], .closed).isViolation)
    }

    @Test("What a silent worker has not begun is taken back once, and late reports are ignored")
    func revoked() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...4)
        let batch = desk.batch()
        let sent = ids(batch)
        let records = batch?.connections.map { Int($0.record) } ?? []
        _ = desk.report(1, [sent[0]], .started)
        _ = desk.report(1, [sent[1]], .received)
        // It has begun with the third, though it has not said so.
        #expect(desk.takeBack(1, begun: [records[2]]) == 2)
        #expect(desk.takeBack(1, begun: [records[2]]) == 0)
        #expect(desk.dispatcher.counts.revoked == 2)
        #expect(desk.count(1) == 2)
        #expect(desk.dispatcher.unacknowledged == 1)
        desk.dispatcher.workerLeaving(WorkerSerial(number: 1))
        desk.ready(2)
        let again = desk.batch()
        #expect(again?.descriptors == [2, 4] && again?.used == [])
        #expect(Set(ids(again)).isDisjoint(with: sent))
        // The first worker says what it could not know was void.
        for event in [ConnectionReport.Event.received, .started, .returned, .closed, .refused] {
            let action = desk.report(1, [sent[1], sent[3]], event)
            #expect(action == Dispatcher.ReportAction(), "\(event)")
        }
        #expect(desk.count(1) == 2 && desk.count(2) == 2)
        #expect(desk.report(2, ids(again), .received).isViolation == false)
        #expect(desk.report(1, [sent[2]], .closed).closing == [3])
        // Its death takes nothing along that is another's.
        #expect(desk.gone(1) == [1])
        #expect(desk.count(2) == 2)
    }

    @Test("After it has refused what was taken back, a worker has nothing more to say about it")
    func afterRefusal() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        let sent = ids(desk.batch())
        #expect(desk.takeBack(1) == 1)
        #expect(!desk.report(1, sent, .refused).isViolation)
        #expect(desk.report(1, sent, .closed).isViolation)
    }

    @Test("An id that a worker may still speak of is not used for it again")
    func idsOfRevoked() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        let ghost = ids(desk.batch())
        #expect(desk.takeBack(1) == 1)
        for round in 0..<600 as Range<Int32> {
            let again = ids(desk.batch())
            #expect(again.count == 1 && again != ghost)
            #expect(desk.report(1, again, .closed).closing == [round + 1])
            desk.accept(round + 2...round + 2)
        }
    }

    @Test("A worker that never says what became of what was taken back gets no more")
    func manyRevoked() {
        var limits = Dispatcher.Limits()
        limits.revokedMax = 20
        let desk = Desk(workers: 1...1, limits: limits)
        desk.accept(1...16)
        var ghosts: [UInt32] = []
        for _ in 0..<2 {
            ghosts += ids(desk.batch())
            #expect(desk.takeBack(1) == 16)
        }
        #expect(desk.batch() == nil)
        _ = desk.report(1, Array(ghosts[..<12]), .refused)
        #expect(desk.batch()?.connections.count == 16)
    }

    @Test("Late reports about a revoked connection do not count when it comes back to the worker")
    func revokedAndBack() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        let first = desk.batch()
        #expect(desk.takeBack(1) == 1)
        let second = desk.batch()
        #expect(second?.descriptors == [1])
        #expect(ids(first) != ids(second))
        #expect(first?.connections[0].record != second?.connections[0].record)
        #expect(!desk.report(1, ids(first), .closed).isViolation)
        #expect(desk.count(1) == 1)
        #expect(desk.report(1, ids(second), .closed).closing == [1])
    }

    @Test("Two live connections of a worker never share a record, nor one that it has to give up")
    func records() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...3)
        let first = desk.batch()
        let taken = first?.connections.map(\.record) ?? []
        #expect(Set(taken).count == 3)
        _ = desk.report(1, [ids(first)[0]], .closed)
        #expect(desk.takeBack(1, begun: [Int(taken[2])]) == 1)
        desk.accept(4...20)
        let handed = desk.batches().flatMap(\.connections)
        let rest = handed.map(\.record)
        #expect(Set(rest).count == rest.count)
        #expect(rest.contains(taken[0]))
        #expect(!rest.contains(taken[1]) && !rest.contains(taken[2]))
        #expect(!rest.contains(RecordPool.probe))
        // Then it knows, and is done with the record.
        #expect(!desk.report(1, [ids(first)[1]], .refused).isViolation)
        _ = desk.report(1, [ids(first)[2]], .closed)
        _ = desk.report(1, handed.map(\.id), .received)
        let last = desk.batches().flatMap(\.connections).map(\.record)
        #expect(last.count == 3 && Set(last).isSuperset(of: taken[1...]))
    }

    @Test("A worker whose records run out gets only as many connections as it has left")
    func fewRecords() {
        var limits = Dispatcher.Limits()
        limits.window = .max
        limits.pendingMax = .max
        let desk = Desk(workers: 1...1, limits: limits)
        let all = Int32(Scoreboard.recordsMax) - 1
        desk.accept(1...all - 3)
        // Five records are those of connections that were taken back.
        var revoked = 0
        var ghosts: [UInt32] = []
        var given = 0
        while let batch = desk.batch() {
            given += batch.connections.count
            if revoked == 0 {
                let begun = Set(batch.connections.dropFirst(5).map { Int($0.record) })
                revoked = desk.takeBack(1, begun: begun)
                ghosts = batch.connections.prefix(5).map(\.id)
                given -= revoked
            }
        }
        #expect(revoked == 5)
        #expect(given == Int(all) - 5)
        desk.accept(all + 1...all + 8)
        #expect(desk.batch() == nil)
        #expect(desk.dispatcher.pendingCount == 10)
        _ = desk.report(1, ghosts, .refused)
        #expect(desk.batch()?.connections.count == 5)
    }

    // MARK: Silence

    @Test("A worker that owes an answer is asked nothing more until it says something")
    func silent() {
        let second: UInt64 = 1_000_000_000
        let desk = Desk(workers: 1...2)
        desk.now = second
        desk.accept(1...2)
        let batches = desk.batches()
        #expect(batches.count == 2)
        _ = desk.report(2, ids(batches[1]), .received)
        #expect(desk.dispatcher.deadline(now: desk.now) == 2 * second)
        #expect(desk.dispatcher.silent(now: 2 * second - 1) == [])
        #expect(desk.dispatcher.silent(now: 2 * second) == [WorkerSerial(number: 1)])
        // It is reported once.
        #expect(desk.dispatcher.silent(now: 3 * second) == [])
        #expect(desk.dispatcher.deadline(now: 3 * second) == nil)
        desk.now = 3 * second
        desk.accept(3...8)
        #expect(desk.batches().map(\.worker.number) == [2])
        // Also before a drain nothing is put into a socket that nobody reads.
        desk.accept(9...30)
        while let batch = desk.batch(respectingWindow: false) {
            #expect(batch.worker.number == 2)
        }
        // Any report ends it, also one about a connection that was taken back.
        #expect(desk.takeBack(1) == 1)
        _ = desk.report(1, ids(batches[0]), .received)
        #expect(desk.batch()?.worker.number == 1)
    }

    @Test("Patience begins with the message, not with the last word before it")
    func patience() {
        let second: UInt64 = 1_000_000_000
        let desk = Desk(workers: 1...1)
        desk.now = 100 * second
        desk.accept(1...2)
        let sent = ids(desk.batch())
        #expect(desk.dispatcher.silent(now: desk.now) == [])
        desk.now += second - 1
        _ = desk.report(1, [sent[0]], .received)
        #expect(desk.dispatcher.silent(now: desk.now + second - 1) == [])
        #expect(desk.dispatcher.silent(now: desk.now + second).count == 1)
    }

    @Test("A worker that owes nothing may be silent for ever")
    func idle() {
        let desk = Desk(workers: 1...1)
        desk.accept(1...1)
        _ = desk.report(1, ids(desk.batch()), .received)
        #expect(desk.dispatcher.silent(now: .max / 2) == [])
    }

    // MARK: The end of a worker

    @Test("Every connection of a dead worker is judged once, by descriptor, record and progress")
    func judged() {
        var limits = Dispatcher.Limits()
        limits.keptMax = 3
        let desk = Desk(workers: 1...1, limits: limits)
        desk.accept(1...4)
        let batch = desk.batch()
        let sent = ids(batch)
        _ = desk.report(1, [sent[0], sent[1], sent[3]], .started)
        var judged: [Int32: Dispatcher.Orphan] = [:]
        let ending = desk.dispatcher.workerGone(WorkerSerial(number: 1), now: 5) { orphan in
            #expect(judged[orphan.descriptor] == nil)
            judged[orphan.descriptor] = orphan
            return orphan.descriptor == 2 ? .end : .move
        }
        // The fourth is not kept: only its worker could have said something.
        #expect(judged.keys.sorted() == [1, 2, 3])
        #expect(judged.values.filter(\.isStarted).map(\.descriptor).sorted() == [1, 2])
        for (index, connection) in (batch?.connections ?? []).prefix(3).enumerated() {
            #expect(judged[Int32(index + 1)]?.record == Int(connection.record))
        }
        #expect(ending.map(\.descriptor) == [2])
        #expect(desk.dispatcher.counts.requeued == 2)
        #expect(desk.dispatcher.descriptors == 2 && desk.dispatcher.kept == 0)
        desk.ready(2)
        let again = desk.batch()
        #expect(again?.descriptors == [1, 3])
        // Also the third: it may have been read from without a word.
        #expect(again?.used == Set(ids(again)))
        #expect(desk.report(1, sent, .closed).isViolation)
        // Nobody is judged twice.
        let twice = desk.dispatcher.workerGone(WorkerSerial(number: 1), now: 6) { _ in .end }
        #expect(twice == [])
    }
}
