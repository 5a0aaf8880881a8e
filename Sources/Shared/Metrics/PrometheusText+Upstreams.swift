// SPDX-License-Identifier: Apache-2.0

/// Families by upstream, and what went wrong with metrics and logs.
extension PrometheusText {
    func upstreams() {
        writer.family("apus_upstream_requests_total", .counter, "Upstream attempts, by result.")
        for (definition, block) in totals.upstreams where definition != .none {
            for result in UpstreamResult.allCases {
                writer.sample(
                    "apus_upstream_requests_total",
                    [("upstream", .text(definition.name)), ("result", .fixed(result.label))],
                    block.attempts(result)
                )
            }
        }
        counter(
            "apus_upstream_connections_created_total",
            .connectionsCreated,
            "Connections made."
        )
        counter(
            "apus_upstream_connections_reused_total",
            .connectionsReused,
            "Attempts on a pooled connection."
        )
        counter(
            "apus_upstream_stale_retries_total",
            .staleRetries,
            "Attempts repeated because a pooled connection had died."
        )
        counter("apus_upstream_received_bytes_total", .bytesIn, "Bytes received from upstreams.")
        counter("apus_upstream_sent_bytes_total", .bytesOut, "Bytes sent to upstreams.")
        writer.family("apus_upstream_connections", .gauge, "Open connections to upstreams.")
        for (definition, block) in totals.upstreams where definition != .none {
            writer.sample(
                "apus_upstream_connections",
                [("upstream", .text(definition.name))],
                block.value(.connectionsOpen)
            )
        }
    }

    private func counter(_ name: StaticString, _ counter: UpstreamCounter, _ help: StaticString) {
        writer.family(name, .counter, help)
        for (definition, block) in totals.upstreams where definition != .none {
            writer.sample(name, [("upstream", .text(definition.name))], block.value(counter))
        }
    }

    func faults() {
        let sums = totals.sums
        for (name, value, help) in [
            (
                "apus_log_lines_dropped_total" as StaticString, sums.value(.logLinesDropped),
                "Log lines dropped because their reader was too slow." as StaticString
            ),
            (
                "apus_metrics_records_dropped_total", sums.value(.metricsRecordsDropped),
                "Metrics records that a worker could not send."
            ),
            (
                "apus_metrics_records_lost_total", totals.faults.recordsLost,
                "Metrics records missing in a worker's sequence."
            ),
            (
                "apus_metrics_records_corrupt_total", totals.faults.recordsCorrupt,
                "Metrics records that were refused."
            ),
            (
                "apus_latencies_dropped_total", sums.value(.latenciesDropped),
                "Latencies beyond the limit of series per worker."
            ),
        ] {
            writer.family(name, .counter, help)
            writer.sample(name, value)
        }
    }
}
