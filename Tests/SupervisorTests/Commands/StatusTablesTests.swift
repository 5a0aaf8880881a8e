// SPDX-License-Identifier: Apache-2.0
import Bytes
import System
import Testing

@testable import Supervisor

@Suite struct StatusTablesTests {
    private static let document = """
        {"version":"0.1.0","pid":77,"state":"degraded","started_at":1000,"uptime_seconds":3723,
        "config":{"last_reload_ok":false},
        "workers":{"configured":3,"reason":"2 x 1 cores + 1 (affinity 1)","booting":0,"ready":2,
          "draining":0,"backoff":1,"failed":0,"restarts":{"crash":4,"exit":0,"reload":2}},
        "listeners":[
          {"address":"127.0.0.1:3001","accepted":1234,"accept_queue":0,"accept_queue_limit":4096,
           "paused_reason":null},
          {"address":"unix:/run/a","accepted":1,"accept_queue":null,"accept_queue_limit":null,
           "paused_reason":"full"}],
        "connections":{"active":3,"idle":12,"pending":1,"rejected":2,
          "rejected_by_reason":{"queue_age":2,"stopping":0},
          "crash_answers":{"unavailable":2,"stream_ended":0,"moved":9,"closed":0}},
        "generation":3,
        "last_reload":{"at":4711,"ok":false,"error":"no such upstream","duration_ms":3},
        "reload_history":[
          {"at":1000,"kind":"scale","ok":true,"reason":"2 to 3 workers","generation":2,
           "duration_ms":250},
          {"at":4711,"kind":"reload","ok":false,"error":"no such upstream","generation":3,
           "duration_ms":3}],
        "drain":{"active":true,"remaining_streams":4,"oldest_stream_s":75,"deadline_left_s":48,
          "aborted_streams":{"deadline":1}},
        "handoff":{"acked":1200,"inflight":1,"requeued":2,"returned":1,"revoked":0,"lost":0},
        "queue":{"len":1,"oldest_ms":15},
        "streams":{"open":2},
        "requests":{"total":4711,"in_flight":4,"client_aborts":5,"by_route":[
          {"route":"chat_completions","1xx":0,"2xx":4700,"3xx":0,"4xx":3,"5xx":2,"client_aborts":5,
           "latency":{"total":{"p50_ms":12.34,"p90_ms":250.5,"p99_ms":1503.2},
                      "first_byte":{"p50_ms":3.456}}},
          {"route":"not_found","1xx":0,"2xx":0,"3xx":0,"4xx":6,"5xx":0,"client_aborts":0,
           "latency":{"total":{"p50_ms":null},"first_byte":{"p50_ms":null}}}]},
        "latency":{"total":{"p50_ms":12.34,"p90_ms":250.5,"p99_ms":1503.2},
          "first_byte":{"p50_ms":null,"p90_ms":null,"p99_ms":null}},
        "tokens":{"input":900,"output":80,"cached":7,"reasoning":0},
        "upstreams":[{"name":"op\\u001b[31men","attempts":{"ok":4702,"429":1,"5xx":2,"timeout":1},
          "connections":{"open":9,"reused":4000},"tokens":{"input":900,"output":80}}],
        "processes":[
          {"slot":0,"pid":78,"state":"ready","ready_at":1001,"restarts":4,"conns":8,"streams":2,
           "requests":4000,"rss":12268339,"pss":3565158,"loop_lag_us":250,
           "last_exit":{"code":null,"signal":11,"reason":"crash","at":4700,"request_id":"r-1",
             "backtrace":["one","two\\u001b","three","four"],
             "output":"not shown\\na\\n\\nb\\u001b\\nFatal error: c"}},
          {"slot":2,"pid":null,"state":"backoff","ready_at":null,"restarts":0,"conns":0,
           "streams":null,"requests":null,"rss":null,"pss":null,"backoff_left_s":3,
           "last_exit":{"code":1,"signal":null,"reason":"boot_failed","at":4722}}]}
        """

    private func tables(
        _ text: String,
        trend: StatusTrend = StatusTrend(),
        isColoured: Bool = false
    ) throws -> StatusTables {
        let reader = try #require(StatusReader(Array(text.utf8)))
        return StatusTables(
            reader,
            address: "127.0.0.1:3002",
            trend: trend,
            isColoured: isColoured
        )
    }

