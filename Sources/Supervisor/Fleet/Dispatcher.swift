// SPDX-License-Identifier: Apache-2.0
import Control

/// Which worker gets which client connection, and where every accepted descriptor is.
///
/// Pure: descriptors are numbers here; what a function returns as `closing` the shell closes. An
/// accepted descriptor is in exactly one place: it waits, or one worker has a copy of it and this
/// machine keeps the original until that worker has read the first byte (STARTED). Until then the
/// connection can go to another worker without loss; afterwards only its count remains.
struct Dispatcher {
    struct Limits: Equatable {
        /// Handovers that a worker has not yet acknowledged.
        ///
        /// unix(7) bounds descriptors under way by the sender's RLIMIT_NOFILE, and whatever lies
        /// in the socket of a worker that hangs waits with it.
        var window = 16
        /// Connections that wait for a worker: beyond it they stay in the kernel's queue.
        var pendingMax = 1024
        /// A client that waited so long gets 503 and can ask elsewhere.
        var pendingAge: UInt64 = 10_000_000_000
        /// Rest of a worker that refused a connection or whose socket was full.
        var pause: UInt64 = 100_000_000
        /// Connections of the whole fleet: 24 bits of index in a connection's id.
        var connectionsMax = 1 << 24
    }

    /// What became of handovers since the start.
    struct Counts: Equatable {
        var accepted: UInt64 = 0
        /// Workers said RECEIVED.
        var acknowledged: UInt64 = 0
        /// Taken back from a worker that ended, and given to another one.
        var requeued: UInt64 = 0
        /// Workers said REFUSED.
        var refused: UInt64 = 0
        /// Waited too long, or the supervisor stopped: answered with 503.
        var rejected: UInt64 = 0
        /// Closed without an answer although no worker had begun with them.
        ///
        /// Stays 0.
        var lost: UInt64 = 0
        /// Sends that found a worker's socket full.
        var blocked: UInt64 = 0
    }

    /// Connections for one worker, to go out in one message.
    struct Batch: Equatable {
        let worker: WorkerSerial
        let connections: [HandedConnection]
        let descriptors: [Int32]
    }

    /// What to do after a report.
    struct ReportAction: Equatable {
        var closing: [Int32] = []
        /// The worker reported something impossible: it cannot be trusted any more.
        var isViolation = false
    }

    private enum Place: Equatable {
        case free
        case pending
        /// In the worker's socket, or in the worker, which has not said so.
        case sent(WorkerSerial)
        case received(WorkerSerial)
        case started(WorkerSerial)
    }

    private struct Entry {
        var place = Place.free
        var descriptor: Int32 = -1
        var listener: UInt8 = 0
        var queuedAt: UInt64 = 0
        /// Tells the uses of this entry apart.
        var use: UInt8 = 0
    }

    private struct Worker {
        let serial: WorkerSerial
        /// Handed over and not closed.
        var connections = 0
        var unacknowledged = 0
        var isAccepting = true
        var pausedUntil: UInt64 = 0
    }

    let limits: Limits
    private(set) var counts = Counts()
    private var entries: [Entry] = []
    private var freeEntries: [Int] = []
    private var pending = PendingQueue()
    private var workers: [Worker] = []
    /// Where the search for the next worker begins, so that ties go round.
    private var rotation = 0

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    // MARK: What can be asked

    var pendingCount: Int { pending.count }

    /// Whether another connection can be accepted.
    var hasRoom: Bool {
        pending.count < limits.pendingMax
            && entries.count - freeEntries.count < limits.connectionsMax
    }

    /// Handovers that no worker has acknowledged.
    var unacknowledged: Int { workers.reduce(0) { $0 + $1.unacknowledged } }

    /// Connections that a worker has, as far as it has said.
    func connections(of serial: WorkerSerial) -> Int {
        workers.first { $0.serial == serial }?.connections ?? 0
    }

    /// When `expired` or `nextBatch` have something to do, though no fact has come in.
    func deadline(now: UInt64) -> UInt64? {
        guard let first = pending.first else { return nil }
        var earliest = entries[first].queuedAt + limits.pendingAge
        for worker in workers where worker.isAccepting && worker.pausedUntil > now {
            earliest = min(earliest, worker.pausedUntil)
        }
        return earliest
    }

    // MARK: Connections

