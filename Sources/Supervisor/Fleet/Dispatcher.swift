// SPDX-License-Identifier: Apache-2.0
import Control
import Scoreboard

/// Which worker gets which client connection, and where every accepted descriptor is.
///
/// Pure: descriptors are numbers here; what a function returns as `closing` the shell closes. An
/// accepted descriptor is in exactly one place: it waits, or one worker has a copy of it and this
/// machine keeps the original. Until that worker has read the first byte (STARTED) the connection
/// can go to another worker without loss. Later the original is kept for the life of the
/// connection, so that somebody can still speak to the client when the worker dies, and so that the
/// worker can return the connection between two requests; without descriptors to spare it is closed
/// at the first byte, and only its count remains.
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
        /// Connections of one worker.
        var perWorkerMax = Scoreboard.recordsMax - 1
        /// Descriptors of clients that may be open here.
        var descriptorsMax = Int.max
        /// Of them, those of connections that a worker has begun with.
        var keptMax = Int.max
        /// Connections taken back from one worker of which it has not said that it knows.
        ///
        /// A worker reads what it is sent in order, so a window of them is usual; one that skips
        /// messages is not to be trusted with more.
        var revokedMax = 128
        /// A worker that says nothing about a handover for so long is not asked any more, and what
        /// it has not begun goes elsewhere.
        var acknowledgePatience: UInt64 = 1_000_000_000
        var work = WorkCost()
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
        /// Taken back from a worker that did not answer, and given to another one.
        var revoked: UInt64 = 0
        /// Returned by workers between two requests, and given to others.
        var returned: UInt64 = 0
        /// Of those that were rejected, the ones that waited too long.
        var expired: UInt64 = 0
    }

    /// Connections for one worker, to go out in one message.
    struct Batch: Equatable {
        let worker: WorkerSerial
        let connections: [HandedConnection]
        let descriptors: [Int32]
        /// Ids of those that another worker has served before.
        var used: Set<UInt32> = []
        /// Nanoseconds that each has waited.
        var waited: [UInt64] = []
    }

    /// What to do after a report.
    struct ReportAction: Equatable {
        var closing: [Int32] = []
        /// Nanoseconds between the accept and the acknowledgement of connections.
        var acknowledgedAfter: [UInt64] = []
        /// The worker reported something impossible: it cannot be trusted any more.
        var isViolation = false
    }

    /// What to do with a connection whose worker has died.
    enum Fate: Equatable {
        /// Nobody has read from it since it was last idle: another worker gets it.
        case move
        /// The shell says something to the client, or nothing, and closes it.
        case end
    }

    /// A connection whose worker has died, to be judged.
    struct Orphan: Equatable {
        let descriptor: Int32
        let record: Int
        /// The worker had said STARTED.
        let isStarted: Bool
    }

    enum Place: Equatable {
        case free
        case pending
        /// In the worker's socket, or in the worker, which has not said so.
        case sent(WorkerSerial)
        case received(WorkerSerial)
        case started(WorkerSerial)

        var worker: WorkerSerial? {
            switch self {
            case .free, .pending: nil
            case .sent(let worker), .received(let worker), .started(let worker): worker
            }
        }
    }

    struct Entry: Equatable {
        var place = Place.free
        var descriptor: Int32 = -1
        var listener: UInt8 = 0
        var queuedAt: UInt64 = 0
        /// Tells the uses of this entry apart.
        var use: UInt8 = 0
        /// Place in the worker's scoreboard.
        var record: UInt16 = 0
        var isKept = false
        /// A worker has read from it before.
        var isUsed = false
    }

    struct Worker: Equatable {
        let serial: WorkerSerial
        let readyAt: UInt64
        /// Handed over and not closed.
        var connections = 0
        /// Of them, those that it has not begun with.
        var unstarted = 0
        var unacknowledged = 0
        var isAccepting = true
        var pausedUntil: UInt64 = 0
        /// When it last said something, or was given something while it owed nothing.
        var heardAt: UInt64 = 0
        /// It did not answer in time; the next report ends that.
        var isSilent = false
        var records = RecordPool()
        /// Ids that were taken back, with their records, until the worker says that it knows.
        var revoked: [UInt32: UInt16] = [:]
    }

    var limits: Limits
    // The setters are for the files of this machine.
    var counts = Counts()
    var entries: [Entry] = []
    var freeEntries: [Int] = []
    var pending = PendingQueue()
    /// Connections were put back in front of ones that wait for longer.
    var isOutOfOrder = false
    var workers: [Worker] = []
    /// Where the search for the next worker begins, so that ties go round.
    private var rotation = 0
    /// Descriptors that this machine holds.
    var descriptors = 0
    /// Of them, those that are promised to be kept.
    var kept = 0

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    // MARK: What can be asked

    var pendingCount: Int { pending.count }

    /// Whether another connection can be accepted.
    var hasRoom: Bool {
        pending.count < limits.pendingMax && descriptors < limits.descriptorsMax
            && entries.count - freeEntries.count < limits.connectionsMax
    }

    /// Handovers that no worker has acknowledged.
    var unacknowledged: Int { workers.reduce(0) { $0 + $1.unacknowledged } }

    /// Connections that a worker has, as far as it has said.
    func connections(of serial: WorkerSerial) -> Int {
        workers.first { $0.serial == serial }?.connections ?? 0
    }

    /// Connections that a worker has not begun with.
    func unstarted(of serial: WorkerSerial) -> Int {
        workers.first { $0.serial == serial }?.unstarted ?? 0
    }

    /// Whether a worker owes an answer about a handover, or did when it was last asked for one.
    func isSilent(_ serial: WorkerSerial) -> Bool {
        workers.first { $0.serial == serial }?.isSilent ?? false
    }

    /// Since when the connection waits that waits longest.
    var oldestPendingAt: UInt64? {
        isOutOfOrder
            ? pending.values.lazy.map { entries[$0].queuedAt }.min()
            : pending.first.map { entries[$0].queuedAt }
    }

    /// When `expired`, `nextBatch` or `silent` have something to do, though no fact has come in.
    func deadline(now: UInt64) -> UInt64? {
        var earliest = UInt64.max
        for worker in workers where worker.unacknowledged > 0 && !worker.isSilent {
            earliest = min(earliest, worker.heardAt + limits.acknowledgePatience)
        }
        if let oldest = oldestPendingAt {
            earliest = min(earliest, oldest + limits.pendingAge)
            for worker in workers where worker.isAccepting && worker.pausedUntil > now {
                earliest = min(earliest, worker.pausedUntil)
            }
        }
        return earliest == .max ? nil : earliest
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
        descriptors += 1
        counts.accepted += 1
    }

    /// The next message to send; answer with `blocked` or `undeliverable` if it did not go out.
    ///
    /// Without `respectingWindow` a worker gets more than it has acknowledged: for the last
    /// connections before it is told to drain. `load` tells what a worker does.
    mutating func nextBatch(
        now: UInt64,
        respectingWindow: Bool = true,
        load: (WorkerSerial) -> WorkerLoad = { _ in WorkerLoad() }
    ) -> Batch? {
        guard !pending.isEmpty else { return nil }
        let candidates = candidates(now: now, respectingWindow, load)
        guard let choice = limits.work.choose(candidates, pending: pending.count) else {
            return nil
        }
        let chosen = choice.worker
        var connections: [HandedConnection] = []
        var handed: [Int32] = []
        var used: Set<UInt32> = []
        var waited: [UInt64] = []
        while connections.count < choice.count, let index = pending.popFirst() {
            guard let record = workers[chosen].records.take() else {
                preconditionFailure("a worker was chosen that has no record left")
            }
            let serial = workers[chosen].serial
            // The worker may still have something to say about an earlier use of the id. Ends,
            // because an id has more uses than there are such ids.
            while workers[chosen].revoked[id(of: index)] != nil { entries[index].use &+= 1 }
            entries[index].place = .sent(serial)
            entries[index].record = record
            entries[index].isKept = kept < limits.keptMax
            if entries[index].isKept { kept += 1 }
            connections.append(
                HandedConnection(
                    id: id(of: index),
                    listener: entries[index].listener,
                    isKept: entries[index].isKept,
                    record: record
                )
            )
            handed.append(entries[index].descriptor)
            if entries[index].isUsed { used.insert(id(of: index)) }
            waited.append(now - min(now, entries[index].queuedAt))
        }
        if workers[chosen].unacknowledged == 0 { workers[chosen].heardAt = now }
        workers[chosen].connections += connections.count
        workers[chosen].unstarted += connections.count
        workers[chosen].unacknowledged += connections.count
        rotation = chosen + 1
        return Batch(
            worker: workers[chosen].serial,
            connections: connections,
            descriptors: handed,
            used: used,
            waited: waited
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
            if let worker = self.index(of: batch.worker) {
                workers[worker].unacknowledged -= 1
                leave(index, worker)
            }
            requeue(index)
        }
    }

    /// A connection that no worker takes: to be told so and closed.
    struct Rejected: Equatable {
        let descriptor: Int32
        /// A worker has served it before, so its client may not be waiting for anything.
        let isUsed: Bool
    }

    /// Connections that waited too long.
    mutating func expired(now: UInt64) -> [Rejected] {
        guard let oldest = oldestPendingAt, oldest + limits.pendingAge <= now else {
            if pending.isEmpty { isOutOfOrder = false }
            return []
        }
        var rejected: [Rejected] = []
        for index in pending.removeAll() {
            if entries[index].queuedAt + limits.pendingAge <= now {
                counts.expired += 1
                rejected.append(reject(index))
            } else {
                pending.append(index)
            }
        }
        return rejected
    }

    /// Every connection that waits.
    mutating func rejectPending() -> [Rejected] {
        pending.removeAll().map { reject($0) }
    }

    private mutating func reject(_ index: Int) -> Rejected {
        counts.rejected += 1
        let isUsed = entries[index].isUsed
        return Rejected(descriptor: free(index), isUsed: isUsed)
    }

    // MARK: Choosing

    private func canTake(_ worker: Worker, now: UInt64, _ respectingWindow: Bool) -> Bool {
        worker.isAccepting && worker.pausedUntil <= now && !worker.isSilent
            && worker.connections < limits.perWorkerMax && worker.records.room > 0
            && worker.revoked.count <= limits.revokedMax
            && (!respectingWindow || worker.unacknowledged < limits.window)
    }

    private func candidates(
        now: UInt64,
        _ respectingWindow: Bool,
        _ load: (WorkerSerial) -> WorkerLoad
    ) -> [WorkCost.Candidate] {
        workers.indices.compactMap { offset in
            let index = (rotation + offset) % workers.count
            let worker = workers[index]
            guard canTake(worker, now: now, respectingWindow) else { return nil }
            let window = respectingWindow ? limits.window - worker.unacknowledged : .max
            return WorkCost.Candidate(
                worker: index,
                room: min(
                    window,
                    limits.perWorkerMax - worker.connections,
                    worker.records.room,
                    ControlMessage.connectionsMax
                ),
                connections: worker.connections,
                unstarted: worker.unstarted,
                age: now - min(worker.readyAt, now),
                load: load(worker.serial),
                now: now
            )
        }
    }

    // MARK: Entries

    /// The low 24 bits are the place in the table, the high 8 tell its uses apart.
    func id(of index: Int) -> UInt32 {
        UInt32(entries[index].use) << 24 | UInt32(index)
    }

    func index(of id: UInt32, _ place: Place) -> Int? {
        let index = Int(id & 0xFF_FFFF)
        guard index < entries.count, self.id(of: index) == id, entries[index].place == place
        else { return nil }
        return index
    }

    func index(of serial: WorkerSerial) -> Int? {
        workers.firstIndex { $0.serial == serial }
    }

    mutating func requeue(_ index: Int) {
        unkeep(index)
        entries[index].place = .pending
        // The next holder gets another id: a late report of this one must not count for it.
        entries[index].use &+= 1
        if let first = pending.first, entries[first].queuedAt < entries[index].queuedAt {
            isOutOfOrder = true
        }
        pending.prepend(index)
    }

    /// The descriptor, which is the shell's to close from here on.
    mutating func letGo(_ index: Int) -> Int32 {
        let descriptor = entries[index].descriptor
        if descriptor >= 0 { descriptors -= 1 }
        entries[index].descriptor = -1
        return descriptor
    }

    mutating func unkeep(_ index: Int) {
        if entries[index].isKept { kept -= 1 }
        entries[index].isKept = false
    }

    mutating func free(_ index: Int) -> Int32 {
        let descriptor = letGo(index)
        unkeep(index)
        entries[index].place = .free
        entries[index].isUsed = false
        entries[index].use &+= 1
        freeEntries.append(index)
        return descriptor
    }
}
