// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

@testable import Supervisor

@Suite struct PendingQueueTests {
    @Test("The queue holds what an array would", arguments: 1...20)
    func walk(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var queue = PendingQueue()
        var model: [Int] = []
        for step in 0..<1000 {
            switch random.below(random.oneIn(20) ? 4 : 3) {
            case 0:
                queue.append(step)
                model.append(step)
            case 1:
                queue.prepend(step)
                model.insert(step, at: 0)
            case 3:
                let all = queue.removeAll()
                #expect(all == model, "seed \(seed)")
                model = []
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
