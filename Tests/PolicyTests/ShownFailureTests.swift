// SPDX-License-Identifier: Apache-2.0
import Policy
import Testing

/// The failures of three targets in order, 10 ms apart, and what the client is told.
private struct ShownRow: CustomTestStringConvertible {
    let testDescription: String
    let failures: [Failure]
    /// Place of the one that is shown, counted from 1.
    let shown: Int
    let retryAfter: UInt32?
    let shouldRetry: Bool?

    init(
        _ name: String,
        _ failures: [Failure],
        _ shown: Int,
        retryAfter: UInt32? = nil,
        shouldRetry: Bool? = nil
    ) {
        testDescription = name
        self.failures = failures
        self.shown = shown
        self.retryAfter = retryAfter
        self.shouldRetry = shouldRetry
    }

    static let all = [
        ShownRow("the last of three alike", [five, five, five], 3),
        ShownRow(
            "a fault, not a connection that failed later",
            [five, refusedPort, refusedPort],
            1
        ),
        ShownRow("a fault, not a connection that failed before", [refusedPort, five, tls], 2),
        ShownRow(
            "the upstream's 4xx, not what came before",
            [five, limited(50), bad],
            3,
            shouldRetry: false
        ),
        ShownRow(
            "all limited: the shortest wait",
            [
                limited(20_000), limited(11_000),
                limited(90_000),
            ],
            2,
            retryAfter: 10_990
        ),
        ShownRow(
            "all limited: the shortest wait is the first",
            [
                limited(11_000),
                limited(90_000), limited(20_000),
            ],
            1,
            retryAfter: 10_980
        ),
        ShownRow(
            "all limited for long",
            [limited(90_000), limited(80_000), limited(70_000)],
            3,
            retryAfter: 70_000,
            shouldRetry: false
        ),
        ShownRow(
            "limited without a wait: one second",
            [
                limited(20_000), limited(nil),
                limited(20_000),
            ],
            2,
            retryAfter: 990
        ),
        ShownRow(
            "limits and overload are alike",
            [
                limited(30_000), full(12_000),
                limited(20_000),
            ],
            2,
            retryAfter: 11_990
        ),
        ShownRow(
            "a limit, not a connection that failed",
            [refusedPort, limited(20_000), tls],
            2,
            retryAfter: 19_990
        ),
        ShownRow(
            "a fault that may pass, not a long wait",
            [limited(70_000), five, limited(70_000)],
            2
        ),
        ShownRow(
            "our own limit names a wait",
            [Failure(.busyPool), refusedPort, tls],
            1,
            retryAfter: 980
        ),
        ShownRow("unfit targets, but one that failed", [unsupported, refusedPort, unsupported], 2),
        ShownRow(
            "unfit targets, but one with wrong credentials",
            [unsupported, key, missing],
            2,
            shouldRetry: false
        ),
        ShownRow(
            "all unfit: the last",
            [unsupported, missing, unsupported],
            3,
            shouldRetry: false
        ),
        ShownRow("wrong credentials, but one not reached", [key, refusedPort, key], 2),
        ShownRow(
            "an error in a stream counts as its status",
            [
                Failure(.errorInStream, status: 429, retryAfterMilliseconds: 15_000), refusedPort,
                key,
            ],
            1,
            retryAfter: 14_980
        ),
        ShownRow(
            "a fault that named its wait",
            [
                Failure(.serverError, status: 500, retryAfterMilliseconds: 15_000), key, key,
            ],
            1,
            retryAfter: 14_980
        ),
    ]

    private static let five = Failure(.serverError, status: 500)
    private static let refusedPort = Failure(.connect)
    private static let tls = Failure(.tls)
    private static let bad = Failure(.refused, status: 422)
    private static let key = Failure(.credentials, status: 403)
    private static let missing = Failure(.modelNotFound, status: 404)
    private static let unsupported = Failure(.unsupported)

    private static func limited(_ milliseconds: UInt32?) -> Failure {
        Failure(.rateLimited, status: 429, retryAfterMilliseconds: milliseconds)
    }

    private static func full(_ milliseconds: UInt32?) -> Failure {
        Failure(.overloaded, status: 529, retryAfterMilliseconds: milliseconds)
    }
}

@Suite("Which failure the client is told")
struct ShownFailureTests {
    @Test("of several targets", arguments: ShownRow.all)
    fileprivate func several(row: ShownRow) throws {
        let policy = RetryPolicy(
            triesPerTarget: 1,
            maxTargets: 3,
            backoff: RetryPolicy.test.backoff,
            retryAfterMax: 10_000 * ms
        )
        var machine = ExchangeMachine(
            candidates: [Candidate(id: a), Candidate(id: b), Candidate(id: c)],
            balance: .ordered,
            policy: policy,
            deadline: .max
        )
        var command = machine.begin(now: 0, random: 0)
        var shown: [Int] = []
        for (place, failure) in row.failures.enumerated() {
            let now = UInt64(place + 1) * 10 * ms
            command = machine.attemptFailed(failure, now: now, random: .max)
            shown.append(machine.attemptToShow)
        }
        #expect(
            command
                == .giveUp(
                    row.failures[row.shown - 1],
                    of: row.shown,
                    retryAfter: row.retryAfter,
                    shouldRetry: row.shouldRetry
                )
        )
        // The body of an earlier failure is not there any more once another took its place.
        for (place, attempt) in shown.enumerated() where place > 0 {
            #expect(attempt == place + 1 || attempt == shown[place - 1])
        }
        #expect(shown.last == row.shown)
    }

    @Test(
        "of one target its last word, if it was reached",
        arguments: [
            ([.serverError, .rateLimited], 2), ([.rateLimited, .serverError], 2),
            ([.serverError, .connect], 1), ([.rateLimited, .rateLimited], 2),
            ([.connect, .connectTimeout], 2), ([.rateLimited, .connect], 1),
        ] as [([FailureReason], Int)]
    )
    func one(reasons: [FailureReason], shown: Int) throws {
        var machine = ExchangeMachine(only: a, policy: .test, deadline: .max)
        _ = machine.begin(now: 0, random: 0)
        #expect(
            machine.attemptFailed(Failure(reasons[0]), now: ms, random: 0)
                == .attempt(a, number: 2)
        )
        guard
            case .giveUp(let ending) =
                machine.attemptFailed(Failure(reasons[1]), now: 2 * ms, random: 0)
        else {
            Issue.record("no end")
            return
        }
        #expect(ending.attempt == shown)
        #expect(ending.failure.reason == reasons[shown - 1])
    }

    @Test("a wait that is over is no advice")
    func expired() {
        // Both are limited; the first one's 1 s is long over when the second answers.
        var machine = ExchangeMachine(
            candidates: [Candidate(id: a), Candidate(id: b)],
            balance: .ordered,
            policy: RetryPolicy(
                triesPerTarget: 1,
                maxTargets: 2,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            deadline: .max
        )
        let first = Failure(.rateLimited, status: 429, retryAfterMilliseconds: 1000)
        let second = Failure(.rateLimited, status: 429, retryAfterMilliseconds: 7000)
        _ = machine.begin(now: 0, random: 0)
        #expect(machine.attemptFailed(first, now: 0, random: 0) == .attempt(b, number: 2))
        #expect(
            machine.attemptFailed(second, now: 5000 * ms, random: 0)
                == .giveUp(second, of: 2, retryAfter: 7000)
        )
    }
}
