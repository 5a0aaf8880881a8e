// SPDX-License-Identifier: Apache-2.0

package import Bytes
import JSON

/// The body of `/status`.
///
/// Times of the day are seconds since 1970, spans of time say their unit. Latencies count from the
/// start of the fleet. With `isFull` every process is listed, and the latencies of all requests
/// come with their buckets, from which a reader that asks twice gets those in between.
package struct StatusJSON {
    let fleet: FleetMetrics
    let totals: FleetTotals
    let snapshot: FleetSnapshot
    private let isFull: Bool

    /// Appends the document to `out`.
    package static func append(
        _ fleet: FleetMetrics,
        _ snapshot: FleetSnapshot,
        isFull: Bool,
        to out: ByteBuffer
    ) {
        let status = StatusJSON(
            fleet: fleet,
            totals: fleet.totals(),
            snapshot: snapshot,
            isFull: isFull
        )
        var json = JSONWriter(out)
        json.object { json in
            status.supervisor(&json)
            status.configuration(&json)
            status.workers(&json)
            status.drain(&json)
            status.connections(&json)
            status.handoff(&json)
            status.requests(&json)
            status.latencies(&json)
            status.tokens(&json)
            status.upstreams(&json)
            status.faults(&json)
            if isFull { status.processes(&json) }
        }
        out.append("\n")
    }

    // MARK: Supervisor

    private func supervisor(_ json: inout JSONWriter) {
        json.member("version", snapshot.version)
        json.member("revision", snapshot.revision)
        json.member("pid", snapshot.pid)
        json.member("state", snapshot.state.label)
        json.member("started_at", snapshot.startedAt)
        json.member("uptime_seconds", snapshot.uptimeSeconds)
        json.object("supervisor") { json in
            json.member("rss", snapshot.supervisor.residentBytes)
            json.seconds("cpu_s", snapshot.supervisor.processorNanoseconds)
            Self.append("loop_lag", snapshot.supervisor.loopLag, to: &json)
        }
        json.object("limits") { json in
            json.member("nofile", snapshot.limits.descriptors)
            json.member("fds_open", snapshot.limits.descriptorsOpen)
            json.member("somaxconn", snapshot.limits.somaxconn)
            json.thousandths("cpu_quota", snapshot.limits.processorMillicores)
            json.member("mem_max", snapshot.limits.memoryBytes)
        }
    }

    private func configuration(_ json: inout JSONWriter) {
        json.member("generation", Int(snapshot.generation))
        json.object("config") { json in
            json.member("hash", snapshot.configHash)
            json.member("loaded_at", snapshot.configLoadedAt)
            json.member("reloads_ok", snapshot.reloadsSucceeded)
            json.member("reloads_failed", snapshot.reloadsFailed)
            json.member("last_reload_ok", snapshot.lastReloadSucceeded)
        }
        json.name("last_reload")
        if let reload = snapshot.lastReload {
            json.object { Self.append(reload, to: &$0) }
        } else {
            json.null()
        }
        json.array("reload_history") { json in
            for reload in snapshot.reloads {
                json.object { Self.append(reload, to: &$0) }
            }
        }
    }

    private static func append(_ reload: FleetSnapshot.Reload, to json: inout JSONWriter) {
        json.member("at", reload.at)
        json.member("kind", reload.kind.label)
        json.member("ok", reload.isSuccessful)
        json.member("generation", Int(reload.generation))
        json.member("reason", reload.isSuccessful ? reload.reason : nil)
        json.member("error", reload.isSuccessful ? nil : reload.reason)
        json.member("duration_ms", reload.durationMilliseconds)
    }

    // MARK: Requests

    private func requests(_ json: inout JSONWriter) {
        let sums = totals.sums
        let aborts = Route.allCases.reduce(UInt64(0)) { $0.addingSaturated(sums.aborts($1)) }
        json.object("requests") { json in
            json.member("total", sums.requests)
            json.member("in_flight", sums.value(.requestsInFlight))
            json.member("client_aborts", aborts)
            json.array("by_route") { json in
                for route in Route.allCases {
                    let counts = StatusClass.allCases.map { sums.requests(route, $0) }
                    guard counts.contains(where: { $0 > 0 }) else { continue }
                    json.object { json in
                        json.member("route", route.label)
                        for (kind, count) in zip(StatusClass.allCases, counts) {
                            json.member(kind.label, count)
                        }
                        json.member("client_aborts", sums.aborts(route))
                        json.object("latency") { json in
                            for latency in Latency.allCases {
                                let values = sums.histogram(latency, route: route)
                                Self.append(latency.label, values, to: &json)
                            }
                        }
                    }
                }
            }
        }
    }

    private func latencies(_ json: inout JSONWriter) {
        json.object("latency") { json in
            for latency in Latency.allCases {
                Self.append(
                    latency.label,
                    totals.sums.histogram(latency),
                    withBuckets: isFull,
                    to: &json
                )
            }
            json.array("by_route_and_upstream") { json in
                for (definition, block) in totals.upstreams {
                    for route in Route.allCases
                    where block.histogram(route, .total).count > 0 {
                        json.object { json in
                            json.member("route", route.label)
                            json.member("upstream", definition.name)
                            for latency in Latency.allCases {
                                Self.append(
                                    latency.label,
                                    block.histogram(route, latency),
                                    to: &json
                                )
                            }
                        }
                    }
                }
            }
        }
    }

    /// Count, mean and quantiles in milliseconds; the latter are null without values.
    ///
    /// Buckets are pairs of a value in milliseconds that stands for them all, and a count.
    static func append(
        _ name: StaticString,
        _ histogram: Histogram,
        withBuckets: Bool = false,
        to json: inout JSONWriter
    ) {
        json.object(name) { json in
            json.member("count", histogram.count)
            let mean = histogram.count > 0 ? histogram.sum / histogram.count : nil
            json.milliseconds("mean_ms", mean)
            json.milliseconds("p50_ms", histogram.quantile(0.5))
            json.milliseconds("p90_ms", histogram.quantile(0.9))
            json.milliseconds("p99_ms", histogram.quantile(0.99))
            guard withBuckets else { return }
            json.array("buckets") { json in
                for (index, count) in histogram.buckets.enumerated() where count > 0 {
                    json.array { json in
                        json.value(milliseconds: Histogram.estimate(bucket: index))
                        json.value(UInt(count))
                    }
                }
            }
        }
    }

    private func tokens(_ json: inout JSONWriter) {
        let sums = totals.sums
        json.object("tokens") { json in
            for type in TokenType.allCases {
                json.member(type.label, sums.tokens(type))
            }
            json.array("by_route") { json in
                for route in Route.allCases where route.operation != nil {
                    let counts = TokenType.allCases.map { sums.tokens(route, $0) }
                    guard counts.contains(where: { $0 > 0 }) else { continue }
                    json.object { json in
                        json.member("route", route.label)
                        for (type, count) in zip(TokenType.allCases, counts) {
                            json.member(type.label, count)
                        }
                    }
                }
            }
        }
    }

    private func upstreams(_ json: inout JSONWriter) {
        json.array("upstreams") { json in
            for (definition, block) in totals.upstreams where definition != .none {
                json.object { json in
                    json.member("name", definition.name)
                    json.member("provider", definition.provider)
                    json.object("attempts") { json in
                        for result in UpstreamResult.allCases {
                            json.member(result.label, block.attempts(result))
                        }
                    }
                    json.object("tokens") { json in
                        for type in TokenType.allCases {
                            json.member(type.label, block.tokens(type))
                        }
                    }
                    json.object("connections") { json in
                        json.member("open", block.value(.connectionsOpen))
                        json.member("created", block.value(.connectionsCreated))
                        json.member("reused", block.value(.connectionsReused))
                        json.member("stale_retries", block.value(.staleRetries))
                    }
                }
            }
        }
    }

    private func faults(_ json: inout JSONWriter) {
        json.object("dropped") { json in
            json.member("log_lines", totals.sums.value(.logLinesDropped))
            json.member("latencies", totals.sums.value(.latenciesDropped))
            json.member("metrics_records", totals.sums.value(.metricsRecordsDropped))
            json.member("metrics_records_lost", totals.faults.recordsLost)
            json.member("metrics_records_corrupt", totals.faults.recordsCorrupt)
        }
    }
}
