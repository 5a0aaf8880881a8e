// SPDX-License-Identifier: Apache-2.0

package import Bytes

/// The body of `/metrics`.
///
/// Series whose labels are fixed exist from the start with 0, so that a rate sees the first event.
/// Series by route and upstream appear with their first value. Quantiles are not written: they
/// cannot be added over hosts, and Prometheus computes them from the histograms.
package struct PrometheusText {
    package static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    let writer: PrometheusWriter
    let fleet: FleetMetrics
    let totals: FleetTotals
    let snapshot: FleetSnapshot

    /// Appends the whole exposition to `out`.
    package static func append(
        _ fleet: FleetMetrics,
        _ snapshot: FleetSnapshot,
        to out: ByteBuffer
    ) {
        let text = PrometheusText(
            writer: PrometheusWriter(out: out),
            fleet: fleet,
            totals: fleet.totals(),
            snapshot: snapshot
        )
        text.supervisor()
        text.connections()
        text.workers()
        text.requests()
        text.latencies()
        text.tokens()
        text.upstreams()
        text.faults()
        text.openTelemetry()
    }

    func requests() {
        let sums = totals.sums
        writer.family("apus_requests_total", .counter, "Requests answered, by status class.")
        for route in Route.allCases {
            for status in StatusClass.allCases {
                writer.sample(
                    "apus_requests_total",
                    [("route", .fixed(route.label)), ("code_class", .fixed(status.label))],
                    sums.requests(route, status)
                )
            }
        }
        writer.family(
            "apus_client_aborts_total",
            .counter,
            "Requests whose client left before the end."
        )
        for route in Route.allCases {
            writer.sample(
                "apus_client_aborts_total",
                [("route", .fixed(route.label))],
                sums.aborts(route)
            )
        }
        writer.family("apus_requests_in_flight", .gauge, "Requests under way.")
        writer.sample("apus_requests_in_flight", sums.value(.requestsInFlight))
        writer.family("apus_streams_open", .gauge, "Streamed answers under way.")
        writer.sample("apus_streams_open", sums.value(.streamsOpen))
        writer.family("apus_request_bytes_total", .counter, "Bytes received from clients.")
        writer.sample("apus_request_bytes_total", sums.value(.clientBytesIn))
        writer.family("apus_response_bytes_total", .counter, "Bytes sent to clients.")
        writer.sample("apus_response_bytes_total", sums.value(.clientBytesOut))
    }

    func latencies() {
        latency("apus_request_duration_seconds", .total, "Time from request to end of answer.")
        latency("apus_time_to_first_byte_seconds", .firstByte, "Time from request to content.")
        latency("apus_upstream_duration_seconds", .upstream, "Time of the upstream's answer.")
    }

    private func latency(_ name: StaticString, _ latency: Latency, _ help: StaticString) {
        writer.family(name, .histogram, help)
        for (definition, block) in totals.upstreams {
            for route in Route.allCases {
                let histogram = block.histogram(route, latency)
                guard histogram.count > 0 else { continue }
                writer.histogram(
                    name,
                    [("route", .fixed(route.label)), ("upstream", .text(definition.name))],
                    histogram,
                    .latency
                )
            }
        }
    }

    func tokens() {
        writer.family("apus_tokens_total", .counter, "Tokens by the upstream's own count.")
        for (definition, block) in totals.upstreams where definition != .none {
            for type in TokenType.allCases {
                writer.sample(
                    "apus_tokens_total",
                    [("upstream", .text(definition.name)), ("type", .fixed(type.label))],
                    block.tokens(type)
                )
            }
        }
        writer.family("apus_route_tokens_total", .counter, "The same tokens by route.")
        for route in Route.allCases where route.operation != nil {
            for type in TokenType.allCases {
                writer.sample(
                    "apus_route_tokens_total",
                    [("route", .fixed(route.label)), ("type", .fixed(type.label))],
                    totals.sums.tokens(route, type)
                )
            }
        }
    }
}
