// SPDX-License-Identifier: Apache-2.0
import Policy
import Support
import Testing

/// Plays random facts in random order against a machine and checks what must always hold.
private final class ExchangeWalk {
    private var random: SplitMix
    private let policy: RetryPolicy
    private let candidates: [Candidate]
    private let deadline: UInt64
    private var machine: ExchangeMachine
    private var now: UInt64 = 1

    private var hasBegun = false
    private var running: TargetID?
    private var wakesAt: UInt64?
    private var isCommitted = false
    private var headersAreOut = false
    private var tries: [TargetID: Int] = [:]
    /// What each target asked to wait at its last failure, and from when.
    private var asked: [TargetID: (wait: UInt64, from: UInt64)] = [:]
    private var attempts = 0
    private var finals = 0
    private var failures: [Failure] = []
    private(set) var problems: [String] = []

    init(seed: UInt64) {
        var random = SplitMix(seed: seed)
        policy = RetryPolicy(
            triesPerTarget: UInt8(random.below(4)),
            maxTargets: UInt8(random.below(5)),
            backoff: Backoff(
                first: UInt64(random.below(300)),
                longest: UInt64(random.below(2000))
            ),
            retryAfterMax: UInt64(random.below(4)) * 1_000_000
        )
        let count = 1 + random.below(6)
        candidates = (0..<count).map { place in
            Candidate(
                id: TargetID(UInt16(place)),
                weight: UInt16(random.below(4)),
                tier: UInt8(random.below(3)),
                busy: UInt32(random.below(5))
            )
        }
        deadline = random.oneIn(4) ? .max : UInt64(1 + random.below(8_000_000))
        let balance = Balance.allCases[random.below(Balance.allCases.count)]
        machine =
            count == 1 && random.oneIn(2)
            ? ExchangeMachine(only: candidates[0].id, policy: policy, deadline: deadline)
            : ExchangeMachine(
                candidates: candidates,
                balance: balance,
                policy: policy,
                deadline: deadline
            )
        self.random = random
    }

    func run() {
        for _ in 0..<random.below(60) { step(anyFact()) }
        // From here on a shell that only does its duty must come to an end.
        if !hasBegun { step(.begin) }
        let stepsMax = 2 * Int(policy.triesPerTarget) * Int(policy.maxTargets) + 2
        for _ in 0..<stepsMax where finals == 0 {
            if let wakesAt {
                now = max(now, wakesAt)
                step(.wakeUp)
            } else {
                step(random.oneIn(5) ? .completed : .failed(anyFailure()))
            }
        }
        expect(finals == 1, "\(finals) final commands")
        expect(machine.isEnded, "not ended")
        expect(machine.attempts.total == attempts, "attempts are counted")
        for _ in 0..<10 { step(anyFact()) }
        expect(finals == 1, "\(finals) final commands after the end")
    }

    private func anyFact() -> Step.Fact {
        switch random.below(24) {
        case 0: return .clientLeft
        case 1: return .stopping
        case 2: return .deadlinePassed
        case 3: return .committed
        case 4: return .completed
        case 5, 6: return .headersSent
        case 7..<15: return .failed(anyFailure())
        case 15..<20: return .wakeUp
        default: return hasBegun ? .wakeUp : .begin
        }
    }

    private func anyFailure() -> Failure {
        let all = FailureReason.allCases
        return Failure(
            all[random.below(all.count)],
            status: [0, 400, 401, 404, 429, 500, 529][random.below(7)],
            retryAfterMilliseconds: random.oneIn(3) ? UInt32(random.below(6)) : nil
        )
    }

    private func step(_ fact: Step.Fact) {
        now += UInt64(random.below(100))
        if random.oneIn(8) { now += UInt64(random.below(1_000_000)) }
        if random.oneIn(2), let wakesAt { now = max(now, wakesAt) }
        let wasEnded = finals > 0
        let before = (machine.attempts, machine.stage, machine.answeredBy)
        if case .begin = fact {
            hasBegun = true
            guard !wasEnded else { return }
        }
        let command = machine.feed(fact, now: now, random: random.next())
        if wasEnded {
            expect(command == .none, "\(fact) after the end gives \(command)")
            let isSame = before == (machine.attempts, machine.stage, machine.answeredBy)
            expect(isSame, "\(fact) after the end changes facts")
            return
        }
        note(fact)
        check(command, after: fact)
        expect(machine.isAttempting == (running != nil), "the machine knows what runs")
        expect((machine.stage == .committed) == isCommitted, "the machine knows the commit")
    }

