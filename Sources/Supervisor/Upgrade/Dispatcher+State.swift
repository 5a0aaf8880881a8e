// SPDX-License-Identifier: Apache-2.0
import Bytes

/// How the places of all connections outlive this program, when another takes over its process.
extension Dispatcher {
    mutating func code(_ coder: inout StateCoder) {
        coder.code(list: &entries, new: Entry()) { $0.code(&$1) }
        coder.code(list: &freeEntries)
        var waiting = pending.values
        coder.code(list: &waiting)
        coder.code(list: &workers, new: Worker(serial: WorkerSerial(number: 0), readyAt: 0)) {
            $0.code(&$1)
        }
        counts.code(&coder)
        guard coder.mode == .reading, !coder.isBroken else { return }
        pending = PendingQueue()
        for index in waiting { pending.append(index) }
        isOutOfOrder = true
        recount(&coder)
    }

    /// What follows from the places is counted anew, and what cannot be is refused.
    private mutating func recount(_ coder: inout StateCoder) {
        let isWhole =
            freeEntries.allSatisfy { entries.indices.contains($0) && entries[$0].place == .free }
            && pending.values.allSatisfy {
                entries.indices.contains($0) && entries[$0].place == .pending
            }
        guard isWhole else {
            coder.fail()
            return
        }
        descriptors = entries.count { $0.descriptor >= 0 }
        kept = entries.count { $0.isKept }
        for index in workers.indices {
            let places = entries.map(\.place).filter { $0.worker == workers[index].serial }
            workers[index].connections = places.count
            workers[index].unacknowledged = places.count { place in
                if case .sent = place { true } else { false }
            }
            workers[index].unstarted = places.count { place in
                if case .started = place { false } else { true }
            }
        }
    }
}

extension Dispatcher.Entry {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        var tag: UInt8
        var number: UInt64
        switch place {
        case .free: (tag, number) = (0, 0)
        case .pending: (tag, number) = (1, 0)
        case .sent(let worker): (tag, number) = (2, worker.number)
        case .received(let worker): (tag, number) = (3, worker.number)
        case .started(let worker): (tag, number) = (4, worker.number)
        }
        coder.code(&tag)
        coder.code(&number)
        let worker = WorkerSerial(number: number)
        switch tag {
        case 0: place = .free
        case 1: place = .pending
        case 2: place = .sent(worker)
        case 3: place = .received(worker)
        case 4: place = .started(worker)
        default: coder.fail()
        }
        coder.code(&descriptor)
        coder.code(&listener)
        coder.code(&queuedAt)
        coder.code(&use)
        coder.code(&record)
        coder.code(&isKept)
        coder.code(&isUsed)
    }
}

extension Dispatcher.Worker {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        var number = serial.number
        var since = readyAt
        coder.code(&number)
        coder.code(&since)
        if coder.mode == .reading {
            self = Dispatcher.Worker(serial: WorkerSerial(number: number), readyAt: since)
        }
        coder.code(&isAccepting)
        coder.code(&pausedUntil)
        coder.code(&heardAt)
        coder.code(&isSilent)
        records.code(&coder)
        var ids = revoked.keys.sorted()
        var places = ids.compactMap { revoked[$0] }
        coder.code(list: &ids)
        coder.code(list: &places)
        guard ids.count == places.count else {
            coder.fail()
            return
        }
        revoked = Dictionary(zip(ids, places)) { first, _ in first }
    }
}

extension Dispatcher.Counts {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        coder.code(&accepted)
        coder.code(&acknowledged)
        coder.code(&requeued)
        coder.code(&refused)
        coder.code(&rejected)
        coder.code(&lost)
        coder.code(&blocked)
        coder.code(&revoked)
        coder.code(&returned)
        coder.code(&expired)
    }
}
