// SPDX-License-Identifier: Apache-2.0

/// Documents and damage from a seed.
struct RandomJSON: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &self)
    }

    mutating func value(depth: Int = 0) -> JSONValue {
        switch below(depth < 5 ? 8 : 5) {
        case 0: .null
        case 1: .bool(below(2) == 0)
        case 2: .number(number())
        case 3, 4: .string(text())
        case 5: .array((0..<below(5)).map { _ in value(depth: depth + 1) })
        default:
            .object(
                (0..<below(5)).map { _ in
                    JSONValue.Member(name: text(), value: value(depth: depth + 1))
                }
            )
        }
    }

    private mutating func number() -> String {
        switch below(4) {
        case 0: String(Int(truncatingIfNeeded: next()))
        case 1: String(below(100))
        case 2: Double.random(in: -1e6...1e6, using: &self).description
        default: "\(below(10)).\(below(1000))e\(["", "+", "-"][below(3)])\(below(40))"
        }
    }

    private mutating func text() -> String {
        let alphabet: [Character] = [
            "a", "b", " ", "\"", "\\", "/", "\n", "\t", "\u{1}", "é", "日", "😀", "\u{7F}", "{", ",",
        ]
        if below(3) == 0 { return String(repeating: "long plain text ", count: below(8)) }
        return String((0..<below(24)).map { _ in alphabet[below(alphabet.count)] })
    }

    /// Changes one to four places of `bytes`.
    mutating func damage(_ bytes: inout [UInt8]) {
        let telling =
            Array("{}[],:\"\\/u0123eE+-.truefalsn \n\t\u{0}".utf8) + [0x80, 0xC3, 0xED, 0xFF]
        for _ in 0...below(4) {
            let byte =
                below(3) == 0 ? UInt8(truncatingIfNeeded: next()) : telling[below(telling.count)]
            switch below(4) {
            case 0: bytes.insert(byte, at: below(bytes.count + 1))
            case 1 where !bytes.isEmpty: bytes.remove(at: below(bytes.count))
            case 2 where !bytes.isEmpty: bytes.removeSubrange(below(bytes.count)...)
            default:
                if !bytes.isEmpty { bytes[below(bytes.count)] = byte }
            }
        }
    }
}
