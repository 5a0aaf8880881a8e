// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Supervisor

/// An allowance that expectations can change.
private final class Purse {
    private(set) var allowance = OutputAllowance()

    func take(_ bytes: Int, now: UInt64) -> Bool { allowance.take(bytes, now: now) }

    /// How many lines of `bytes` bytes are allowed at `now`.
    func takeAll(_ bytes: Int, now: UInt64) -> Int {
        var count = 0
        while count < 1_000, allowance.take(bytes, now: now) { count += 1 }
        return count
    }

    func notice(now: UInt64) -> Bool { allowance.notice(now: now) }
}

@Suite struct OutputAllowanceTests {
    private static let second = OutputAllowance.second
    private let purse = Purse()

    @Test("Short lines are bounded by their number, and come again after a second")
    func lines() {
        #expect(purse.takeAll(10, now: 5) == OutputAllowance.linesMax)
        #expect(purse.allowance.refilledAt == 5 + Self.second)
        #expect(purse.takeAll(10, now: 4 + Self.second) == 0)
        #expect(purse.takeAll(10, now: 5 + Self.second) == OutputAllowance.linesMax)
        #expect(purse.allowance.refilledAt == 5 + 2 * Self.second)
    }

    @Test("Long lines are bounded by their bytes")
    func bytes() {
        let expected = OutputAllowance.bytesMax / 1_000
        #expect(purse.takeAll(1_000, now: 0) == expected)
        // A shorter one still has room.
        #expect(purse.take(1, now: 1))
        #expect(purse.takeAll(1_000, now: Self.second) == expected)
    }

    @Test("The longest piece of a line fits into a fresh allowance")
    func longest() {
        #expect(purse.take(OutputLine.bytesMax + 1, now: 0))
    }

    @Test("What was not used is not saved up")
    func unused() {
        #expect(purse.take(1, now: 0))
        #expect(purse.takeAll(1, now: 100 * Self.second) == OutputAllowance.linesMax)
    }

    @Test("One word a minute about what is held back")
    func notices() {
        let pause = OutputAllowance.noticePause
        let times = [7, 8, 6 + pause, 7 + pause, 8 + pause]
        let told = times.map { purse.notice(now: $0) }
        #expect(told == [true, false, false, true, false])
    }
}
