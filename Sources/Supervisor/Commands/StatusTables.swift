// SPDX-License-Identifier: Apache-2.0

/// The status document as text for people.
///
/// What matters most comes first, since a terminal of 24 rows shows no more than that.
struct StatusTables {
    let status: StatusReader
    /// Where the document came from; nil where the reader knows.
    let address: String?
    let trend: StatusTrend
    /// Whether cells may be coloured by escape sequences of a terminal.
    let isColoured: Bool

    init(
        _ status: StatusReader,
        address: String? = nil,
        trend: StatusTrend = StatusTrend(),
        isColoured: Bool = false
    ) {
        self.status = status
        self.address = address
        self.trend = trend
        self.isColoured = isColoured
    }

    /// Whether the document is one that tables can be made of.
    static func isStatus(_ document: StatusReader) -> Bool {
        document["state"]?.text != nil && document["workers"] != nil
    }

    /// The essence in one line, for logs and pipes.
    var line: String {
        let workers = status["workers"]
        let connections = status["connections"]
        let p99 = status["latency"]?["total"]?["p99_ms"]?.number
        return [
            status["state"]?.text ?? Shown.unknown,
            "workers \(count(workers?["ready"]))/\(count(workers?["configured"]))",
            "connections \(count(connections?["active"]))+\(count(connections?["idle"])) idle",
            "streams \(count(status["streams"]?["open"]))",
            "requests \(count(status["requests"]?["total"]))" + rate(\.requests),
            "5xx \(answers("5xx"))",
            "p99 \(Shown.latency(milliseconds: p99))",
        ].joined(separator: "  ")
    }

    /// Everything, line by line.
    var lines: [String] {
        [summary, workers, exits, routes, upstreams, reloads].filter { !$0.isEmpty }
            .reduce(into: []) { lines, part in
                if !lines.isEmpty { lines.append("") }
                lines += part
            }
    }

    // MARK: Values

    func count(_ value: StatusReader?) -> String { Shown.count(value?.int) }

    func streams(_ value: StatusReader?) -> String {
        count(value) + (value?.int == 1 ? " stream" : " streams")
    }

    /// Answers of one status class over all routes.
    func answers(_ statusClass: String) -> Int {
        (status["requests"]?["by_route"]?.elements ?? [])
            .reduce(0) { $0 + ($1[statusClass]?.int ?? 0) }
    }

    /// ` (1.3/s)`; nothing where it is not known.
    func rate(_ counter: (StatusTrend.Sample) -> Int) -> String {
        trend.rate(counter).map { " (\(Shown.decimal($0, digits: $0 < 10 ? 1 : 0))/s)" } ?? ""
    }

    /// The supervisor's clock, in seconds since 1970.
    var now: Int { (status["started_at"]?.int ?? 0) + (status["uptime_seconds"]?.int ?? 0) }

    func ago(_ time: StatusReader?) -> String {
        Shown.span(seconds: time?.int.map { now - $0 }) + " ago"
    }

    /// The counters of an object that are not 0: `4 crash, 2 reload`.
    func counted(_ counters: StatusReader?) -> String {
        (counters?.members ?? []).compactMap { name, value in
            guard let number = value.int, number > 0 else { return nil }
            return "\(number) \(Shown.words(name))"
        }.joined(separator: ", ")
    }
}
