// SPDX-License-Identifier: Apache-2.0
import Bytes
import Testing

@testable import Metrics

/// A fleet of two slots with one busy worker, and what its supervisor knows.
func someFleet() -> (FleetMetrics, FleetSnapshot) {
    var fleet = FleetMetrics()
    fleet.define(upstreams: [
        UpstreamDefinition(name: "upstream-0", provider: "openai"),
        UpstreamDefinition(name: "odd\"\\\nname", provider: "anthropic"),
    ])
    let first = WorkerID(slot: 0, generation: 1)
    fleet.workerStarted(first)
    fleet.received(ByteBuffer(encoded(busyMetrics())), from: first)

    var snapshot = FleetSnapshot(version: "1.2.3", pid: 77, startedAt: 1_767_323_045)
    snapshot.state = .running
    snapshot.uptimeSeconds = 61
    snapshot.workersConfigured = 2
    var ready = FleetSnapshot.Worker(id: first, state: .ready)
    ready.pid = 78
    ready.residentBytes = 9_000_000
    ready.proportionalBytes = 4_000_000
    ready.heartbeatAge = 1500
    ready.restarts = 1
    ready.lastExit = FleetSnapshot.Exit(
        code: nil,
        signal: 9,
        reason: .crash,
        at: 1_767_323_000,
        requestID: "r-1",
        backtrace: ["ClientConnection.ready(_:token:)", "main <\"x\">"],
        output: "a warning\nFatal error: \u{1B}[31m"
    )
    let waiting = FleetSnapshot.Worker(id: WorkerID(slot: 1, generation: 4), state: .backoff)
    snapshot.workers = [ready, waiting]
    snapshot.restarts[.crash] = 5
    snapshot.handoffs[.acknowledged] = 1000
    snapshot.handoffs[.lost] = 1
    snapshot.handoffs[.returned] = 2
    fillSupervisor(&snapshot)
    var listener = FleetSnapshot.Listener(address: "127.0.0.1:3001")
    listener.accepted = 1001
    listener.acceptQueue = 0
    listener.acceptQueueLimit = 4096
    snapshot.listeners = [listener]
    return (fleet, snapshot)
}

/// What `someFleet` knows beside workers and connections.
private func fillSupervisor(_ snapshot: inout FleetSnapshot) {
    snapshot.generation = 7
    snapshot.configHash = "9f2c41d0"
    snapshot.reloads = [
        FleetSnapshot.Reload(
            at: 1_767_323_010,
            kind: .reload,
            isSuccessful: false,
            generation: 6,
            reason: "apus.json:1:2: \"x\"",
            durationMilliseconds: 3
        ),
        FleetSnapshot.Reload(
            at: 1_767_323_040,
            kind: .scale,
            isSuccessful: true,
            generation: 7,
            reason: "1 to 2 workers",
            durationMilliseconds: 250
        ),
    ]
    snapshot.lastReload = snapshot.reloads.first
    snapshot.supervisor.residentBytes = 8_000_000
    snapshot.supervisor.processorNanoseconds = 1_230_000_000
    snapshot.supervisor.loopLag.record(nanoseconds: 40_000)
    snapshot.limits.descriptors = 4096
    snapshot.limits.descriptorsOpen = 33
    snapshot.limits.somaxconn = 4096
    snapshot.limits.processorMillicores = 1500
    snapshot.endedProcessorNanoseconds = 2_000_000_000
    snapshot.workers[0].processorNanoseconds = 500_000_000
    snapshot.workers[0].loopLagMicroseconds = 250
    snapshot.workers[0].oldestStreamSeconds = 12
    snapshot.workers[0].queuedBytes = 777
    snapshot.workers[0].descriptorLimit = 4096
    snapshot.workers[0].version = "1.2.3"
    snapshot.workers[1].backoffSeconds = 3
    snapshot.drain = FleetSnapshot.Drain(
        remainingStreams: 4,
        oldestStreamSeconds: 12,
        deadlineSeconds: 48
    )
    snapshot.streamsAborted[.deadline] = 1
    snapshot.rejections[.queueAge] = 2
    snapshot.rejections[.stopping] = 3
    snapshot.crashAnswers[.moved] = 9
    snapshot.acceptPauses[.descriptors] = 1_500_000_000
    snapshot.handoffsBlocked = 5
    snapshot.handoffDuration.record(nanoseconds: 90_000)
    snapshot.pendingWait.record(nanoseconds: 2_000_000)
    snapshot.pendingTimeouts = 2
    snapshot.pendingOldestMilliseconds = 15
    snapshot.bootDuration.record(nanoseconds: 30_000_000)
}

