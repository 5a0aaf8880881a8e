// SPDX-License-Identifier: Apache-2.0
import Glibc

/// How long a driver goes on, and where its randomness comes from.
struct FuzzRun: RandomNumberGenerator {
    private static let secondsDefault = 10
    /// Inputs between two looks at the clock.
    private static let iterationsPerLook = 64

    let name: String
    private(set) var seed: UInt64 = 1
    /// Inputs tried so far.
    private(set) var iteration = 0
    private var iterationsMax = Int.max
    private var end = Int.max
    private var state: UInt64 = 0

    /// Reads the options; nil when they are wrong.
    init?(name: String, options: [String]) {
        self.name = name
        var seconds: Int? = Self.secondsDefault
        var rest = options[...]
        while let option = rest.popFirst() {
            guard let value = rest.popFirst().flatMap({ Int($0) }), value >= 0 else { return nil }
            switch option {
            case "--seed": seed = UInt64(value)
            case "--seconds": seconds = value
            case "--iterations":
                iterationsMax = value
                seconds = nil
            default: return nil
            }
        }
        if let seconds { end = Self.now() + seconds }
    }

    private static func now() -> Int {
        var time = timespec()
        // SAFETY: the pointer is to a local and valid for the call.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec
    }

    /// Whether there is another input to try; each starts with randomness of its own.
    mutating func advance() -> Bool {
        guard iteration < iterationsMax else { return false }
        if iteration % Self.iterationsPerLook == 0, Self.now() >= end { return false }
        iteration += 1
        state = seed &* 0xD134_2543_DE82_EF95 &+ UInt64(iteration)
        return true
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, `bound`.
    mutating func below(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &self)
    }

    /// Ends the program unless `holds`, with all that is needed to see it again.
    func check(_ holds: Bool, _ property: String, _ input: [UInt8]) {
        if holds { return }
        print("\(name): broken: \(property)")
        print("repeat: FuzzTool \(name) --seed \(seed) --iterations \(iteration)")
        print("input: \(input)")
        print("as text: \(String(decoding: input, as: UTF8.self))")
        exit(1)
    }
}