    /// Takes over an accepted descriptor.
    ///
    /// Only while `hasRoom`.
    mutating func accepted(_ descriptor: Int32, listener: UInt8, now: UInt64) {
        precondition(hasRoom, "accepted beyond the limits")
        let index: Int
        if let reused = freeEntries.popLast() {
            index = reused
        } else {
            index = entries.count
            entries.append(Entry())
        }
        entries[index].place = .pending
        entries[index].descriptor = descriptor
        entries[index].listener = listener
        entries[index].queuedAt = now
        pending.append(index)
        counts.accepted += 1
    }

    /// The next message to send; answer with `blocked` or `undeliverable` if it did not go out.
    ///
    /// Without `respectingWindow` a worker gets more than it has acknowledged: for the last
    /// connections before it is told to drain.
    mutating func nextBatch(now: UInt64, respectingWindow: Bool = true) -> Batch? {
        guard !pending.isEmpty, let chosen = choose(now: now, respectingWindow) else { return nil }
        let share = share(of: chosen, now: now, respectingWindow)
        var connections: [HandedConnection] = []
        var descriptors: [Int32] = []
        while connections.count < share, let index = pending.popFirst() {
            entries[index].place = .sent(workers[chosen].serial)
            connections.append(
                HandedConnection(
                    id: id(of: index),
                    listener: entries[index].listener,
                    isKept: false
                )
            )
            descriptors.append(entries[index].descriptor)
        }
        workers[chosen].connections += connections.count
        workers[chosen].unacknowledged += connections.count
        rotation = chosen + 1
        return Batch(
            worker: workers[chosen].serial,
            connections: connections,
            descriptors: descriptors
        )
    }

    /// The worker's socket was full: the batch waits again, in front.
    mutating func blocked(_ batch: Batch, now: UInt64) {
        counts.blocked += 1
        takeBack(batch)
        guard let worker = index(of: batch.worker) else { return }
        workers[worker].pausedUntil = now + limits.pause
    }

    /// The worker's end is closed: the batch waits again, in front, and the worker gets no other.
    mutating func undeliverable(_ batch: Batch) {
        takeBack(batch)
        workerLeaving(batch.worker)
    }

    private mutating func takeBack(_ batch: Batch) {
        for connection in batch.connections.reversed() {
            guard let index = index(of: connection.id, .sent(batch.worker)) else { continue }
            requeue(index)
        }
        guard let worker = index(of: batch.worker) else { return }
        workers[worker].connections -= batch.connections.count
        workers[worker].unacknowledged -= batch.connections.count
    }

    /// Connections that waited too long: to be answered with 503 and closed.
    mutating func expired(now: UInt64) -> [Int32] {
        var closing: [Int32] = []
        while let first = pending.first, entries[first].queuedAt + limits.pendingAge <= now {
            closing.append(reject(first))
        }
        return closing
    }

    /// Every connection that waits: to be answered with 503 and closed.
    mutating func rejectPending() -> [Int32] {
        var closing: [Int32] = []
        while let first = pending.first { closing.append(reject(first)) }
        return closing
    }

    private mutating func reject(_ index: Int) -> Int32 {
        _ = pending.popFirst()
        counts.rejected += 1
        return free(index)
    }

    // MARK: Workers

    mutating func workerReady(_ serial: WorkerSerial) {
        precondition(index(of: serial) == nil, "a worker becomes ready once")
        workers.append(Worker(serial: serial))
    }

    /// The worker gets no connection more.
    mutating func workerLeaving(_ serial: WorkerSerial) {
        guard let worker = index(of: serial) else { return }
        workers[worker].isAccepting = false
    }

    /// The worker has ended and its reports are all read.
    ///
    /// What it had not begun waits again, in front, if `isUntouched` says for its descriptor that
    /// nobody has read from it: a worker may have died before it could report the first read.
    mutating func workerGone(
        _ serial: WorkerSerial,
        now: UInt64,
        isUntouched: (Int32) -> Bool
    ) -> [Int32] {
        guard let worker = index(of: serial) else { return [] }
        workers.remove(at: worker)
        var closing: [Int32] = []
        for index in entries.indices.reversed() {
            switch entries[index].place {
            case .free, .pending: continue
            case .sent(let owner), .received(let owner):
                guard owner == serial else { continue }
                if isUntouched(entries[index].descriptor) {
                    counts.requeued += 1
                    entries[index].queuedAt = now
                    requeue(index)
                } else {
                    closing.append(free(index))
                }
            case .started(let owner):
                guard owner == serial else { continue }
                _ = free(index)
            }
        }
        return closing
    }

