// SPDX-License-Identifier: Apache-2.0

/// Counts durations in buckets that are at most 1.6 % wide, without growing.
///
/// Pure. Units: microseconds. Durations beyond about 67 s fall into the last bucket.
struct Latencies {
    /// Buckets per doubling: 64 keep the error of a percentile below 1 / 64.
    private static let perDoubling = 64
    private static let doublings = 21

    private var buckets = [Int](repeating: 0, count: perDoubling * doublings)
    private(set) var count = 0
    private(set) var max = 0

    mutating func record(_ microseconds: Int) {
        let value = Swift.max(microseconds, 0)
        buckets[Swift.min(Self.bucket(of: value), buckets.count - 1)] += 1
        count += 1
        max = Swift.max(max, value)
    }

    /// The upper edge of the bucket that `percent` of all durations do not exceed.
    func percentile(_ percent: Int) -> Int {
        var left = (count * percent + 99) / 100
        for (index, held) in buckets.enumerated() where held > 0 {
            left -= held
            if left <= 0 { return Swift.min(Self.upperEdge(of: index), max) }
        }
        return max
    }

    private static func bucket(of value: Int) -> Int {
        guard value >= perDoubling else { return value }
        let shift = (Int.bitWidth - 1 - value.leadingZeroBitCount) - 6
        return shift * perDoubling + (value >> shift)
    }

    private static func upperEdge(of bucket: Int) -> Int {
        guard bucket >= 2 * perDoubling else { return bucket }
        let shift = bucket / perDoubling - 1
        return ((bucket % perDoubling + perDoubling + 1) << shift) - 1
    }
}
