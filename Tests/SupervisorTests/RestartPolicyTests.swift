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

@Suite struct RestartBudgetTests {
    private static let interval = RestartBudget.interval

    @Test("Every worker may crash twice at once, of a small fleet sixteen in all")
    func burst() {
        #expect(RestartBudget(workers: 1).burst == 16)
        #expect(RestartBudget(workers: 8).burst == 16)
        #expect(RestartBudget(workers: 9).burst == 18)
        var budget = RestartBudget(workers: 9)
        for _ in 0..<18 {
            let delay = budget.delay(now: 0)
            #expect(delay == 0)
        }
        let delay = budget.delay(now: 0)
        #expect(delay == Self.interval)
    }

    @Test("A fleet of another size has another burst, and scaling to and fro makes no tokens")
    func resize() {
        var budget = RestartBudget(workers: 10)
        for _ in 0..<20 { _ = budget.delay(now: 0) }
        for _ in 0..<5 {
            budget.resize(workers: 1)
            budget.resize(workers: 100)
        }
        #expect(budget.burst == 200)
        let debt = budget.delay(now: 0)
        #expect(debt == Self.interval)
        // Earned with time, up to the burst of the new size.
        let later = 3_600_000_000_000 as UInt64
        for _ in 0..<200 {
            let delay = budget.delay(now: later)
            #expect(delay == 0)
        }
        budget = RestartBudget(workers: 100)
        budget.resize(workers: 1)
        for _ in 0..<16 { _ = budget.delay(now: 0) }
        let delay = budget.delay(now: 0)
        #expect(delay == Self.interval)
    }

    @Test("Restarts beyond the budget come one after the other")
    func debts() {
        var budget = RestartBudget(workers: 1)
        for _ in 0..<budget.burst { _ = budget.delay(now: 0) }
        var dues: [UInt64] = []
        for _ in 0..<5 { dues.append(budget.delay(now: 0)) }
        #expect(dues == (1...5).map { $0 * Self.interval })
    }

    @Test("An idle fleet saves up no more than the burst")
    func saving() {
        var budget = RestartBudget(workers: 1)
        for _ in 0..<10 { _ = budget.delay(now: 0) }
        let later: UInt64 = 3_600_000_000_000
        for _ in 0..<budget.burst {
            let delay = budget.delay(now: later)
            #expect(delay == 0)
        }
        let delay = budget.delay(now: later)
        #expect(delay == Self.interval)
    }

    @Test(
        "A token comes back per interval, however often somebody asks",
        arguments: [1_000_000, 50_000_000, 99_999_999, 100_000_000, 150_000_000, 199_999_999]
    )
    func refill(step: UInt64) {
        var budget = RestartBudget(workers: 1)
        for _ in 0..<budget.burst { _ = budget.delay(now: 0) }
        var now: UInt64 = 0
        var given = 0
        while now < 20_000_000_000 {
            now += step
            // Asks only when a token must be there by the clock.
            guard now / Self.interval > UInt64(given) else { continue }
            let delay = budget.delay(now: now)
            #expect(delay == 0, "restart \(given) at \(now)")
            given += 1
        }
        #expect(given >= min(200, Int(now / step)) - 1)
    }

    @Test("A clock that stands still or goes back gives no tokens")
    func backwards() {
        var budget = RestartBudget(workers: 1)
        for _ in 0..<budget.burst { _ = budget.delay(now: 10 * Self.interval) }
        let first = budget.delay(now: 5 * Self.interval)
        let second = budget.delay(now: 10 * Self.interval)
        #expect(first == Self.interval && second == 2 * Self.interval)
    }
}
