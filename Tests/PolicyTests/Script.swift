// SPDX-License-Identifier: Apache-2.0
import Policy
import Testing

let ms: UInt64 = 1_000_000
let a = TargetID(0)
let b = TargetID(1)
let c = TargetID(2)
let d = TargetID(3)

extension RetryPolicy {
    /// Two tries, three targets, backoff up to 100, 200, 400, 500 ms, Retry-After up to 10 s.
    static let test = RetryPolicy(
        triesPerTarget: 2,
        maxTargets: 3,
        backoff: Backoff(first: 100 * ms, longest: 500 * ms),
        retryAfterMax: 10_000 * ms
    )
}

extension ExchangeMachine.Command {
    var isFinal: Bool {
        switch self {
        case .none, .attempt, .wait: false
        case .cancelAttempt, .giveUp, .failInStream, .finish: true
        }
    }
}

/// One fact at a time in milliseconds, and the command that has to follow.
struct Step {
    enum Fact {
        case begin
        case failed(Failure)
        case wakeUp
        case headersSent
        case committed
        case completed
        case clientLeft
        case stopping
        case deadlinePassed
    }

    let milliseconds: UInt64
    let fact: Fact
    let command: ExchangeMachine.Command

    init(_ milliseconds: UInt64, _ fact: Fact, _ command: ExchangeMachine.Command = .none) {
        self.milliseconds = milliseconds
        self.fact = fact
        self.command = command
    }
}

extension ExchangeMachine {
    /// Feeds one fact; the random word decides jitter and choice.
    mutating func feed(_ fact: Step.Fact, now: UInt64, random: UInt64) -> Command {
        switch fact {
        case .begin: return begin(now: now, random: random)
        case .failed(let failure): return attemptFailed(failure, now: now, random: random)
        case .wakeUp: return wakeUp(now: now)
        case .headersSent:
            headersSent()
            return .none
        case .committed:
            committed()
            return .none
        case .completed: return completed(now: now)
        case .clientLeft: return clientLeft(now: now)
        case .stopping: return stopping(now: now)
        case .deadlinePassed: return deadlinePassed(now: now)
        }
    }
}

/// A named transcript: candidates, policy, and steps.
struct Script: CustomTestStringConvertible {
    let name: String
    let candidates: [Candidate]
    let balance: Balance
    let policy: RetryPolicy
    /// In milliseconds.
    let deadline: UInt64
    let steps: [Step]

    var testDescription: String { name }

    init(
        _ name: String,
        on candidates: [Candidate] = [Candidate(id: a)],
        balance: Balance = .ordered,
        policy: RetryPolicy = .test,
        deadline: UInt64 = 600_000,
        _ steps: [Step]
    ) {
        self.name = name
        self.candidates = candidates
        self.balance = balance
        self.policy = policy
        self.deadline = deadline
        self.steps = steps
    }

    /// Plays it with the longest jitter; returns the machine as it is then.
    @discardableResult
    func play() -> ExchangeMachine {
        var machine: ExchangeMachine
        if candidates.count == 1 {
            machine = ExchangeMachine(
                only: candidates[0].id,
                policy: policy,
                deadline: deadline * ms
            )
        } else {
            machine = ExchangeMachine(
                candidates: candidates,
                balance: balance,
                policy: policy,
                deadline: deadline * ms
            )
        }
        for (place, step) in steps.enumerated() {
            let command = machine.feed(step.fact, now: step.milliseconds * ms, random: .max)
            #expect(command == step.command, "\(name), step \(place): \(step.fact)")
        }
        return machine
    }
}

extension ExchangeMachine.Command {
    /// `giveUp` in one line.
    static func giveUp(
        _ failure: Failure,
        of attempt: Int,
        retryAfter: UInt32? = nil,
        shouldRetry: Bool? = nil,
        cancels: Bool = false
    ) -> Self {
        .giveUp(ending(failure, attempt, retryAfter, shouldRetry, cancels))
    }

    /// `failInStream` in one line.
    static func failInStream(
        _ failure: Failure,
        of attempt: Int,
        retryAfter: UInt32? = nil,
        shouldRetry: Bool? = nil,
        cancels: Bool = false
    ) -> Self {
        .failInStream(ending(failure, attempt, retryAfter, shouldRetry, cancels))
    }

    private static func ending(
        _ failure: Failure,
        _ attempt: Int,
        _ retryAfter: UInt32?,
        _ shouldRetry: Bool?,
        _ cancels: Bool
    ) -> ExchangeMachine.Ending {
        ExchangeMachine.Ending(
            failure: failure,
            attempt: attempt,
            retryAfterMilliseconds: retryAfter,
            clientShouldRetry: shouldRetry,
            cancelsAttempt: cancels
        )
    }
}
