// SPDX-License-Identifier: Apache-2.0

/// Constants for looking at eight bytes at once.
private enum Word {
    static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highs: UInt64 = 0x8080_8080_8080_8080
    static let bytes = 8

    /// High bit set in (at least) the lowest byte of `word` that is below `limit` (at most 128).
    ///
    /// Bits above the lowest set one mean nothing: the subtraction borrows past a match.
    @inline(__always)
    static func below(_ limit: UInt64, in word: UInt64) -> UInt64 {
        (word &- ones &* limit) & ~word & highs
    }
}

extension Span<UInt8> {
    /// The eight bytes from `offset` on, the first one lowest.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= count - Word.bytes, "word outside of the bytes")
        // SAFETY: the eight bytes lie in the span, as just checked.
        return unsafe withUnsafeBytes { bytes in
            unsafe UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            )
        }
    }

    /// Offset of the first control byte (below 0x20, or 0x7F) from `start` on; `count` if none.
    @inline(__always)
    func firstControl(from start: Int) -> Int {
        var offset = start
        while offset <= count - Word.bytes {
            let word = word(at: offset)
            let hit = Word.below(0x20, in: word) | Word.below(1, in: word ^ (Word.ones &* 0x7F))
            if hit != 0 {
                return offset + hit.trailingZeroBitCount / 8
            }
            offset += Word.bytes
        }
        while offset < count {
            let byte = self[offset]
            if byte < 0x20 || byte == 0x7F { return offset }
            offset += 1
        }
        return count
    }

    /// Offset of the first CR or LF from `start` on; `count` if none.
    @inline(__always)
    func firstLineBreak(from start: Int) -> Int {
        var offset = start
        while offset <= count - Word.bytes {
            // 0x0E is the first byte value above CR: other control bytes are rare, so they are
            // looked at one by one.
            let hit = Word.below(0x0E, in: word(at: offset))
            if hit == 0 {
                offset += Word.bytes
                continue
            }
            let end = offset + Word.bytes
            offset += hit.trailingZeroBitCount / 8
            while offset < end {
                let byte = self[offset]
                if byte == ASCII.lineFeed || byte == ASCII.carriageReturn { return offset }
                offset += 1
            }
        }
        while offset < count {
            let byte = self[offset]
            if byte == ASCII.lineFeed || byte == ASCII.carriageReturn { return offset }
            offset += 1
        }
        return count
    }

    /// Whether the bytes in `range` are exactly `text`.
    func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where self[range.lowerBound + index] != text.byte(index) {
            return false
        }
        return true
    }

    /// Whether the bytes in `range` are `text`, letters compared without case.
    ///
    /// `text` is lower case.
    package func equalsIgnoringCase(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count
        where ASCII.lowercased(self[range.lowerBound + index]) != text.byte(index) {
            return false
        }
        return true
    }

    /// `range` without the spaces and tabs at both ends.
    ///
    /// Spec: OWS of RFC 9110 section 5.6.3.
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var first = range.lowerBound
        var end = range.upperBound
        while first < end, ASCII.isBlank(self[first]) { first += 1 }
        while end > first, ASCII.isBlank(self[end - 1]) { end -= 1 }
        return first..<end
    }
}

extension StaticString {
    /// The byte at `offset`, which is below the text's length.
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 {
        assert(offset >= 0 && offset < utf8CodeUnitCount, "offset outside of the text")
        // SAFETY: static text lives for ever; every caller compares lengths first.
        return unsafe utf8Start[offset]
    }
}

extension Span<UInt8> {
    /// Whether both ranges hold the same bytes, letters compared without case.
    func equalsIgnoringCase(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count
        where ASCII.lowercased(self[left.lowerBound + index])
            != ASCII.lowercased(self[right.lowerBound + index])
        {
            return false
        }
        return true
    }
}
