// SPDX-License-Identifier: Apache-2.0

/// Who answers for a model name.
package enum ModelRoute: Equatable, Sendable {
    /// The entry with this index in `ModelTable.entries`.
    case entry(Int)
    /// `UPSTREAM/MODEL`: the upstream with this index in `Config.upstreams`; its model's name
    /// begins behind `prefix` bytes.
    case direct(upstream: Int, prefix: Int)
}

/// Finds who answers for a model name.
///
/// First an entry with exactly this name, then `UPSTREAM/MODEL`, which always works, then the
/// pattern with the most literal characters; of equals the first of the file. A `[1m]` at the end,
/// which Claude Code puts there to ask for a long context, is not part of the name unless an entry
/// has it literally.
package struct ModelTable: Equatable, Sendable {
    /// In the order of the file.
    package let entries: [ModelEntry]
    private let upstreamNames: [[UInt8]]
    /// Indices of exact entries, sorted by their names' bytes.
    private let exact: [Int]
    private let exactNames: [[UInt8]]
    /// Indices of patterns, the closest first.
    private let patterns: [Int]
    /// Those of them that end in the suffix.
    private let suffixedPatterns: [Int]

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
        suffixedPatterns = patterns.filter { Self.hasSuffix(entries[$0].pattern) }
    }

    /// Who answers for `model`, as the client wrote it; nil when nobody does.
    ///
    /// Allocates nothing.
    package func route(forModel model: Span<UInt8>) -> ModelRoute? {
        guard model.count <= ConfigLimits.modelNameBytesMax else { return nil }
        let suffix = Self.suffixCount(of: model)
        if suffix > 0, let entry = literalEntry(model) { return .entry(entry) }
        let name = model.extracting(droppingLast: suffix)
        if let entry = exactEntry(name) { return .entry(entry) }
        if let route = prefixed(name) { return route }
        for entry in patterns where entries[entry].pattern.matches(name) {
            return .entry(entry)
        }
        return nil
    }

    package func route(forModel model: String) -> ModelRoute? {
        let bytes = Array(model.utf8)
        return route(forModel: bytes.span)
    }

    /// The part of `model` that a target without a model of its own gets: without `UPSTREAM/`,
    /// and without a suffix that its entry does not have literally.
    package func nameRange(of route: ModelRoute, in model: Span<UInt8>) -> Range<Int> {
        let suffix = Self.suffixCount(of: model)
        switch route {
        case .direct(_, let prefix):
            return prefix..<model.count - suffix
        case .entry(let entry):
            return 0..<model.count - (Self.hasSuffix(entries[entry].pattern) ? 0 : suffix)
        }
    }

    /// Bytes of a `[1m]` at the end of `model`: 0 when there is none, or nothing else.
    package static func suffixCount(of model: Span<UInt8>) -> Int {
        let start = model.count - 4
        guard start > 0, model[start] == UInt8(ascii: "["),
            model[start + 1] == UInt8(ascii: "1"), model[start + 2] == UInt8(ascii: "m"),
            model[start + 3] == UInt8(ascii: "]")
        else { return 0 }
        return 4
    }

    private static func hasSuffix(_ pattern: NamePattern) -> Bool {
        suffixCount(of: pattern.text.utf8.span) > 0
    }

    private func literalEntry(_ model: Span<UInt8>) -> Int? {
        if let entry = exactEntry(model) { return entry }
        for entry in suffixedPatterns where entries[entry].pattern.matches(model) {
            return entry
        }
        return nil
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

    private func prefixed(_ model: Span<UInt8>) -> ModelRoute? {
        var slash = 0
        while slash < model.count, model[slash] != UInt8(ascii: "/") {
            slash += 1
        }
        guard slash + 1 < model.count else { return nil }
        let prefix = model.extracting(first: slash)
        for index in upstreamNames.indices
        where Self.compare(upstreamNames[index], prefix) == 0 {
            return .direct(upstream: index, prefix: slash + 1)
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
