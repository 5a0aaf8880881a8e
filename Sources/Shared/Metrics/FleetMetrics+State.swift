// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// How counts outlive the supervisor that knows them, when another one takes its place.
///
/// The layout is that of `Cells`: both sides must have the same `stateVersion`.
extension FleetMetrics {
    /// Raised with `RecordHeader.version`, whose layout of cells this shares.
    package static var stateVersion: Int { Int(RecordHeader.version) }

    package mutating func code(_ coder: inout StateCoder) {
        var definitions = self.definitions
        coder.code(list: &definitions, new: .none) { definition, coder in
            var name = definition.name
            var provider = definition.provider
            coder.code(&name)
            coder.code(&provider)
            definition = UpstreamDefinition(name: name, provider: provider)
        }
        past.code(&coder)
        var running = workers.map { (id: $0.key, totals: $0.value.totals) }
        coder.code(list: &running, new: (WorkerID(slot: 0, generation: 0), MetricTotals())) {
            entry,
            coder in
            coder.code(&entry.id.slot)
            coder.code(&entry.id.generation)
            coder.code(&entry.id.process)
            entry.totals.code(&coder)
        }
        var faults = self.faults
        faults.code(&coder)
        guard coder.mode == .reading, !coder.isBroken else { return }
        restore(definitions: definitions, running: running, faults: faults)
    }
}

extension MetricsDecoder.Faults {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        coder.code(&bytesSkipped)
        coder.code(&recordsCorrupt)
        coder.code(&recordsLost)
    }
}

extension MetricTotals {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        coder.code(list: &fixed)
        coder.code(list: &names, new: nil) { name, coder in coder.code(&name) }
        coder.code(list: &upstreams, new: nil) { block, coder in
            coder.code(optional: &block, new: UpstreamTotals()) { $0.code(&$1) }
        }
        let isWhole =
            fixed.count == Cells.fixedCount
            && upstreams.allSatisfy { block in
                block.map {
                    $0.cells.count == Cells.upstreamCount
                        && $0.histograms.count == Cells.histogramCount
                } ?? true
            }
        if !isWhole { coder.fail() }
        recountHistograms()
    }
}

extension UpstreamTotals {
    fileprivate mutating func code(_ coder: inout StateCoder) {
        coder.code(list: &cells)
        coder.code(list: &histograms, new: Histogram()) { $0.code(&$1) }
    }
}
