// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

@Suite struct RestartPolicyTests {
    @Test(
        "Delays without jitter are nine tenths of the table",
        arguments: [
            (0, 0), (1, 90), (2, 180), (3, 360), (4, 720), (5, 1440), (6, 2880), (7, 4500),
            (8, 4500), (1000, 4500),
        ]
    )
    func table(failures: Int, milliseconds: Int) {
        let delay = RestartPolicy.delay(after: failures, jitter: 0)
        #expect(delay == UInt64(milliseconds) * 1_000_000)
    }

    @Test("Jitter moves a delay by at most a tenth of it", arguments: 1...8)
    func jitter(failures: Int) {
        let low = RestartPolicy.delay(after: failures, jitter: 0)
        let middle = low / 9 * 10
        var largest: UInt64 = 0
        for step in 0..<1000 {
            let delay = RestartPolicy.delay(
                after: failures,
                jitter: UInt64(step) &* 0x9E37_79B9_7F4A
            )
            #expect(delay >= low)
            #expect(delay <= middle + middle / 10)
            largest = max(largest, delay)
        }
        #expect(largest > middle)
    }

    @Test("A first failure is answered at once whatever the jitter")
    func first() {
        #expect(RestartPolicy.delay(after: 0, jitter: .max) == 0)
    }
}
