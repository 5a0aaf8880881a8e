// SPDX-License-Identifier: Apache-2.0
import Bytes

/// The field `anthropic-beta`.
enum Betas {
    /// More names than there are beta features.
    private static let countMax = 32

    /// The names of a list like `a-2025-01-01, b-2025-02-02`.
    static func split(_ value: Span<UInt8>) -> [String] {
        var names: [String] = []
        var start = 0
        for index in 0...value.count {
            guard index == value.count || value[index] == UInt8(ascii: ",") else { continue }
            var end = index
            while start < end, value[start] == 0x20 || value[start] == 0x09 { start += 1 }
            while end > start, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
            if end > start, names.count < countMax {
                names.append(String(copying: value.extracting(start..<end)))
            }
            start = index + 1
        }
        return names
    }
}
