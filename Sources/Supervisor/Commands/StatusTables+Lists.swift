// SPDX-License-Identifier: Apache-2.0

/// The tables: workers, how they ended, routes, upstreams, reloads.
extension StatusTables {
    /// Frames of a backtrace that are shown; `apus status --json` has all of them.
    private static let framesShown = 3
    /// Lines that are shown of what a worker printed last.
    private static let outputLinesShown = 3
    /// Reloads that are shown, the newest ones.
    private static let reloadsShown = 5

    var workers: [String] {
        var table = TextTable([
            .init(heading: "SLOT"), .init(heading: "PID"),
            .init(heading: "STATE", isNumber: false), .init(heading: "UP"),
            .init(heading: "RESTARTS"), .init(heading: "CONNS"), .init(heading: "STREAMS"),
            .init(heading: "REQUESTS"), .init(heading: "LAG"), .init(heading: "MEMORY"),
        ])
        for process in status["processes"]?.elements ?? [] {
            let memory = process["pss"]?.int ?? process["rss"]?.int
            table.add([
                count(process["slot"]), count(process["pid"]), stateText(process),
                Shown.span(seconds: process["ready_at"]?.int.map { now - $0 }),
                count(process["restarts"]), count(process["conns"]), count(process["streams"]),
                count(process["requests"]),
                Shown.latency(milliseconds: process["loop_lag_us"]?.number.map { $0 / 1000 }),
                Shown.size(bytes: memory),
            ])
        }
        return table.isEmpty ? [] : table.lines
    }

    /// The state and, where it ends by itself, for how long it will last.
    private func stateText(_ process: StatusReader) -> String {
        let state = process["state"]?.text ?? Shown.unknown
        let left = process["backoff_left_s"]?.int ?? process["drain_left_s"]?.int
        return left.map { "\(state) \(Shown.span(seconds: $0))" } ?? state
    }

    /// How workers ended last, with the top of their stacks and their last words.
    var exits: [String] {
        var lines: [String] = []
        for process in status["processes"]?.elements ?? [] {
            guard let exit = process["last_exit"], let reason = exit["reason"]?.text else {
                continue
            }
            var text = "slot \(count(process["slot"])): \(Shown.words(reason))"
            if let signal = exit["signal"]?.int {
                text += " by signal \(signal)"
            } else if let code = exit["code"]?.int {
                text += " with code \(code)"
            }
            text += ", " + ago(exit["at"])
            if let request = exit["request_id"]?.text { text += ", request \(request)" }
            lines.append(text)
            let frames = exit["backtrace"]?.elements.compactMap(\.text) ?? []
            lines += frames.prefix(Self.framesShown).map { "  at \($0)" }
            let output = exit["output"]?.lines ?? []
            lines += output.suffix(Self.outputLinesShown).map { "  printed: \($0)" }
        }
        return lines
    }

    private static let classes = ["2xx", "3xx", "4xx", "5xx"]

    var routes: [String] {
        var table = TextTable(
            [.init(heading: "ROUTE", isNumber: false)]
                + Self.classes.map { .init(heading: $0) }
                + ["ABORTED", "P50", "P90", "P99", "FIRST BYTE P50"].map { .init(heading: $0) }
        )
        for route in status["requests"]?["by_route"]?.elements ?? [] {
            let total = route["latency"]?["total"]
            let firstByte = route["latency"]?["first_byte"]?["p50_ms"]?.number
            table.add(
                [route["route"]?.text ?? Shown.unknown]
                    + Self.classes.map { count(route[$0]) }
                    + [count(route["client_aborts"])]
                    + ["p50_ms", "p90_ms", "p99_ms"].map {
                        Shown.latency(milliseconds: total?[$0]?.number)
                    }
                    + [Shown.latency(milliseconds: firstByte)]
            )
        }
        return table.isEmpty ? [] : table.lines
    }

    var upstreams: [String] {
        var table = TextTable(
            [.init(heading: "UPSTREAM", isNumber: false), .init(heading: "OK")]
                + ["FAILED", "CONNECTIONS", "REUSED", "TOKENS IN", "TOKENS OUT"]
                .map { .init(heading: $0) }
        )
        for upstream in status["upstreams"]?.elements ?? [] {
            let attempts = upstream["attempts"]?.members ?? []
            let failed = attempts.filter { $0.name != "ok" }.reduce(0) { $0 + ($1.value.int ?? 0) }
            table.add([
                upstream["name"]?.text ?? Shown.unknown, count(upstream["attempts"]?["ok"]),
                "\(failed)", count(upstream["connections"]?["open"]),
                count(upstream["connections"]?["reused"]), count(upstream["tokens"]?["input"]),
                count(upstream["tokens"]?["output"]),
            ])
        }
        return table.isEmpty ? [] : table.lines
    }

    var reloads: [String] {
        var table = TextTable([
            .init(heading: "WHEN"), .init(heading: "WHAT", isNumber: false),
            .init(heading: "GENERATION"), .init(heading: "TOOK"),
            .init(heading: "RESULT", isNumber: false),
        ])
        let history = status["reload_history"]?.elements ?? []
        for reload in history.suffix(Self.reloadsShown).reversed() {
            table.add([
                ago(reload["at"]), reload["kind"]?.text ?? Shown.unknown,
                count(reload["generation"]),
                Shown.latency(milliseconds: reload["duration_ms"]?.number), Self.result(reload),
            ])
        }
        return table.isEmpty ? [] : table.lines
    }
}
