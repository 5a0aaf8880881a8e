// SPDX-License-Identifier: Apache-2.0
import Support
import Testing

@testable import Policy

private struct BalanceRow: CustomTestStringConvertible {
    let testDescription: String
    let balance: Balance
    let candidates: [Candidate]
    /// Expected share of each candidate.
    let shares: [Double]

    init(
        _ name: String,
        _ balance: Balance,
        _ parts: [(weight: UInt16, busy: UInt32)],
        _ shares: [Double]
    ) {
        testDescription = name
        self.balance = balance
        candidates = parts.enumerated().map { place, part in
            Candidate(id: TargetID(UInt16(place)), weight: part.weight, busy: part.busy)
        }
        self.shares = shares
    }

    static let all = [
        BalanceRow(
            "in proportion to weights",
            .weighted,
            [(1, 0), (2, 9), (5, 0)],
            [0.125, 0.25, 0.625]
        ),
        BalanceRow("the greatest weights", .weighted, [(.max, 0), (.max, 0)], [0.5, 0.5]),
        BalanceRow(
            "a spare is not chosen while another is there",
            .weighted,
            [(0, 0), (1, 0)],
            [0, 1]
        ),
        BalanceRow("spares alone are alike", .weighted, [(0, 0), (0, 0)], [0.5, 0.5]),
        BalanceRow("the first in order", .ordered, [(0, 9), (7, 0)], [1, 0]),
        BalanceRow("the least busy", .leastBusy, [(1, 3), (1, 2), (1, 4)], [0, 1, 0]),
        BalanceRow("all idle: by weight", .leastBusy, [(1, 0), (3, 0)], [0.25, 0.75]),
        BalanceRow("busy per weight", .leastBusy, [(1, 2), (4, 6)], [0, 1]),
        BalanceRow(
            "equally busy per weight: by weight",
            .leastBusy,
            [(1, 2), (3, 6), (1, 3)],
            [0.25, 0.75, 0]
        ),
        BalanceRow("an idle spare waits for its turn", .leastBusy, [(0, 0), (1, 50)], [0, 1]),
        BalanceRow("the least busy of spares", .leastBusy, [(0, 2), (0, 1)], [0, 1]),
        BalanceRow("the greatest numbers", .leastBusy, [(1, .max), (.max, .max)], [0, 1]),
    ]
}

@Suite("Balance")
struct BalanceTests {
    @Test("shares", arguments: BalanceRow.all)
    fileprivate func shares(row: BalanceRow) {
        var random = SplitMix(seed: 21)
        let draws = 20_000
        var counts = [Int](repeating: 0, count: row.candidates.count)
        for _ in 0..<draws {
            var machine = ExchangeMachine(
                candidates: row.candidates,
                balance: row.balance,
                policy: .test,
                deadline: .max
            )
            guard case .attempt(let id, number: 1) = machine.begin(now: 0, random: random.next())
            else {
                Issue.record("no attempt")
                return
            }
            counts[Int(id.index)] += 1
        }
        for (count, share) in zip(counts, row.shares) {
            // Five standard deviations; nothing at all where the share is certain.
            let tolerance = 5 * (Double(draws) * share * (1 - share)).squareRoot()
            let difference = abs(Double(count) - Double(draws) * share)
            #expect(difference <= tolerance, "seed \(random.seed): \(counts)")
        }
    }

    @Test("failover follows the same rule among those that are left")
    func failover() {
        var random = SplitMix(seed: 22)
        let candidates = [
            Candidate(id: a, weight: 60), Candidate(id: b, weight: 30),
            Candidate(id: c, weight: 10), Candidate(id: d, weight: 0),
        ]
        let draws = 20_000
        var afterFirst = 0
        var second = 0
        for _ in 0..<draws {
            var machine = ExchangeMachine(
                candidates: candidates,
                balance: .weighted,
                policy: RetryPolicy(
                    triesPerTarget: 1,
                    maxTargets: 4,
                    backoff: RetryPolicy.test.backoff,
                    retryAfterMax: 0
                ),
                deadline: .max
            )
            var order: [TargetID] = []
            var command = machine.begin(now: 0, random: random.next())
            while case .attempt(let id, _) = command {
                order.append(id)
                command = machine.attemptFailed(
                    Failure(.reset),
                    now: 0,
                    random: random.next()
                )
            }
            #expect(Set(order).count == 4)
            #expect(order.last == d)
            guard order.first == a else { continue }
            afterFirst += 1
            second += order[1] == b ? 1 : 0
        }
        let share = Double(second) / Double(afterFirst)
        #expect(abs(share - 0.75) < 0.02, "seed \(random.seed): \(share)")
    }

    @Test("nothing to choose from", arguments: Balance.allCases)
    func none(balance: Balance) {
        #expect(balance.choose(from: [], random: 5) { _ in true } == nil)
        #expect(balance.choose(from: [Candidate(id: a)], random: 5) { _ in false } == nil)
    }
}
