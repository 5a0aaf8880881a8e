// SPDX-License-Identifier: Apache-2.0

/// A scrape in the Prometheus text format, parsed strictly.
///
/// Refused: samples without a preceding TYPE, a TYPE twice or behind its samples, a family in two
/// places, a repeated series, and every line that the format does not know.
package struct PrometheusText: Sendable {
    package struct Sample: Sendable {
        package let name: String
        package let labels: [String: String]
        package let value: Double
    }

    package let text: String
    package private(set) var samples: [Sample] = []
    /// Family name to its type.
    package private(set) var types: [String: String] = [:]
    private var helps: Set<String> = []
    private var closed: Set<String> = []
    private var family = ""
    private var series: Set<String> = []

    package init(_ text: String) throws {
        self.text = text
        guard text.hasSuffix("\n") else { throw TestFailure("metrics without a final line end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            if line.hasPrefix("#") {
                try comment(line)
            } else {
                try sample(line)
            }
        }
    }

    private mutating func comment(_ line: Substring) throws {
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
        guard words.count == 4, words[0] == "#", words[1] == "HELP" || words[1] == "TYPE" else {
            throw TestFailure("metrics: comment \(line)")
        }
        let name = String(words[2])
        try enter(name)
        if words[1] == "HELP" {
            guard helps.insert(name).inserted else { throw TestFailure("HELP twice: \(name)") }
            return
        }
        guard ["counter", "gauge", "histogram", "summary", "untyped"].contains(words[3]),
            types.updateValue(String(words[3]), forKey: name) == nil
        else { throw TestFailure("metrics: \(line)") }
    }

    /// Notes that the lines of a family begin or go on.
    private mutating func enter(_ name: String) throws {
        if name == family { return }
        closed.insert(family)
        guard !closed.contains(name) else { throw TestFailure("two places for \(name)") }
        family = name
    }

    private mutating func sample(_ line: Substring) throws {
        let nameEnd = line.firstIndex { $0 == "{" || $0 == " " } ?? line.endIndex
        let name = String(line[..<nameEnd])
        guard let first = name.first, first.isLetter || first == "_" || first == ":",
            name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "_:".contains($0)) })
        else { throw TestFailure("metrics: name in \(line)") }
        var rest = line[nameEnd...]
        let labels = try Self.labels(&rest, line)
        let words = rest.split(separator: " ")
        guard words.count == 1, let value = Self.number(words[0]) else {
            throw TestFailure("metrics: value in \(line)")
        }
        let suffixes = ["_bucket", "_sum", "_count"]
        let base = suffixes.first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) }
        guard types[name] != nil || ["histogram", "summary"].contains(types[base ?? ""]) else {
            throw TestFailure("metrics: no TYPE before \(line)")
        }
        try enter(types[name] != nil ? name : base ?? name)
        let key = "\(name) \(labels.sorted { $0.key < $1.key })"
        guard series.insert(key).inserted else { throw TestFailure("metrics: twice \(key)") }
        samples.append(Sample(name: name, labels: labels, value: value))
    }

    private static func number(_ text: Substring) -> Double? {
        switch text {
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        default: Double(text)
        }
    }

    private static func labels(
        _ rest: inout Substring,
        _ line: Substring
    ) throws -> [String: String] {
        guard rest.first == "{" else { return [:] }
        rest = rest.dropFirst()
        var labels: [String: String] = [:]
        while rest.first != "}" {
            guard let equals = rest.firstIndex(of: "=") else {
                throw TestFailure("metrics: labels in \(line)")
            }
            let name = String(rest[..<equals])
            rest = rest[rest.index(after: equals)...]
            let value = try quoted(&rest, line)
            guard labels.updateValue(value, forKey: name) == nil else {
                throw TestFailure("metrics: label \(name) twice in \(line)")
            }
            if rest.first == "," { rest = rest.dropFirst() }
        }
        rest = rest.dropFirst()
        return labels
    }

    private static func quoted(_ rest: inout Substring, _ line: Substring) throws -> String {
        guard rest.first == "\"" else { throw TestFailure("metrics: quotes in \(line)") }
        rest = rest.dropFirst()
        var value = ""
        while let character = rest.popFirst() {
            if character == "\"" { return value }
            if character == "\\" {
                guard let escaped = rest.popFirst(), "\\\"n".contains(escaped) else {
                    throw TestFailure("metrics: escape in \(line)")
                }
                value.append(escaped == "n" ? "\n" : escaped)
            } else {
                value.append(character)
            }
        }
        throw TestFailure("metrics: open quotes in \(line)")
    }

    /// The samples of that name whose labels include all of `labels`.
    package func samples(_ name: String, _ labels: [String: String] = [:]) -> [Sample] {
        samples.filter { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }
    }

    /// Their sum; 0 when there are none.
    package func sum(_ name: String, _ labels: [String: String] = [:]) -> Double {
        samples(name, labels).reduce(0) { $0 + $1.value }
    }
}
