// SPDX-License-Identifier: Apache-2.0

/// What several status documents say together: rates, and the latencies of the last minute.
struct StatusTrend {
    /// How far back rates and latencies look, in nanoseconds: rates are to follow quickly, while a
    /// 99th percentile needs many requests.
    static let rateSpan: UInt64 = 5_000_000_000
    static let latencySpan: UInt64 = 60_000_000_000
    /// One document per second for the longer span, and a few that came early.
    private static let samplesMax = 64

    /// The counters of one document.
    struct Sample {
        let nanoseconds: UInt64
        /// Tells a supervisor that was started again, which counts from 0.
        let startedAt: Int?
        let requests: Int
        let clientErrors: Int
        let serverErrors: Int
        /// Counts by value in milliseconds.
        let total: [Double: Int]
        let firstByte: [Double: Int]
    }

    private var samples: [Sample] = []

    /// Takes a document that came at `now`.
    mutating func add(_ status: StatusReader, now: UInt64) {
        let routes = status["requests"]?["by_route"]?.elements ?? []
        let sample = Sample(
            nanoseconds: now,
            startedAt: status["started_at"]?.int,
            requests: status["requests"]?["total"]?.int ?? 0,
            clientErrors: routes.reduce(0) { $0 + ($1["4xx"]?.int ?? 0) },
            serverErrors: routes.reduce(0) { $0 + ($1["5xx"]?.int ?? 0) },
            total: Self.buckets(status["latency"]?["total"]),
            firstByte: Self.buckets(status["latency"]?["first_byte"])
        )
        if let last = samples.last,
            last.startedAt != sample.startedAt || last.requests > sample.requests
        {
            samples = []
        }
        samples.append(sample)
        if samples.count > Self.samplesMax { samples.removeFirst() }
    }

    private static func buckets(_ latency: StatusReader?) -> [Double: Int] {
        var buckets: [Double: Int] = [:]
        for pair in latency?["buckets"]?.elements ?? [] {
            let parts = pair.elements
            guard parts.count == 2, let value = parts[0].number, let count = parts[1].int else {
                continue
            }
            buckets[value] = count
        }
        return buckets
    }

    /// Forgets everything: nobody answers any more.
    mutating func reset() {
        samples = []
    }

    /// How much a counter rose per second; nil before the second document.
    func rate(_ counter: (Sample) -> Int) -> Double? {
        guard let (first, last) = ends(within: Self.rateSpan) else { return nil }
        let seconds = Double(last.nanoseconds - first.nanoseconds) / 1e9
        return Double(max(0, counter(last) - counter(first))) / seconds
    }

    /// Milliseconds of p50, p90 and p99 in the last minute; nil when nothing was measured in it.
    func quantiles(_ buckets: (Sample) -> [Double: Int]) -> [Double]? {
        guard let (first, last) = ends(within: Self.latencySpan) else { return nil }
        let before = buckets(first)
        let counts = buckets(last)
            .map { (value: $0.key, count: $0.value - (before[$0.key] ?? 0)) }
            .filter { $0.count > 0 }
            .sorted { $0.value < $1.value }
        let total = counts.reduce(0) { $0 + $1.count }
        guard total > 0, let longest = counts.last else { return nil }
        return [0.5, 0.9, 0.99].map { share in
            var seen = 0
            let found = counts.first { bucket in
                seen += bucket.count
                return Double(seen) >= share * Double(total)
            }
            return (found ?? longest).value
        }
    }

    /// The newest document and the oldest one of a span before it, or else its neighbour.
    private func ends(within span: UInt64) -> (first: Sample, last: Sample)? {
        guard let last = samples.last, samples.count > 1 else { return nil }
        let neighbour = samples[samples.count - 2]
        let first = samples.first { $0.nanoseconds + span >= last.nanoseconds } ?? neighbour
        let begin = first.nanoseconds < last.nanoseconds ? first : neighbour
        return begin.nanoseconds < last.nanoseconds ? (begin, last) : nil
    }
}
