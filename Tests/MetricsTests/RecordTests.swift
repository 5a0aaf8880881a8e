// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import Testing

@testable import Metrics

/// Metrics with a value in every kind of cell.
func busyMetrics(upstreams: Int = 2) -> WorkerMetrics {
    let metrics = WorkerMetrics(upstreamNames: (0..<upstreams).map { "upstream-\($0)" })
    metrics.count(.connectionsAccepted, by: 7)
    metrics.set(.connectionsActive, to: 3)
    metrics.adjust(.streamsOpen, by: 2)
    metrics.requestEnded(.chatCompletions, status: 200)
    metrics.requestEnded(.notFound, status: 404)
    metrics.clientAborted(.chatCompletions)
    metrics.record(.total, .notFound, .none, nanoseconds: 40_000)
    for position in 0..<upstreams {
        guard let upstream = UpstreamIndex(position: position) else { continue }
        metrics.record(.total, .chatCompletions, upstream, nanoseconds: 12_000_000)
        metrics.record(.firstByte, .chatCompletions, upstream, nanoseconds: 3_000_000)
        metrics.record(.upstream, .chatCompletions, upstream, nanoseconds: 11_000_000)
        metrics.tokensUsed(
            TokenUsage(input: 100, output: 20, cached: 50, reasoning: 5),
            .chatCompletions,
            upstream
        )
        metrics.attemptEnded(upstream, .success)
        metrics.attemptEnded(upstream, .rateLimited)
        metrics.count(.connectionsCreated, upstream)
        metrics.set(.connectionsOpen, upstream, to: 4)
    }
    return metrics
}

/// All records of one flush.
func encoded(_ metrics: WorkerMetrics, generation: UInt32 = 1) -> [UInt8] {
    var encoder = MetricsEncoder(generation: generation)
    let out = ByteBuffer()
    _ = encoder.encode(metrics, into: out, recordsMax: .max)
    return out.array
}

func decoded(
    _ bytes: [UInt8],
    generation: UInt32 = 1
) -> (totals: MetricTotals, faults: MetricsDecoder.Faults) {
    var decoder = MetricsDecoder(generation: generation)
    var totals = MetricTotals()
    decoder.decode(ByteBuffer(bytes), into: &totals)
    return (totals, decoder.faults)
}

/// The record that holds `body`, with right checks.
func record(
    _ body: [UInt8],
    kind: RecordHeader.Kind = .values,
    sequence: UInt32 = 0,
    generation: UInt32 = 1
) -> [UInt8] {
    let out = ByteBuffer()
    RecordHeader.appendRecord(
        kind,
        generation: generation,
        sequence: sequence,
        body.span,
        to: out
    )
    return out.array
}

func varints(_ values: UInt64...) -> [UInt8] {
    let out = ByteBuffer()
    for value in values { Varint.append(value, to: out) }
    return out.array
}

@Suite struct RecordTests {
    @Test("What a worker counted arrives as it was")
    func roundTrip() {
        let metrics = busyMetrics()
        let (totals, faults) = decoded(encoded(metrics))
        #expect(faults == MetricsDecoder.Faults())
        #expect(totals.fixed == metrics.totals.fixed)
        #expect(totals.upstreams == metrics.totals.upstreams)
        #expect(totals.names == metrics.totals.names)
    }

    @Test("Records arrive however the pipe cuts them")
    func everySplit() {
        let metrics = WorkerMetrics(upstreamNames: ["a"])
        metrics.requestEnded(.health, status: 200)
        metrics.record(.total, .health, .none, nanoseconds: 5_000)
        let junk: [UInt8] = [0xD5, 0xA6, 1, 2, 0xD5, 0xD5]
        let stream = junk + encoded(metrics) + junk + record(varints(2, 9), sequence: 2)
        let agrees = agreesAtEverySplit(stream) { pieces in
            var decoder = MetricsDecoder(generation: 1)
            var totals = MetricTotals()
            let buffer = ByteBuffer()
            for piece in pieces {
                buffer.append(Array(piece))
                decoder.decode(buffer, into: &totals)
            }
            return Outcome(totals: totals, faults: decoder.faults, left: buffer.array)
        }
        #expect(agrees)
        let (totals, faults) = decoded(stream)
        #expect(totals.requests(.health, .success) == 1)
        #expect(totals.value(.connectionsIdle) == 9)
        #expect(faults.bytesSkipped == UInt64(2 * junk.count))
        #expect(faults.recordsCorrupt == 2, "each run of junk counts once")
    }

    private struct Outcome: Equatable {
        var totals: MetricTotals
        var faults: MetricsDecoder.Faults
        var left: [UInt8]
    }

