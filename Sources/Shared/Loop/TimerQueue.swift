// SPDX-License-Identifier: Apache-2.0

/// Names one scheduled timer; a name is never reused for another one.
public struct TimerID: Equatable, Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}

/// Deadlines in order, earliest first: an indexed binary heap.
///
/// Pure: the caller brings the time. Scheduling, moving and cancelling cost O(log n) without
/// allocation once the arrays have grown. Equal deadlines come out in no particular order.
package struct TimerQueue<Payload> {
    private struct Slot {
        var generation: UInt32
        /// Place in the heap, -1 when the slot is free.
        var place: Int
        var deadline: UInt64
        var payload: Payload?
    }

    private var slots: [Slot] = []
    private var heap: [UInt32] = []
    private var free: [UInt32] = []

    package init() {}

    package var count: Int { heap.count }

    /// The earliest deadline, in nanoseconds of the caller's clock.
    package var earliest: UInt64? {
        heap.isEmpty ? nil : slots[Int(heap[0])].deadline
    }

    package mutating func schedule(at deadline: UInt64, _ payload: Payload) -> TimerID {
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(generation: 0, place: -1, deadline: 0, payload: nil))
        }
        let index = Int(slot)
        slots[index].deadline = deadline
        slots[index].payload = payload
        slots[index].place = heap.count
        heap.append(slot)
        siftUp(heap.count - 1)
        return TimerID(slot: slot, generation: slots[index].generation)
    }

    /// Removes a timer; false when it has fired or was cancelled before.
    @discardableResult
    package mutating func cancel(_ id: TimerID) -> Bool {
        guard isScheduled(id) else { return false }
        remove(at: slots[Int(id.slot)].place)
        return true
    }

    /// Whether the timer is still to come.
    package func isScheduled(_ id: TimerID) -> Bool {
        let index = Int(id.slot)
        return index < slots.count && slots[index].generation == id.generation
            && slots[index].place >= 0
    }

    /// Takes the earliest timer if it is due at `now`.
    package mutating func popDue(now: UInt64) -> (id: TimerID, payload: Payload)? {
        guard let slot = heap.first, slots[Int(slot)].deadline <= now else { return nil }
        let id = TimerID(slot: slot, generation: slots[Int(slot)].generation)
        guard let payload = slots[Int(slot)].payload else {
            preconditionFailure("a scheduled timer without payload")
        }
        remove(at: 0)
        return (id, payload)
    }

    private mutating func remove(at place: Int) {
        let slot = Int(heap[place])
        slots[slot].place = -1
        slots[slot].payload = nil
        slots[slot].generation &+= 1
        free.append(UInt32(slot))
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        slots[Int(last)].place = place
        siftDown(place)
        siftUp(slots[Int(last)].place)
    }

    private mutating func siftUp(_ start: Int) {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard isEarlier(place, than: parent) else { return }
            swap(place, parent)
            place = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, isEarlier(child + 1, than: child) { child += 1 }
            guard isEarlier(child, than: place) else { return }
            swap(place, child)
            place = child
        }
    }

    private func isEarlier(_ one: Int, than other: Int) -> Bool {
        slots[Int(heap[one])].deadline < slots[Int(heap[other])].deadline
    }

    private mutating func swap(_ one: Int, _ other: Int) {
        heap.swapAt(one, other)
        slots[Int(heap[one])].place = one
        slots[Int(heap[other])].place = other
    }
}
