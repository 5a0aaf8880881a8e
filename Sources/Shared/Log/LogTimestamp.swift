// SPDX-License-Identifier: Apache-2.0

import Bytes

/// A moment of the wall clock, UTC.
package struct LogTime: Equatable {
    /// Since 1970; leap seconds do not count.
    package var seconds: Int
    package var nanoseconds: Int

    package init(seconds: Int, nanoseconds: Int) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// Writes times as `2026-01-02T03:04:05.678Z`, computing the calendar once per second.
///
/// Spec: RFC 3339 section 5.6.
struct LogTimestamp {
    /// Last second of the year 9999: a later one would need a fifth digit.
    private static let secondsMax = 253_402_300_799

    private var seconds = -1
    /// Date and time of `seconds`, as `2026-01-02T03:04:05`.
    private var text = InlineArray<19, UInt8>(repeating: UInt8(ascii: "0"))

    init() {}

    /// Appends date and time.
    mutating func append(_ time: LogTime, to out: ByteBuffer) {
        refresh(time.seconds)
        out.append(text.span)
        appendMilliseconds(time, to: out)
        out.append("Z")
    }

    /// Appends the time of the day alone: `03:04:05.678`.
    mutating func appendTimeOfDay(_ time: LogTime, to out: ByteBuffer) {
        refresh(time.seconds)
        out.append(text.span.extracting(11..<19))
        appendMilliseconds(time, to: out)
    }

    private func appendMilliseconds(_ time: LogTime, to out: ByteBuffer) {
        let milliseconds = min(max(time.nanoseconds / 1_000_000, 0), 999)
        out.append(".")
        out.append(Self.digit(milliseconds / 100))
        out.append(Self.digit(milliseconds / 10))
        out.append(Self.digit(milliseconds))
    }

    private mutating func refresh(_ now: Int) {
        let bounded = min(max(now, 0), Self.secondsMax)
        guard bounded != seconds else { return }
        seconds = bounded
        let date = Self.civil(days: bounded / 86_400)
        let second = bounded % 86_400
        put(date.year / 100, at: 0)
        put(date.year % 100, at: 2)
        text[4] = UInt8(ascii: "-")
        put(date.month, at: 5)
        text[7] = UInt8(ascii: "-")
        put(date.day, at: 8)
        text[10] = UInt8(ascii: "T")
        put(second / 3600, at: 11)
        text[13] = UInt8(ascii: ":")
        put(second / 60 % 60, at: 14)
        text[16] = UInt8(ascii: ":")
        put(second % 60, at: 17)
    }

    private mutating func put(_ number: Int, at place: Int) {
        text[place] = Self.digit(number / 10)
        text[place + 1] = Self.digit(number)
    }

    private static func digit(_ number: Int) -> UInt8 {
        UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10)
    }

    /// The Gregorian date of a day, counted from 1970-01-01.
    ///
    /// Years are taken to begin in March, so that the leap day is a year's last; the months from
    /// there have 153 days in every five.
    static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        // 719,468 days lie between 0000-03-01 and 1970-01-01; 146,097 are 400 years.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
