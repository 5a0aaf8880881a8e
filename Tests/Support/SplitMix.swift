// SPDX-License-Identifier: Apache-2.0
import System

/// The seed of the tests that try what nobody thought of.
///
/// The same in every run, so that no run fails for what the one before it did not try; another one
/// by hand, with `APUS_TEST_SEED`.
package enum TestSeed {
    package static let value: UInt64 = {
        let prefix = "APUS_TEST_SEED="
        let entry = Syscalls.environment().first { $0.hasPrefix(prefix) }
        return entry.flatMap { UInt64($0.dropFirst(prefix.count)) } ?? 1
    }()
}

/// Random numbers that a seed repeats.
package struct SplitMix: RandomNumberGenerator {
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    package mutating func below(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &self)
    }

    /// True once in `times` on average.
    package mutating func oneIn(_ times: Int) -> Bool { below(times) == 0 }

    /// Any bytes.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}
