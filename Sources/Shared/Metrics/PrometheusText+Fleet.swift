// SPDX-License-Identifier: Apache-2.0

/// Families of the supervisor and of the fleet as a whole.
extension PrometheusText {
    func supervisor() {
        writer.family("apus_build_info", .gauge, "Version of the supervisor.")
        writer.sample(
            "apus_build_info",
            [("version", .text(snapshot.version)), ("revision", .text(snapshot.revision))],
            1
        )
        writer.family(
            "apus_start_time_seconds",
            .gauge,
            "Start of the supervisor, Unix time.",
            UInt64(clamping: snapshot.startedAt)
        )
        writer.family(
            "apus_supervisor_loop_lag_seconds",
            "How late the supervisor's loop was.",
            snapshot.supervisor.loopLag
        )
        process()
        reloads()
        workersByState()
    }

    /// The set of names that Prometheus's own client libraries use.
    private func process() {
        writer.family(
            "process_cpu_seconds_total",
            .counter,
            "CPU time of the supervisor.",
            nanosecondsIfKnown: snapshot.supervisor.processorNanoseconds
        )
        writer.familyIfKnown(
            "process_resident_memory_bytes",
            .gauge,
            "Resident memory of the supervisor.",
            snapshot.supervisor.residentBytes
        )
        writer.familyIfKnown(
            "process_open_fds",
            .gauge,
            "Open descriptors of the supervisor.",
            snapshot.limits.descriptorsOpen
        )
        writer.familyIfKnown(
            "process_max_fds",
            .gauge,
            "Descriptors that the supervisor may open.",
            snapshot.limits.descriptors
        )
        writer.family(
            "process_start_time_seconds",
            .gauge,
            "Start of the supervisor, Unix time.",
            UInt64(clamping: snapshot.startedAt)
        )
    }

    private func reloads() {
        writer.family("apus_reloads_total", .counter, "Reloads of the configuration.")
        for (label, count) in [
            ("ok" as StaticString, snapshot.reloadsSucceeded), ("error", snapshot.reloadsFailed),
        ] {
            writer.sample("apus_reloads_total", [("result", .fixed(label))], count)
        }
        writer.family(
            "apus_config_generation",
            .gauge,
            "Number of the configuration in use.",
            UInt64(snapshot.generation)
        )
        writer.family(
            "apus_config_last_reload_successful",
            .gauge,
            "Whether the last reload worked.",
            snapshot.lastReloadSucceeded ? 1 : 0
        )
        writer.familyIfKnown(
            "apus_config_last_reload_success_timestamp_seconds",
            .gauge,
            "When the configuration in use was loaded, Unix time.",
            snapshot.configLoadedAt.map { UInt64(clamping: $0) }
        )
    }

    private func workersByState() {
        writer.family(
            "apus_workers_configured",
            .gauge,
            "Workers that should run.",
            UInt64(clamping: snapshot.workersConfigured)
        )
        writer.family("apus_workers", .gauge, "Workers by state.")
        for state in FleetSnapshot.WorkerState.allCases {
            writer.sample(
                "apus_workers",
                [("state", .fixed(state.label))],
                UInt64(clamping: snapshot.workers(in: state))
            )
        }
        writer.family(
            "apus_worker_restarts_total",
            "Workers replaced, by reason.",
            by: "reason",
            snapshot.restarts
        ) { $0.label }
        writer.family(
            "apus_worker_boot_duration_seconds",
            "From the start of a worker to its readiness.",
            snapshot.bootDuration
        )
        writer.family(
            "apus_workers_cpu_seconds_total",
            .counter,
            "CPU time of all workers, those that ended included.",
            nanosecondsIfKnown: snapshot.endedProcessorNanoseconds.map { ended in
                snapshot.workers.reduce(ended) {
                    $0.addingSaturated($1.processorNanoseconds ?? 0)
                }
            }
        )
        writer.family(
            "apus_drain_remaining_streams",
            .gauge,
            "Streams that a drain waits for.",
            snapshot.drain?.remainingStreams ?? 0
        )
        writer.family(
            "apus_drain_aborted_streams_total",
            "Streams cut because their worker had to end.",
            by: "reason",
            snapshot.streamsAborted
        ) { $0.label }
    }
}
