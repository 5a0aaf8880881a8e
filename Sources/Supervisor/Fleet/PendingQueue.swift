// SPDX-License-Identifier: Apache-2.0

/// Numbers in order, with both ends open: a ring that grows.
struct PendingQueue {
    private var ring = [Int](repeating: 0, count: 16)
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    var first: Int? { count == 0 ? nil : ring[head] }

    /// The numbers in order.
    var values: [Int] { (0..<count).map { ring[(head + $0) % ring.count] } }

    mutating func append(_ value: Int) {
        growIfFull()
        ring[(head + count) % ring.count] = value
        count += 1
    }

    mutating func prepend(_ value: Int) {
        growIfFull()
        head = (head + ring.count - 1) % ring.count
        ring[head] = value
        count += 1
    }

    mutating func popFirst() -> Int? {
        guard count > 0 else { return nil }
        let value = ring[head]
        head = (head + 1) % ring.count
        count -= 1
        return value
    }

    /// Empties the queue; returns what was in it, in order.
    mutating func removeAll() -> [Int] {
        defer { count = 0 }
        return values
    }

    private mutating func growIfFull() {
        guard count == ring.count else { return }
        ring = Array(ring[head...]) + Array(ring[..<head])
        ring += [Int](repeating: 0, count: ring.count)
        head = 0
    }
}
