// SPDX-License-Identifier: Apache-2.0

/// Names a target within one request: its place in the list that the shell made.
package struct TargetID: Hashable, Sendable {
    package let index: UInt16

    package init(_ index: UInt16) {
        self.index = index
    }
}

/// A target that a request may go to.
package struct Candidate: Equatable, Sendable {
    package let id: TargetID
    /// Its share of the tier's requests; 0 makes it a spare, chosen when only such are left.
    package let weight: UInt16
    /// 0 for the model's own targets, then one per fallback model, in order.
    package let tier: UInt8
    /// Calls under way there.
    package let busy: UInt32

    package init(id: TargetID, weight: UInt16 = 1, tier: UInt8 = 0, busy: UInt32 = 0) {
        self.id = id
        self.weight = weight
        self.tier = tier
        self.busy = busy
    }
}

/// How one of several candidates is chosen.
package enum Balance: UInt8, CaseIterable, Sendable {
    /// At random, in proportion to the weights.
    case weighted
    /// The one with the fewest calls per weight; among equals as `weighted`.
    case leastBusy
    /// The first in the list; weights do not matter.
    case ordered

    /// One of the eligible candidates; nil without any.
    ///
    /// `random` is any word, evenly distributed.
    func choose(
        from candidates: [Candidate],
        random: UInt64,
        where isEligible: (Candidate) -> Bool
    ) -> Candidate? {
        switch self {
        case .ordered:
            return candidates.first(where: isEligible)
        case .weighted, .leastBusy:
            break
        }
        let onlySpares = !candidates.contains { $0.weight > 0 && isEligible($0) }
        func weight(_ candidate: Candidate) -> UInt64 {
            guard isEligible(candidate) else { return 0 }
            return onlySpares ? 1 : UInt64(candidate.weight)
        }
        guard self == .leastBusy else {
            return Self.draw(from: candidates, random, weight)
        }
        var least: (busy: UInt64, weight: UInt64)?
        for candidate in candidates {
            let weight = weight(candidate)
            guard weight > 0 else { continue }
            // busy / weight < busy' / weight', without fractions: 48 bits at most.
            if let best = least, UInt64(candidate.busy) * best.weight >= best.busy * weight {
                continue
            }
            least = (UInt64(candidate.busy), weight)
        }
        guard let least else { return nil }
        return Self.draw(from: candidates, random) { candidate in
            let weight = weight(candidate)
            return UInt64(candidate.busy) * least.weight == least.busy * weight ? weight : 0
        }
    }

    private static func draw(
        from candidates: [Candidate],
        _ random: UInt64,
        _ weight: (Candidate) -> UInt64
    ) -> Candidate? {
        let total = candidates.reduce(0) { $0 + weight($1) }
        var point = random.scaled(below: total)
        for candidate in candidates {
            let weight = weight(candidate)
            if point < weight { return candidate }
            point -= weight
        }
        return nil
    }
}
