// SPDX-License-Identifier: Apache-2.0

/// Which targets a request has tried, and which comes next.
///
/// Pure. Allocates nothing before the first failure.
struct TargetPlan {
    enum Step: Equatable {
        case attempt(TargetID)
        case wait(TargetID, until: UInt64)
        /// Nothing is left to try.
        case end
    }

    private struct Tried {
        let target: TargetID
        var tries: UInt8
        var next: FailureRule.Next
        /// The end of the wait that the target asked for; 0 without one.
        var readyAt: UInt64
    }

    /// All candidates; empty when there is but `only`.
    private let candidates: [Candidate]
    private let only: TargetID
    private let balance: Balance
    let policy: RetryPolicy
    /// The tier of the newest target; fallback models are gone through in one direction.
    private var tier: UInt8 = 0
    private var tried: [Tried] = []

    init(only: TargetID, policy: RetryPolicy) {
        self.only = only
        self.policy = policy
        candidates = []
        balance = .ordered
    }

    init(candidates: [Candidate], balance: Balance, policy: RetryPolicy) {
        guard let first = candidates.first else {
            preconditionFailure("a request without candidates: the shell answers it")
        }
        self.candidates = candidates
        only = first.id
        self.balance = balance
        self.policy = policy
    }

    /// The target of the first attempt.
    mutating func first(random: UInt64) -> TargetID {
        guard !candidates.isEmpty else { return only }
        tier = candidates.reduce(.max) { min($0, $1.tier) }
        return untried(in: tier, random) ?? only
    }

    /// Notes that an attempt on `target` failed.
    ///
    /// `readyAt` is the end of the wait that the target asked for; nil without one.
    mutating func failed(_ target: TargetID, next: FailureRule.Next, readyAt: UInt64?) {
        if let place = tried.firstIndex(where: { $0.target == target }) {
            tried[place].tries += 1
            tried[place].next = next
            tried[place].readyAt = readyAt ?? 0
        } else {
            tried.append(Tried(target: target, tries: 1, next: next, readyAt: readyAt ?? 0))
        }
    }

    /// What comes after a failure that was noted.
    ///
    /// In order: an untried target of the tier; one again whose fault passes; an untried target of
    /// the next tier; any target again that allows it. Nothing is tried twice before `earliest`,
    /// the end of our own backoff; a wait must be over before `deadline`.
    mutating func next(earliest: UInt64, deadline: UInt64, random: UInt64) -> Step {
        if tried.count < newTargetsMax, let target = untried(in: tier, random) {
            return .attempt(target)
        }
        let soon = again(earliest, deadline) { entry in
            // A target that asked for a wait has named its price; a fallback model is quicker.
            entry.next == .retryBeforeFallback && entry.readyAt == 0
        }
        if let soon { return soon }
        if tried.count < policy.maxTargets, let later = tierAhead,
            let target = untried(in: later, random)
        {
            tier = later
            return .attempt(target)
        }
        return again(earliest, deadline) { _ in true } ?? .end
    }

    /// How many targets may have been tried for another one of this tier to follow.
    private var newTargetsMax: UInt8 {
        tierAhead == nil ? policy.maxTargets : policy.maxTargets - 1
    }

    /// The next tier that has an untried target.
    private var tierAhead: UInt8? {
        var lowest: UInt8?
        for candidate in candidates where candidate.tier > tier && !isTried(candidate.id) {
            lowest = min(lowest ?? .max, candidate.tier)
        }
        return lowest
    }

    private func untried(in tier: UInt8, _ random: UInt64) -> TargetID? {
        balance
            .choose(from: candidates, random: random) { $0.tier == tier && !isTried($0.id) }?
            .id
    }

    private func isTried(_ id: TargetID) -> Bool {
        tried.contains { $0.target == id }
    }

    /// The target to try again: the one that is ready first, then the one tried least.
    private func again(
        _ earliest: UInt64,
        _ deadline: UInt64,
        where isMeant: (Tried) -> Bool
    ) -> Step? {
        var best: (entry: Tried, until: UInt64)?
        for entry in tried where entry.next.mayRetry && isMeant(entry) {
            guard entry.tries < policy.triesPerTarget else { continue }
            let until = max(earliest, entry.readyAt)
            if let best, (best.until, best.entry.tries) <= (until, entry.tries) { continue }
            best = (entry, until)
        }
        guard let best, best.until < deadline else { return nil }
        return .wait(best.entry.target, until: best.until)
    }
}