@Suite struct PrometheusTextTests {
    private func exposition() -> String {
        let (fleet, snapshot) = someFleet()
        let out = ByteBuffer()
        PrometheusText.append(fleet, snapshot, to: out)
        return out.text
    }

    @Test(
        "Samples that must be there",
        arguments: [
            #"apus_build_info{version="1.2.3",revision=""} 1"#,
            "apus_start_time_seconds 1767323045",
            "apus_workers_configured 2",
            #"apus_workers{state="ready"} 1"#,
            #"apus_workers{state="failed"} 0"#,
            #"apus_workers{state="probing"} 0"#,
            #"apus_worker_restarts_total{reason="crash"} 5"#,
            #"apus_worker_restarts_total{reason="hang"} 0"#,
            #"apus_worker_restarts_total{reason="stopped"} 0"#,
            #"apus_worker_restarts_total{reason="protocol"} 0"#,
            #"apus_worker_restarts_total{reason="recycle"} 0"#,
            #"apus_worker_restarts_total{reason="out_of_memory"} 0"#,
            "apus_config_generation 7",
            #"apus_supervisor_loop_lag_seconds_bucket{le="0.00005"} 1"#,
            "apus_supervisor_loop_lag_seconds_sum 0.00004",
            "process_cpu_seconds_total 1.23", "process_resident_memory_bytes 8000000",
            "process_open_fds 33", "process_max_fds 4096",
            "process_start_time_seconds 1767323045",
            #"apus_worker_boot_duration_seconds_bucket{le="0.05"} 1"#,
            "apus_workers_cpu_seconds_total 2.5",
            "apus_drain_remaining_streams 4",
            #"apus_drain_aborted_streams_total{reason="deadline"} 1"#,
            #"apus_connections_rejected_total{reason="queue_age"} 2"#,
            #"apus_connections_rejected_total{reason="no_descriptors"} 0"#,
            #"apus_connections_rejected_total{reason="stopping"} 3"#,
            #"apus_connections_rejected_total{reason="crashed"} 0"#,
            #"apus_connections_handoff_total{result="returned"} 2"#,
            #"apus_connections_handoff_total{result="revoked"} 0"#,
            "apus_handoff_send_eagain_total 5",
            "apus_handoff_duration_seconds_count 1",
            #"apus_handoff_duration_seconds_bucket{le="0.00005"} 0"#,
            #"apus_handoff_duration_seconds_bucket{le="0.0001"} 1"#,
            #"apus_crash_answers_total{kind="unavailable"} 0"#,
            #"apus_crash_answers_total{kind="stream_ended"} 0"#,
            #"apus_crash_answers_total{kind="moved"} 9"#,
            #"apus_crash_answers_total{kind="closed"} 0"#,
            #"apus_accept_paused_seconds_total{reason="no_descriptors"} 1.5"#,
            #"apus_accept_paused_seconds_total{reason="full"} 0"#,
            "apus_pending_timeouts_total 2",
            #"apus_pending_wait_seconds_bucket{le="0.0025"} 1"#,
            #"apus_worker_loop_lag_seconds{slot="0"} 0.00025"#,
            #"apus_worker_oldest_stream_seconds{slot="0"} 12"#,
            #"apus_worker_queued_bytes{slot="0"} 777"#,
            #"apus_worker_max_fds{slot="0"} 4096"#,
            #"apus_worker_restarts_total{reason="reload"} 0"#,
            #"apus_connections_accepted_total{listener="127.0.0.1:3001"} 1001"#,
            #"apus_connections_handoff_total{result="acked"} 1000"#,
            #"apus_worker_connections{slot="0",state="active"} 3"#,
            #"apus_worker_connections{slot="1",state="idle"} 0"#,
            #"apus_worker_streams{slot="0"} 2"#,
            #"apus_worker_heartbeat_age_seconds{slot="0"} 1.5"#,
            #"apus_requests_total{route="chat_completions",code_class="2xx"} 1"#,
            #"apus_requests_total{route="embeddings",code_class="5xx"} 0"#,
            #"apus_client_aborts_total{route="chat_completions"} 1"#,
            #"apus_tokens_total{upstream="upstream-0",type="cached"} 50"#,
            #"apus_route_tokens_total{route="chat_completions",type="output"} 40"#,
            #"apus_upstream_requests_total{upstream="upstream-0",result="429"} 1"#,
            #"apus_upstream_requests_total{upstream="odd\"\\\nname",result="ok"} 0"#,
            #"apus_upstream_connections{upstream="other"} 4"#,
            #"apus_request_duration_seconds_bucket{route="chat_completions",upstream="upstream-0",le="0.01"} 0"#,
            #"apus_request_duration_seconds_bucket{route="chat_completions",upstream="upstream-0",le="0.025"} 1"#,
            #"apus_request_duration_seconds_bucket{route="chat_completions",upstream="upstream-0",le="+Inf"} 1"#,
            #"apus_request_duration_seconds_sum{route="chat_completions",upstream="upstream-0"} 0.012"#,
            #"apus_request_duration_seconds_sum{route="not_found",upstream="none"} 0.00004"#,
            #"apus_time_to_first_byte_seconds_count{route="chat_completions",upstream="other"} 1"#,
            #"gen_ai_client_token_usage_bucket{gen_ai_operation_name="chat",gen_ai_provider_name="openai",upstream="upstream-0",gen_ai_token_type="input",le="64"} 0"#,
            #"gen_ai_client_token_usage_bucket{gen_ai_operation_name="chat",gen_ai_provider_name="openai",upstream="upstream-0",gen_ai_token_type="input",le="256"} 1"#,
            #"gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",upstream="upstream-0",gen_ai_token_type="input"} 100"#,
            #"gen_ai_client_operation_duration_seconds_bucket{gen_ai_operation_name="chat",gen_ai_provider_name="openai",upstream="upstream-0",le="0.02"} 1"#,
            "apus_log_lines_dropped_total 0",
            "apus_metrics_records_corrupt_total 0",
        ]
    )
    func sample(line: String) {
        #expect(exposition().split(separator: "\n").contains { $0 == line })
    }

