// SPDX-License-Identifier: Apache-2.0

/// Decimal numbers of JSON as doubles, for those that need only one rounding.
enum DecimalNumber {
    /// Larger whole numbers are not all doubles.
    private static let wholeMax: UInt64 = 1 << 53
    /// Larger powers of ten are no doubles.
    private static let exponentMax = 22

    /// The double nearest to `text`, a number of JSON; nil where digits or exponent are too many.
    ///
    /// Both the digits, as a whole number, and the power of ten are doubles, so one multiplication
    /// or division rounds as well as can be. Numbers of vectors and settings are mostly such.
    static func exact(_ text: Span<UInt8>) -> Double? {
        var at = 0
        let isNegative = text[0] == UInt8(ascii: "-")
        if isNegative { at = 1 }
        var whole: UInt64 = 0
        var scale = 0
        var isFraction = false
        while at < text.count {
            let byte = text[at]
            at += 1
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                whole = whole * 10 + UInt64(byte - UInt8(ascii: "0"))
                guard whole <= wholeMax else { return nil }
                if isFraction { scale -= 1 }
            case UInt8(ascii: "."):
                isFraction = true
            default:
                guard let exponent = exponent(text, from: at) else { return nil }
                scale += exponent
                at = text.count
            }
        }
        guard scale.magnitude <= exponentMax else { return nil }
        var power = 1.0
        for _ in 0..<scale.magnitude { power *= 10 }
        let value = scale < 0 ? Double(whole) / power : Double(whole) * power
        return isNegative ? -value : value
    }

    /// The exponent behind its letter; nil if it is larger than any that helps.
    private static func exponent(_ text: Span<UInt8>, from start: Int) -> Int? {
        var at = start
        let isNegative = text[at] == UInt8(ascii: "-")
        if isNegative || text[at] == UInt8(ascii: "+") { at += 1 }
        guard text.count - at <= 3 else { return nil }
        var value = 0
        while at < text.count {
            value = value * 10 + Int(text[at] - UInt8(ascii: "0"))
            at += 1
        }
        return isNegative ? -value : value
    }
}
