// SPDX-License-Identifier: Apache-2.0

/// How far a request goes before it is given up.
///
/// Comes from the configuration; the deadline of one request is given to its machine.
package struct RetryPolicy: Equatable, Sendable {
    /// Attempts on one target, the first among them; at least 1.
    package let triesPerTarget: UInt8
    /// Different targets over all tiers; at least 1.
    ///
    /// The last of them is kept for a fallback model where there is one: a model with many targets
    /// of its own would never reach it otherwise.
    package let maxTargets: UInt8
    package let backoff: Backoff
    /// The longest `Retry-After` that is waited for, in nanoseconds.
    ///
    /// A target that asks for more is not tried again: the client can wait as well as we can, and
    /// holds no connection meanwhile.
    package let retryAfterMax: UInt64

    /// Counts of 0 are taken as 1: the first attempt is no retry.
    package init(
        triesPerTarget: UInt8,
        maxTargets: UInt8,
        backoff: Backoff,
        retryAfterMax: UInt64
    ) {
        self.triesPerTarget = max(triesPerTarget, 1)
        self.maxTargets = max(maxTargets, 1)
        self.backoff = backoff
        self.retryAfterMax = retryAfterMax
    }
}
