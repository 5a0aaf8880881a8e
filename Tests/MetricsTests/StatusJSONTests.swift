// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Testing

@testable import Metrics

@Suite struct StatusJSONTests {
    private func document(isFull: Bool = true) -> String {
        let (fleet, snapshot) = someFleet()
        let out = ByteBuffer()
        StatusJSON.append(fleet, snapshot, isFull: isFull, to: out)
        return out.text
    }

    /// What stands at a path like `workers.ready` or `listeners.0.address`.
    private func value(at path: String, _ text: String) throws -> String? {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span, isFinal: true)
        let tape = scanner.tape
        var node = tape.root
        for step in path.split(separator: ".") {
            var found: JSONNode?
            if let index = Int(step), tape.kind(of: node) == .array {
                var position = 0
                for element in tape.elements(of: node) {
                    if position == index { found = element }
                    position += 1
                }
            } else {
                found = tape.member(named: String(step), of: node, in: bytes.span)
            }
            guard let next = found else { return nil }
            node = next
        }
        return String(decoding: bytes[tape.valueRange(of: node)], as: UTF8.self)
    }

    @Test(
        "Fields of the status document",
        arguments: [
            ("version", #""1.2.3""#), ("pid", "77"), ("state", #""running""#),
            ("started_at", "1767323045"), ("uptime_seconds", "61"),
            ("workers.configured", "2"), ("workers.ready", "1"), ("workers.booting", "0"),
            ("workers.backoff", "1"), ("workers.restarts.crash", "5"),
            ("listeners.0.address", #""127.0.0.1:3001""#), ("listeners.0.accepted", "1001"),
            ("listeners.0.accept_queue_limit", "4096"), ("listeners.0.paused_reason", "null"),
            ("handoff.acked", "1000"), ("handoff.lost", "1"), ("handoff.inflight", "0"),
            ("connections.active", "3"), ("connections.accepted", "1001"), ("streams.open", "2"),
            ("requests.total", "2"), ("requests.client_aborts", "1"),
            ("requests.by_route.0.route", #""chat_completions""#),
            ("requests.by_route.0.2xx", "1"), ("requests.by_route.1.4xx", "1"),
            ("latency.total.count", "3"), ("latency.upstream_time.mean_ms", "11.0"),
            ("latency.by_route_and_upstream.0.upstream", #""none""#),
            ("latency.by_route_and_upstream.0.first_byte.p99_ms", "null"),
            ("latency.by_route_and_upstream.1.upstream", #""other""#),
            ("latency.by_route_and_upstream.2.upstream", #""upstream-0""#),
            ("latency.by_route_and_upstream.2.total.count", "1"),
            ("tokens.input", "200"), ("tokens.cached", "100"),
            ("tokens.by_route.0.output", "40"),
            ("upstreams.1.name", #""upstream-0""#), ("upstreams.1.attempts.429", "1"),
            ("upstreams.1.connections.open", "4"), ("upstreams.2.name", #""odd\"\\\nname""#),
            ("dropped.log_lines", "0"),
            ("processes.0.slot", "0"), ("processes.0.pid", "78"),
            ("processes.0.state", #""ready""#), ("processes.0.restarts", "1"),
            ("processes.0.rss", "9000000"), ("processes.0.pss", "4000000"),
            ("processes.0.conns_active", "3"), ("processes.0.streams", "2"),
            ("processes.0.requests", "2"), ("processes.0.last_exit.signal", "9"),
            ("processes.0.last_exit.reason", #""crash""#), ("processes.0.last_exit.code", "null"),
            ("processes.1.pid", "null"), ("processes.1.requests", "null"),
            ("processes.1.last_exit", "null"),
            ("generation", "7"), ("config.hash", #""9f2c41d0""#),
            ("last_reload.ok", "false"), ("last_reload.duration_ms", "3"),
            ("last_reload.error", #""apus.json:1:2: \"x\"""#), ("last_reload.reason", "null"),
            ("reload_history.0.kind", #""reload""#), ("reload_history.1.kind", #""scale""#),
            ("reload_history.1.reason", #""1 to 2 workers""#), ("reload_history.1.error", "null"),
            ("reload_history.1.generation", "7"), ("reload_history.1.at", "1767323040"),
            ("supervisor.rss", "8000000"), ("supervisor.cpu_s", "1.23"),
            ("supervisor.loop_lag.count", "1"),
            ("limits.nofile", "4096"), ("limits.fds_open", "33"), ("limits.somaxconn", "4096"),
            ("limits.cpu_quota", "1.5"), ("limits.mem_max", "null"),
            ("workers.probing", "0"), ("workers.restarts.out_of_memory", "0"),
            ("workers.boot.count", "1"),
            ("drain.active", "true"), ("drain.remaining_streams", "4"),
            ("drain.oldest_stream_s", "12"), ("drain.deadline_left_s", "48"),
            ("drain.aborted_streams.deadline", "1"),
            ("handoff.returned", "2"), ("handoff.revoked", "0"), ("handoff.nack", "0"),
            ("handoff.send_eagain", "5"), ("handoff.duration.count", "1"),
            ("queue.len", "0"), ("queue.oldest_ms", "15"), ("queue.timeouts", "2"),
            ("queue.wait.count", "1"),
            ("connections.rejected", "5"), ("connections.rejected_by_reason.stopping", "3"),
            ("connections.rejected_by_reason.crashed", "0"),
            ("connections.crash_answers.moved", "9"),
            ("connections.crash_answers.stream_ended", "0"),
            ("accept_paused_s.no_descriptors", "1.5"), ("accept_paused_s.full", "0.0"),
            ("processes.0.generation", "1"), ("processes.0.exe_version", #""1.2.3""#),
            ("processes.0.last_tick_ms", "1500"), ("processes.0.loop_lag_us", "250"),
            ("processes.0.cpu_s", "0.5"), ("processes.0.oldest_stream_s", "12"),
            ("processes.0.bytes_queued", "777"), ("processes.0.fd_limit", "4096"),
            ("processes.0.backoff_left_s", "null"), ("processes.1.backoff_left_s", "3"),
            ("processes.0.drain_left_s", "null"), ("processes.0.draining_streams", "null"),
            ("processes.0.last_exit.request_id", #""r-1""#),
            ("processes.0.last_exit.backtrace.1", #""main <\"x\">""#),
            ("processes.0.last_exit.output", #""a warning\nFatal error: \u001b[31m""#),
        ]
    )
    func field(path: String, expected: String) throws {
        let found = try value(at: path, document())
        #expect(found == expected)
    }

    @Test("Quantiles are milliseconds and at most 6 % off")
    func quantiles() throws {
        for (path, exact) in [("total", 12.0), ("first_byte", 3.0), ("upstream_time", 11.0)] {
            for quantile in ["p50_ms", "p90_ms", "p99_ms"] {
                let place = "latency.by_route_and_upstream.2.\(path).\(quantile)"
                let text = try #require(try value(at: place, document()))
                let found = try #require(Double(text))
                #expect(abs(found - exact) / exact <= 0.06, "\(place): \(found)")
            }
        }
    }

    @Test("No object has two members of one name")
    func namesAreUnique() throws {
        let bytes = Array(document().utf8)
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span, isFinal: true)
        let duplicate = scanner.tape.duplicateName(bytes: bytes.span)
        #expect(duplicate == nil)
    }

    @Test("Processes and buckets are listed only on demand")
    func brief() throws {
        let brief = document(isFull: false)
        let processes = try value(at: "processes", brief)
        let buckets = try value(at: "latency.total.buckets", brief)
        #expect(processes == nil)
        #expect(buckets == nil)
        #expect(brief.utf8.count < 8192)
    }

    @Test("Buckets are pairs of milliseconds and a count, the shortest first")
    func buckets() throws {
        let text = document()
        let count = try value(at: "latency.total.count", text)
        var values: [Double] = []
        var sum = 0
        var index = 0
        while let pair = try value(at: "latency.total.buckets.\(index)", text) {
            let parts = pair.dropFirst().dropLast().split(separator: ",")
            values.append(try #require(Double(parts[0])))
            sum += try #require(Int(parts[1]))
            index += 1
        }
        #expect(values == values.sorted() && !values.isEmpty)
        #expect("\(sum)" == count)
    }

    @Test("A backtrace is cut after its innermost frames, and each frame where it is too long")
    func backtrace() {
        let max = FleetSnapshot.Exit.frameBytesMax
        let long = String(repeating: "x", count: max)
        let frames = [long + "y"] + (0..<100).map { "frame \($0)" }
        let exit = FleetSnapshot.Exit(
            code: nil,
            signal: 11,
            reason: .crash,
            at: 0,
            backtrace: frames
        )
        let expected = [long] + frames.dropFirst().prefix(FleetSnapshot.Exit.framesMax - 1)
        #expect(exit.backtrace == expected)
    }
}