    @Test("A document as tables")
    func everything() throws {
        let expected = """
            apus 0.1.0 at 127.0.0.1:3002: degraded, up 1h 2m, pid 77, generation 3
            fleet        R W   R ready, W backoff
            workers      2 of 3 ready, 1 backoff; 2 x 1 cores + 1 (affinity 1)
            requests     4711, 4 in flight, 2 streams, 5 given up by clients
            errors       5xx 2, 4xx 9
            latency      p50 12.3 ms, p90 251 ms, p99 1.50 s since the start
            connections  3 active, 12 idle, 1 pending (oldest 15.0 ms), 2 rejected (2 queue age)
            handoff      1200 done, 1 under way, 3 given on, 0 lost
            listening    127.0.0.1:3001, 1234 accepted, 0 of 4096 waiting
            listening    unix:/run/a, 1 accepted, paused: full
            tokens       900 in (7 cached), 80 out (0 reasoning)
            restarts     4 crash, 2 reload
            dead workers 2 unavailable, 9 moved
            drain        4 streams to go, oldest 1m 15s, cut in 48s; cut streams: 1 deadline
            reload       failed: no such upstream, 12s ago in 3.00 ms

            SLOT  PID  STATE          UP  RESTARTS  CONNS  STREAMS  REQUESTS      LAG   MEMORY
               0   78  ready       1h 2m         4      8        2      4000  0.25 ms  3.4 MiB
               2    -  backoff 3s      -         0      0        -         -        -        -

            slot 0: crash by signal 11, 23s ago, request r-1
              at one
              at two?
              at three
              printed: a
              printed: b?
              printed: Fatal error: c
            slot 2: boot failed with code 1, 1s ago

            ROUTE              2xx  3xx  4xx  5xx  ABORTED      P50     P90     P99  FIRST BYTE P50
            chat_completions  4700    0    3    2        5  12.3 ms  251 ms  1.50 s         3.46 ms
            not_found            0    0    6    0        0        -       -       -               -

            UPSTREAM     OK  FAILED  CONNECTIONS  REUSED  TOKENS IN  TOKENS OUT
            op?[31men  4702       4            9    4000        900          80

                 WHEN  WHAT    GENERATION     TOOK  RESULT
              12s ago  reload           3  3.00 ms  failed: no such upstream
            1h 2m ago  scale            2   250 ms  ok: 2 to 3 workers
            """
        let lines = try tables(Self.document).lines
        #expect(lines.joined(separator: "\n") == expected)
        #expect(lines.prefix(19).allSatisfy { $0.count <= 88 })
    }

    @Test("Two documents make rates")
    func rates() throws {
        var trend = StatusTrend()
        let reader = try #require(StatusReader(Array(Self.document.utf8)))
        trend.add(reader, now: 1_000_000_000)
        let later = Self.document.replacing("\"total\":4711", with: "\"total\":4767")
            .replacing("\"5xx\":2,", with: "\"5xx\":3,")
        trend.add(try #require(StatusReader(Array(later.utf8))), now: 2_000_000_000)
        let tables = try tables(later, trend: trend)
        #expect(tables.lines.contains { $0.hasPrefix("requests     4767 (56/s), 4 in flight") })
        #expect(tables.lines.contains("errors       5xx 3 (1.0/s), 4xx 9 (0.0/s)"))
        #expect(tables.line.contains("requests 4767 (56/s)  5xx 3"))
    }

    @Test("A document as one line")
    func line() throws {
        let line = try tables(Self.document).line
        #expect(
            line == "degraded  workers 2/3  connections 3+12 idle  streams 2  "
                + "requests 4711  5xx 2  p99 1.50 s"
        )
    }