    @Test("The text obeys the grammar of the format")
    func grammar() throws {
        let text = exposition()
        #expect(text.hasSuffix("\n"))
        let sample =
            #/([a-z_][a-z0-9_]*)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? ([0-9]+(?:\.[0-9]+)?)/#
        var family = ""
        var type = ""
        var families: Set<String> = []
        var series: Set<String> = []
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("# HELP ") {
                family = String(line.split(separator: " ")[2])
                #expect(families.insert(family).inserted, "\(family) twice")
            } else if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                #expect(words[2] == family)
                type = String(words[3])
            } else {
                let match = try #require(line.wholeMatch(of: sample), "\(line)")
                let name = String(match.1)
                #expect(series.insert(name + (match.2 ?? "")).inserted, "\(line) twice")
                let allowed =
                    type == "histogram"
                    ? ["_bucket", "_sum", "_count"].map { family + $0 } : [family]
                #expect(allowed.contains(name), "\(name) in the family \(family)")
                #expect(type != "counter" || name.hasSuffix("_total"))
            }
        }
        #expect(families.count > 35)
    }

    @Test("Buckets of every histogram never fall and end with the count")
    func bucketsAreCumulative() {
        var values: [UInt64] = []
        var histograms = 0
        for line in exposition().split(separator: "\n") {
            guard let value = line.split(separator: " ").last.flatMap({ UInt64($0) }) else {
                continue
            }
            if line.contains("_bucket{") {
                values.append(value)
            } else if line.contains("_count"), !values.isEmpty {
                #expect(values == values.sorted())
                #expect(values.last == value)
                values = []
                histograms += 1
            }
        }
        // Three latencies of two upstreams, one of none, and of two upstreams one duration and two
        // usages; "other" has a provider of its own.
        // The supervisor has four without labels.
        #expect(histograms == 7 + 2 + 4 + 4)
    }

    @Test("A fleet that just started shows its fixed series with 0")
    func startsAtZero() {
        let out = ByteBuffer()
        PrometheusText.append(
            FleetMetrics(),
            FleetSnapshot(version: "0", pid: 1, startedAt: 0),
            to: out
        )
        let lines = out.text.split(separator: "\n")
        let requests = lines.filter { $0.hasPrefix("apus_requests_total{") }
        #expect(requests.count == Route.allCases.count * StatusClass.allCases.count)
        #expect(requests.allSatisfy { $0.hasSuffix(" 0") })
        for name in [
            "apus_worker_restarts_total{", "apus_connections_rejected_total{",
            "apus_connections_handoff_total{", "apus_crash_answers_total{",
            "apus_accept_paused_seconds_total{", "apus_drain_aborted_streams_total{",
            "apus_handoff_duration_seconds_count", "apus_pending_wait_seconds_count",
            "apus_supervisor_loop_lag_seconds_count", "apus_worker_boot_duration_seconds_count",
            "apus_pending_timeouts_total", "apus_handoff_send_eagain_total",
            "apus_drain_remaining_streams",
        ] {
            let series = lines.filter { $0.hasPrefix(name) }
            #expect(!series.isEmpty && series.allSatisfy { $0.hasSuffix(" 0") }, "\(name)")
        }
    }

    @Test("However often workers are replaced and whatever they report, series stay few")
    func boundedLabels() {
        func series(_ snapshot: FleetSnapshot) -> Int {
            let out = ByteBuffer()
            PrometheusText.append(FleetMetrics(), snapshot, to: out)
            return out.text.split(separator: "\n").count { !$0.hasPrefix("#") }
        }
        var (_, snapshot) = someFleet()
        let before = series(snapshot)
        for generation in 2..<200 as Range<UInt32> {
            snapshot.workers[0].id.generation = generation
            snapshot.workers[0].pid = Int(generation)
            snapshot.workers[0].version = "1.2.\(generation)"
            snapshot.workers[0].lastExit = FleetSnapshot.Exit(
                code: Int(generation),
                signal: nil,
                reason: .exit,
                at: 1,
                requestID: "r-\(generation)",
                backtrace: ["frame \(generation)"]
            )
            snapshot.generation = generation
            snapshot.configHash = "\(generation)"
            snapshot.reloads.append(snapshot.reloads[0])
        }
        #expect(series(snapshot) == before)
    }

    @Test("A worker that is gone takes its gauges along, and no counter falls")
    func deadWorkers() {
        func values(_ fleet: FleetMetrics, _ snapshot: FleetSnapshot) -> [Substring: Double] {
            let out = ByteBuffer()
            PrometheusText.append(fleet, snapshot, to: out)
            var values: [Substring: Double] = [:]
            var counters: Set<Substring> = []
            for line in Substring(out.text).split(separator: "\n") {
                let words = line.split(separator: " ")
                if line.hasPrefix("# TYPE"), words[3] == "counter" { counters.insert(words[2]) }
                guard !line.hasPrefix("#"), let name = line.split(separator: "{").first else {
                    continue
                }
                let family = name.split(separator: " ")[0]
                if counters.contains(family) { values[words[0]] = Double(words[1]) }
            }
            return values
        }
        var (fleet, snapshot) = someFleet()
        let before = values(fleet, snapshot)
        #expect(before.count > 100)
        fleet.workerEnded(snapshot.workers[0].id)
        let ended = snapshot.workers.removeFirst()
        snapshot.endedProcessorNanoseconds? += ended.processorNanoseconds ?? 0
        let after = values(fleet, snapshot)
        for (name, value) in before { #expect(after[name] ?? -1 >= value, "\(name)") }
        let out = ByteBuffer()
        PrometheusText.append(fleet, snapshot, to: out)
        #expect(!out.text.contains(#"{slot="0""#))
        #expect(out.text.contains("\napus_streams_open 0\n"))
    }
}
