// SPDX-License-Identifier: Apache-2.0

/// How long to wait before a try is repeated, in nanoseconds.
///
/// Full jitter: the delay is drawn evenly between nothing and a ceiling that doubles with every
/// wait, so that requests which failed together do not come back together. With `first` 200 ms and
/// `longest` 8 s the ceilings are 200, 400, 800, 1600, 3200, 6400, then 8000 ms.
package struct Backoff: Equatable, Sendable {
    package var first: UInt64
    package var longest: UInt64

    package init(first: UInt64, longest: UInt64) {
        self.first = first
        self.longest = longest
    }

    /// The longest possible delay after `waits` earlier waits of the same request.
    package func ceiling(after waits: UInt8) -> UInt64 {
        // The shift may not push bits out at the top.
        guard first.leadingZeroBitCount >= Int(waits) else { return first == 0 ? 0 : longest }
        return min(longest, first << UInt64(waits))
    }

    /// The delay after `waits` earlier waits; `random` is any word, evenly distributed.
    package func delay(after waits: UInt8, random: UInt64) -> UInt64 {
        let ceiling = ceiling(after: waits)
        return random.scaled(below: ceiling == .max ? .max : ceiling + 1)
    }
}

extension UInt64 {
    /// This word, taken as a fraction of the whole range, of `bound`: a number below it.
    ///
    /// The error against an even distribution is at most `bound` in 2^64.
    func scaled(below bound: UInt64) -> UInt64 {
        multipliedFullWidth(by: bound).high
    }

    /// The sum, or the greatest value where it would be greater: "never" stays never.
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
