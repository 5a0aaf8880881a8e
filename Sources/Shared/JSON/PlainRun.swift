// SPDX-License-Identifier: Apache-2.0

/// Finds the end of a run of bytes that mean themselves inside a JSON string.
enum PlainRun {
    /// Whether `byte` may stand in a string as it is and is ASCII.
    @inline(__always)
    static func contains(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// Offset of the first byte at or behind `start` that is a quote, a backslash, a control
    /// character or not ASCII; the number of bytes when there is none.
    @inline(__always)
    static func end(from start: Int, in bytes: Span<UInt8>) -> Int {
        var at = start
        // SAFETY: a raw view of bytes that are initialised and trivial, used within this call.
        let raw = unsafe bytes.bytes
        // Most strings are short: one word first, then four at a time.
        if at + 8 <= bytes.count {
            // SAFETY: eight bytes from `at` lie in the span; every bit pattern is a UInt64.
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            let special = specials(in: UInt64(littleEndian: word))
            if special != 0 {
                return at + special.trailingZeroBitCount >> 3
            }
            at += 8
        }
        while at + 32 <= bytes.count {
            // SAFETY: 32 bytes from `at` lie in the span; every bit pattern is a SIMD vector.
            let first = unsafe raw.unsafeLoadUnaligned(fromByteOffset: at, as: SIMD16<Int8>.self)
            let second = unsafe raw.unsafeLoadUnaligned(
                fromByteOffset: at + 16,
                as: SIMD16<Int8>.self
            )
            if hasSpecial(first, second) { break }
            at += 32
        }
        while at + 8 <= bytes.count {
            // SAFETY: eight bytes from `at` lie in the span; every bit pattern is a UInt64.
            let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            let special = specials(in: UInt64(littleEndian: word))
            if special != 0 {
                return at + special.trailingZeroBitCount >> 3
            }
            at += 8
        }
        while at < bytes.count, contains(bytes[at]) {
            at += 1
        }
        return at
    }

    /// The high bit of every byte that ends a run; bits above the lowest set one may be wrong.
    ///
    /// Each subtraction borrows into the high bit of a byte below its bound. A borrow can spoil
    /// only bytes above the first true hit, and only the lowest hit is used.
    @inline(__always)
    private static func specials(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = (word ^ (ones &* UInt64(UInt8(ascii: "\"")))) &- ones
        let backslashes = (word ^ (ones &* UInt64(UInt8(ascii: "\\")))) &- ones
        let controls = word &- (ones &* 0x20)
        return (quotes | backslashes | controls | word) & (ones &* 0x80)
    }

    /// Whether a byte in one of the vectors ends a run.
    ///
    /// As signed numbers, control characters and
    /// bytes beyond ASCII are both below the space.
    @inline(__always)
    private static func hasSpecial(_ first: SIMD16<Int8>, _ second: SIMD16<Int8>) -> Bool {
        let space = SIMD16<Int8>(repeating: 0x20)
        let quote = SIMD16<Int8>(repeating: 0x22)
        let backslash = SIMD16<Int8>(repeating: 0x5C)
        let hits =
            (first .< space) .| (first .== quote) .| (first .== backslash)
            .| (second .< space) .| (second .== quote) .| (second .== backslash)
        return any(hits)
    }
}
