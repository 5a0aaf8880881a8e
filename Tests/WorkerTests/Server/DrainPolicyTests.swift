// SPDX-License-Identifier: Apache-2.0
import Control
import Testing

@testable import Worker

@Suite("What a drain does with each connection")
struct DrainPolicyTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let start: UInt64 = 1_000_000_000_000

    private static func at(_ milliseconds: UInt64) -> UInt64 {
        start + milliseconds * millisecond
    }

    private static func policy(
        soft: UInt32 = 30_000,
        hard: UInt32 = 60_000,
        spread: UInt16 = 0,
        returnsIdle: Bool = false
    ) -> DrainPolicy {
        DrainPolicy(
            DrainOrder(
                softMilliseconds: soft,
                hardMilliseconds: hard,
                spreadMilliseconds: spread,
                returnsIdle: returnsIdle
            ),
            now: start
        )
    }

    private static func answering(
        _ movedAt: UInt64?,
        isComplete: Bool = false
    )
        -> DrainPolicy.Activity
    {
        .answering(isComplete: isComplete, movedAt: movedAt.map { at($0) })
    }

    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let activity: DrainPolicy.Activity
        /// What is done at a number of milliseconds.
        let actions: [(UInt64, DrainPolicy.Action)]
    }

    static let rows: [Row] = [
        Row(
            testDescription: "a connection that nothing was read from goes back",
            activity: .fresh,
            actions: [(0, .handBack), (40_000, .handBack), (60_000, .handBack)]
        ),
        Row(
            testDescription: "an idle connection is closed",
            activity: .idle(isKept: true),
            actions: [(0, .close), (60_000, .close)]
        ),
        Row(
            testDescription: "a request that does not come to its end",
            activity: .reading,
            actions: [(0, .keep), (29_999, .keep), (30_000, .end), (60_000, .cut)]
        ),
        Row(
            testDescription: "an answer that has not begun",
            activity: .preparing,
            actions: [(0, .keep), (30_000, .keep), (57_999, .keep), (58_000, .end), (60_000, .cut)]
        ),
        Row(
            testDescription: "an answer whose first bytes nobody takes",
            activity: answering(nil),
            actions: [(0, .keep), (29_999, .keep), (30_000, .end), (60_000, .cut)]
        ),
        Row(
            testDescription: "an answer that stalls long before the soft deadline",
            activity: answering(1_000),
            actions: [(29_999, .keep), (30_000, .end), (60_000, .cut)]
        ),
        Row(
            testDescription: "an answer that moves until behind the soft deadline",
            activity: answering(35_000),
            actions: [(30_000, .keep), (54_999, .keep), (55_000, .end)]
        ),
        Row(
            testDescription: "an answer that moves until the end",
            activity: answering(57_999),
            actions: [(57_999, .keep), (58_000, .end), (59_999, .end), (60_000, .cut)]
        ),
        Row(
            testDescription: "the rest of an answer that moves",
            activity: answering(57_999, isComplete: true),
            actions: [(58_000, .keep), (59_999, .keep), (60_000, .cut)]
        ),
        Row(
            testDescription: "the rest of an answer that nobody takes",
            activity: answering(1_000, isComplete: true),
            actions: [(29_999, .keep), (30_000, .cut)]
        ),
        Row(
            testDescription: "what a refused client still sends",
            activity: .lingering,
            actions: [(0, .keep), (59_999, .keep), (60_000, .cut)]
        ),
    ]

    @Test("depends on what it does and how late it is", arguments: rows)
    func table(_ row: Row) {
        let policy = Self.policy()
        for (milliseconds, action) in row.actions {
            #expect(
                policy.action(for: row.activity, now: Self.at(milliseconds)) == action,
                "at \(milliseconds) ms"
            )
        }
    }

    @Test("idle connections are returned where the supervisor has copies")
    func returning() {
        let policy = Self.policy(spread: 1_000, returnsIdle: true)
        #expect(policy.action(for: .idle(isKept: true), now: Self.start) == .handBack)
        #expect(policy.action(for: .idle(isKept: false), now: Self.start) == .keep)
        #expect(policy.action(for: .idle(isKept: false), now: Self.at(1_000)) == .close)
        #expect(policy.outlivesAnswer(isKept: true))
        #expect(!policy.outlivesAnswer(isKept: false))
    }

    @Test("the time for errors is a quarter of a short drain, and never more than two seconds")
    func grace() {
        #expect(Self.policy(soft: 400, hard: 400).ending == Self.at(300))
        #expect(Self.policy(hard: 8_000).ending == Self.at(6_000))
        #expect(Self.policy(hard: 600_000).ending == Self.at(598_000))
    }

    @Test("a soft deadline behind the hard one is the hard one")
    func order() {
        let policy = Self.policy(soft: 90_000, hard: 10_000, spread: 60_000)
        #expect(policy.soft == Self.at(10_000))
        #expect(policy.spreadEnd == Self.at(10_000))
    }

    @Test(
        "idle connections are closed one after the other, evenly",
        arguments: [1, 4, 7, 100, 999]
    )
    func spread(_ count: Int) {
        var policy = Self.policy(spread: 1_000)
        var idle = count
        var now = Self.start
        var closes: [UInt64] = []
        #expect(policy.closesDue(idle, now: now) == 0)
        while idle > 0 {
            guard let next = policy.nextLook(idle, now: now) else { break }
            #expect(next > now)
            now = next
            let due = policy.closesDue(idle, now: now)
            closes += Array(repeating: now - Self.start, count: due)
            idle -= due
        }
        #expect(closes.count == count)
        for (index, time) in closes.enumerated() {
            let ideal = Double(index + 1) * 1_000 / Double(count)
            #expect(abs(Double(time) / 1_000_000 - ideal) < 1.0, "close \(index)")
        }
    }

    @Test("late looks close what is overdue, and clients that leave do not hasten the rest")
    func unevenLooks() {
        var policy = Self.policy(spread: 1_000)
        #expect(policy.closesDue(10, now: Self.at(300)) == 3)
        #expect(policy.closesDue(2, now: Self.at(500)) == 0)
        #expect(policy.closesDue(2, now: Self.at(650)) == 1)
        #expect(policy.closesDue(1, now: Self.at(999)) == 0)
        #expect(policy.closesDue(1, now: Self.at(1_000)) == 1)
    }

    @Test("a later order can only hasten an earlier one")
    func tightening() {
        var policy = Self.policy(spread: 5_000, returnsIdle: true)
        policy.tighten(
            DrainOrder(softMilliseconds: 90_000, hardMilliseconds: 100_000, returnsIdle: true),
            now: Self.at(1_000)
        )
        #expect(policy.hard == Self.at(60_000))
        #expect(policy.soft == Self.at(30_000))
        #expect(policy.spreadEnd == Self.at(1_000))
        #expect(policy.returnsIdle)
        policy.tighten(
            DrainOrder(softMilliseconds: 0, hardMilliseconds: 4_000),
            now: Self.at(2_000)
        )
        #expect(policy.hard == Self.at(6_000))
        #expect(policy.ending == Self.at(5_000))
        #expect(policy.soft == Self.at(2_000))
        #expect(!policy.returnsIdle)
    }

    @Test("connections are looked at when something can be due, and each second of the last stage")
    func looks() {
        let policy = Self.policy(soft: 3_000, hard: 10_000, spread: 1_000)
        var now = Self.start
        var looks: [UInt64] = []
        while let next = policy.nextLook(0, now: now) {
            looks.append((next - Self.start) / Self.millisecond)
            now = next
        }
        #expect(looks == [1_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000])
    }
}
