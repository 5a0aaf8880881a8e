// SPDX-License-Identifier: Apache-2.0

/// The failure that a client is told if nothing better comes.
struct ShownFailure: Equatable {
    /// The wait for room where nobody names one: about what official SDKs do by themselves.
    static let retryAfterDefaultMilliseconds: UInt32 = 1000
    /// The longest wait for which a client is left to retry.
    ///
    /// Limit: 60 s; official SDKs take no notice of longer ones and come back at once.
    static let clientWaitMaxMilliseconds: UInt32 = 60_000

    let failure: Failure
    /// The attempt that failed so; 0 when it was none.
    let attempt: Int
    /// The target of the attempt; nil when there was none.
    let target: TargetID?
    /// When another try makes sense; nil when nobody knows.
    let readyAt: UInt64?

    init(_ failure: Failure, of target: TargetID?, attempt: Int, now: UInt64) {
        self.failure = failure
        self.attempt = target == nil ? 0 : attempt
        self.target = target
        var wait = failure.retryAfterMilliseconds
        // Another worker, or the next process at this address, takes over from one that stops.
        if failure.rule.precedence == .capacity || failure.reason == .stopping {
            wait = wait ?? Self.retryAfterDefaultMilliseconds
        }
        readyAt = wait.map { now.addingMilliseconds($0) }
    }

    /// Whether this one, which just happened, says more than an earlier one.
    func replaces(_ earlier: ShownFailure, now: UInt64) -> Bool {
        let precedence = failure.rule.precedence
        let earlierPrecedence = earlier.failure.rule.precedence
        // What a target says last is how it is, unless it could not be asked.
        if earlier.target == target, precedence > .unreachable { return true }
        guard precedence == .capacity, earlierPrecedence == .capacity,
            let readyAt, let earlierReadyAt = earlier.readyAt
        else { return precedence >= earlierPrecedence }
        // A wait that is over is no advice.
        return earlierReadyAt <= now || readyAt <= earlierReadyAt
    }

    func ending(now: UInt64, cancelsAttempt: Bool) -> ExchangeMachine.Ending {
        let wait = readyAt.map { Self.milliseconds(from: now, to: $0) }
        let isTooLong = (wait ?? 0) > Self.clientWaitMaxMilliseconds
        return ExchangeMachine.Ending(
            failure: failure,
            attempt: attempt,
            retryAfterMilliseconds: wait,
            clientShouldRetry: failure.rule.isDeterministic || isTooLong ? false : nil,
            cancelsAttempt: cancelsAttempt
        )
    }

    /// The time between, rounded up and at least 1.
    private static func milliseconds(from now: UInt64, to later: UInt64) -> UInt32 {
        guard later > now else { return 1 }
        let nanoseconds = later - now
        let rounded = nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
        return UInt32(clamping: rounded)
    }
}

extension UInt64 {
    /// This time in nanoseconds, so many milliseconds later.
    func addingMilliseconds(_ milliseconds: UInt32) -> UInt64 {
        addingClamped(UInt64(milliseconds) * 1_000_000)
    }
}
