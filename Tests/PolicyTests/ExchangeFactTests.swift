// SPDX-License-Identifier: Apache-2.0
import Policy
import Testing

@Suite("Facts of an exchange")
struct ExchangeFactTests {
    @Test("stages and who answered")
    func stages() {
        var machine = ExchangeMachine(
            candidates: [Candidate(id: a), Candidate(id: b)],
            balance: .ordered,
            policy: .test,
            deadline: .max
        )
        #expect(machine.stage == .untouched)
        #expect(!machine.isAttempting)
        _ = machine.begin(now: 1, random: 0)
        #expect(machine.isAttempting)
        machine.headersSent()
        #expect(machine.stage == .headersSent)
        #expect(machine.attemptToShow == 0)
        _ = machine.attemptFailed(Failure(.serverError, status: 500), now: 4, random: 0)
        #expect(machine.attemptToShow == 1)
        #expect(machine.answeredBy == nil)
        machine.committed()
        #expect(machine.stage == .committed)
        #expect(machine.answeredBy == b)
        machine.headersSent()
        #expect(machine.stage == .committed)
        #expect(!machine.isEnded)
        #expect(machine.completed(now: 9) == .finish)
        #expect(machine.isEnded)
        #expect(
            Array(machine.attempts) == [
                AttemptRecord(
                    target: a,
                    startedAt: 1,
                    endedAt: 4,
                    outcome: .failed(.serverError)
                ),
                AttemptRecord(target: b, startedAt: 4, endedAt: 9, outcome: .answered),
            ]
        )
    }

    @Test("a cancelled attempt")
    func cancelled() {
        var machine = ExchangeMachine(only: a, policy: .test, deadline: .max)
        _ = machine.begin(now: 1, random: 0)
        #expect(machine.attempts.first == AttemptRecord(target: a, startedAt: 1))
        _ = machine.clientLeft(now: 3)
        #expect(machine.attempts.first?.outcome == .cancelled)
        #expect(machine.attempts.first?.endedAt == 3)
        #expect(machine.answeredBy == nil)
    }

    @Test("an answer that was cut was still given by its target")
    func cut() {
        var machine = ExchangeMachine(only: a, policy: .test, deadline: .max)
        _ = machine.begin(now: 1, random: 0)
        machine.committed()
        _ = machine.attemptFailed(Failure(.reset), now: 3, random: 0)
        #expect(machine.answeredBy == a)
        #expect(machine.attempts.first?.outcome == .failed(.reset))
    }

    @Test("the log keeps the first seven attempts and the latest")
    func log() {
        let policy = RetryPolicy(
            triesPerTarget: 12,
            maxTargets: 1,
            backoff: Backoff(first: 0, longest: 0),
            retryAfterMax: 0
        )
        var machine = ExchangeMachine(only: a, policy: policy, deadline: .max)
        #expect(machine.attempts.isEmpty)
        _ = machine.begin(now: 0, random: 0)
        for time in 1..<12 {
            #expect(machine.attempts.count == min(time, AttemptLog.recordsMax))
            _ = machine.attemptFailed(Failure(.reset), now: UInt64(time), random: 0)
        }
        _ = machine.completed(now: 20)
        #expect(machine.attempts.total == 12)
        #expect(machine.attempts.map(\.startedAt) == [0, 1, 2, 3, 4, 5, 6, 11])
        #expect(machine.attempts.map(\.endedAt) == [1, 2, 3, 4, 5, 6, 7, 20])
        #expect(machine.attempts.last?.outcome == .answered)
    }

    @Test(
        "seconds of Retry-After are rounded up",
        arguments: [(1, 1), (999, 1), (1000, 1), (1001, 2), (.max, 4_294_968)]
            as [(UInt32, UInt32)]
    )
    func seconds(milliseconds: UInt32, seconds: UInt32) {
        let ending = ExchangeMachine.Ending(
            failure: Failure(.reset),
            attempt: 1,
            retryAfterMilliseconds: milliseconds
        )
        #expect(ending.retryAfterSeconds == seconds)
    }
}
