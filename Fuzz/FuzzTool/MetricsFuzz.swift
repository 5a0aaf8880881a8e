// SPDX-License-Identifier: Apache-2.0
import Bytes
import Metrics

/// Records of a metrics pipe: true ones, damaged ones, made-up bodies with right checks, garbage.
///
/// Properties: no crash; one answer however the input is cut; no counter ever falls; what waits
/// for its rest stays below one record; text and status can be written from whatever arrived.
enum MetricsFuzz {
    private static let generation: UInt32 = 7

    static func run(_ run: inout FuzzRun) {
        while run.advance() {
            let input = makeInput(&run)
            let whole = decode(&run, [input.count], input)
            var cuts = (0..<run.below(8)).map { _ in run.below(input.count + 1) }.sorted()
            cuts.append(input.count)
            let pieces = decode(&run, cuts, input)
            run.check(whole.totals == pieces.totals, "one answer for every cut", input)
            run.check(whole.faults == pieces.faults, "the same faults for every cut", input)
            checkFleet(&run, input)
        }
    }

    private static func decode(
        _ run: inout FuzzRun,
        _ cuts: [Int],
        _ input: [UInt8]
    ) -> (totals: MetricTotals, faults: MetricsDecoder.Faults) {
        var decoder = MetricsDecoder(generation: generation)
        var totals = MetricTotals()
        let buffer = ByteBuffer()
        var start = 0
        for cut in cuts {
            let before = (totals.requests, totals.histogram(.total).count)
            buffer.append(input.span.extracting(start..<cut))
            start = cut
            decoder.decode(buffer, into: &totals)
            run.check(buffer.count < RecordHeader.recordBytesMax, "bounded waiting", input)
            run.check(totals.requests >= before.0, "requests never fall", input)
            run.check(totals.histogram(.total).count >= before.1, "latencies never fall", input)
        }
        return (totals, decoder.faults)
    }

    private static func checkFleet(_ run: inout FuzzRun, _ input: [UInt8]) {
        var fleet = FleetMetrics()
        fleet.define(upstreams: [UpstreamDefinition(name: "a", provider: "openai")])
        let worker = WorkerID(slot: 0, generation: generation)
        fleet.workerStarted(worker)
        fleet.received(ByteBuffer(input), from: worker)
        let before = fleet.totals().sums.requests
        let out = ByteBuffer()
        // Writing costs far more than reading; every tenth input is enough.
        if run.below(10) == 0 {
            let snapshot = FleetSnapshot(version: "0", pid: 1, startedAt: 0)
            PrometheusText.append(fleet, snapshot, to: out)
            StatusJSON.append(fleet, snapshot, isFull: true, to: out)
        }
        fleet.workerEnded(worker)
        run.check(fleet.totals().sums.requests == before, "totals outlive the worker", input)
    }

    // MARK: Input

    private static func makeInput(_ run: inout FuzzRun) -> [UInt8] {
        let out = ByteBuffer()
        var sequence: UInt32 = 0
        for _ in 0..<1 + run.below(5) {
            switch run.below(4) {
            case 0: appendTrueRecords(&run, to: out)
            case 1:
                for _ in 0..<run.below(40) {
                    out.append(UInt8.random(in: 0...255, using: &run))
                }
            default:
                let body = makeBody(&run)
                RecordHeader.appendRecord(
                    run.below(4) == 0 ? .names : .values,
                    generation: generation,
                    sequence: sequence,
                    body.span,
                    to: out
                )
                sequence &+= UInt32(run.below(3))
            }
        }
        var input = out.array
        if run.below(3) == 0, !input.isEmpty {
            for _ in 0..<1 + run.below(3) {
                input[run.below(input.count)] ^= 1 << UInt8(run.below(8))
            }
        }
        return input
    }

    private static func appendTrueRecords(_ run: inout FuzzRun, to out: ByteBuffer) {
        let metrics = WorkerMetrics(upstreamNames: ["a", "b"])
        for _ in 0..<run.below(20) {
            metrics.requestEnded(Route.allCases[run.below(Route.allCases.count)], status: 200)
            let nanoseconds = UInt64.random(in: 0...(1 << 42), using: &run)
            metrics.record(.total, .embeddings, .none, nanoseconds: nanoseconds)
        }
        var encoder = MetricsEncoder(generation: generation)
        _ = encoder.encode(metrics, into: out)
    }

    /// Varints, mostly small or just at a limit.
    private static func makeBody(_ run: inout FuzzRun) -> [UInt8] {
        let body = ByteBuffer()
        for _ in 0..<1 + run.below(60) {
            var value: UInt64 =
                switch run.below(6) {
                case 0: UInt64(run.below(110_000))
                case 1: UInt64(250 + run.below(20))
                case 2: UInt64.random(in: 0...UInt64.max, using: &run) >> UInt64(run.below(64))
                default: UInt64(run.below(40))
                }
            while value >= 0x80 {
                body.append(UInt8(truncatingIfNeeded: value) | 0x80)
                value >>= 7
            }
            body.append(UInt8(truncatingIfNeeded: value))
        }
        return body.array
    }
}
