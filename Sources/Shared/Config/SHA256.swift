// SPDX-License-Identifier: Apache-2.0

/// The hash function that client keys are stored under.
///
/// Spec: FIPS 180-4 sections 4.1.2, 4.2.2, 5.1.1, 5.3.3 and 6.2.
package struct SHA256 {
    /// 32 bytes.
    package struct Digest: Equatable, Hashable, Sendable {
        /// The bytes as four numbers, most significant first.
        let words: [4 of UInt64]

        init(words: [4 of UInt64]) {
            self.words = words
        }

        /// Reads 64 hexadecimal digits of either case.
        package init?(hexadecimal text: some StringProtocol) {
            guard text.utf8.count == 64 else { return nil }
            var words: [4 of UInt64] = [0, 0, 0, 0]
            for (index, byte) in text.utf8.enumerated() {
                guard let digit = Self.value(of: byte) else { return nil }
                words[index / 16] = words[index / 16] << 4 | digit
            }
            self.words = words
        }

        private static func value(of byte: UInt8) -> UInt64? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
            default: nil
            }
        }

        /// 64 lower-case digits.
        package var hexadecimal: String {
            var text = ""
            for index in 0..<4 {
                let digits = String(words[index], radix: 16)
                text += String(repeating: "0", count: 16 - digits.utf8.count) + digits
            }
            return text
        }

        /// Takes the same time wherever two digests differ.
        package static func == (one: Digest, two: Digest) -> Bool {
            var difference: UInt64 = 0
            for index in 0..<4 {
                difference |= one.words[index] ^ two.words[index]
            }
            return difference == 0
        }

        package func hash(into hasher: inout Hasher) {
            hasher.combine(words[0])
        }
    }

    private var state: [8 of UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
        0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    /// The block that fills up; holds `length % 64` bytes.
    private var block: [16 of UInt32] = .init(repeating: 0)
    /// Bytes taken so far.
    private var length = 0

    package init() {}

    /// The digest of `bytes`.
    package static func digest(of bytes: Span<UInt8>) -> Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    package mutating func update(_ bytes: Span<UInt8>) {
        for index in bytes.indices {
            take(bytes[index])
        }
    }

    /// Ends the message; the value must not be used afterwards.
    package mutating func finish() -> Digest {
        let bits = UInt64(length) &* 8
        take(0x80)
        while length % 64 != 56 {
            take(0)
        }
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            take(UInt8(truncatingIfNeeded: bits >> shift))
        }
        var words: [4 of UInt64] = [0, 0, 0, 0]
        for index in 0..<4 {
            words[index] = UInt64(state[2 * index]) << 32 | UInt64(state[2 * index + 1])
        }
        return Digest(words: words)
    }

    private mutating func take(_ byte: UInt8) {
        let word = length % 64 / 4
        block[word] = block[word] << 8 | UInt32(byte)
        length += 1
        if length % 64 == 0 {
            compress()
        }
    }

    /// FIPS 180-4 section 6.2.2.
    private mutating func compress() {
        let constants = Self.constants
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for round in 0..<64 {
            // The schedule needs its last 16 words only, so it is kept in the block itself.
            let slot = round & 15
            if round >= 16 {
                let near = block[(round - 2) & 15]
                let far = block[(round - 15) & 15]
                let sigma1 = Self.rotate(near, 17) ^ Self.rotate(near, 19) ^ near >> 10
                let sigma0 = Self.rotate(far, 7) ^ Self.rotate(far, 18) ^ far >> 3
                block[slot] = block[slot] &+ sigma1 &+ block[(round - 7) & 15] &+ sigma0
            }
            let sum1 = Self.rotate(e, 6) ^ Self.rotate(e, 11) ^ Self.rotate(e, 25)
            let choice = g ^ e & (f ^ g)
            let first = h &+ sum1 &+ choice &+ constants[round] &+ block[slot]
            let sum0 = Self.rotate(a, 2) ^ Self.rotate(a, 13) ^ Self.rotate(a, 22)
            let majority = a & b ^ c & (a ^ b)
            h = g
            g = f
            f = e
            e = d &+ first
            d = c
            c = b
            b = a
            a = first &+ sum0 &+ majority
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
        state[5] &+= f
        state[6] &+= g
        state[7] &+= h
    }

    @inline(__always)
    private static func rotate(_ word: UInt32, _ bits: UInt32) -> UInt32 {
        word &>> bits | word &<< (32 &- bits)
    }

    /// FIPS 180-4 section 4.2.2: cube roots of the first 64 primes.
    private static let constants: [64 of UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
        0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
        0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
        0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
        0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
        0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
        0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
        0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
        0xc671_78f2,
    ]
}
