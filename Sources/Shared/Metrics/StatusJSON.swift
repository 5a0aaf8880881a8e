// SPDX-License-Identifier: Apache-2.0

package import Bytes
import JSON

/// The body of `/status`.
///
/// Times of the day are seconds since 1970, spans of time say their unit. Latencies count from the
/// start of the fleet: for the last minutes ask Prometheus. With `isFull` every process is listed.
package struct StatusJSON {
    private let fleet: FleetMetrics
    private let totals: FleetTotals
    private let snapshot: FleetSnapshot

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
            snapshot: snapshot
        )
        var json = JSONWriter(out)
        json.object { json in
            status.supervisor(&json)
            status.workers(&json)
            status.connections(&json)
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
        json.object("config") { json in
            json.member("loaded_at", snapshot.configLoadedAt)
            json.member("reloads_ok", snapshot.reloadsSucceeded)
            json.member("reloads_failed", snapshot.reloadsFailed)
            json.member("last_reload_ok", snapshot.lastReloadSucceeded)
        }
    }

    private func workers(_ json: inout JSONWriter) {
        json.object("workers") { json in
            json.member("configured", snapshot.workersConfigured)
            json.member("reason", snapshot.workersReason)
            for state in FleetSnapshot.WorkerState.allCases {
                json.member(state.label, UInt64(clamping: snapshot.workers(in: state)))
            }
            json.object("restarts") { json in
                for reason in FleetSnapshot.RestartReason.allCases {
                    json.member(reason.label, snapshot.restarts[reason])
                }
            }
        }
    }

    private func connections(_ json: inout JSONWriter) {
        json.array("listeners") { json in
            for listener in snapshot.listeners {
                json.object { json in
                    json.member("address", listener.address)
                    json.member("accepted", listener.accepted)
                    json.member("accept_queue", listener.acceptQueue)
                    json.member("accept_queue_limit", listener.acceptQueueLimit)
                    json.member("paused_reason", listener.pausedReason)
                }
            }
        }
        json.object("handoff") { json in
            json.member("inflight", snapshot.handoffsInFlight)
            for result in FleetSnapshot.HandoffResult.allCases {
                json.member(result.label, snapshot.handoffs[result])
            }
            json.member("blocked", snapshot.handoffsBlocked)
        }
        let accepted = snapshot.listeners.reduce(UInt64(0)) { $0.addingSaturated($1.accepted) }
        json.object("connections") { json in
            json.member("active", totals.sums.value(.connectionsActive))
            json.member("idle", totals.sums.value(.connectionsIdle))
            json.member("accepted", accepted)
            json.member("pending", snapshot.connectionsPending)
            json.member("rejected", snapshot.connectionsRejected)
            json.member("bytes_in", totals.sums.value(.clientBytesIn))
            json.member("bytes_out", totals.sums.value(.clientBytesOut))
        }
        json.object("streams") { $0.member("open", totals.sums.value(.streamsOpen)) }
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
                Self.append(latency.label, totals.sums.histogram(latency), to: &json)
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
    private static func append(
        _ name: StaticString,
        _ histogram: Histogram,
        to json: inout JSONWriter
    ) {
        json.object(name) { json in
            json.member("count", histogram.count)
            let mean = histogram.count > 0 ? histogram.sum / histogram.count : nil
            json.milliseconds("mean_ms", mean)
            json.milliseconds("p50_ms", histogram.quantile(0.5))
            json.milliseconds("p90_ms", histogram.quantile(0.9))
            json.milliseconds("p99_ms", histogram.quantile(0.99))
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

    // MARK: Processes

    private func processes(_ json: inout JSONWriter) {
        json.array("processes") { json in
            for worker in snapshot.workers {
                json.object { Self.append(worker, fleet.worker(worker.id), to: &$0) }
            }
        }
    }

    private static func append(
        _ worker: FleetSnapshot.Worker,
        _ metrics: MetricTotals?,
        to json: inout JSONWriter
    ) {
        json.member("slot", worker.id.slot)
        json.member("generation", Int(worker.id.generation))
        json.member("pid", worker.pid)
        json.member("state", worker.state.label)
        json.member("ready_at", worker.readyAt)
        json.member("last_tick_ms", worker.heartbeatAge)
        json.member("restarts", worker.restarts)
        json.member("rss", worker.residentBytes)
        json.member("pss", worker.proportionalBytes)
        json.milliseconds("cpu_ms", worker.processorNanoseconds)
        json.member("fds", worker.openDescriptors)
        json.member("conns", worker.connections)
        json.member("conns_active", metrics?.value(.connectionsActive))
        json.member("conns_idle", metrics?.value(.connectionsIdle))
        json.member("streams", metrics?.value(.streamsOpen))
        json.member("requests", metrics?.requests)
        json.member("requests_in_flight", metrics?.value(.requestsInFlight))
        json.member("bytes_out", metrics?.value(.clientBytesOut))
        guard let exit = worker.lastExit else {
            json.name("last_exit")
            json.null()
            return
        }
        json.object("last_exit") { json in
            json.member("code", exit.code)
            json.member("signal", exit.signal)
            json.member("reason", exit.reason.label)
            json.member("at", exit.at)
        }
    }
}
