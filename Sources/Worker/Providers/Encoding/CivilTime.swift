// SPDX-License-Identifier: Apache-2.0

/// A moment in UTC as people write it, on the calendar of ISO 8601.
package struct CivilTime: Equatable, Sendable {
    package let year: Int
    /// 1 to 12.
    package let month: Int
    /// 1 to 31.
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int

    static let secondsPerDay = 86_400
    /// Days of 400 years, after which the calendar repeats.
    private static let daysPerCycle = 146_097
    /// Days from 0000-03-01, where a cycle starts, to 1970-01-01.
    private static let daysToEpoch = 719_468

    /// The moment `unixSeconds` after 1970-01-01 00:00:00 UTC; at or behind it.
    package init(unixSeconds: Int) {
        precondition(unixSeconds >= 0, "a moment before 1970")
        let days = unixSeconds / Self.secondsPerDay + Self.daysToEpoch
        let seconds = unixSeconds % Self.secondsPerDay
        let cycle = days / Self.daysPerCycle
        let dayOfCycle = days % Self.daysPerCycle
        // Leap days fall at the end of years that start in March.
        let yearOfCycle =
            (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0)
        hour = seconds / 3600
        minute = seconds / 60 % 60
        second = seconds % 60
    }

    /// `20150830`.
    package var basicDate: String {
        Self.digits(year, 4) + Self.digits(month, 2) + Self.digits(day, 2)
    }

    /// `20150830T123600Z`.
    package var basicText: String {
        basicDate + "T" + Self.digits(hour, 2) + Self.digits(minute, 2) + Self.digits(second, 2)
            + "Z"
    }

    private static func digits(_ value: Int, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }

    /// Seconds since 1970 of `2026-03-01T08:00:00Z`, with or without a fraction, which is dropped.
    ///
    /// Nil for anything else, other zones than `Z` and years before 1970 or behind 9999 included.
    ///
    /// Spec: RFC 3339 section 5.6.
    package static func unixSeconds(_ text: some StringProtocol) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 40, bytes.last == UInt8(ascii: "Z") else {
            return nil
        }
        let marks: [(at: Int, byte: UInt8)] = [
            (4, UInt8(ascii: "-")), (7, UInt8(ascii: "-")), (10, UInt8(ascii: "T")),
            (13, UInt8(ascii: ":")), (16, UInt8(ascii: ":")),
        ]
        guard marks.allSatisfy({ bytes[$0.at] == $0.byte }) else { return nil }
        let fraction = bytes[19..<(bytes.count - 1)]
        if !fraction.isEmpty {
            guard fraction.count > 1, fraction.first == UInt8(ascii: "."),
                fraction.dropFirst().allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
        }
        guard let year = number(bytes[0..<4]), let month = number(bytes[5..<7]),
            let day = number(bytes[8..<10]), let hour = number(bytes[11..<13]),
            let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
            year >= 1970, (1...12).contains(month), (1...days(of: month, in: year)).contains(day),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        return daysSinceEpoch(year, month, day) * secondsPerDay + hour * 3600 + minute * 60 + second
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var value = 0
        for byte in digits {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    private static func days(of month: Int, in year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01.
    private static func daysSinceEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let yearOfCycle = shifted % 400
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        return shifted / 400 * daysPerCycle + dayOfCycle - daysToEpoch
    }
}
