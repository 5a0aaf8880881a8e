// SPDX-License-Identifier: Apache-2.0
import Policy
import Testing

private let reset = Failure(.reset)
private let broken = Failure(.serverError, status: 500)
private let refused = Failure(.refused, status: 400)
private let stopping = Failure(.stopping)
private let totalTimeout = Failure(.totalTimeout)
private let unsupported = Failure(.unsupported)

private func limited(_ milliseconds: UInt32?) -> Failure {
    Failure(.rateLimited, status: 429, retryAfterMilliseconds: milliseconds)
}

private let two = [Candidate(id: a), Candidate(id: b)]
private let fallback = [Candidate(id: a), Candidate(id: b, tier: 1)]

@Suite("ExchangeMachine")
struct ExchangeMachineTests {
    private static let plain = [
        Script(
            "success",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(5, .committed),
                Step(9, .completed, .finish),
            ]
        ),
        Script(
            "an answer that is judged whole commits and completes at once",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(9, .completed, .finish),
            ]
        ),
        Script(
            "retries on the only target, with doubling backoff, then gives up",
            policy: .init(
                triesPerTarget: 5,
                maxTargets: 3,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(reset), .wait(until: 110 * ms)),
                Step(110, .wakeUp, .attempt(a, number: 2)),
                Step(120, .failed(reset), .wait(until: 320 * ms)),
                Step(320, .wakeUp, .attempt(a, number: 3)),
                Step(330, .failed(reset), .wait(until: 730 * ms)),
                Step(730, .wakeUp, .attempt(a, number: 4)),
                Step(740, .failed(reset), .wait(until: 1240 * ms)),
                Step(1240, .wakeUp, .attempt(a, number: 5)),
                Step(1250, .failed(reset), .giveUp(reset, of: 5)),
            ]
        ),
        Script(
            "an early timer is asked for again",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(reset), .wait(until: 110 * ms)),
                Step(109, .wakeUp, .wait(until: 110 * ms)),
                Step(111, .wakeUp, .attempt(a, number: 2)),
            ]
        ),
        Script(
            "a refusal is final at once",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(refused), .giveUp(refused, of: 1, shouldRetry: false)),
            ]
        ),
        Script(
            "another target is tried without a wait",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(reset), .attempt(b, number: 2)),
                Step(20, .committed),
                Step(30, .completed, .finish),
            ]
        ),
        Script(
            "after the last one the first one again, after a wait",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(reset), .attempt(b, number: 2)),
                Step(20, .failed(reset), .wait(until: 120 * ms)),
                Step(120, .wakeUp, .attempt(a, number: 3)),
                Step(130, .failed(reset), .wait(until: 330 * ms)),
                Step(330, .wakeUp, .attempt(b, number: 4)),
                Step(340, .failed(broken), .giveUp(broken, of: 4)),
            ]
        ),
        Script(
            "a passing fault is retried before a fallback model",
            on: fallback,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(reset), .wait(until: 110 * ms)),
                Step(110, .wakeUp, .attempt(a, number: 2)),
                Step(120, .failed(reset), .attempt(b, number: 3)),
                Step(130, .completed, .finish),
            ]
        ),
        Script(
            "no room: the fallback model first, then again",
            on: fallback,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(2000)), .attempt(b, number: 2)),
                Step(20, .failed(limited(1500)), .wait(until: 1520 * ms)),
                Step(1520, .wakeUp, .attempt(b, number: 3)),
                Step(1530, .failed(limited(9000)), .wait(until: 2010 * ms)),
                Step(2010, .wakeUp, .attempt(a, number: 4)),
                Step(2020, .failed(limited(9500)), .giveUp(limited(9000), of: 3, retryAfter: 8510)),
            ]
        ),
        Script(
            "credentials and conversion are not tried twice",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(Failure(.credentials, status: 401)), .attempt(b, number: 2)),
                Step(
                    10,
                    .failed(unsupported),
                    .giveUp(
                        Failure(.credentials, status: 401),
                        of: 1,
                        shouldRetry: false
                    )
                ),
            ]
        ),
        Script(
            "a model that another target knows",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(Failure(.modelNotFound, status: 404)), .attempt(b, number: 2)),
                Step(20, .completed, .finish),
            ]
        ),
    ]

    private static let waits = [
        Script(
            "Retry-After longer than the backoff is waited for",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(3000)), .wait(until: 3010 * ms)),
                Step(3010, .wakeUp, .attempt(a, number: 2)),
            ]
        ),
        Script(
            "Retry-After shorter than the backoff changes nothing",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(30)), .wait(until: 110 * ms)),
            ]
        ),
        Script(
            "Retry-After of exactly the limit is waited for",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(10_000)), .wait(until: 10_010 * ms)),
            ]
        ),
        Script(
            "Retry-After beyond the limit: not waited for, told to the client",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(
                    10,
                    .failed(limited(10_001)),
                    .giveUp(
                        limited(10_001),
                        of: 1,
                        retryAfter: 10_001
                    )
                ),
            ]
        ),
        Script(
            "a client is not to come back after more than a minute",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(
                    10,
                    .failed(limited(60_001)),
                    .giveUp(
                        limited(60_001),
                        of: 1,
                        retryAfter: 60_001,
                        shouldRetry: false
                    )
                ),
            ]
        ),
        Script(
            "a client may come back after a minute",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(
                    10,
                    .failed(limited(60_000)),
                    .giveUp(
                        limited(60_000),
                        of: 1,
                        retryAfter: 60_000
                    )
                ),
            ]
        ),
        Script(
            "Retry-After of another failure counts as well",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(
                    10,
                    .failed(Failure(.serverError, status: 500, retryAfterMilliseconds: 700)),
                    .wait(until: 710 * ms)
                ),
            ]
        ),
        Script(
            "a passing fault that names a wait leaves the way to the fallback",
            on: fallback,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(
                    10,
                    .failed(Failure(.serverError, status: 500, retryAfterMilliseconds: 1)),
                    .attempt(b, number: 2)
                ),
            ]
        ),
        Script(
            "Retry-After beyond the deadline: not waited for",
            deadline: 3000,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(2990)), .giveUp(limited(2990), of: 1, retryAfter: 2990)),
            ]
        ),
        Script(
            "Retry-After just within the deadline",
            deadline: 3000,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(2989)), .wait(until: 2999 * ms)),
            ]
        ),
        Script(
            "the target that is ready first is tried first",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(5000)), .attempt(b, number: 2)),
                Step(20, .failed(limited(1000)), .wait(until: 1020 * ms)),
                Step(1020, .wakeUp, .attempt(b, number: 3)),
                Step(1030, .failed(reset), .wait(until: 5010 * ms)),
                Step(5010, .wakeUp, .attempt(a, number: 4)),
            ]
        ),
        Script(
            "a backoff beyond the deadline goes to the fallback",
            on: fallback,
            deadline: 100,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(50, .failed(reset), .attempt(b, number: 2)),
                Step(60, .failed(reset), .giveUp(reset, of: 2)),
            ]
        ),
        Script(
            "each Retry-After stands for itself",
            policy: .init(
                triesPerTarget: 4,
                maxTargets: 1,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 10_000 * ms
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(2000)), .wait(until: 2010 * ms)),
                Step(2010, .wakeUp, .attempt(a, number: 2)),
                Step(2020, .failed(limited(3000)), .wait(until: 5020 * ms)),
                Step(5020, .wakeUp, .attempt(a, number: 3)),
                Step(5030, .failed(limited(nil)), .wait(until: 5430 * ms)),
            ]
        ),
        Script(
            "no deadline",
            deadline: .max / ms,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(10, .failed(limited(10_000)), .wait(until: 10_010 * ms)),
            ]
        ),
    ]

    private static let caps = [
        Script(
            "at most so many targets",
            on: [Candidate(id: a), Candidate(id: b), Candidate(id: c), Candidate(id: d)],
            policy: .init(
                triesPerTarget: 1,
                maxTargets: 3,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .attempt(b, number: 2)),
                Step(2, .failed(reset), .attempt(c, number: 3)),
                Step(3, .failed(reset), .giveUp(reset, of: 3)),
            ]
        ),
        Script(
            "the last of them is kept for a fallback model",
            on: [
                Candidate(id: a), Candidate(id: b), Candidate(id: c), Candidate(id: d, tier: 1),
            ],
            policy: .init(
                triesPerTarget: 1,
                maxTargets: 3,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .attempt(b, number: 2)),
                Step(2, .failed(reset), .attempt(d, number: 3)),
                Step(3, .failed(reset), .giveUp(reset, of: 3)),
            ]
        ),
        Script(
            "tiers in order, whatever the order of the list",
            on: [Candidate(id: c, tier: 7), Candidate(id: b, tier: 2), Candidate(id: a, tier: 1)],
            policy: .init(
                triesPerTarget: 1,
                maxTargets: 9,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .attempt(b, number: 2)),
                Step(2, .failed(reset), .attempt(c, number: 3)),
                Step(3, .failed(reset), .giveUp(reset, of: 3)),
            ]
        ),
        Script(
            "each fallback model is tried again before the next one",
            on: [Candidate(id: a), Candidate(id: b, tier: 1), Candidate(id: c, tier: 2)],
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(unsupported), .attempt(b, number: 2)),
                Step(2, .failed(reset), .wait(until: 102 * ms)),
                Step(102, .wakeUp, .attempt(b, number: 3)),
                Step(103, .failed(reset), .attempt(c, number: 4)),
                Step(104, .failed(reset), .wait(until: 304 * ms)),
            ]
        ),
        Script(
            "a fallback model with two targets",
            on: [
                Candidate(id: a), Candidate(id: b, tier: 1), Candidate(id: c, tier: 1),
                Candidate(id: d, tier: 2),
            ],
            policy: .init(
                triesPerTarget: 2,
                maxTargets: 4,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(unsupported), .attempt(b, number: 2)),
                Step(2, .failed(reset), .attempt(c, number: 3)),
                Step(3, .failed(Failure(.overloaded)), .wait(until: 103 * ms)),
                Step(103, .wakeUp, .attempt(b, number: 4)),
                Step(104, .failed(reset), .attempt(d, number: 5)),
                Step(105, .failed(unsupported), .wait(until: 305 * ms)),
                Step(305, .wakeUp, .attempt(c, number: 6)),
            ]
        ),
        Script(
            "a tier of nothing new is passed over",
            on: [Candidate(id: a), Candidate(id: a, tier: 1), Candidate(id: b, tier: 2)],
            policy: .init(
                triesPerTarget: 1,
                maxTargets: 2,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .attempt(b, number: 2)),
            ]
        ),
        Script(
            "one target only, and zero means one",
            on: [Candidate(id: a), Candidate(id: b), Candidate(id: c, tier: 1)],
            policy: .init(
                triesPerTarget: 0,
                maxTargets: 0,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .giveUp(reset, of: 1)),
            ]
        ),
        Script(
            "a target that stands twice in the list is tried once",
            on: [Candidate(id: a), Candidate(id: a), Candidate(id: a, tier: 1)],
            policy: .init(
                triesPerTarget: 1,
                maxTargets: 3,
                backoff: RetryPolicy.test.backoff,
                retryAfterMax: 0
            ),
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .giveUp(reset, of: 1)),
            ]
        ),
    ]

    private static let ends = [
        Script(
            "the client leaves during an attempt",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .clientLeft, .cancelAttempt),
                Step(2, .failed(reset)),
            ]
        ),
        Script(
            "the client leaves after the commit",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .committed),
                Step(2, .clientLeft, .cancelAttempt),
                Step(3, .completed),
            ]
        ),
        Script(
            "the client leaves during a wait",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .wait(until: 101 * ms)),
                Step(2, .clientLeft, .finish),
                Step(101, .wakeUp),
            ]
        ),
        Script(
            "the client leaves before anything",
            [
                Step(0, .clientLeft, .finish),
                Step(1, .clientLeft),
            ]
        ),
        Script(
            "the worker stops during an attempt",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .stopping, .giveUp(stopping, of: 0, retryAfter: 1000, cancels: true)),
            ]
        ),
        Script(
            "the worker stops during a wait",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .wait(until: 101 * ms)),
                Step(2, .stopping, .giveUp(stopping, of: 0, retryAfter: 1000)),
            ]
        ),
        Script(
            "the worker stops after the commit",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .committed),
                Step(2, .stopping, .failInStream(stopping, of: 0, retryAfter: 1000, cancels: true)),
            ]
        ),
        Script(
            "the worker stops before anything",
            [
                Step(0, .stopping, .giveUp(stopping, of: 0, retryAfter: 1000))
            ]
        ),
        Script(
            "the deadline during an attempt",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(600_000, .deadlinePassed, .giveUp(totalTimeout, of: 1, cancels: true)),
            ]
        ),
        Script(
            "the deadline after the commit",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .committed),
                Step(600_000, .deadlinePassed, .failInStream(totalTimeout, of: 1, cancels: true)),
            ]
        ),
        Script(
            "the deadline during a wait tells what made us wait",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(broken), .wait(until: 101 * ms)),
                Step(99, .deadlinePassed, .giveUp(broken, of: 1)),
            ]
        ),
        Script(
            "a timer that comes after the deadline",
            deadline: 200,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(broken), .wait(until: 101 * ms)),
                Step(200, .wakeUp, .giveUp(broken, of: 1)),
            ]
        ),
        Script(
            "a failure after the deadline is the end, also with targets left",
            on: two,
            deadline: 200,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(200, .failed(broken), .giveUp(broken, of: 1)),
            ]
        ),
        Script(
            "no time from the start",
            deadline: 0,
            [
                Step(0, .begin, .giveUp(totalTimeout, of: 0))
            ]
        ),
        Script(
            "the deadline before anything",
            [
                Step(0, .deadlinePassed, .giveUp(totalTimeout, of: 0))
            ]
        ),
        Script(
            "an attempt's own total timeout stops all",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(totalTimeout), .giveUp(totalTimeout, of: 1)),
            ]
        ),
    ]

    private static let streams = [
        Script(
            "the head is out: failover goes on, the error goes into the stream",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .headersSent),
                Step(2, .failed(reset), .attempt(b, number: 2)),
                Step(3, .failed(refused), .failInStream(refused, of: 2, shouldRetry: false)),
            ]
        ),
        Script(
            "the head goes out during a wait",
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(reset), .wait(until: 101 * ms)),
                Step(50, .headersSent),
                Step(101, .wakeUp, .attempt(a, number: 2)),
                Step(
                    102,
                    .stopping,
                    .failInStream(
                        stopping,
                        of: 0,
                        retryAfter: 1000,
                        cancels: true
                    )
                ),
            ]
        ),
        Script(
            "a cut after the commit is the error, whatever came before",
            on: two,
            [
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .failed(broken), .attempt(b, number: 2)),
                Step(2, .committed),
                Step(3, .headersSent),
                Step(4, .failed(Failure(.connect)), .failInStream(Failure(.connect), of: 2)),
            ]
        ),
        Script(
            "upstream facts without an attempt change nothing",
            [
                Step(0, .completed),
                Step(0, .committed),
                Step(0, .failed(reset)),
                Step(0, .wakeUp),
                Step(0, .begin, .attempt(a, number: 1)),
                Step(1, .wakeUp),
                Step(2, .failed(reset), .wait(until: 102 * ms)),
                Step(3, .committed),
                Step(4, .completed),
                Step(5, .failed(refused)),
                Step(102, .wakeUp, .attempt(a, number: 2)),
                Step(103, .failed(broken), .giveUp(broken, of: 2)),
                Step(104, .headersSent),
                Step(104, .committed),
                Step(105, .stopping),
                Step(105, .deadlinePassed),
            ]
        ),
    ]

    @Test("transcripts", arguments: plain + waits + caps + ends + streams)
    func transcript(script: Script) {
        script.play()
    }

    @Test("a jitter of nothing needs no timer")
    func zeroJitter() {
        var machine = ExchangeMachine(only: a, policy: .test, deadline: .max)
        _ = machine.begin(now: 7, random: 0)
        #expect(machine.attemptFailed(reset, now: 9, random: 0) == .attempt(a, number: 2))
    }

    @Test("beginning twice is a fault of the shell")
    func beginTwice() async {
        await #expect(processExitsWith: .failure) {
            var machine = ExchangeMachine(only: a, policy: .test, deadline: .max)
            _ = machine.begin(now: 0, random: 0)
            _ = machine.begin(now: 0, random: 0)
        }
    }

    @Test("a request without candidates is a fault of the shell")
    func noCandidates() async {
        await #expect(processExitsWith: .failure) {
            _ = ExchangeMachine(
                candidates: [],
                balance: .ordered,
                policy: .test,
                deadline: .max
            )
        }
    }
}
