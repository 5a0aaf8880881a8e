// SPDX-License-Identifier: Apache-2.0

/// Values of a worker that rise and fall.
package enum WorkerGauge: UInt8, CaseIterable {
    /// Client connections with a request under way.
    case connectionsActive
    /// Client connections between two requests.
    case connectionsIdle
    case streamsOpen
    case requestsInFlight
}

/// Values of a worker that only rise.
package enum WorkerCounter: UInt8, CaseIterable {
    case connectionsAccepted
    case clientBytesIn
    case clientBytesOut
    case logLinesDropped
    case metricsRecordsDropped
    /// Latencies beyond `MetricTotals.histogramsMax` series.
    case latenciesDropped
}

/// Values of a worker and one upstream that only rise.
package enum UpstreamCounter: UInt8, CaseIterable {
    case connectionsCreated
    /// Attempts on a pooled connection.
    case connectionsReused
    /// Attempts repeated because a pooled connection had died.
    case staleRetries
    case bytesIn
    case bytesOut
}

/// Values of a worker and one upstream that rise and fall.
package enum UpstreamGauge: UInt8, CaseIterable {
    case connectionsOpen
}

/// Where each value lies.
///
/// Values form a *fixed* block and one block per upstream, each a flat row of integers. The place
/// of a value depends on no configuration, so a record can be read without any other. The layout
/// is part of the record format: a change needs a new `RecordHeader.version`.
enum Cells {
    // MARK: Fixed block

    static let gauges = 0..<WorkerGauge.allCases.count
    static let counters = run(after: gauges, WorkerCounter.allCases.count)
    static let requests = run(after: counters, Route.allCases.count * StatusClass.allCases.count)
    static let aborts = run(after: requests, Route.allCases.count)
    static let fixedCount = aborts.upperBound

    // MARK: Block of one upstream

    static let upstreamGauges = 0..<UpstreamGauge.allCases.count
    static let upstreamCounters = run(after: upstreamGauges, UpstreamCounter.allCases.count)
    static let results = run(after: upstreamCounters, UpstreamResult.allCases.count)
    static let tokens = run(after: results, Route.allCases.count * TokenType.allCases.count)
    static let usage = run(after: tokens, Operation.allCases.count * 2 * usageBuckets)
    static let upstreamCount = usage.upperBound

    /// Buckets of tokens per request: at most 1, 4, 16, ..., 4^13, more.
    ///
    /// The boundaries are those of `gen_ai.client.token.usage` in the OpenTelemetry conventions.
    static let usageBuckets = 15

    /// Histograms of one upstream.
    static let histogramCount = Route.allCases.count * Latency.allCases.count

    static func gauge(_ gauge: WorkerGauge) -> Int { gauges.lowerBound + Int(gauge.rawValue) }

    static func counter(_ counter: WorkerCounter) -> Int {
        counters.lowerBound + Int(counter.rawValue)
    }

    static func requests(_ route: Route, _ status: StatusClass) -> Int {
        requests.lowerBound + Int(route.rawValue) * StatusClass.allCases.count
            + Int(status.rawValue)
    }

    static func aborts(_ route: Route) -> Int { aborts.lowerBound + Int(route.rawValue) }

    static func gauge(_ gauge: UpstreamGauge) -> Int {
        upstreamGauges.lowerBound + Int(gauge.rawValue)
    }

    static func counter(_ counter: UpstreamCounter) -> Int {
        upstreamCounters.lowerBound + Int(counter.rawValue)
    }

    static func result(_ result: UpstreamResult) -> Int {
        results.lowerBound + Int(result.rawValue)
    }

    static func tokens(_ route: Route, _ type: TokenType) -> Int {
        tokens.lowerBound + Int(route.rawValue) * TokenType.allCases.count + Int(type.rawValue)
    }

    /// First of the buckets that count requests by their input or output tokens.
    static func usage(_ operation: Operation, output: Bool) -> Int {
        usage.lowerBound + (Int(operation.rawValue) * 2 + (output ? 1 : 0)) * usageBuckets
    }

    /// The usage bucket of a request with `tokens` tokens: the first `n` with `tokens <= 4^n`.
    static func usageBucket(_ tokens: UInt64) -> Int {
        guard tokens > 1 else { return 0 }
        let bits = UInt64.bitWidth - (tokens - 1).leadingZeroBitCount
        return min((bits + 1) / 2, usageBuckets - 1)
    }

    static func histogram(_ route: Route, _ latency: Latency) -> Int {
        Int(route.rawValue) * Latency.allCases.count + Int(latency.rawValue)
    }

    /// Whether a cell of the fixed block rises and falls.
    static func isGauge(_ cell: Int) -> Bool { gauges.contains(cell) }

    /// Whether a cell of an upstream's block rises and falls.
    static func isUpstreamGauge(_ cell: Int) -> Bool { upstreamGauges.contains(cell) }

    private static func run(after previous: Range<Int>, _ count: Int) -> Range<Int> {
        previous.upperBound..<previous.upperBound + count
    }
}
