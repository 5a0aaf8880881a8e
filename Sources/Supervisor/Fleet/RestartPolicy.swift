// SPDX-License-Identifier: Apache-2.0

/// How long a slot waits before its next process, by the failures in a row before it.
///
///     failures   0      1       2       3       4        5        6        7 and more
///     delay      0   100 ms  200 ms  400 ms  800 ms  1600 ms  3200 ms       5 s
///
/// Each delay is moved by up to a tenth of itself, so that workers that fell together do not come
/// back together.
enum RestartPolicy {
    static let firstDelay: UInt64 = 100_000_000
    /// A worker that cannot live costs one spawn (10 ms of CPU) in so long: 0.2 % of a CPU.
    static let delayMax: UInt64 = 5_000_000_000
    /// A worker that was ready for so long has proven that it can live: its failures are forgotten.
    static let stableAfter: UInt64 = 10_000_000_000

    /// The delay in nanoseconds.
    ///
    /// `jitter` is any number; the caller takes it from a random source.
    static func delay(after failures: Int, jitter: UInt64) -> UInt64 {
        guard failures > 0 else { return 0 }
        // Six doublings pass the maximum; the bound keeps the shift in range.
        let delay = min(firstDelay << UInt64(min(failures - 1, 6)), delayMax)
        return delay - delay / 10 + jitter % (delay / 5 + 1)
    }
}

/// How many restarts the whole fleet may have: a token bucket.
///
/// Backoff bounds each slot; a fault that hits all slots at once (a request that crashes whoever
/// gets it, and clients that send it again) is bounded here. Tokens: at first and at most `burst`,
/// and one more per `interval`.
struct RestartBudget: Equatable {
    /// Every worker of a large fleet may crash once without delay.
    static let burstMin = 16
    /// A restart costs about 10 ms of CPU: so the budget allows 10 % of one.
    static let interval: UInt64 = 100_000_000

    private(set) var burst: Int
    private var tokens: Int
    private var refilledAt: UInt64 = 0

    init(workers: Int) {
        burst = Self.burst(workers)
        tokens = burst
    }

    private static func burst(_ workers: Int) -> Int { max(2 * workers, burstMin) }

    /// The fleet has another size.
    ///
    /// A larger one earns its tokens with time: scaling to and fro must not make any.
    mutating func resize(workers: Int) {
        burst = Self.burst(workers)
        tokens = min(tokens, burst)
    }

    /// How long the next restart has to wait, in nanoseconds; takes a token.
    mutating func delay(now: UInt64) -> UInt64 {
        let earned = (now - min(refilledAt, now)) / Self.interval
        if earned > 0 {
            tokens = min(burst, tokens + Int(clamping: min(earned, UInt64(burst * 2))))
            // The rest of an interval that has begun counts for the next token.
            refilledAt += earned * Self.interval
        }
        tokens -= 1
        // Debts are paid one after the other.
        return tokens >= 0 ? 0 : UInt64(-tokens) * Self.interval
    }
}

/// Why a healthy worker is replaced.
enum RecycleReason: String, CaseIterable {
    case requests, age, memory
}
