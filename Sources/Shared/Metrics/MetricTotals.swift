// SPDX-License-Identifier: Apache-2.0

/// Values of one upstream: a row of integers and the latencies by route.
package struct UpstreamTotals: Equatable {
    var cells = [UInt64](repeating: 0, count: Cells.upstreamCount)
    var histograms = [Histogram](repeating: Histogram(), count: Cells.histogramCount)

    /// Adds the values of another block; its gauges only if asked to.
    mutating func add(_ other: UpstreamTotals, gauges: Bool) {
        for cell in other.cells.indices where gauges || !Cells.isUpstreamGauge(cell) {
            cells[cell] = cells[cell].addingSaturated(other.cells[cell])
        }
        for index in other.histograms.indices {
            histograms[index].add(other.histograms[index])
        }
    }

    package func value(_ counter: UpstreamCounter) -> UInt64 { cells[Cells.counter(counter)] }

    package func value(_ gauge: UpstreamGauge) -> UInt64 { cells[Cells.gauge(gauge)] }

    package func attempts(_ result: UpstreamResult) -> UInt64 { cells[Cells.result(result)] }

    package func tokens(_ route: Route, _ type: TokenType) -> UInt64 {
        cells[Cells.tokens(route, type)]
    }

    /// Tokens of one type over all routes.
    package func tokens(_ type: TokenType) -> UInt64 {
        Route.allCases.reduce(0) { $0.addingSaturated(tokens($1, type)) }
    }

    package func histogram(_ route: Route, _ latency: Latency) -> Histogram {
        histograms[Cells.histogram(route, latency)]
    }
}

/// Everything that is counted, cumulative since the start of a worker or of the fleet.
///
/// One type for both ends of the pipe, so that they cannot disagree. Blocks of upstreams are
/// allocated when they are first used.
package struct MetricTotals: Equatable {
    /// The fixed block of `Cells`.
    var fixed = [UInt64](repeating: 0, count: Cells.fixedCount)
    /// By raw upstream index; nil where nothing was counted.
    package internal(set) var upstreams: [UpstreamTotals?] = []
    /// Upstream names by raw index; nil where none arrived yet.
    var names: [String?] = []
    /// Histograms in use, bounded by `histogramsMax`.
    private var histogramsUsed = 0

    /// Histograms that one worker may fill: 4 MiB of buckets.
    ///
    /// Limit: three latencies on 680 pairs of route and upstream; more is a mistake or an attack.
    package static let histogramsMax = 2048

    package init() {}

    package func value(_ gauge: WorkerGauge) -> UInt64 { fixed[Cells.gauge(gauge)] }

    package func value(_ counter: WorkerCounter) -> UInt64 { fixed[Cells.counter(counter)] }

    package func requests(_ route: Route, _ status: StatusClass) -> UInt64 {
        fixed[Cells.requests(route, status)]
    }

    /// Requests over all routes and classes.
    package var requests: UInt64 {
        fixed[Cells.requests].reduce(0) { $0.addingSaturated($1) }
    }

    package func aborts(_ route: Route) -> UInt64 { fixed[Cells.aborts(route)] }

    /// Sum of one token type over all upstreams.
    package func tokens(_ type: TokenType) -> UInt64 {
        upstreams.reduce(0) { $0.addingSaturated($1?.tokens(type) ?? 0) }
    }

    /// Sum of one token type over all upstreams for one route.
    package func tokens(_ route: Route, _ type: TokenType) -> UInt64 {
        upstreams.reduce(0) { $0.addingSaturated($1?.tokens(route, type) ?? 0) }
    }

    /// The latencies of a route over all upstreams, or of all routes.
    package func histogram(_ latency: Latency, route: Route? = nil) -> Histogram {
        var merged = Histogram()
        for block in upstreams {
            guard let block else { continue }
            for candidate in Route.allCases where route == nil || route == candidate {
                merged.add(block.histogram(candidate, latency))
            }
        }
        return merged
    }

    /// Makes sure that the block at a raw index exists.
    mutating func allocate(upstream raw: Int) {
        while upstreams.count <= raw {
            upstreams.append(nil)
        }
        if upstreams[raw] == nil {
            upstreams[raw] = UpstreamTotals()
        }
    }

    /// Sets the name of the upstream at a raw index; a name never changes.
    ///
    /// False if it has another one: what was counted would move to a different label.
    mutating func define(upstream raw: Int, _ name: String) -> Bool {
        while names.count <= raw {
            names.append(nil)
        }
        guard names[raw] == nil || names[raw] == name else { return false }
        names[raw] = name
        return true
    }

    /// Counts the histograms in use anew, after they came from elsewhere.
    mutating func recountHistograms() {
        histogramsUsed = upstreams.reduce(0) { sum, block in
            sum + (block?.histograms.count { !$0.buckets.isEmpty } ?? 0)
        }
    }

    /// Whether the histogram may take values: it has some, or the limit leaves room for one more.
    mutating func claim(histogram index: Int, upstream raw: Int) -> Bool {
        allocate(upstream: raw)
        guard let isFresh = upstreams[raw]?.histograms[index].buckets.isEmpty, isFresh else {
            return true
        }
        guard histogramsUsed < Self.histogramsMax else { return false }
        histogramsUsed += 1
        return true
    }

    /// Adds the fixed values of another set; its gauges only if asked to.
    mutating func addFixed(_ other: MetricTotals, gauges: Bool) {
        for cell in other.fixed.indices where gauges || !Cells.isGauge(cell) {
            fixed[cell] = fixed[cell].addingSaturated(other.fixed[cell])
        }
    }

    /// Adds one upstream's values to the upstream at a raw index.
    mutating func add(_ block: UpstreamTotals, upstream raw: Int, gauges: Bool) {
        allocate(upstream: raw)
        upstreams[raw]?.add(block, gauges: gauges)
    }
}
