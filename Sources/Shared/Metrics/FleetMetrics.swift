// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// One worker process: the slot it fills, its configuration, and its own number.
///
/// While a slot is rolled, its old and its new process run side by side; while it is recycled,
/// both have the same configuration.
package struct WorkerID: Hashable {
    package var slot: Int
    package var generation: UInt32
    /// Never used twice in the life of the supervisor.
    package var process: UInt64

    package init(slot: Int, generation: UInt32, process: UInt64 = 0) {
        self.slot = slot
        self.generation = generation
        self.process = process
    }
}

/// What the whole fleet counted, as the supervisor knows it.
///
/// Per worker the newest values are kept. When a worker is gone, its counters go to an
/// accumulator, so that totals never fall, and its gauges vanish.
package struct FleetMetrics {
    /// Upstreams that can be told apart over the life of the supervisor, all reloads together.
    ///
    /// Limit: twice what one configuration may name; later ones are counted as `other`.
    package static let upstreamsMax = 2 * UpstreamIndex.upstreamsMax

    private static let none = 0
    private static let other = 1

    /// By index of the fleet's upstreams.
    private(set) var definitions: [UpstreamDefinition] = [.none, .other]
    private var indexes: [String: Int] = [:]
    private(set) var workers: [WorkerID: Worker] = [:]
    /// What workers counted that are gone.
    var past = MetricTotals()
    private var faultsPast = MetricsDecoder.Faults()

    struct Worker {
        var decoder: MetricsDecoder
        var totals = MetricTotals()

        mutating func receive(_ buffer: ByteBuffer) {
            decoder.decode(buffer, into: &totals)
        }
    }

    package init() {}

    /// Adds the upstreams of a configuration; call it before its workers start.
    ///
    /// Only these become labels: a worker can name an upstream, but not invent one. Upstreams of
    /// earlier configurations stay, because their totals do.
    package mutating func define(upstreams: [UpstreamDefinition]) {
        for definition in upstreams where indexes[definition.name] == nil {
            guard definitions.count < Self.upstreamsMax else { return }
            indexes[definition.name] = definitions.count
            definitions.append(definition)
        }
    }

    /// Takes over what another supervisor knew.
    mutating func restore(
        definitions: [UpstreamDefinition],
        running: [(id: WorkerID, totals: MetricTotals)],
        faults: MetricsDecoder.Faults
    ) {
        self.definitions = definitions
        faultsPast = faults
        indexes = [:]
        for (index, definition) in definitions.enumerated() where index > Self.other {
            indexes[definition.name] = index
        }
        for entry in running {
            workers[entry.id] = Worker(
                decoder: MetricsDecoder(generation: entry.id.generation),
                totals: entry.totals
            )
        }
    }

    /// A worker process was started.
    package mutating func workerStarted(_ worker: WorkerID) {
        workerEnded(worker)
        workers[worker] = Worker(decoder: MetricsDecoder(generation: worker.generation))
    }

    /// Bytes came from a worker's pipe: consumes all whole records.
    ///
    /// Bytes of a worker that was not started, or ended, are dropped.
    package mutating func received(_ buffer: ByteBuffer, from worker: WorkerID) {
        guard workers[worker] != nil else {
            buffer.clear()
            return
        }
        workers[worker]?.receive(buffer)
    }

    /// A worker is gone and its pipe is read to the end.
    package mutating func workerEnded(_ worker: WorkerID) {
        guard let gone = workers.removeValue(forKey: worker) else { return }
        add(gone.totals, to: &past, gauges: false)
        faultsPast.add(gone.decoder.faults)
    }

    /// The newest values of a worker that runs.
    package func worker(_ worker: WorkerID) -> MetricTotals? {
        workers[worker]?.totals
    }

    /// The sums over all workers that run or ran.
    package func totals() -> FleetTotals {
        var sums = past
        for worker in workers.values { add(worker.totals, to: &sums, gauges: true) }
        for index in definitions.indices where index != Self.other {
            sums.allocate(upstream: index)
        }
        return FleetTotals(sums: sums, definitions: definitions, faults: faults)
    }

    /// What was wrong with the records of all workers that run or ran.
    var faults: MetricsDecoder.Faults {
        var faults = faultsPast
        for worker in workers.values { faults.add(worker.decoder.faults) }
        return faults
    }

    private func add(_ totals: MetricTotals, to sums: inout MetricTotals, gauges: Bool) {
        sums.addFixed(totals, gauges: gauges)
        for (raw, block) in totals.upstreams.enumerated() {
            guard let block else { continue }
            sums.add(block, upstream: index(of: raw, totals), gauges: gauges)
        }
    }

    /// The fleet's index of a worker's upstream.
    private func index(of raw: Int, _ totals: MetricTotals) -> Int {
        guard raw > 0 else { return Self.none }
        guard raw < totals.names.count, let name = totals.names[raw] else { return Self.other }
        return indexes[name] ?? Self.other
    }
}

/// Sums over the fleet, with the labels of its upstreams.
package struct FleetTotals {
    package let sums: MetricTotals
    let definitions: [UpstreamDefinition]
    /// What was wrong with the records of all workers.
    package let faults: MetricsDecoder.Faults

    /// Upstreams with their values, in the order of the configuration, `none` first.
    package var upstreams: [(definition: UpstreamDefinition, totals: UpstreamTotals)] {
        definitions.indices.compactMap { index in
            guard index < sums.upstreams.count, let block = sums.upstreams[index] else {
                return nil
            }
            return (definitions[index], block)
        }
    }
}

extension MetricsDecoder.Faults {
    mutating func add(_ other: MetricsDecoder.Faults) {
        bytesSkipped &+= other.bytesSkipped
        recordsCorrupt &+= other.recordsCorrupt
        recordsLost &+= other.recordsLost
    }
}
