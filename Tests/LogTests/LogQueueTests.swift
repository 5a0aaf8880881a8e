// SPDX-License-Identifier: Apache-2.0
import Bytes
import Testing

@testable import Log

@Suite struct LogQueueTests {
    private func append(_ line: String, to queue: inout LogQueue) {
        let start = queue.pending.count
        queue.pending.append(line + "\n")
        queue.lineAppended(behind: start)
    }

    @Test("A write carries as many whole lines as fit")
    func front() {
        var queue = LogQueue()
        append("12345", to: &queue)
        append("123", to: &queue)
        append("1", to: &queue)
        #expect(queue.frontBytes(limit: 100) == 12)
        #expect(queue.frontBytes(limit: 11) == 10)
        #expect(queue.frontBytes(limit: 10) == 10)
        #expect(queue.frontBytes(limit: 9) == 6)
        #expect(queue.frontBytes(limit: 6) == 6)
        #expect(queue.frontBytes(limit: 3) == 3)
    }

    @Test("What waits is bounded, and only whole lines are dropped")
    func bounded() {
        var queue = LogQueue()
        let line = String(repeating: "x", count: 999)
        for _ in 0..<70 { append(line, to: &queue) }
        #expect(queue.pending.count == 65_000)
        #expect(queue.linesDropped == 5)
        append("short", to: &queue)
        #expect(queue.linesDropped == 5)
    }

    @Test("After a line that was cut by a failure the next one begins on its own")
    func cutLine() {
        var queue = LogQueue()
        append("first", to: &queue)
        append("second", to: &queue)
        queue.written(8)
        queue.dropAll()
        #expect(queue.linesDropped == 1)
        append("third", to: &queue)
        #expect(queue.pending.text == "\nthird\n")
        queue.written(7)
        queue.dropAll()
        #expect(queue.pending.isEmpty)
    }
}
