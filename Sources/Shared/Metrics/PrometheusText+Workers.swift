// SPDX-License-Identifier: Apache-2.0

/// Families by worker: the label is the slot, of which there are few, never a process.
extension PrometheusText {
    func workers() {
        // While a slot is rolled, two processes share its label: their gauges are added.
        let slots = Set(snapshot.workers.map(\.id.slot)).sorted()
        writer.family(
            "apus_worker_connections",
            .gauge,
            "Client connections of a worker, by state."
        )
        for slot in slots {
            for (label, gauge) in [
                ("active" as StaticString, WorkerGauge.connectionsActive),
                ("idle", .connectionsIdle),
            ] {
                writer.sample(
                    "apus_worker_connections",
                    [("slot", .number(slot)), ("state", .fixed(label))],
                    sum(slot) { fleet.worker($0.id)?.value(gauge) }
                )
            }
        }
        perSlot("apus_worker_streams", "Open streams of a worker.", slots) {
            fleet.worker($0.id)?.value(.streamsOpen)
        }
        perSlot("apus_worker_requests_in_flight", "Requests under way in a worker.", slots) {
            fleet.worker($0.id)?.value(.requestsInFlight)
        }
        perSlotIfKnown("apus_worker_resident_bytes", "Resident memory of a worker.", slots) {
            $0.residentBytes
        }
        perSlotIfKnown("apus_worker_open_fds", "Open descriptors of a worker.", slots) {
            $0.openDescriptors
        }
        perSlotIfKnown("apus_worker_max_fds", "Descriptors that a worker may open.", slots) {
            $0.descriptorLimit
        }
        perSlotIfKnown("apus_worker_queued_bytes", "Bytes that wait for clients.", slots) {
            $0.queuedBytes
        }
        longest(
            "apus_worker_heartbeat_age_seconds",
            "Time since a worker's last heartbeat.",
            slots
        ) { $0.heartbeatAge.map { UInt64(clamping: $0) &* 1_000_000 } }
        longest(
            "apus_worker_loop_lag_seconds",
            "How late a worker's loop was at its last heartbeat.",
            slots
        ) { $0.loopLagMicroseconds.map { UInt64(clamping: $0) &* 1_000 } }
        longest(
            "apus_worker_oldest_stream_seconds",
            "Time for which a worker's oldest stream has run.",
            slots
        ) { $0.oldestStreamSeconds.map { UInt64(clamping: $0) &* 1_000_000_000 } }
    }

    /// A span of time per slot, the longest one where two processes share the slot.
    private func longest(
        _ name: StaticString,
        _ help: StaticString,
        _ slots: [Int],
        _ nanoseconds: (FleetSnapshot.Worker) -> UInt64?
    ) {
        writer.family(name, .gauge, help)
        for slot in slots {
            let spans = snapshot.workers.filter { $0.id.slot == slot }.compactMap(nanoseconds)
            guard let span = spans.max() else { continue }
            writer.sample(name, [("slot", .number(slot))], nanoseconds: span)
        }
    }

    private func perSlot(
        _ name: StaticString,
        _ help: StaticString,
        _ slots: [Int],
        _ value: (FleetSnapshot.Worker) -> UInt64?
    ) {
        writer.family(name, .gauge, help)
        for slot in slots {
            writer.sample(name, [("slot", .number(slot))], sum(slot, value))
        }
    }

    /// As above, without slots of which nothing is known: 0 would be a wrong value.
    private func perSlotIfKnown(
        _ name: StaticString,
        _ help: StaticString,
        _ slots: [Int],
        _ value: (FleetSnapshot.Worker) -> UInt64?
    ) {
        let known = slots.filter { slot in
            snapshot.workers.contains { $0.id.slot == slot && value($0) != nil }
        }
        if !known.isEmpty { perSlot(name, help, known, value) }
    }

    private func sum(_ slot: Int, _ value: (FleetSnapshot.Worker) -> UInt64?) -> UInt64 {
        snapshot.workers.reduce(0) { sum, worker in
            worker.id.slot == slot ? sum.addingSaturated(value(worker) ?? 0) : sum
        }
    }
}
