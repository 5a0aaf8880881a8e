// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Reads numbers of 32 bits out of JSON: a batch of embeddings has millions of them.
///
/// The digits are computed with in 64 bits. The result is out by less than `doubt`, so it is the
/// nearest number of 32 bits whenever both ends of the doubt round to the same one; where they do
/// not, once in some hundred million times, the library reads the text.
enum DecimalFloat {
    /// Digits that an unsigned integer of 64 bits always holds.
    private static let digitsMax = 19
    /// Powers of ten that a double holds exactly.
    private static let powersOfTen: [23 of Double] = {
        var powers: [23 of Double] = .init(repeating: 1)
        for index in 1..<23 { powers[index] = powers[index - 1] * 10 }
        return powers
    }()
    /// Digits, conversion and one multiplication cost less than three times 2^-53.
    private static let doubt = 0x1p-51
    /// Longest number that is read; nobody writes a vector like that.
    private static let bytesMax = 1024

    /// The number of 32 bits next to `text`, a number of JSON; nil when it is too long to be one.
    static func nearest(_ text: Span<UInt8>) -> Float? {
        if let value = computed(text) { return value }
        guard text.count <= bytesMax else { return nil }
        return Float(String(copying: text))
    }

    /// Nil where the digits do not decide.
    private static func computed(_ text: Span<UInt8>) -> Float? {
        var at = 0
        let isNegative = text.count > 0 && text[0] == UInt8(ascii: "-")
        if isNegative { at = 1 }
        var value: UInt64 = 0
        var digits = 0
        var exponent = 0
        var isFraction = false
        while at < text.count {
            let digit = text[at] &- UInt8(ascii: "0")
            if digit < 10 {
                if digits < digitsMax {
                    value = value &* 10 &+ UInt64(digit)
                    if value > 0 { digits += 1 }
                    if isFraction { exponent -= 1 }
                } else if !isFraction {
                    exponent += 1
                }
            } else if text[at] == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else {
                break
            }
            at += 1
        }
        if at < text.count {
            guard let written = self.exponent(text.extracting(at..<text.count)) else { return nil }
            exponent += written
        }
        if value == 0 { return isNegative ? -0.0 : 0 }
        guard (-22...22).contains(exponent) else { return nil }
        let power = powersOfTen[exponent < 0 ? -exponent : exponent]
        let number = exponent < 0 ? Double(value) / power : Double(value) * power
        let low = Float(number - number * doubt)
        guard low == Float(number + number * doubt), low.isFinite else { return nil }
        return isNegative ? -low : low
    }

    /// The number behind the letter `e` at the front of `text`; nil above three digits.
    private static func exponent(_ text: Span<UInt8>) -> Int? {
        var at = 1
        var isNegative = false
        if at < text.count, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
            isNegative = text[at] == UInt8(ascii: "-")
            at += 1
        }
        guard (1...3).contains(text.count - at) else { return nil }
        var value = 0
        while at < text.count {
            let digit = text[at] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
            at += 1
        }
        return isNegative ? -value : value
    }
}
