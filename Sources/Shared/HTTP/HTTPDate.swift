// SPDX-License-Identifier: Apache-2.0

/// Dates as HTTP writes them: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Spec: IMF-fixdate of RFC 9110 section 5.6.7.
package enum HTTPDate {
    /// Bytes of a date.
    package static let count = 29

    private static let weekdays: StaticString = "ThuFriSatSunMonTueWed"
    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
    private static let secondsPerDay = 86_400

    /// The date of a second, formatted once per second that is asked for.
    package struct Cache {
        private var second: Int
        /// The date's 29 bytes.
        package private(set) var text: InlineArray<29, UInt8>

        package init(unixSeconds: Int = 0) {
            second = unixSeconds
            text = HTTPDate.format(unixSeconds: unixSeconds)
        }

        /// Makes `text` the date of `unixSeconds`.
        package mutating func update(unixSeconds: Int) {
            guard unixSeconds != second else { return }
            second = unixSeconds
            text = HTTPDate.format(unixSeconds: unixSeconds)
        }
    }

    /// The date `unixSeconds` after 1970-01-01 00:00:00 UTC, for years 1 to 9999.
    package static func format(unixSeconds: Int) -> InlineArray<29, UInt8> {
        // Year 1 to the end of year 9999: what four digits hold.
        precondition(
            (-62_135_596_800...253_402_300_799).contains(unixSeconds),
            "the year does not have four digits"
        )
        let days = floorDivide(unixSeconds, secondsPerDay)
        let second = unixSeconds - days * secondsPerDay
        let date = civil(days: days)

        var out = InlineArray<29, UInt8>(repeating: ASCII.space)
        let weekday = days - floorDivide(days, 7) * 7
        let month = date.month - 1
        for index in 0..<3 {
            out[index] = weekdays.byte(weekday * 3 + index)
            out[8 + index] = months.byte(month * 3 + index)
        }
        out[3] = ASCII.comma
        put(date.day, at: 5, digits: 2, in: &out)
        put(date.year, at: 12, digits: 4, in: &out)
        put(second / 3600, at: 17, digits: 2, in: &out)
        put(second / 60 % 60, at: 20, digits: 2, in: &out)
        put(second % 60, at: 23, digits: 2, in: &out)
        out[19] = ASCII.colon
        out[22] = ASCII.colon
        out[26] = UInt8(ascii: "G")
        out[27] = UInt8(ascii: "M")
        out[28] = UInt8(ascii: "T")
        return out
    }

    /// The Unix time of an IMF-fixdate, or nil if `text` is not one.
    ///
    /// Stricter than the RFC: the two obsolete formats are not read. The weekday must be the right
    /// one, and a leap second is not.
    package static func parse(_ text: Span<UInt8>) -> Int? {
        guard text.count == count,
            let day = number(text, 5..<7),
            let year = number(text, 12..<16),
            let hour = number(text, 17..<19), hour < 24,
            let minute = number(text, 20..<22), minute < 60,
            let second = number(text, 23..<25), second < 60,
            let month = month(text), year >= 1
        else { return nil }
        let days = dayNumber(year: year, month: month, day: day)
        let seconds = days * secondsPerDay + hour * 3600 + minute * 60 + second
        // Formatting it again checks all that is left: the length of the month, the weekday, and
        // every fixed byte.
        let again = format(unixSeconds: seconds)
        for index in 0..<count where again[index] != text[index] { return nil }
        return seconds
    }

    private static func month(_ text: Span<UInt8>) -> Int? {
        for month in 0..<12 {
            let first = month * 3
            if text[8] == months.byte(first), text[9] == months.byte(first + 1),
                text[10] == months.byte(first + 2)
            {
                return month + 1
            }
        }
        return nil
    }

    private static func number(_ text: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var value = 0
        for index in range {
            guard ASCII.isDigit(text[index]) else { return nil }
            value = value * 10 + Int(text[index] &- 0x30)
        }
        return value
    }

    private static func put(
        _ value: Int,
        at start: Int,
        digits: Int,
        in out: inout InlineArray<29, UInt8>
    ) {
        var rest = value
        for index in stride(from: start + digits - 1, through: start, by: -1) {
            out[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    private static func floorDivide(_ value: Int, _ divisor: Int) -> Int {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    // Both conversions count years from March, so that the leap day is the last of its year, and
    // days in eras of 400 years, which all have the same length.
    private static let daysPerEra = 146_097
    /// Days from 0000-03-01 to 1970-01-01.
    private static let epochDay = 719_468

    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + epochDay
        let era = floorDivide(shifted, daysPerEra)
        let dayOfEra = shifted - era * daysPerEra
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // Months from March have 153 days per five.
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func dayNumber(year: Int, month: Int, day: Int) -> Int {
        let marchYear = month <= 2 ? year - 1 : year
        let era = floorDivide(marchYear, 400)
        let yearOfEra = marchYear - era * 400
        let marchMonth = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * daysPerEra + dayOfEra - epochDay
    }
}
