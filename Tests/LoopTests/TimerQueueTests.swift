// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import Testing

@Suite struct TimerQueueTests {
    @Test("Timers come out as from a sorted array", arguments: 1...20)
    func randomWalk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var queue = TimerQueue<Int>()
        var model: [(id: TimerID, deadline: UInt64, payload: Int)] = []
        var gone: [TimerID] = []
        var now: UInt64 = 0
        for step in 0..<1500 {
            switch random.below(5) {
            case 0, 1:
                let deadline = now + UInt64(random.below(50))
                model.append((queue.schedule(at: deadline, step), deadline, step))
            case 2 where !model.isEmpty:
                let victim = model.remove(at: random.below(model.count))
                let wasCancelled = queue.cancel(victim.id)
                #expect(wasCancelled, "seed \(seed), step \(step)")
                gone.append(victim.id)
            case 3 where !gone.isEmpty:
                let stale = gone[random.below(gone.count)]
                let wasCancelled = queue.cancel(stale)
                #expect(!wasCancelled, "seed \(seed), step \(step): a stale name")
                #expect(!queue.isScheduled(stale))
            default:
                now += UInt64(random.below(10))
                while let due = queue.popDue(now: now) {
                    guard let place = model.firstIndex(where: { $0.id == due.id }) else {
                        Issue.record("seed \(seed), step \(step): unknown timer")
                        return
                    }
                    let entry = model.remove(at: place)
                    #expect(entry.payload == due.payload)
                    #expect(model.allSatisfy { $0.deadline >= entry.deadline }, "seed \(seed)")
                    gone.append(due.id)
                }
                #expect(model.allSatisfy { $0.deadline > now }, "seed \(seed), step \(step)")
            }
            #expect(queue.count == model.count)
            #expect(queue.earliest == model.map(\.deadline).min(), "seed \(seed), step \(step)")
        }
    }

    @Test("A name is never used for another timer")
    func names() {
        var queue = TimerQueue<String>()
        let first = queue.schedule(at: 10, "first")
        let wasCancelled = queue.cancel(first)
        #expect(wasCancelled)
        let second = queue.schedule(at: 20, "second")
        #expect(first != second)
        let wasCancelledAgain = queue.cancel(first)
        #expect(!wasCancelledAgain)
        #expect(queue.isScheduled(second))
    }
}
