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

    @Test("Processes are listed only on demand")
    func brief() throws {
        let found = try value(at: "processes", document(isFull: false))
        #expect(found == nil)
    }
}
