// SPDX-License-Identifier: Apache-2.0

/// The bytes of pairs of hexadecimal digits; other characters are skipped.
func hexadecimal(_ text: String) -> [UInt8] {
    let digits = text.compactMap { $0.hexDigitValue }
    precondition(digits.count % 2 == 0, "half a byte")
    return stride(from: 0, to: digits.count, by: 2).map { index in
        UInt8(digits[index] << 4 | digits[index + 1])
    }
}
