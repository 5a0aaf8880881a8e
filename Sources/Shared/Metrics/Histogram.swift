// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// Latencies in nanoseconds, counted in log-linear buckets.
///
/// Every power of two from 512 ns to 73 minutes is cut into 8 equal buckets, so an estimate is at
/// most 5.9 % off for values from 1 us to 1 h. Shorter ones share the first bucket, longer ones the
/// last. Buckets (2 KiB) are allocated by the first value: a series nobody uses costs 24 bytes.
package struct Histogram: Equatable {
    /// Powers of two are cut into `1 << 3` parts: with the harmonic middle as estimate the error is
    /// 1/17; 16 parts would halve it and double the memory.
    private static let partBits = 3
    /// 2^9 ns, the last power of two below the promised 1 us.
    private static let firstOctave = 9
    /// 2^41 ns to 2^42 ns hold one hour.
    private static let lastOctave = 41

    /// Number of buckets, the one for shorter values included.
    package static let bucketCount = 1 + ((lastOctave - firstOctave + 1) << partBits)

    /// Values per bucket; empty until the first value.
    package private(set) var buckets: [UInt64] = []
    /// Number of values.
    package private(set) var count: UInt64 = 0
    /// Sum of the values in nanoseconds; stops at the largest integer instead of wrapping.
    package private(set) var sum: UInt64 = 0

    package init() {}

    /// Counts one value.
    package mutating func record(nanoseconds: UInt64) {
        if buckets.isEmpty {
            buckets = Array(repeating: 0, count: Self.bucketCount)
        }
        buckets[Self.bucket(of: nanoseconds)] &+= 1
        count &+= 1
        sum = sum.addingSaturated(nanoseconds)
    }

    /// Adds the values of another histogram.
    package mutating func add(_ other: Histogram) {
        guard !other.buckets.isEmpty else { return }
        if buckets.isEmpty {
            self = other
            return
        }
        for index in 0..<Self.bucketCount {
            buckets[index] = buckets[index].addingSaturated(other.buckets[index])
        }
        count = count.addingSaturated(other.count)
        sum = sum.addingSaturated(other.sum)
    }

    /// Raises a bucket to a cumulative value that a worker sent; a smaller one changes nothing.
    mutating func raise(bucket: Int, to value: UInt64) {
        if buckets.isEmpty {
            buckets = Array(repeating: 0, count: Self.bucketCount)
        }
        guard value > buckets[bucket] else { return }
        count = count.addingSaturated(value - buckets[bucket])
        buckets[bucket] = value
    }

    /// Raises the sum to a cumulative value that a worker sent.
    mutating func raise(sum value: UInt64) {
        sum = max(sum, value)
    }

    package mutating func code(_ coder: inout StateCoder) {
        coder.code(list: &buckets)
        coder.code(&count)
        coder.code(&sum)
        if !buckets.isEmpty, buckets.count != Self.bucketCount { coder.fail() }
    }

    /// The value in nanoseconds below which a share of `quantile` (0...1) of all values lies.
    ///
    /// Nil without values.
    package func quantile(_ quantile: Double) -> UInt64? {
        guard count > 0 else { return nil }
        let share = max(min(max(quantile, 0), 1) * Double(count), 1)
        var seen: UInt64 = 0
        var last = 0
        for (index, values) in buckets.enumerated() where values > 0 {
            seen = seen.addingSaturated(values)
            last = index
            if Double(seen) >= share { break }
        }
        return Self.estimate(bucket: last)
    }

    /// The bucket that counts `nanoseconds`.
    package static func bucket(of nanoseconds: UInt64) -> Int {
        let octave = UInt64.bitWidth - 1 - nanoseconds.leadingZeroBitCount
        guard octave >= firstOctave else { return 0 }
        guard octave <= lastOctave else { return bucketCount - 1 }
        let parts = 1 << partBits
        let part = Int(truncatingIfNeeded: nanoseconds >> UInt64(octave - partBits)) & (parts - 1)
        return 1 + (octave - firstOctave) * parts + part
    }

    /// Smallest value of a bucket.
    package static func lowerBound(bucket: Int) -> UInt64 {
        guard bucket > 0 else { return 0 }
        let parts = 1 << partBits
        let octave = firstOctave + (bucket - 1) / parts
        let part = (bucket - 1) % parts
        return UInt64(parts + part) << UInt64(octave - partBits)
    }

    /// The value with the smallest relative error over a bucket: the harmonic middle of its ends.
    package static func estimate(bucket: Int) -> UInt64 {
        guard bucket > 0 else { return lowerBound(bucket: 1) / 2 }
        let low = Double(lowerBound(bucket: bucket))
        let high = Double(lowerBound(bucket: bucket + 1))
        return UInt64(2 * low * high / (low + high))
    }
}

extension UInt64 {
    /// The sum, or the largest integer where it does not fit: a total must never fall.
    func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
