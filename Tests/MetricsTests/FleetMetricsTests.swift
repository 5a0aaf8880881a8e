// SPDX-License-Identifier: Apache-2.0
import Bytes
import Testing

@testable import Metrics

@Suite struct FleetMetricsTests {
    private static let definitions = [
        UpstreamDefinition(name: "upstream-0", provider: "openai"),
        UpstreamDefinition(name: "upstream-1", provider: "anthropic"),
    ]

    private func fleet() -> FleetMetrics {
        var fleet = FleetMetrics()
        fleet.define(upstreams: Self.definitions)
        return fleet
    }

    private func block(_ name: String, _ totals: FleetTotals) -> UpstreamTotals? {
        totals.upstreams.first { $0.definition.name == name }?.totals
    }

    @Test("Totals are the sums over all workers, merged by the upstream's name")
    func sums() throws {
        var fleet = fleet()
        let first = WorkerID(slot: 0, generation: 1)
        let second = WorkerID(slot: 1, generation: 1)
        fleet.workerStarted(first)
        fleet.workerStarted(second)
        fleet.received(ByteBuffer(encoded(busyMetrics())), from: first)
        // The other one runs an older configuration with the upstreams in another order.
        let swapped = WorkerMetrics(upstreamNames: ["upstream-1", "upstream-0"])
        swapped.attemptEnded(try #require(UpstreamIndex(position: 0)), .reset)
        swapped.requestEnded(.chatCompletions, status: 502)
        fleet.received(ByteBuffer(encoded(swapped)), from: second)

        let totals = fleet.totals()
        #expect(totals.sums.requests == 3)
        #expect(totals.sums.requests(.chatCompletions, .serverError) == 1)
        #expect(block("upstream-1", totals)?.attempts(.reset) == 1)
        #expect(block("upstream-0", totals)?.attempts(.reset) == 0)
        #expect(block("upstream-0", totals)?.tokens(.input) == 100)
        #expect(totals.sums.tokens(.chatCompletions, .output) == 40)
        #expect(totals.sums.histogram(.total).count == 3)
    }

    @Test("Counters stay and gauges vanish when a worker ends")
    func workerEnds() {
        var fleet = fleet()
        let worker = WorkerID(slot: 0, generation: 1)
        fleet.workerStarted(worker)
        fleet.received(ByteBuffer(encoded(busyMetrics())), from: worker)
        let before = fleet.totals()
        #expect(before.sums.value(.connectionsActive) == 3)
        #expect(block("upstream-0", before)?.value(.connectionsOpen) == 4)
        fleet.workerEnded(worker)
        let after = fleet.totals()
        #expect(after.sums.value(.connectionsActive) == 0)
        #expect(after.sums.value(.streamsOpen) == 0)
        #expect(block("upstream-0", after)?.value(.connectionsOpen) == 0)
        #expect(after.sums.requests == before.sums.requests)
        #expect(after.sums.histogram(.total) == before.sums.histogram(.total))
        #expect(after.sums.tokens(.cached) == before.sums.tokens(.cached))
        #expect(fleet.worker(worker) == nil)
    }

    @Test("Two processes of a slot with one configuration are counted apart")
    func recycled() {
        var fleet = fleet()
        let old = WorkerID(slot: 0, generation: 1, process: 7)
        let new = WorkerID(slot: 0, generation: 1, process: 8)
        fleet.workerStarted(old)
        fleet.received(ByteBuffer(encoded(busyMetrics())), from: old)
        let once = fleet.totals().sums.requests
        // The old one goes on while its replacement boots and serves.
        fleet.workerStarted(new)
        fleet.received(ByteBuffer(encoded(busyMetrics())), from: old)
        #expect(fleet.totals().sums.requests == once)
        fleet.received(ByteBuffer(encoded(busyMetrics())), from: new)
        #expect(fleet.totals().sums.requests == 2 * once)
        fleet.workerEnded(old)
        fleet.received(ByteBuffer(encoded(busyMetrics())), from: new)
        #expect(fleet.totals().sums.requests == 2 * once)
        #expect(fleet.worker(old) == nil && fleet.worker(new) != nil)
    }

    @Test("Another supervisor goes on with the counts of workers that run, until they end")
    func adopted() throws {
        var before = fleet()
        let worker = WorkerID(slot: 0, generation: 3, process: 7)
        before.workerStarted(worker)
        before.received(ByteBuffer(encoded(busyMetrics(), generation: 3)), from: worker)
        before.received(ByteBuffer([1, 2, 3]), from: worker)
        var coder = StateCoder()
        before.code(&coder)

        var after = FleetMetrics()
        var reader = StateCoder(reading: coder.bytes)
        after.code(&reader)
        #expect(reader.isExhausted)
        #expect(after.totals().sums.requests == before.totals().sums.requests)
        #expect(after.totals().faults == before.totals().faults)
        #expect(after.totals().faults.bytesSkipped == 3)
        // What it says from here on counts.
        let more = busyMetrics()
        more.requestEnded(.chatCompletions, status: 200)
        let known = after.totals().sums.requests
        after.received(ByteBuffer(encoded(more, generation: 3)), from: worker)
        #expect(after.totals().sums.requests == known + 1)
        #expect(after.totals().sums.value(.connectionsActive) == 3)
        after.workerEnded(worker)
        #expect(after.totals().sums.requests == known + 1)
        #expect(after.totals().sums.value(.connectionsActive) == 0)
        #expect(after.totals().sums.value(.streamsOpen) == 0)
    }

    @Test("An upstream that the configuration does not name is counted as other")
    func unknownUpstreams() throws {
        var fleet = fleet()
        let worker = WorkerID(slot: 0, generation: 1)
        fleet.workerStarted(worker)
        let metrics = WorkerMetrics(upstreamNames: ["invented\"} 1\n"])
        metrics.attemptEnded(try #require(UpstreamIndex(position: 0)), .success)
        fleet.received(ByteBuffer(encoded(metrics)), from: worker)
        let totals = fleet.totals()
        #expect(block("other", totals)?.attempts(.success) == 1)
        let names = totals.upstreams.map(\.definition.name)
        #expect(names == ["none", "other", "upstream-0", "upstream-1"])
    }

    @Test("The number of names is bounded over all reloads")
    func namesAreBounded() {
        var fleet = FleetMetrics()
        for round in 0..<20 {
            fleet.define(
                upstreams: (0..<100).map {
                    UpstreamDefinition(name: "\(round)-\($0)", provider: "openai")
                }
            )
        }
        #expect(fleet.totals().upstreams.count == FleetMetrics.upstreamsMax - 1)
    }

    @Test("Bytes of a worker that is not known are dropped")
    func unknownWorker() {
        var fleet = fleet()
        let bytes = ByteBuffer(encoded(busyMetrics()))
        fleet.received(bytes, from: WorkerID(slot: 4, generation: 1))
        #expect(bytes.isEmpty)
        #expect(fleet.totals().sums.requests == 0)
    }

    @Test(
        "Over any history of starts, flushes, losses and crashes no total falls",
        arguments: [UInt64(1), 2, 3, 4, 5]
    )
    func randomWalk(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var fleet = fleet()
        var live: [WorkerID: (metrics: WorkerMetrics, encoder: MetricsEncoder)] = [:]
        var generations = [UInt32](repeating: 0, count: 4)
        var requests: UInt64 = 0
        var latencies: UInt64 = 0
        var flushed: UInt64 = 0
        for _ in 0..<600 {
            let slot = Int.random(in: 0..<4, using: &generator)
            let worker = WorkerID(slot: slot, generation: generations[slot])
            switch Int.random(in: 0..<10, using: &generator) {
            case 0:
                fleet.workerEnded(worker)
                live[worker] = nil
                generations[slot] += 1
                let next = WorkerID(slot: slot, generation: generations[slot])
                fleet.workerStarted(next)
                live[next] = (
                    WorkerMetrics(upstreamNames: ["upstream-0", "upstream-1"]),
                    MetricsEncoder(generation: next.generation)
                )
            case 1:
                // A flush whose records are lost.
                guard var state = live[worker] else { continue }
                _ = state.encoder.encode(state.metrics, into: ByteBuffer())
                state.encoder.markAllDirty()
                live[worker] = state
            case 2...4:
                guard var state = live[worker] else { continue }
                let out = ByteBuffer()
                _ = state.encoder.encode(state.metrics, into: out, recordsMax: 1)
                live[worker] = state
                fleet.received(out, from: worker)
                flushed += 1
            default:
                guard let state = live[worker] else { continue }
                let position = Int.random(in: 0..<2, using: &generator)
                let upstream = try #require(UpstreamIndex(position: position))
                state.metrics.requestEnded(.chatCompletions, status: 200)
                state.metrics.record(
                    .total,
                    .chatCompletions,
                    upstream,
                    nanoseconds: UInt64.random(in: 0...(1 << 36), using: &generator)
                )
            }
            let totals = fleet.totals()
            #expect(totals.sums.requests >= requests, "seed \(seed)")
            #expect(totals.sums.histogram(.total).count >= latencies, "seed \(seed)")
            #expect(totals.faults.recordsCorrupt == 0, "seed \(seed)")
            requests = totals.sums.requests
            latencies = totals.sums.histogram(.total).count
        }
        #expect(flushed > 50)
        #expect(requests > 50)
    }
}