    /// What a fact means in the model.
    private func note(_ fact: Step.Fact) {
        switch fact {
        case .failed(let failure):
            guard let target = running else { return }
            failures.append(failure)
            let wait = UInt64(failure.retryAfterMilliseconds ?? 0) * 1_000_000
            asked[target] = (wait, now)
            running = nil
        case .committed:
            if running != nil { isCommitted = true }
        case .completed:
            guard running != nil else { return }
            isCommitted = true
            running = nil
        case .headersSent:
            headersAreOut = true
        case .begin, .wakeUp, .clientLeft, .stopping, .deadlinePassed:
            break
        }
    }

    private func check(_ command: ExchangeMachine.Command, after fact: Step.Fact) {
        switch command {
        case .none:
            switch fact {
            case .begin, .clientLeft, .stopping, .deadlinePassed:
                problems.append("\(fact) has no consequence")
            case .failed, .wakeUp, .headersSent, .committed, .completed:
                expect(running != nil || wakesAt != nil || !hasBegun, "left hanging by \(fact)")
            }
        case .attempt(let id, let number):
            checkAttempt(id, number)
        case .wait(let until):
            expect(running == nil && !isCommitted, "waits beside an attempt")
            expect(until > now && until < deadline, "waits until \(until) at \(now)")
            let longest = max(policy.backoff.longest, policy.retryAfterMax)
            expect(until - now <= longest, "waits \(until - now)")
            wakesAt = until
        case .cancelAttempt:
            expect(running != nil, "cancels nothing")
            finish()
        case .finish:
            expect(running == nil, "ends beside an attempt")
            finish()
        case .giveUp(let ending):
            expect(!isCommitted && !headersAreOut, "answers twice")
            checkEnding(ending)
        case .failInStream(let ending):
            expect(isCommitted || headersAreOut, "an error in a stream that is not there")
            checkEnding(ending)
        }
    }

    private func checkAttempt(_ id: TargetID, _ number: Int) {
        attempts += 1
        expect(running == nil, "two attempts at once")
        expect(!isCommitted, "an attempt after the commit")
        expect(number == attempts, "attempt \(number) is number \(attempts)")
        expect(now < deadline, "an attempt after the deadline")
        if let wakesAt { expect(now >= wakesAt, "an attempt before its time") }
        if let last = failures.last {
            expect(last.rule.mayFailOver, "an attempt after \(last.reason)")
        }
        if let asked = asked[id] {
            expect(now >= asked.from + asked.wait, "comes back too early")
            expect(asked.wait <= policy.retryAfterMax, "waited too long")
        }
        checkOrder(id)
        tries[id, default: 0] += 1
        expect(tries.count <= max(1, policy.maxTargets), "\(tries.count) targets")
        expect(tries[id, default: 0] <= max(1, policy.triesPerTarget), "\(tries) tries")
        running = id
        wakesAt = nil
    }

    /// Nothing is tried again, and no fallback begun, while the tier has something new.
    private func checkOrder(_ id: TargetID) {
        guard let candidate = candidates.first(where: { $0.id == id }) else {
            problems.append("an attempt on a target that is none")
            return
        }
        // The last target may be kept for a fallback model.
        guard tries.count + 1 < max(1, policy.maxTargets) else { return }
        let untried = candidates.filter { tries[$0.id] == nil }
        if tries[id] != nil {
            let hasNew = untried.contains { $0.tier == candidate.tier }
            expect(!hasNew, "\(id) again before others of its tier")
        } else {
            let hasEarlier = untried.contains { $0.tier < candidate.tier }
            expect(!hasEarlier, "tier \(candidate.tier) before its turn")
        }
    }

    private func checkEnding(_ ending: ExchangeMachine.Ending) {
        expect(ending.cancelsAttempt == (running != nil), "cancels what runs and nothing else")
        expect((ending.retryAfterMilliseconds ?? 1) > 0, "a wait of nothing")
        let rule = ending.failure.rule
        if rule.precedence == .capacity || ending.failure.reason == .stopping {
            expect(ending.retryAfterMilliseconds != nil, "no room and no wait")
        }
        if rule.isDeterministic {
            expect(ending.clientShouldRetry == false, "a hopeless retry")
        }
        if ending.attempt > 0, ending.attempt <= failures.count {
            let same = failures[ending.attempt - 1] == ending.failure
            expect(same, "attempt \(ending.attempt) did not fail with \(ending.failure)")
        }
        expect(ending.attempt <= attempts, "an attempt that never was")
        finish()
    }

    private func finish() {
        finals += 1
        running = nil
        wakesAt = nil
    }

    private func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds { problems.append(what()) }
    }
}

@Suite("Exchange walk")
struct ExchangeWalkTests {
    @Test("what must always hold, over random facts in random order")
    func walk() {
        for seed in UInt64(1)...6000 {
            let walk = ExchangeWalk(seed: seed)
            walk.run()
            guard walk.problems.isEmpty else {
                Issue.record("seed \(seed): \(walk.problems)")
                return
            }
        }
    }
}
