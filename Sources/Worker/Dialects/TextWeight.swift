// SPDX-License-Identifier: Apache-2.0

/// The tokens of a text, in sixteenths.
///
/// | What | Sixteenths |
/// |---|---|
/// | run of ASCII letters and `_` | 8, and 3 each |
/// | run of digits | 4, and 6 each |
/// | run of other visible ASCII | 8, and 4 each |
/// | line break | 6 |
/// | other white space, control character | 1 |
/// | character of two bytes of UTF-8 (accents, Greek, Cyrillic, Arabic) | 8; no end of a run |
/// | of three (Chinese, Japanese, Korean and others) | 16 |
/// | of four (emoji) | 32 |
///
/// No character makes a text lighter, wherever it is put: what splits a run makes two of it.
struct TextWeight {
    private enum Class: Equatable {
        case none, letter, digit, mark
    }

    private static let unitsPerToken = 16

    private var units = 0
    private var run = Class.none

    /// Whole tokens, rounded up.
    static func tokens(_ units: Int) -> Int {
        (units + unitsPerToken - 1) / unitsPerToken
    }

    /// The weight of what stands between the quotes of a string; escapes weigh what they stand for.
    static func units(_ text: Span<UInt8>) -> Int {
        var weight = TextWeight()
        var at = 0
        while at < text.count {
            let byte = text[at]
            at += 1
            if byte != UInt8(ascii: "\\") || at == text.count {
                weight.add(byte)
                continue
            }
            let escape = text[at]
            at += 1
            if escape == UInt8(ascii: "u"), at + 4 <= text.count {
                weight.add(codeUnit: hexadecimal(text.extracting(at..<at + 4)))
                at += 4
            } else {
                weight.add(meaning(escape))
            }
        }
        return weight.units
    }

    private static func meaning(_ escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "n"), UInt8(ascii: "r"): 0x0A
        case UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "f"): 0x09
        default: escape
        }
    }

    private static func hexadecimal(_ digits: Span<UInt8>) -> UInt32 {
        var value: UInt32 = 0
        for index in digits.indices {
            let digit = digits[index]
            // A letter's low bits begin at 1; other bytes are no hexadecimal digits.
            value = value << 4 | UInt32(digit & 15) + (digit > 0x39 ? 9 : 0)
        }
        return value
    }

    private mutating func add(codeUnit: UInt32) {
        switch codeUnit {
        case ..<0x80: add(UInt8(truncatingIfNeeded: codeUnit))
        case ..<0x800: units += 8
        // Half of an emoji weighs half of it.
        default: addWide(16)
        }
    }

    /// Takes a byte of UTF-8.
    private mutating func add(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "_"):
            add(.letter, first: 8, each: 3)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): add(.digit, first: 4, each: 6)
        case 0x0A, 0x0D: addWide(6)
        case ...0x20, 0x7F: addWide(1)
        case ..<0x80: add(.mark, first: 8, each: 4)
        // Counted with the byte that leads.
        case ..<0xC0: break
        case ..<0xE0: units += 8
        case ..<0xF0: addWide(16)
        default: addWide(32)
        }
    }

    private mutating func add(_ next: Class, first: Int, each: Int) {
        units += next == run ? each : first + each
        run = next
    }

    /// Takes what stands for itself.
    private mutating func addWide(_ weight: Int) {
        units += weight
        run = .none
    }
}