    @Test("What an older or newer gateway does not tell is shown as unknown")
    func sparse() throws {
        let expected = """
            apus - at 127.0.0.1:3002: running, up -, pid -
            workers      - of - ready
            requests     -, - in flight, - streams, - given up by clients
            errors       5xx 0, 4xx 0
            connections  - active, - idle, - pending, - rejected
            tokens       - in (- cached), - out (- reasoning)
            """
        let lines = try tables(#"{"state":"running","workers":{},"more":[1]}"#).lines
        #expect(lines.joined(separator: "\n") == expected)
    }

    @Test("A reload that failed is told also by a gateway without a history")
    func oldReload() throws {
        let text = #"{"state":"running","workers":{},"config":{"last_reload_ok":false}}"#
        let expected = "reload       the last one failed; the configuration before it is in use"
        #expect(try tables(text).lines.contains(expected))
    }

    @Test("In a terminal the cells of the fleet have colours as well as letters")
    func colours() throws {
        let lines = try tables(Self.document, isColoured: true).lines
        let fleet = "\u{1B}[30;42m R \u{1B}[0m \u{1B}[97;45m W \u{1B}[0m"
        #expect(lines[1] == "fleet        " + fleet + "   R ready, W backoff")
        #expect(lines.filter { $0.contains("\u{1B}") }.count == 1)
    }

    @Test(
        "What is no status",
        arguments: [
            "", "[]", "{", "null", #"{"error":{"message":"no"}}"#, #"{"state":1,"workers":{}}"#,
        ]
    )
    func others(_ text: String) {
        let reader = StatusReader(Array(text.utf8))
        #expect(reader.map(StatusTables.isStatus) != true)
    }

    @Test(
        "Spans of time",
        arguments: [
            (0, "0s"), (59, "59s"), (60, "1m"), (61, "1m 1s"), (3600, "1h"), (3661, "1h 1m"),
            (3605, "1h 5s"), (86_400, "1d"), (90_000, "1d 1h"), (-5, "0s"), (nil, "-"),
        ] as [(Int?, String)]
    )
    func spans(seconds: Int?, text: String) {
        #expect(Shown.span(seconds: seconds) == text)
    }

    @Test(
        "Sizes",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (12_268_339, "11.7 MiB"),
            (1 << 40, "1024.0 GiB"), (nil, "-"),
        ] as [(Int?, String)]
    )
    func sizes(bytes: Int?, text: String) {
        #expect(Shown.size(bytes: bytes) == text)
    }

    @Test(
        "Latencies",
        arguments: [
            (0, "0.00 ms"), (0.044, "0.04 ms"), (9.994, "9.99 ms"), (12.34, "12.3 ms"),
            (250.5, "251 ms"), (999.4, "999 ms"), (1000, "1.00 s"), (61_500, "61.50 s"), (nil, "-"),
        ] as [(Double?, String)]
    )
    func latencies(milliseconds: Double?, text: String) {
        #expect(Shown.latency(milliseconds: milliseconds) == text)
    }

    @Test("A screen that is too small says what is missing")
    func fit() {
        let lines = ["a", "b", "c", "d"]
        #expect(StatusView.fit(lines, rows: 5) == lines)
        #expect(StatusView.fit(lines, rows: 4) == ["a", "b", "(2 more lines)"])
        #expect(StatusView.fit(lines, rows: 1) == ["(4 more lines)"])
    }

    @Test("A live view takes the screen once and gives it back")
    func live() throws {
        let pipe = try Syscalls.pipe()
        let view = StatusView(
            address: .unix(path: "/x"),
            showsJSON: false,
            isLive: true,
            isLine: true,
            output: TextOutput(descriptor: pipe.second.raw)
        )
        let document = Array(Self.document.utf8)
        #expect(view.show(document, now: 1_000_000_000))
        #expect(view.show(document, now: 2_000_000_000))
        view.showFailure("gone")
        view.end()
        view.end()
        let text = try readAll(pipe.first.raw)
        #expect(text.hasPrefix("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[Hapus 0.1.0"))
        #expect(text.split(separator: "\u{1B}[?1049h").count == 1)
        #expect(text.contains("requests     4711 (0.0/s)"))
        #expect(!text.contains("\u{1B}[30"))
        #expect(text.contains("gone\u{1B}[K\n"))
        #expect(text.hasSuffix("\u{1B}[J\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"))
    }

    private func readAll(_ fd: Int32) throws -> String {
        let buffer = ByteBuffer()
        while case .bytes = Syscalls.read(fd, into: buffer, minimum: 4096) {}
        return buffer.text
    }
}
