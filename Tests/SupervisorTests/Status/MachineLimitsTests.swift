// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

@Suite struct MachineLimitsTests {
    @Test(
        "A file with one number, or with none",
        arguments: [
            ("4096\n", 4096), ("0\n", 0), ("18446744073709551615", .max), ("max\n", nil),
            ("", nil), ("\n", nil), ("-1\n", nil), ("18446744073709551616\n", nil),
            ("12 34\n", 12),
        ] as [(String, UInt64?)]
    )
    func number(text: String, expected: UInt64?) {
        #expect(MachineLimits.number(text) == expected)
    }

    @Test("This machine has a limit on queues of connections")
    func somaxconn() {
        let limit = MachineLimits.somaxconn()
        #expect(limit.map { $0 > 0 } == true)
    }
}