    /// A worker tells what became of its connections.
    mutating func reported(
        _ serial: WorkerSerial,
        _ reports: [ConnectionReport],
        now: UInt64
    ) -> ReportAction {
        var action = ReportAction()
        guard let worker = index(of: serial) else {
            action.isViolation = true
            return action
        }
        for report in reports {
            guard apply(report, of: worker, now: now, &action.closing) else {
                action.isViolation = true
                return action
            }
        }
        return action
    }

    /// False when the report is impossible.
    private mutating func apply(
        _ report: ConnectionReport,
        of worker: Int,
        now: UInt64,
        _ closing: inout [Int32]
    ) -> Bool {
        let serial = workers[worker].serial
        let index = Int(report.id & 0xFF_FFFF)
        guard index < entries.count, id(of: index) == report.id else { return false }
        let place = entries[index].place
        guard place == .sent(serial) || place == .received(serial) || place == .started(serial)
        else { return false }
        if place == .sent(serial) {
            workers[worker].unacknowledged -= 1
            if report.event != .refused { counts.acknowledged += 1 }
        }
        switch report.event {
        case .received:
            guard place == .sent(serial) else { return false }
            entries[index].place = .received(serial)
        case .started:
            guard place != .started(serial) else { return false }
            entries[index].place = .started(serial)
            closing.append(entries[index].descriptor)
            entries[index].descriptor = -1
        case .closed:
            workers[worker].connections -= 1
            let descriptor = free(index)
            if descriptor >= 0 { closing.append(descriptor) }
        case .refused, .returned:
            // Also after RECEIVED: a worker that drains gives back what no client has used yet.
            guard place != .started(serial) else { return false }
            counts.refused += 1
            workers[worker].connections -= 1
            requeue(index)
            switch report.reason {
            case .draining: workers[worker].isAccepting = false
            case .none, .noDescriptor, .overloaded:
                workers[worker].pausedUntil = now + limits.pause
            }
        }
        return true
    }

    // MARK: Choosing

    private func canTake(_ worker: Worker, now: UInt64, _ respectingWindow: Bool) -> Bool {
        worker.isAccepting && worker.pausedUntil <= now
            && (!respectingWindow || worker.unacknowledged < limits.window)
    }

    /// The worker with the fewest connections; the next one in turn among equals.
    private func choose(now: UInt64, _ respectingWindow: Bool) -> Int? {
        var chosen: Int?
        var fewest = Int.max
        for offset in workers.indices {
            let index = (rotation + offset) % workers.count
            guard canTake(workers[index], now: now, respectingWindow) else { continue }
            if workers[index].connections < fewest {
                fewest = workers[index].connections
                chosen = index
            }
        }
        return chosen
    }

    /// How many connections the chosen worker gets at once: as many as keep the fleet level.
    private func share(of chosen: Int, now: UInt64, _ respectingWindow: Bool) -> Int {
        var able = 0
        var carried = 0
        for worker in workers where canTake(worker, now: now, respectingWindow) {
            able += 1
            carried += worker.connections
        }
        let level = (carried + pending.count + able - 1) / able
        var share = max(1, level - workers[chosen].connections)
        if respectingWindow {
            share = min(share, limits.window - workers[chosen].unacknowledged)
        }
        return min(share, ControlMessage.connectionsMax)
    }

    // MARK: Entries

    /// The low 24 bits are the place in the table, the high 8 tell its uses apart.
    private func id(of index: Int) -> UInt32 {
        UInt32(entries[index].use) << 24 | UInt32(index)
    }

    private func index(of id: UInt32, _ place: Place) -> Int? {
        let index = Int(id & 0xFF_FFFF)
        guard index < entries.count, self.id(of: index) == id, entries[index].place == place
        else { return nil }
        return index
    }

    private func index(of serial: WorkerSerial) -> Int? {
        workers.firstIndex { $0.serial == serial }
    }

    private mutating func requeue(_ index: Int) {
        entries[index].place = .pending
        // The next holder gets another id: a late report of this one must not count for it.
        entries[index].use &+= 1
        pending.prepend(index)
    }

    private mutating func free(_ index: Int) -> Int32 {
        let descriptor = entries[index].descriptor
        entries[index].place = .free
        entries[index].descriptor = -1
        entries[index].use &+= 1
        freeEntries.append(index)
        return descriptor
    }
}
