// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Metrics

@Suite struct HistogramTests {
    @Test("The estimate of any value from 1 us to 1 h is at most 6 % off")
    func relativeError() {
        var value: UInt64 = 1_000
        var worst = 0.0
        while value <= 3_600_000_000_000 {
            let bucket = Histogram.bucket(of: value)
            #expect(Histogram.lowerBound(bucket: bucket) <= value)
            #expect(value < Histogram.lowerBound(bucket: bucket + 1))
            let estimate = Double(Histogram.estimate(bucket: bucket))
            worst = max(worst, abs(estimate - Double(value)) / Double(value))
            value += max(value / 997, 1)
        }
        #expect(worst <= 0.06)
        #expect(worst > 0.05, "a much smaller error would mean that too much memory is used")
    }

    @Test("Buckets follow each other without gaps")
    func bucketsAreContiguous() {
        for bucket in 1..<Histogram.bucketCount {
            let low = Histogram.lowerBound(bucket: bucket)
            #expect(Histogram.bucket(of: low) == bucket)
            #expect(Histogram.bucket(of: low - 1) == bucket - 1)
        }
    }

    @Test(
        "Values outside of the range count in the outermost buckets",
        arguments: [
            (UInt64(0), 0), (1, 0), (511, 0), (512, 1),
            (UInt64.max, Histogram.bucketCount - 1), (1 << 42, Histogram.bucketCount - 1),
        ]
    )
    func outermost(value: UInt64, bucket: Int) {
        #expect(Histogram.bucket(of: value) == bucket)
    }

    @Test("Quantiles of a known distribution")
    func quantiles() throws {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == nil)
        for milliseconds in 1...1000 {
            histogram.record(nanoseconds: UInt64(milliseconds) * 1_000_000)
        }
        #expect(histogram.count == 1000)
        #expect(histogram.sum == 500_500_000_000)
        for (quantile, exact) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1, 1000), (0, 1)] {
            let found = Double(try #require(histogram.quantile(quantile))) / 1_000_000
            #expect(abs(found - exact) / exact <= 0.06, "\(quantile): \(found)")
        }
    }

    @Test("Merging gives what recording everything in one gives")
    func merging() {
        var generator = SeededGenerator(seed: 11)
        var all = Histogram()
        var parts = [Histogram](repeating: Histogram(), count: 3)
        for index in 0..<3000 {
            let value = UInt64.random(in: 0...(1 << 40), using: &generator)
            all.record(nanoseconds: value)
            parts[index % 3].record(nanoseconds: value)
        }
        var merged = Histogram()
        for part in parts { merged.add(part) }
        #expect(merged == all)
    }

    @Test("The sum stops at its end instead of wrapping")
    func sumSaturates() {
        var histogram = Histogram()
        histogram.record(nanoseconds: .max)
        histogram.record(nanoseconds: 5)
        #expect(histogram.sum == .max)
    }

    @Test("A histogram without values has no buckets")
    func emptyIsSmall() {
        #expect(Histogram().buckets.isEmpty)
        #expect(MemoryLayout<Histogram>.size == 24)
    }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
