// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP
import Testing

@Suite("Dates")
struct HTTPDateTests {
    private func text(_ seconds: Int) -> String {
        let date = HTTPDate.format(unixSeconds: seconds)
        return String(copying: date.span)
    }

    @Test(
        "known dates",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ]
    )
    func known(_ row: (Int, String)) {
        #expect(text(row.0) == row.1)
        #expect(HTTPDate.parse(Array(row.1.utf8).span) == row.0)
    }

    @Test("every day from 1600 to 2400 follows the one before")
    func everyDay() throws {
        // 1600-01-01, counted by hand from the calendar's rules below.
        var seconds = -11_676_096_000
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let weekdays = ["Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri"]
        var weekday = 0
        for year in 1600..<2400 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            for month in 0..<12 {
                for day in 1...(lengths[month] + (month == 1 && isLeap ? 1 : 0)) {
                    let expected =
                        "\(weekdays[weekday]), \(day < 10 ? "0" : "")\(day) \(months[month]) \(year) "
                        + "00:00:00 GMT"
                    let found = text(seconds)
                    if found != expected { #expect(found == expected) }
                    if HTTPDate.parse(Array(expected.utf8).span) != seconds {
                        Issue.record("\(expected) is not read back")
                    }
                    seconds += 86_400
                    weekday = (weekday + 1) % 7
                }
            }
        }
    }

    @Test(
        "what is no date",
        arguments: [
            "", "Sun, 06 Nov 1994 08:49:37 GM", "Sun, 06 Nov 1994 08:49:37 GMTx",
            "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6  Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994     ", "Sun, 06 Nov 0000 08:49:37 GMT",
        ]
    )
    func noDate(_ text: String) {
        #expect(HTTPDate.parse(Array(text.utf8).span) == nil)
    }

    @Test("the cache follows the second it is given")
    func cache() {
        var cache = HTTPDate.Cache(unixSeconds: 5)
        #expect(String(copying: cache.text.span) == text(5))
        for second in [5, 6, 6, 4] {
            cache.update(unixSeconds: second)
            #expect(String(copying: cache.text.span) == text(second))
        }
    }
}
