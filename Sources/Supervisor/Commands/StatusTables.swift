// SPDX-License-Identifier: Apache-2.0

/// The status document as text for people.
struct StatusTables {
    private let status: StatusReader
    private let address: String
    /// Requests per second since the document before; nil for the first one.
    private let rate: Double?

    init(_ status: StatusReader, address: String, rate: Double? = nil) {
        self.status = status
        self.address = address
        self.rate = rate
    }

    /// Whether the document is one that tables can be made of.
    static func isStatus(_ document: StatusReader) -> Bool {
        document["state"]?.text != nil && document["workers"] != nil
    }

    // MARK: One line

    /// The essence, for logs and pipes.
    var line: String {
        let workers = status["workers"]
        let classes = status["requests"]?["by_route"]?.elements ?? []
        let failed = classes.reduce(0) { $0 + ($1["5xx"]?.int ?? 0) }
        let p99 = status["latency"]?["total"]?["p99_ms"]?.number
        return [
            status["state"]?.text ?? Shown.unknown,
            "workers \(count(workers?["ready"]))/\(count(workers?["configured"]))",
            "connections \(count(connections?["active"]))+\(count(connections?["idle"])) idle",
            "streams \(count(status["streams"]?["open"]))",
            "requests \(count(status["requests"]?["total"]))\(rateText)",
            "5xx \(failed)",
            "p99 \(Shown.latency(milliseconds: p99))",
        ].joined(separator: "  ")
    }

    private var rateText: String {
        rate.map { " (\(Shown.decimal($0, digits: $0 < 10 ? 1 : 0))/s)" } ?? ""
    }

    // MARK: All

    /// Everything, line by line.
    var lines: [String] {
        [summary, workers, routes, upstreams].filter { !$0.isEmpty }
            .reduce(into: []) { lines, part in
                if !lines.isEmpty { lines.append("") }
                lines += part
            }
    }

    private var summary: [String] {
        var lines = [title]
        func line(_ topic: String, _ text: String) {
            lines.append(topic + String(repeating: " ", count: 13 - topic.count) + text)
        }
        line("workers", workersText)
        for listener in status["listeners"]?.elements ?? [] {
            line("listening", listenerText(listener))
        }
        line("connections", connectionsText)
        line("requests", requestsText)
        line("tokens", tokensText)
        if status["config"]?["last_reload_ok"]?.bool == false {
            line("reload", "the last one failed; the configuration before it is in use")
        }
        return lines
    }

    private var title: String {
        let version = status["version"]?.text ?? Shown.unknown
        let state = status["state"]?.text ?? Shown.unknown
        let up = Shown.span(seconds: status["uptime_seconds"]?.int)
        return "apus \(version) at \(address): \(state), up \(up), pid \(count(status["pid"]))"
    }

    private var workersText: String {
        let workers = status["workers"]
        var text = "\(count(workers?["ready"])) of \(count(workers?["configured"])) ready"
        for state in ["booting", "draining", "backoff", "failed"] {
            if let number = workers?[state]?.int, number > 0 { text += ", \(number) \(state)" }
        }
        let restarts = (workers?["restarts"]?.members ?? []).filter { ($0.value.int ?? 0) > 0 }
        if !restarts.isEmpty {
            let reasons = restarts.map { "\($0.value.int ?? 0) \($0.name)" }
            text += "; restarts: \(reasons.joined(separator: ", "))"
        }
        if let reason = workers?["reason"]?.text, !reason.isEmpty { text += "; \(reason)" }
        return text
    }

    private func listenerText(_ listener: StatusReader) -> String {
        var text = listener["address"]?.text ?? Shown.unknown
        text += ", \(count(listener["accepted"])) accepted"
        if let waiting = listener["accept_queue"]?.int {
            text += ", \(waiting) of \(count(listener["accept_queue_limit"])) waiting"
        }
        if let reason = listener["paused_reason"]?.text { text += ", paused: \(reason)" }
        return text
    }

    private var connections: StatusReader? { status["connections"] }

    private var connectionsText: String {
        "\(count(connections?["active"])) active, \(count(connections?["idle"])) idle, "
            + "\(count(connections?["pending"])) pending, "
            + "\(count(connections?["rejected"])) rejected"
    }

    private var requestsText: String {
        let requests = status["requests"]
        return
            "\(count(requests?["total"]))\(rateText), \(count(requests?["in_flight"])) in flight, "
            + "\(count(status["streams"]?["open"])) streams, "
            + "\(count(requests?["client_aborts"])) given up by clients"
    }

    private var tokensText: String {
        let tokens = status["tokens"]
        return "\(count(tokens?["input"])) in (\(count(tokens?["cached"])) cached), "
            + "\(count(tokens?["output"])) out (\(count(tokens?["reasoning"])) reasoning)"
    }

    private func count(_ value: StatusReader?) -> String { Shown.count(value?.int) }

    // MARK: Tables

    private var workers: [String] {
        var table = TextTable([
            .init(heading: "SLOT"), .init(heading: "PID"),
            .init(heading: "STATE", isNumber: false), .init(heading: "UP"),
            .init(heading: "RESTARTS"), .init(heading: "CONNECTIONS"), .init(heading: "STREAMS"),
            .init(heading: "REQUESTS"), .init(heading: "RSS"), .init(heading: "PSS"),
        ])
        let now = (status["started_at"]?.int ?? 0) + (status["uptime_seconds"]?.int ?? 0)
        for process in status["processes"]?.elements ?? [] {
            table.add([
                count(process["slot"]), count(process["pid"]),
                process["state"]?.text ?? Shown.unknown,
                Shown.span(seconds: process["ready_at"]?.int.map { now - $0 }),
                count(process["restarts"]), count(process["conns"]), count(process["streams"]),
                count(process["requests"]), Shown.size(bytes: process["rss"]?.int),
                Shown.size(bytes: process["pss"]?.int),
            ])
        }
        return table.isEmpty ? [] : table.lines
    }

    private static let classes = ["2xx", "3xx", "4xx", "5xx"]

    private var routes: [String] {
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

    private var upstreams: [String] {
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
}
