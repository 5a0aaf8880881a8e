// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

@Suite struct StatusTrendTests {
    private static let second: UInt64 = 1_000_000_000

    private func document(
        requests: Int,
        started: Int = 1,
        buckets: [(Double, Int)] = []
    ) throws -> StatusReader {
        let pairs = buckets.map { "[\($0.0),\($0.1)]" }.joined(separator: ",")
        let text = """
            {"started_at":\(started),"requests":{"total":\(requests),"by_route":[{"4xx":1,"5xx":2},
            {"4xx":3,"5xx":4}]},"latency":{"total":{"buckets":[\(pairs)]}}}
            """
        return try #require(StatusReader(Array(text.utf8)))
    }

    @Test("Rates look back for five seconds, or to the document before")
    func rates() throws {
        var trend = StatusTrend()
        #expect(trend.rate(\.requests) == nil)
        for time in 0...10 {
            trend.add(try document(requests: time * time), now: UInt64(time) * Self.second)
            if time == 0 { #expect(trend.rate(\.requests) == nil) }
        }
        #expect(trend.rate(\.requests) == 15)
        #expect(trend.rate(\.clientErrors) == 0)
        trend.add(try document(requests: 300), now: 100 * Self.second)
        let afterGap = try #require(trend.rate(\.requests))
        #expect(abs(afterGap - 200.0 / 90) < 0.001)
    }

    @Test("A supervisor that was started again starts a new trend")
    func restart() throws {
        for next in [try document(requests: 900, started: 2), try document(requests: 3)] {
            var trend = StatusTrend()
            trend.add(try document(requests: 500), now: Self.second)
            trend.add(next, now: 2 * Self.second)
            #expect(trend.rate(\.requests) == nil)
        }
        var trend = StatusTrend()
        trend.add(try document(requests: 1), now: Self.second)
        trend.add(try document(requests: 2), now: 2 * Self.second)
        trend.reset()
        #expect(trend.rate(\.requests) == nil)
    }

    @Test("Two documents of one moment make no rate")
    func oneMoment() throws {
        var trend = StatusTrend()
        trend.add(try document(requests: 1), now: Self.second)
        trend.add(try document(requests: 2), now: Self.second)
        #expect(trend.rate(\.requests) == nil)
    }

    @Test("Latencies are those of the last minute")
    func quantiles() throws {
        var trend = StatusTrend()
        trend.add(try document(requests: 1, buckets: [(900, 1000)]), now: 0)
        #expect(trend.quantiles(\.total) == nil)
        trend.add(try document(requests: 1, buckets: [(900, 1000)]), now: 30 * Self.second)
        #expect(trend.quantiles(\.total) == nil)
        let later = [(2.0, 50), (5, 45), (80, 5), (900, 1000)]
        trend.add(try document(requests: 101, buckets: later), now: 50 * Self.second)
        #expect(trend.quantiles(\.total) == [2, 5, 80])
        #expect(trend.quantiles(\.firstByte) == nil)
        trend.add(try document(requests: 101, buckets: later), now: 200 * Self.second)
        #expect(trend.quantiles(\.total) == nil)
    }

    @Test("It keeps a bounded number of documents")
    func bounded() throws {
        var trend = StatusTrend()
        for time in 0..<1000 {
            trend.add(try document(requests: time), now: UInt64(time) * Self.second / 10)
        }
        #expect(trend.rate(\.requests) == 10)
        #expect(MemoryLayout<StatusTrend>.size <= 16)
    }
}
