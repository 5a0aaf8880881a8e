// SPDX-License-Identifier: Apache-2.0

import Bytes

/// Writes the Prometheus text format, version 0.0.4.
struct PrometheusWriter {
    /// Kinds of metric families that are used here.
    enum Kind {
        case counter
        case gauge
        case histogram

        var label: StaticString {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    /// Text of a name or label value: most are known when compiling.
    enum Text {
        case fixed(StaticString)
        case text(String)
        case number(Int)
    }

    typealias Label = (name: StaticString, value: Text)

    let out: ByteBuffer

    /// Begins a family; all its samples must follow before the next one begins.
    func family(_ name: StaticString, _ kind: Kind, _ help: StaticString) {
        out.append("# HELP ")
        out.append(name)
        out.append(" ")
        out.append(help)
        out.append("\n# TYPE ")
        out.append(name)
        out.append(" ")
        out.append(kind.label)
        out.append("\n")
    }

    func sample(_ name: StaticString, _ value: UInt64) {
        sample(name, [], value)
    }

    func sample(_ name: StaticString, _ labels: [Label], _ value: UInt64) {
        line(name, "", labels)
        out.append(decimal: UInt(value))
        out.append("\n")
    }

    /// A sample whose value counts nanoseconds and is shown in seconds.
    func sample(_ name: StaticString, _ labels: [Label], nanoseconds: UInt64) {
        line(name, "", labels)
        append(seconds: nanoseconds)
        out.append("\n")
    }

    // MARK: Whole families

    /// A family of one sample without labels.
    func family(_ name: StaticString, _ kind: Kind, _ help: StaticString, _ value: UInt64) {
        family(name, kind, help)
        sample(name, value)
    }

    /// The same for a value that may not be known: then there is no family, as 0 would be wrong.
    func familyIfKnown(
        _ name: StaticString,
        _ kind: Kind,
        _ help: StaticString,
        _ value: UInt64?
    ) {
        if let value { family(name, kind, help, value) }
    }

    func family(
        _ name: StaticString,
        _ kind: Kind,
        _ help: StaticString,
        nanosecondsIfKnown value: UInt64?
    ) {
        guard let value else { return }
        family(name, kind, help)
        sample(name, [], nanoseconds: value)
    }

    /// A histogram of spans that take microseconds to seconds.
    func family(_ name: StaticString, _ help: StaticString, _ values: Histogram) {
        family(name, .histogram, help)
        histogram(name, [], values, .short)
    }

    /// A counter per case of a fixed set, each from 0.
    func family<Key>(
        _ name: StaticString,
        _ help: StaticString,
        by label: StaticString,
        _ counts: FleetSnapshot.Counts<Key>,
        _ value: (Key) -> StaticString
    ) {
        family(name, .counter, help)
        for key in Key.allCases {
            sample(name, [(label, .fixed(value(key)))], counts[key])
        }
    }

    // MARK: Histograms

    /// The samples of one histogram of latencies.
    ///
    /// A bucket of `Histogram` counts where its estimate lies: a value within 6 % of a boundary
    /// may be counted on its other side.
    func histogram(
        _ name: StaticString,
        _ labels: [Label],
        _ histogram: Histogram,
        _ boundaries: PrometheusBuckets
    ) {
        var cumulative: UInt64 = 0
        var bucket = 0
        for index in boundaries.texts.indices {
            while bucket < boundaries.ends[index] {
                if bucket < histogram.buckets.count {
                    cumulative = cumulative.addingSaturated(histogram.buckets[bucket])
                }
                bucket += 1
            }
            line(name, "_bucket", labels, upTo: boundaries.texts[index])
            out.append(decimal: UInt(cumulative))
            out.append("\n")
        }
        line(name, "_bucket", labels, upTo: "+Inf")
        out.append(decimal: UInt(histogram.count))
        out.append("\n")
        line(name, "_sum", labels)
        append(seconds: histogram.sum)
        out.append("\n")
        line(name, "_count", labels)
        out.append(decimal: UInt(histogram.count))
        out.append("\n")
    }

    /// Writes everything of a sample but its value.
    func line(
        _ name: StaticString,
        _ suffix: StaticString,
        _ labels: [Label],
        upTo boundary: StaticString? = nil
    ) {
        out.append(name)
        out.append(suffix)
        if !labels.isEmpty || boundary != nil {
            var separator: StaticString = "{"
            for label in labels {
                out.append(separator)
                out.append(label.name)
                out.append("=\"")
                append(label.value)
                out.append("\"")
                separator = ","
            }
            if let boundary {
                out.append(separator)
                out.append("le=\"")
                out.append(boundary)
                out.append("\"")
            }
            out.append("}")
        }
        out.append(" ")
    }

    private func append(_ text: Text) {
        switch text {
        case .fixed(let fixed): out.append(fixed)
        case .number(let number): out.append(decimal: number)
        case .text(let text): append(escaping: text)
        }
    }

    /// Escapes as the text format asks: backslash, double quote and line feed.
    private func append(escaping text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): out.append("\\\\")
            case UInt8(ascii: "\""): out.append("\\\"")
            case UInt8(ascii: "\n"): out.append("\\n")
            default: out.append(byte)
            }
        }
    }

    private func append(seconds nanoseconds: UInt64) {
        out.append(decimal: UInt(nanoseconds / 1_000_000_000))
        let rest = UInt(nanoseconds % 1_000_000_000)
        guard rest > 0 else { return }
        out.append(".")
        var unit: UInt = 100_000_000
        var left = rest
        while left > 0 {
            out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: left / unit))
            left %= unit
            unit /= 10
        }
    }
}

