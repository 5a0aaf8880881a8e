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