    @Test("A second flush carries only what changed")
    func onlyChanges() {
        let metrics = busyMetrics()
        var encoder = MetricsEncoder(generation: 1)
        let out = ByteBuffer()
        let isComplete = encoder.encode(metrics, into: out)
        #expect(isComplete)
        let first = out.count
        _ = encoder.encode(metrics, into: out)
        #expect(out.count == first)
        metrics.requestEnded(.chatCompletions, status: 200)
        _ = encoder.encode(metrics, into: out)
        #expect(out.count - first == RecordHeader.size + 2)
    }

    @Test("Every record fits one atomic write, and the boundaries are found")
    func recordSizes() {
        var generator = SeededGenerator(seed: 3)
        let metrics = WorkerMetrics(upstreamNames: (0..<40).map { "upstream-\($0)" })
        for position in 0..<40 {
            for route in Route.allCases {
                for latency in Latency.allCases {
                    guard let upstream = UpstreamIndex(position: position) else { continue }
                    for _ in 0..<20 {
                        let value = UInt64.random(in: 0...(1 << 42), using: &generator)
                        metrics.record(latency, route, upstream, nanoseconds: value)
                    }
                }
            }
        }
        var encoder = MetricsEncoder(generation: 1)
        var decoder = MetricsDecoder(generation: 1)
        var totals = MetricTotals()
        var flushes = 0
        var isComplete = false
        while !isComplete {
            let out = ByteBuffer()
            isComplete = encoder.encode(metrics, into: out, recordsMax: 4)
            flushes += 1
            var records = 0
            let pipe = ByteBuffer()
            while let length = MetricsEncoder.frontRecordBytes(out) {
                #expect(length <= 4096)
                out.withBytes(in: 0..<length) { pipe.append($0) }
                out.consume(length)
                records += 1
            }
            #expect(out.isEmpty)
            #expect(records <= 4)
            decoder.decode(pipe, into: &totals)
        }
        #expect(flushes >= 5)
        #expect(totals.upstreams == metrics.totals.upstreams)
        #expect(decoder.faults == MetricsDecoder.Faults())
    }

    @Test("A histogram with every bucket at its limit fits one record")
    func largestHistogram() {
        let metrics = WorkerMetrics(upstreamNames: [])
        for bucket in 0..<Histogram.bucketCount {
            metrics.record(
                .total,
                .other,
                .none,
                nanoseconds: Histogram.lowerBound(bucket: bucket)
            )
        }
        let bytes = encoded(metrics)
        #expect(decoded(bytes).totals.upstreams == metrics.totals.upstreams)
        // A count of 2^53 takes 8 bytes instead of 1, an index and a sum at most 12.
        #expect(RecordHeader.size + 12 + Histogram.bucketCount * 9 <= RecordHeader.recordBytesMax)
    }

    @Test("No upstream starves when a flush is too small for everything")
    func noStarvation() throws {
        let metrics = WorkerMetrics(upstreamNames: ["a", "b", "c"])
        var encoder = MetricsEncoder(generation: 1)
        var decoder = MetricsDecoder(generation: 1)
        var totals = MetricTotals()
        let last = try #require(UpstreamIndex(position: 2))
        metrics.attemptEnded(last, .reset)
        for round in 0..<60 {
            // The first upstream alone fills a record in every round.
            let first = try #require(UpstreamIndex(position: 0))
            for route in Route.allCases {
                for bucket in 0..<Histogram.bucketCount {
                    let value = Histogram.lowerBound(bucket: bucket) + UInt64(round)
                    metrics.record(.total, route, first, nanoseconds: value)
                }
            }
            let out = ByteBuffer()
            _ = encoder.encode(metrics, into: out, recordsMax: 1)
            decoder.decode(out, into: &totals)
        }
        #expect(totals.upstreams.count == 4)
        #expect(totals.upstreams.last??.attempts(.reset) == 1)
    }

    @Test("After lost records everything is sent again, and gauges fall to 0")
    func lostRecords() {
        let metrics = busyMetrics()
        var encoder = MetricsEncoder(generation: 1)
        var decoder = MetricsDecoder(generation: 1)
        var totals = MetricTotals()
        let out = ByteBuffer()
        _ = encoder.encode(metrics, into: out)
        decoder.decode(out, into: &totals)
        #expect(totals.value(.connectionsActive) == 3)

        metrics.set(.connectionsActive, to: 0)
        metrics.count(.connectionsAccepted)
        _ = encoder.encode(metrics, into: out)
        out.clear()
        encoder.markAllDirty()
        while !encoder.encode(metrics, into: out) {}
        decoder.decode(out, into: &totals)
        #expect(totals.fixed == metrics.totals.fixed)
        #expect(totals.upstreams == metrics.totals.upstreams)
        #expect(decoder.faults.recordsLost == 1)
    }
}
