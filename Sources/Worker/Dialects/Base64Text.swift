// SPDX-License-Identifier: Apache-2.0

/// Whether a text is base64 as every vendor decodes it: RFC 4648's first alphabet, padded, without
/// white space, not empty.
enum Base64Text {
    enum Verdict: Equatable {
        case valid
        case broken
        /// There are escapes other than `\/`, so that the text has to be unescaped first.
        case escaped
    }

    /// Looks at what stands between the quotes of a string.
    ///
    /// `\/` counts as the slash that it is: some clients escape every slash, and images are large.
    static func check(_ content: Span<UInt8>) -> Verdict {
        var at = 0
        var characters = 0
        var padding = 0
        while at < content.count {
            if padding == 0 {
                let end = endOfRun(from: at, in: content)
                characters += end - at
                at = end
                guard at < content.count else { break }
            }
            switch content[at] {
            case UInt8(ascii: "="):
                padding += 1
                characters += 1
                at += 1
            case UInt8(ascii: "\\"):
                guard at + 1 < content.count, content[at + 1] == UInt8(ascii: "/") else {
                    return .escaped
                }
                guard padding == 0 else { return .broken }
                characters += 1
                at += 2
            default:
                return .broken
            }
        }
        return characters > 0 && characters & 3 == 0 && padding <= 2 ? .valid : .broken
    }

    /// Offset of the first byte at or behind `start` that is not of the alphabet.
    private static func endOfRun(from start: Int, in content: Span<UInt8>) -> Int {
        var at = start
        // SAFETY: a raw view of bytes that are initialised and trivial, used within this call.
        let raw = unsafe content.bytes
        while at + 16 <= content.count {
            // SAFETY: 16 bytes from `at` lie in the span; every bit pattern is a SIMD vector.
            let bytes = unsafe raw.unsafeLoadUnaligned(
                fromByteOffset: at,
                as: SIMD16<UInt8>.self
            )
            guard areAllOfAlphabet(bytes) else { break }
            at += 16
        }
        while at < content.count, isOfAlphabet(content[at]) {
            at += 1
        }
        return at
    }

    @inline(__always)
    private static func areAllOfAlphabet(_ bytes: SIMD16<UInt8>) -> Bool {
        let letters = ((bytes | 0x20) &- UInt8(ascii: "a")) .< 26
        let digits = (bytes &- UInt8(ascii: "0")) .< 10
        let signs = (bytes .== UInt8(ascii: "+")) .| (bytes .== UInt8(ascii: "/"))
        return all(letters .| digits .| signs)
    }

    private static func isOfAlphabet(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default:
            false
        }
    }
}
