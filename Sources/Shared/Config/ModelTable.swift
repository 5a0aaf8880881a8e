// SPDX-License-Identifier: Apache-2.0

/// One entry of `models`: a name or pattern that clients ask for, and who answers.
package struct ModelEntry: Equatable, Sendable {
    package let pattern: NamePattern
    /// Index in `Config.upstreams`.
    package let upstream: Int
    /// What the upstream calls it; nil passes the client's name on.
    package let upstreamModel: String?

    package init(pattern: NamePattern, upstream: Int, upstreamModel: String?) {
        self.pattern = pattern
        self.upstream = upstream
        self.upstreamModel = upstreamModel
    }
}

/// Where a request for a model goes.
package struct ModelTarget: Equatable, Sendable {
    /// The model name that the upstream gets.
    package enum Name: Equatable, Sendable {
        /// The client's, as it stands.
        case unchanged
        /// The client's without this many bytes at its front (`UPSTREAM/`).
        case withoutPrefix(Int)
        case replaced(String)
    }

    /// Index in `Config.upstreams`.
    package let upstream: Int
    package let name: Name
    /// Index in `ModelTable.entries`; nil for `UPSTREAM/MODEL`.
    package let entry: Int?

    package init(upstream: Int, name: Name, entry: Int?) {
        self.upstream = upstream
        self.name = name
        self.entry = entry
    }
}

/// Finds the upstream for a model name.
///
/// First an entry with exactly this name, then `UPSTREAM/MODEL`, which always works, then the
/// pattern with the most literal characters; of equals the first of the file.
package struct ModelTable: Equatable, Sendable {
    /// In the order of the file.
    package let entries: [ModelEntry]
    private let upstreamNames: [[UInt8]]
    /// Indices of exact entries, sorted by their names' bytes.
    private let exact: [Int]
    private let exactNames: [[UInt8]]
    /// Indices of patterns, the closest first.
    private let patterns: [Int]

    package init(entries: [ModelEntry], upstreamNames: [String]) {
        self.entries = entries
        self.upstreamNames = upstreamNames.map { Array($0.utf8) }
        let names = entries.map { Array($0.pattern.text.utf8) }
        exact = entries.indices
            .filter { entries[$0].pattern.isExact }
            .sorted { names[$0].lexicographicallyPrecedes(names[$1]) }
        exactNames = exact.map { names[$0] }
        patterns = entries.indices
            .filter { !entries[$0].pattern.isExact }
            .sorted { one, two in
                let counts = (entries[one].pattern.literalCount, entries[two].pattern.literalCount)
                return counts.0 == counts.1 ? one < two : counts.0 > counts.1
            }
    }

    /// Where `model`, as the client wrote it, goes; nil when nobody answers for it.
    ///
    /// Allocates nothing.
    package func target(forModel model: Span<UInt8>) -> ModelTarget? {
        guard model.count <= ConfigLimits.modelNameBytesMax else { return nil }
        if let entry = exactEntry(model) {
            return target(of: entry)
        }
        if let target = prefixed(model) {
            return target
        }
        for entry in patterns where entries[entry].pattern.matches(model) {
            return target(of: entry)
        }
        return nil
    }

    package func target(forModel model: String) -> ModelTarget? {
        let bytes = Array(model.utf8)
        return target(forModel: bytes.span)
    }

    private func target(of entry: Int) -> ModelTarget {
        ModelTarget(
            upstream: entries[entry].upstream,
            name: entries[entry].upstreamModel.map { .replaced($0) } ?? .unchanged,
            entry: entry
        )
    }

    private func exactEntry(_ model: Span<UInt8>) -> Int? {
        var low = 0
        var high = exactNames.count
        while low < high {
            let middle = (low + high) / 2
            let order = Self.compare(exactNames[middle], model)
            if order == 0 { return exact[middle] }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    private func prefixed(_ model: Span<UInt8>) -> ModelTarget? {
        var slash = 0
        while slash < model.count, model[slash] != UInt8(ascii: "/") {
            slash += 1
        }
        guard slash + 1 < model.count else { return nil }
        let prefix = model.extracting(first: slash)
        for index in upstreamNames.indices
        where Self.compare(upstreamNames[index], prefix) == 0 {
            return ModelTarget(upstream: index, name: .withoutPrefix(slash + 1), entry: nil)
        }
        return nil
    }

    /// Negative when `one` sorts before `two`, 0 when they are equal.
    private static func compare(_ one: [UInt8], _ two: Span<UInt8>) -> Int {
        for index in 0..<min(one.count, two.count) where one[index] != two[index] {
            return Int(one[index]) - Int(two[index])
        }
        return one.count - two.count
    }
}
