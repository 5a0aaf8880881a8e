// SPDX-License-Identifier: Apache-2.0

/// The lines at the top: one per topic.
extension StatusTables {
    /// Columns of the topics.
    private static let topicWidth = 13

    var summary: [String] {
        var lines = [title]
        func line(_ topic: String, _ text: String) {
            guard !text.isEmpty else { return }
            let padding = String(repeating: " ", count: Self.topicWidth - topic.count)
            lines.append(topic + padding + text)
        }
        let picture = FleetPicture(
            states: (status["processes"]?.elements ?? []).compactMap { $0["state"]?.text },
            isColoured: isColoured
        )
        let rows = picture.rows
        for (index, row) in rows.enumerated() {
            line("fleet", index == rows.count - 1 ? "\(row)   \(picture.legend)" : row)
        }
        line("workers", workersText)
        line("requests", requestsText)
        line("errors", errorsText)
        line("latency", latencyText("total", trend.quantiles(\.total)))
        line("first byte", latencyText("first_byte", trend.quantiles(\.firstByte)))
        line("connections", connectionsText)
        line("handoff", handoffText)
        for listener in status["listeners"]?.elements ?? [] {
            line("listening", listenerText(listener))
        }
        line("tokens", tokensText)
        line("restarts", counted(status["workers"]?["restarts"]))
        line("dead workers", counted(status["connections"]?["crash_answers"]))
        line("drain", drainText)
        line("reload", reloadText)
        return lines
    }

    private var title: String {
        let version = status["version"]?.text ?? Shown.unknown
        let state = status["state"]?.text ?? Shown.unknown
        let up = Shown.span(seconds: status["uptime_seconds"]?.int)
        let place = address.map { " at \($0)" } ?? ""
        var text = "apus \(version)\(place): \(state), up \(up), pid \(count(status["pid"]))"
        if let generation = status["generation"]?.int { text += ", generation \(generation)" }
        return text
    }

    private var workersText: String {
        let workers = status["workers"]
        var text = "\(count(workers?["ready"])) of \(count(workers?["configured"])) ready"
        for state in ["booting", "probing", "draining", "backoff", "failed"] {
            if let number = workers?[state]?.int, number > 0 { text += ", \(number) \(state)" }
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

    private var connectionsText: String {
        let connections = status["connections"]
        var text =
            "\(count(connections?["active"])) active, \(count(connections?["idle"])) idle, "
            + "\(count(connections?["pending"])) pending"
        if let oldest = status["queue"]?["oldest_ms"]?.number {
            text += " (oldest \(Shown.latency(milliseconds: oldest)))"
        }
        text += ", \(count(connections?["rejected"])) rejected"
        let reasons = counted(connections?["rejected_by_reason"])
        return reasons.isEmpty ? text : text + " (\(reasons))"
    }

    private var handoffText: String {
        guard let handoff = status["handoff"] else { return "" }
        let again = ["requeued", "returned", "revoked"].reduce(0) { $0 + (handoff[$1]?.int ?? 0) }
        return "\(count(handoff["acked"])) done, \(count(handoff["inflight"])) under way, "
            + "\(again) given on, \(count(handoff["lost"])) lost"
    }

    private var requestsText: String {
        let requests = status["requests"]
        return "\(count(requests?["total"]))\(rate(\.requests)), "
            + "\(count(requests?["in_flight"])) in flight, "
            + "\(streams(status["streams"]?["open"])), "
            + "\(count(requests?["client_aborts"])) given up by clients"
    }

    private var errorsText: String {
        "5xx \(answers("5xx"))\(rate(\.serverErrors)), 4xx \(answers("4xx"))\(rate(\.clientErrors))"
    }

    /// Quantiles of the last minute, or where there are none those since the start.
    private func latencyText(_ name: String, _ recent: [Double]?) -> String {
        let whole = status["latency"]?[name]
        let names = ["p50", "p90", "p99"]
        let values = recent ?? names.compactMap { whole?["\($0)_ms"]?.number }
        guard values.count == names.count else { return "" }
        let texts = zip(names, values).map { "\($0) \(Shown.latency(milliseconds: $1))" }
        return texts.joined(separator: ", ")
            + (recent == nil ? " since the start" : " in the last minute")
    }

    private var tokensText: String {
        let tokens = status["tokens"]
        return "\(count(tokens?["input"])) in (\(count(tokens?["cached"])) cached), "
            + "\(count(tokens?["output"])) out (\(count(tokens?["reasoning"])) reasoning)"
    }

    private var drainText: String {
        guard let drain = status["drain"] else { return "" }
        let aborted = counted(drain["aborted_streams"])
        let past = aborted.isEmpty ? "" : "cut streams: \(aborted)"
        guard drain["active"]?.bool == true else { return past }
        var text = "\(streams(drain["remaining_streams"])) to go"
        if let oldest = drain["oldest_stream_s"]?.int {
            text += ", oldest \(Shown.span(seconds: oldest))"
        }
        if let left = drain["deadline_left_s"]?.int {
            text += ", cut in \(Shown.span(seconds: left))"
        }
        return past.isEmpty ? text : text + "; " + past
    }

    private var reloadText: String {
        if let reload = status["last_reload"], reload["at"]?.int != nil {
            return Self.result(reload) + ", " + ago(reload["at"]) + " in "
                + Shown.latency(milliseconds: reload["duration_ms"]?.number)
        }
        return status["config"]?["last_reload_ok"]?.bool == false
            ? "the last one failed; the configuration before it is in use" : ""
    }

    /// What became of one reload.
    static func result(_ reload: StatusReader) -> String {
        if reload["ok"]?.bool == true {
            let reason = reload["reason"]?.text ?? ""
            return reason.isEmpty ? "ok" : "ok: \(reason)"
        }
        return "failed: \(reload["error"]?.text ?? Shown.unknown)"
    }
}
