// SPDX-License-Identifier: Apache-2.0

/// Families of the supervisor and its workers.
extension PrometheusText {
    func supervisor() {
        writer.family("apus_build_info", .gauge, "Version of the supervisor.")
        writer.sample(
            "apus_build_info",
            [("version", .text(snapshot.version)), ("revision", .text(snapshot.revision))],
            1
        )
        writer.family("apus_start_time_seconds", .gauge, "Start of the supervisor, Unix time.")
        writer.sample("apus_start_time_seconds", UInt64(clamping: snapshot.startedAt))
        writer.family("apus_reloads_total", .counter, "Reloads of the configuration.")
        writer.sample(
            "apus_reloads_total",
            [("result", .fixed("ok"))],
            snapshot.reloadsSucceeded
        )
        writer.sample(
            "apus_reloads_total",
            [("result", .fixed("error"))],
            snapshot.reloadsFailed
        )
        writer.family(
            "apus_config_last_reload_successful",
            .gauge,
            "Whether the last reload worked."
        )
        writer.sample(
            "apus_config_last_reload_successful",
            snapshot.lastReloadSucceeded ? 1 : 0
        )
        if let loadedAt = snapshot.configLoadedAt {
            writer.family(
                "apus_config_last_reload_success_timestamp_seconds",
                .gauge,
                "When the configuration in use was loaded, Unix time."
            )
            writer.sample(
                "apus_config_last_reload_success_timestamp_seconds",
                UInt64(clamping: loadedAt)
            )
        }
        writer.family("apus_workers_configured", .gauge, "Workers that should run.")
        writer.sample("apus_workers_configured", UInt64(clamping: snapshot.workersConfigured))
        writer.family("apus_workers", .gauge, "Workers by state.")
        for state in FleetSnapshot.WorkerState.allCases {
            writer.sample(
                "apus_workers",
                [("state", .fixed(state.label))],
                UInt64(clamping: snapshot.workers(in: state))
            )
        }
        writer.family("apus_worker_restarts_total", .counter, "Workers replaced, by reason.")
        for reason in FleetSnapshot.RestartReason.allCases {
            writer.sample(
                "apus_worker_restarts_total",
                [("reason", .fixed(reason.label))],
                snapshot.restarts[reason]
            )
        }
    }

    func connections() {
        writer.family(
            "apus_connections_accepted_total",
            .counter,
            "Connections accepted, by listener."
        )
        for listener in snapshot.listeners {
            writer.sample(
                "apus_connections_accepted_total",
                [("listener", .text(listener.address))],
                listener.accepted
            )
        }
        writer.family(
            "apus_connections_rejected_total",
            .counter,
            "Connections closed without a worker."
        )
        writer.sample("apus_connections_rejected_total", snapshot.connectionsRejected)
        writer.family(
            "apus_connections_handoff_total",
            .counter,
            "Connections handed to workers, by result."
        )
        for result in FleetSnapshot.HandoffResult.allCases {
            writer.sample(
                "apus_connections_handoff_total",
                [("result", .fixed(result.label))],
                snapshot.handoffs[result]
            )
        }
        writer.family("apus_pending_connections", .gauge, "Connections waiting for a worker.")
        writer.sample("apus_pending_connections", snapshot.connectionsPending)
        writer.family("apus_accept_queue_length", .gauge, "Connections waiting in the kernel.")
        for listener in snapshot.listeners {
            guard let length = listener.acceptQueue else { continue }
            let labels: [PrometheusWriter.Label] = [("listener", .text(listener.address))]
            writer.sample("apus_accept_queue_length", labels, length)
        }
        writer.family("apus_accept_queue_limit", .gauge, "Connections that may wait there.")
        for listener in snapshot.listeners {
            guard let limit = listener.acceptQueueLimit else { continue }
            let labels: [PrometheusWriter.Label] = [("listener", .text(listener.address))]
            writer.sample("apus_accept_queue_limit", labels, limit)
        }
    }

    // MARK: Workers

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
        perSlotIfKnown("apus_worker_pss_bytes", "Proportional share of memory of a worker.", slots)
        {
            $0.proportionalBytes
        }
        perSlotIfKnown("apus_worker_open_fds", "Open descriptors of a worker.", slots) {
            $0.openDescriptors
        }
        writer.family(
            "apus_worker_heartbeat_age_seconds",
            .gauge,
            "Time since a worker's last heartbeat."
        )
        for slot in slots {
            let ages = snapshot.workers.filter { $0.id.slot == slot }.compactMap(\.heartbeatAge)
            guard let age = ages.max() else { continue }
            writer.sample(
                "apus_worker_heartbeat_age_seconds",
                [("slot", .number(slot))],
                nanoseconds: UInt64(clamping: age) &* 1_000_000
            )
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
