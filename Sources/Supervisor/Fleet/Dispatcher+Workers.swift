// SPDX-License-Identifier: Apache-2.0
import Control

/// What workers say about connections, and what becomes of those of workers that are gone.
extension Dispatcher {
    mutating func workerReady(_ serial: WorkerSerial, now: UInt64) {
        precondition(index(of: serial) == nil, "a worker becomes ready once")
        workers.append(Worker(serial: serial, readyAt: now))
    }

    /// The worker gets no connection more.
    mutating func workerLeaving(_ serial: WorkerSerial) {
        guard let worker = index(of: serial) else { return }
        workers[worker].isAccepting = false
    }

    /// Workers that owe an answer about a handover for too long.
    ///
    /// They get nothing until they say something again.
    mutating func silent(now: UInt64) -> [WorkerSerial] {
        var result: [WorkerSerial] = []
        for worker in workers.indices
        where workers[worker].unacknowledged > 0 && !workers[worker].isSilent
            && workers[worker].heardAt + limits.acknowledgePatience <= now
        {
            workers[worker].isSilent = true
            result.append(workers[worker].serial)
        }
        return result
    }

    /// The worker does not get on: what it has not begun waits again, in front.
    ///
    /// `revoke` takes the claim of a record back, and is false when the worker has begun.
    /// Returns how many connections were taken back.
    mutating func takeBackUnstarted(
        of serial: WorkerSerial,
        now: UInt64,
        revoke: (Int) -> Bool
    ) -> Int {
        guard let worker = index(of: serial) else { return 0 }
        var taken = 0
        for index in entries.indices.reversed() {
            let place = entries[index].place
            guard place == .sent(serial) || place == .received(serial),
                revoke(Int(entries[index].record))
            else { continue }
            workers[worker].revoked[id(of: index)] = entries[index].record
            if place == .sent(serial) { workers[worker].unacknowledged -= 1 }
            workers[worker].connections -= 1
            workers[worker].unstarted -= 1
            entries[index].queuedAt = now
            requeue(index)
            taken += 1
        }
        counts.revoked += UInt64(taken)
        return taken
    }

    /// The worker has ended and its reports are all read.
    ///
    /// `judge` says for each of its connections that is held here what is to happen; what moves
    /// waits again, in front.
    mutating func workerGone(
        _ serial: WorkerSerial,
        now: UInt64,
        judge: (Orphan) -> Fate
    ) -> [Orphan] {
        guard let worker = index(of: serial) else { return [] }
        workers.remove(at: worker)
        var ending: [Orphan] = []
        for index in entries.indices.reversed() {
            let place = entries[index].place
            guard place.worker == serial else { continue }
            guard entries[index].descriptor >= 0 else {
                _ = free(index)
                continue
            }
            let orphan = Orphan(
                descriptor: entries[index].descriptor,
                record: Int(entries[index].record),
                isStarted: place == .started(serial)
            )
            switch judge(orphan) {
            case .move:
                counts.requeued += 1
                entries[index].queuedAt = now
                // The worker may have read from it and not come to say so: who gets it next starts
                // from the kernel's counts.
                entries[index].isUsed = true
                requeue(index)
            case .end:
                _ = free(index)
                ending.append(orphan)
            }
        }
        return ending
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
        workers[worker].heardAt = now
        workers[worker].isSilent = false
        for report in reports {
            if let record = workers[worker].revoked[report.id] {
                // REFUSED is the last that it says about the connection, and it is done with the
                // record; what comes before, it said before it could know.
                if report.event == .refused {
                    workers[worker].revoked[report.id] = nil
                    workers[worker].records.give(record)
                }
                continue
            }
            guard apply(report, of: worker, now: now, &action) else {
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
        _ action: inout ReportAction
    ) -> Bool {
        let serial = workers[worker].serial
        let index = Int(report.id & 0xFF_FFFF)
        guard index < entries.count, id(of: index) == report.id,
            entries[index].place.worker == serial
        else { return false }
        let place = entries[index].place
        if place == .sent(serial) {
            workers[worker].unacknowledged -= 1
            if report.event != .refused {
                counts.acknowledged += 1
                action.acknowledgedAfter.append(now - min(now, entries[index].queuedAt))
            }
        }
        switch report.event {
        case .received:
            guard place == .sent(serial) else { return false }
            entries[index].place = .received(serial)
        case .started:
            guard place != .started(serial) else { return false }
            entries[index].place = .started(serial)
            entries[index].isUsed = true
            workers[worker].unstarted -= 1
            if !entries[index].isKept { action.closing.append(letGo(index)) }
        case .closed:
            leave(index, worker)
            let descriptor = free(index)
            if descriptor >= 0 { action.closing.append(descriptor) }
        case .refused:
            // Also after RECEIVED: a worker that drains gives back what no client has used yet.
            guard place != .started(serial) else { return false }
            counts.refused += 1
            leave(index, worker)
            requeue(index)
            switch report.reason {
            case .draining: workers[worker].isAccepting = false
            case .none, .noDescriptor, .overloaded:
                workers[worker].pausedUntil = now + limits.pause
            }
        case .returned:
            guard place == .started(serial), entries[index].isKept else { return false }
            counts.returned += 1
            leave(index, worker)
            entries[index].queuedAt = now
            requeue(index)
        }
        return true
    }

    /// The connection is no longer the worker's.
    mutating func leave(_ index: Int, _ worker: Int) {
        workers[worker].connections -= 1
        if entries[index].place != .started(workers[worker].serial) {
            workers[worker].unstarted -= 1
        }
        workers[worker].records.give(entries[index].record)
    }
}