/// A fixed list of upper boundaries, as text and as places among the buckets of `Histogram`.
struct PrometheusBuckets {
    let texts: [StaticString]
    /// For each boundary the first bucket of `Histogram` beyond it.
    let ends: [Int]

    private init(nanoseconds unit: UInt64, _ boundaries: [(StaticString, UInt64)]) {
        texts = boundaries.map(\.0)
        ends = boundaries.map { boundary in
            let limit = boundary.1 * unit
            let home = Histogram.bucket(of: limit)
            return Histogram.estimate(bucket: home) <= limit ? home + 1 : home
        }
    }

    /// From a cached answer to the longest total timeout.
    static let latency = PrometheusBuckets(
        nanoseconds: 1_000_000,
        [
            ("0.001", 1), ("0.002", 2), ("0.005", 5), ("0.01", 10), ("0.025", 25), ("0.05", 50),
            ("0.1", 100), ("0.25", 250), ("0.5", 500), ("1", 1_000), ("2.5", 2_500), ("5", 5_000),
            ("10", 10_000), ("30", 30_000), ("60", 60_000), ("120", 120_000), ("300", 300_000),
            ("600", 600_000),
        ]
    )

    /// What takes microseconds inside of the machine, and seconds only when something is wrong.
    static let short = PrometheusBuckets(
        nanoseconds: 1_000,
        [
            ("0.00001", 10), ("0.000025", 25), ("0.00005", 50), ("0.0001", 100), ("0.00025", 250),
            ("0.0005", 500), ("0.001", 1_000), ("0.0025", 2_500), ("0.005", 5_000),
            ("0.01", 10_000), ("0.025", 25_000), ("0.05", 50_000), ("0.1", 100_000),
            ("0.5", 500_000), ("1", 1_000_000), ("5", 5_000_000), ("10", 10_000_000),
        ]
    )

    /// Those of `gen_ai.client.operation.duration` in the OpenTelemetry conventions.
    static let operation = PrometheusBuckets(
        nanoseconds: 1_000_000,
        [
            ("0.01", 10), ("0.02", 20), ("0.04", 40), ("0.08", 80), ("0.16", 160), ("0.32", 320),
            ("0.64", 640), ("1.28", 1_280), ("2.56", 2_560), ("5.12", 5_120), ("10.24", 10_240),
            ("20.48", 20_480), ("40.96", 40_960), ("81.92", 81_920),
        ]
    )
}
