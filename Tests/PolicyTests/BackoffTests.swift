// SPDX-License-Identifier: Apache-2.0
import Policy
import Support
import Testing

@Suite("Backoff")
struct BackoffTests {
    private static let backoff = Backoff(first: 200, longest: 8000)

    @Test("the ceiling doubles with every wait, up to the longest")
    func ceilings() {
        let ceilings = (0..<9).map { Self.backoff.ceiling(after: $0) }
        #expect(ceilings == [200, 400, 800, 1600, 3200, 6400, 8000, 8000, 8000])
    }

    @Test(
        "no count of waits and no length overflows",
        arguments: [
            (Backoff(first: 200, longest: 8000), 255, 8000),
            (Backoff(first: 1, longest: .max), 63, 1 << 63),
            (Backoff(first: 1, longest: .max), 64, .max),
            (Backoff(first: .max, longest: .max), 0, .max),
            (Backoff(first: .max, longest: 9), 1, 9),
            (Backoff(first: 0, longest: 8000), 200, 0),
            (Backoff(first: 900, longest: 100), 0, 100),
        ] as [(Backoff, UInt8, UInt64)]
    )
    func extremes(backoff: Backoff, waits: UInt8, ceiling: UInt64) {
        #expect(backoff.ceiling(after: waits) == ceiling)
        #expect(backoff.delay(after: waits, random: .max) <= ceiling)
        #expect(backoff.delay(after: waits, random: 0) == 0)
    }

    @Test("the delay reaches from nothing to the ceiling")
    func ends() {
        #expect(Self.backoff.delay(after: 1, random: 0) == 0)
        #expect(Self.backoff.delay(after: 1, random: .max) == 400)
        #expect(Self.backoff.delay(after: 1, random: 1 << 63) == 200)
    }

    @Test("delays are spread evenly: full jitter")
    func distribution() {
        var random = SplitMix(seed: 5)
        var buckets = [Int](repeating: 0, count: 8)
        let draws = 40_000
        for _ in 0..<draws {
            let delay = Backoff(first: 799, longest: 8000).delay(after: 0, random: random.next())
            buckets[Int(delay / 100)] += 1
        }
        // Five standard deviations of a binomial with p = 1/8.
        let expected = Double(draws) / 8
        let tolerance = 5 * (expected * 7 / 8).squareRoot()
        for count in buckets {
            #expect(abs(Double(count) - expected) < tolerance, "seed \(random.seed): \(buckets)")
        }
    }
}
