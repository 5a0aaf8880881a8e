// SPDX-License-Identifier: Apache-2.0

/// How many calls are under way per target, for `Balance.leastBusy`.
///
/// Pure. Keys are dense numbers that the shell gives to the targets of one configuration; after a
/// reload it makes a new tally, and calls that began before end on the old one.
package struct UpstreamTally: Equatable, Sendable {
    private var counts: [UInt32]

    package init(keys: Int) {
        counts = Array(repeating: 0, count: keys)
    }

    /// Calls under way at `key`.
    package func busy(_ key: Int) -> UInt32 { counts[key] }

    /// Calls under way at all targets.
    package var total: Int { counts.reduce(0) { $0 + Int($1) } }

    package mutating func begin(_ key: Int) {
        counts[key] += 1
    }

    /// Ends a call that began; one that did not is a fault of the shell.
    package mutating func end(_ key: Int) {
        precondition(counts[key] > 0, "a call ended at key \(key) that never began")
        counts[key] -= 1
    }
}
