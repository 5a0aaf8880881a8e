// SPDX-License-Identifier: Apache-2.0

/// What one worker counts.
///
/// Every method is a few integer operations on indexes known beforehand: no lookup by name, no
/// allocation except for the first value of a series. Owned by the worker's loop.
package final class WorkerMetrics {
    package private(set) var totals = MetricTotals()

    /// Metrics for the upstreams of a configuration, in its order.
    ///
    /// Upstreams beyond `UpstreamIndex.upstreamsMax` have no index and are counted as none.
    package init(upstreamNames: [String]) {
        for (position, name) in upstreamNames.prefix(UpstreamIndex.upstreamsMax).enumerated() {
            _ = totals.define(upstream: position + 1, UpstreamDefinition.bounded(name))
        }
    }

    // MARK: Connections and bytes

    package func count(_ counter: WorkerCounter, by amount: Int = 1) {
        totals.fixed[Cells.counter(counter)] &+= UInt64(clamping: amount)
    }

    package func set(_ gauge: WorkerGauge, to value: Int) {
        totals.fixed[Cells.gauge(gauge)] = UInt64(clamping: value)
    }

    /// Moves a gauge by `amount`; it stops at 0.
    package func adjust(_ gauge: WorkerGauge, by amount: Int) {
        let value = Int(truncatingIfNeeded: totals.fixed[Cells.gauge(gauge)]) &+ amount
        totals.fixed[Cells.gauge(gauge)] = UInt64(clamping: value)
    }

    // MARK: Requests

    /// Counts a request that got its answer.
    package func requestEnded(_ route: Route, status: Int) {
        totals.fixed[Cells.requests(route, StatusClass(status: status))] &+= 1
    }

    /// Counts a request whose client left before its answer was complete.
    ///
    /// Also call `requestEnded`: with the status that was sent, or 499 if none was.
    package func clientAborted(_ route: Route) {
        totals.fixed[Cells.aborts(route)] &+= 1
    }

    package func record(
        _ latency: Latency,
        _ route: Route,
        _ upstream: UpstreamIndex,
        nanoseconds: UInt64
    ) {
        totals.record(latency, route, upstream, nanoseconds: nanoseconds)
    }

    /// Counts the tokens of one answer; call once per request.
    package func tokensUsed(_ usage: TokenUsage, _ route: Route, _ upstream: UpstreamIndex) {
        totals.add(usage, route, upstream)
    }

    // MARK: Upstreams

    package func attemptEnded(_ upstream: UpstreamIndex, _ result: UpstreamResult) {
        totals.add(1, to: Cells.result(result), upstream)
    }

    package func count(
        _ counter: UpstreamCounter,
        _ upstream: UpstreamIndex,
        by amount: Int = 1
    ) {
        totals.add(UInt64(clamping: amount), to: Cells.counter(counter), upstream)
    }

    /// Takes over the value of a counter that is kept elsewhere and only rises.
    package func raise(_ counter: UpstreamCounter, _ upstream: UpstreamIndex, to value: UInt64) {
        totals.allocate(upstream: upstream.raw)
        totals.upstreams[upstream.raw]?.cells[Cells.counter(counter)] = value
    }

    package func set(_ gauge: UpstreamGauge, _ upstream: UpstreamIndex, to value: Int) {
        totals.allocate(upstream: upstream.raw)
        totals.upstreams[upstream.raw]?.cells[Cells.gauge(gauge)] = UInt64(clamping: value)
    }
}

/// What a worker does to its totals: one access to them per fact, because each is checked.
extension MetricTotals {
    fileprivate mutating func record(
        _ latency: Latency,
        _ route: Route,
        _ upstream: UpstreamIndex,
        nanoseconds: UInt64
    ) {
        let index = Cells.histogram(route, latency)
        guard claim(histogram: index, upstream: upstream.raw) else {
            fixed[Cells.counter(.latenciesDropped)] &+= 1
            return
        }
        upstreams[upstream.raw]?.histograms[index].record(nanoseconds: nanoseconds)
    }

    fileprivate mutating func add(_ usage: TokenUsage, _ route: Route, _ upstream: UpstreamIndex) {
        add(usage.input, to: Cells.tokens(route, .input), upstream)
        add(usage.output, to: Cells.tokens(route, .output), upstream)
        if usage.cached > 0 { add(usage.cached, to: Cells.tokens(route, .cached), upstream) }
        if usage.reasoning > 0 {
            add(usage.reasoning, to: Cells.tokens(route, .reasoning), upstream)
        }
        if usage.cacheWrite > 0 {
            add(usage.cacheWrite, to: Cells.tokens(route, .cacheWrite), upstream)
        }
        guard let operation = route.operation else { return }
        let input = Cells.usage(operation, output: false) + Cells.usageBucket(usage.input)
        let output = Cells.usage(operation, output: true) + Cells.usageBucket(usage.output)
        add(1, to: input, upstream)
        add(1, to: output, upstream)
    }

    fileprivate mutating func add(_ amount: UInt64, to cell: Int, _ upstream: UpstreamIndex) {
        allocate(upstream: upstream.raw)
        upstreams[upstream.raw]?.cells[cell] &+= amount
    }
}

/// Token counts of one answer, as its `usage` says.
///
/// Providers count differently; this is OpenAI's way, where parts are contained in the whole.
package struct TokenUsage: Equatable, Sendable {
    package var input: UInt64
    package var output: UInt64
    /// Part of `input` that came from a prompt cache.
    package var cached: UInt64
    /// Part of `input` that was written to a prompt cache.
    package var cacheWrite: UInt64
    /// Part of `output` that was reasoning.
    package var reasoning: UInt64

    package init(
        input: UInt64,
        output: UInt64,
        cached: UInt64 = 0,
        reasoning: UInt64 = 0,
        cacheWrite: UInt64 = 0
    ) {
        self.input = input
        self.output = output
        self.cached = cached
        self.cacheWrite = cacheWrite
        self.reasoning = reasoning
    }
}
