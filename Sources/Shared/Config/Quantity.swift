// SPDX-License-Identifier: Apache-2.0

/// Numbers that carry their unit.
package enum Quantity {
    /// Units of a duration in nanoseconds, the largest first.
    private static let durationUnits: [(name: String, nanoseconds: UInt64)] = [
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
    ]

    /// Units of a size in bytes.
    private static let sizeUnits: [(name: String, bytes: UInt64)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("GB", 1_000_000_000),
        ("MB", 1_000_000), ("KB", 1000), ("B", 1),
    ]

    /// Nanoseconds of a text like `5s`, `200ms`, `10m` or `1h`; nil for anything else.
    package static func duration(_ text: String) -> UInt64? {
        guard let (number, unit) = split(text),
            let factor = durationUnits.first(where: { $0.name == unit })?.nanoseconds
        else { return nil }
        let (product, overflowed) = number.multipliedReportingOverflow(by: factor)
        return overflowed ? nil : product
    }

    /// Bytes of a text like `100B`, `64KB` or `32MiB`; nil for anything else.
    package static func size(_ text: String) -> Int? {
        guard let (number, unit) = split(text),
            let factor = sizeUnits.first(where: { $0.name == unit })?.bytes
        else { return nil }
        let (product, overflowed) = number.multipliedReportingOverflow(by: factor)
        return overflowed ? nil : Int(exactly: product)
    }

    /// A whole number and what follows it.
    private static func split(_ text: String) -> (UInt64, Substring)? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits) else { return nil }
        return (number, text[digits.endIndex...])
    }

    /// `nanoseconds` in the largest unit that needs no fraction.
    package static func text(duration nanoseconds: UInt64) -> String {
        for unit in durationUnits where nanoseconds % unit.nanoseconds == 0 {
            return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
        }
        return "\(nanoseconds)ns"
    }

    /// `bytes` in the largest binary unit that needs no fraction.
    package static func text(size bytes: Int) -> String {
        for unit in sizeUnits.prefix(3) where bytes > 0 && UInt64(bytes) % unit.bytes == 0 {
            return "\(UInt64(bytes) / unit.bytes)\(unit.name)"
        }
        return "\(bytes)B"
    }
}
