// SPDX-License-Identifier: Apache-2.0

/// One client request on its way through targets and attempts, up to its end.
///
/// Pure: no clock, no random source, no descriptor. Inputs are facts with the time (nanoseconds)
/// and, where something is drawn, a random word; each returns the one command that follows.
///
/// Total: client, timers and upstream race, so a fact that no longer fits (a timer that was about
/// to fire, anything after the end) changes nothing and returns `none`. Only beginning twice is a
/// fault of the shell.
///
/// What stands around it: guards, limits, budgets and caches decide before the machine is made (a
/// cache hit never makes one) and settle at its final command. A breaker takes candidates out of
/// the list before that; with none left there is no exchange, and the shell answers 503. It counts
/// each failure by `Failure.rule` (`countsAgainstTarget`), where the shell feeds it in. A target
/// that a limit of its own refuses at the last moment is an attempt that fails as `busyPool`.
package struct ExchangeMachine {
    /// How much of an answer the client has.
    package enum Stage: UInt8, Sendable {
        /// Nothing: an error has its own status.
        case untouched
        /// The head of a 200, so that a quiet stream stays open; errors go inside of it.
        case headersSent
        /// Content: no other attempt may speak any more.
        case committed
    }

    /// What the shell has to do.
    package enum Command: Equatable, Sendable {
        case none
        /// Send the request to the target; attempts are numbered from 1.
        case attempt(TargetID, number: Int)
        /// Set a timer that feeds `wakeUp`.
        case wait(until: UInt64)
        /// Final: end the attempt, there is nobody to answer.
        case cancelAttempt
        /// Final: answer with this failure.
        case giveUp(Ending)
        /// Final: end the stream with an error event.
        case failInStream(Ending)
        /// Final: nothing is left to do.
        case finish
    }

    /// How a request ends that was not answered.
    package struct Ending: Equatable, Sendable {
        /// Not always the last one: see `FailureRule.Precedence`.
        package let failure: Failure
        /// The attempt that failed so; 0 when it was none.
        package let attempt: Int
        /// Time until another try makes sense, at least 1 ms; nil when nobody knows.
        ///
        /// Always set where the answer is for want of room (429, 503 and what means the same).
        package let retryAfterMilliseconds: UInt32?
        /// The hint `x-should-retry`; nil leaves it to the client's own rules.
        package let clientShouldRetry: Bool?
        /// Whether an attempt still runs, which the shell ends first.
        package let cancelsAttempt: Bool

        package init(
            failure: Failure,
            attempt: Int,
            retryAfterMilliseconds: UInt32? = nil,
            clientShouldRetry: Bool? = nil,
            cancelsAttempt: Bool = false
        ) {
            self.failure = failure
            self.attempt = attempt
            self.retryAfterMilliseconds = retryAfterMilliseconds
            self.clientShouldRetry = clientShouldRetry
            self.cancelsAttempt = cancelsAttempt
        }

        /// For the field `Retry-After`, rounded up: a client that comes early comes twice.
        package var retryAfterSeconds: UInt32? {
            retryAfterMilliseconds.map { $0 / 1000 + ($0 % 1000 == 0 ? 0 : 1) }
        }
    }

    private enum State: Equatable {
        /// Exits: `attempting`, `ended`.
        case idle
        /// One attempt is under way. Exits: `attempting` (another one), `waiting`, `ended`.
        case attempting(TargetPlan.Pick)
        /// No attempt runs until the backoff is over. Exits: `attempting`, `ended`.
        case waiting(TargetPlan.Pick, until: UInt64)
        /// The final command is out. No exits.
        case ended
    }

    /// What the client is told if nothing better comes.
    private struct Shown {
        let failure: Failure
        let attempt: Int
        /// The target of the attempt; nil when there was none.
        let target: TargetID?
        /// When the target may be asked again; nil when it did not say.
        let readyAt: UInt64?
    }

    /// The wait for room where nobody names one: about what official SDKs do by themselves.
    package static let retryAfterDefaultMilliseconds: UInt32 = 1000
    /// The longest wait for which a client is left to retry.
    ///
    /// Limit: 60 s; official SDKs take no notice of longer ones and come back at once.
    package static let clientWaitMaxMilliseconds: UInt32 = 60_000

    private let policy: RetryPolicy
    /// When the whole request must be over, in nanoseconds; `.max` never.
    package let deadline: UInt64
    private var plan: TargetPlan
    private var state = State.idle
    private var waits: UInt8 = 0
    private var shown: Shown?
    package private(set) var stage = Stage.untouched
    /// The target whose answer the client has got, or a part of it.
    package private(set) var answeredBy: TargetID?
    package private(set) var attempts = AttemptLog()

    /// A request that only one target can serve.
    package init(only target: TargetID, policy: RetryPolicy, deadline: UInt64) {
        self.policy = policy
        self.deadline = deadline
        plan = TargetPlan(only: target, policy: policy)
    }

    /// A request for several targets, at least one; the ids are different.
    package init(
        candidates: [Candidate],
        balance: Balance,
        policy: RetryPolicy,
        deadline: UInt64
    ) {
        self.policy = policy
        self.deadline = deadline
        plan = TargetPlan(candidates: candidates, balance: balance, policy: policy)
    }

    // MARK: Inputs

    /// The request is ready to be sent.
    package mutating func begin(now: UInt64, random: UInt64) -> Command {
        guard state == .idle else { preconditionFailure("begin in \(state)") }
        guard now < deadline else { return fail(with: Failure(.totalTimeout), now: now) }
        return attempt(plan.first(random: random), now: now)
    }

    /// The attempt is over without an answer: by itself, or the shell has ended it.
    package mutating func attemptFailed(
        _ failure: Failure,
        now: UInt64,
        random: UInt64
    ) -> Command {
        guard case .attempting(let pick) = state else { return .none }
        attempts.end(.failed(failure.reason), now: now)
        guard stage != .committed else { return fail(with: failure, of: pick.id, now: now) }
        let readyAt = failure.retryAfterMilliseconds.map { now.addingMilliseconds($0) }
        consider(failure, of: pick.id, readyAt: readyAt, now: now)
        let rule = failure.rule
        guard rule.mayFailOver else { return end(now: now) }
        let waitsTooLong = readyAt.map { $0 - now > policy.retryAfterMax } ?? false
        plan.failed(pick, next: waitsTooLong ? .failOver : rule.next, readyAt: readyAt)
        guard now < deadline else { return end(now: now) }
        let delay = policy.backoff.delay(after: waits, random: random)
        let step = plan.next(
            earliest: now.addingClamped(delay),
            deadline: deadline,
            random: random
        )
        switch step {
        case .attempt(let next):
            return attempt(next, now: now)
        case .wait(let next, let until):
            waits = waits == .max ? .max : waits + 1
            guard until > now else { return attempt(next, now: now) }
            state = .waiting(next, until: until)
            return .wait(until: until)
        case .end:
            return end(now: now)
        }
    }

    /// A backoff is over.
    package mutating func wakeUp(now: UInt64) -> Command {
        guard case .waiting(let next, let until) = state else { return .none }
        guard now >= until else { return .wait(until: until) }
        guard now < deadline else { return deadlinePassed(now: now) }
        return attempt(next, now: now)
    }

    /// The client has the head of a 200, but no content.
    package mutating func headersSent() {
        guard state != .ended, stage == .untouched else { return }
        stage = .headersSent
    }

    /// The first content of the running attempt goes to the client.
    package mutating func committed() {
        guard case .attempting(let pick) = state else { return }
        stage = .committed
        answeredBy = pick.id
    }

    /// The running attempt has given its whole answer.
    package mutating func completed(now: UInt64) -> Command {
        guard case .attempting = state else { return .none }
        committed()
        attempts.end(.answered, now: now)
        state = .ended
        return .finish
    }

    /// The client has gone away.
    package mutating func clientLeft(now: UInt64) -> Command {
        switch state {
        case .attempting:
            attempts.end(.cancelled, now: now)
            state = .ended
            return .cancelAttempt
        case .idle, .waiting:
            state = .ended
            return .finish
        case .ended:
            return .none
        }
    }

    /// The worker has to leave now.
    package mutating func stopping(now: UInt64) -> Command {
        let failure = Failure(.stopping)
        switch state {
        case .attempting:
            attempts.end(.cancelled, now: now)
            return fail(with: failure, now: now, cancelsAttempt: true)
        case .idle, .waiting:
            return fail(with: failure, now: now)
        case .ended:
            return .none
        }
    }

    /// The time for the whole request is over.
    package mutating func deadlinePassed(now: UInt64) -> Command {
        let failure = Failure(.totalTimeout)
        switch state {
        case .attempting(let pick):
            attempts.end(.failed(.totalTimeout), now: now)
            return fail(with: failure, of: pick.id, now: now, cancelsAttempt: true)
        case .waiting where shown != nil:
            // What made us wait says more than that we waited.
            return end(now: now)
        case .idle, .waiting:
            return fail(with: failure, now: now)
        case .ended:
            return .none
        }
    }

    // MARK: Facts

    package var isEnded: Bool { state == .ended }

    package var isAttempting: Bool {
        guard case .attempting = state else { return false }
        return true
    }

    /// The attempt whose failure is shown if nothing better comes; 0 without one.
    ///
    /// After `attemptFailed` the shell keeps the error body of this attempt and no other.
    package var attemptToShow: Int { shown?.attempt ?? 0 }

    // MARK: Steps

    private mutating func attempt(_ pick: TargetPlan.Pick, now: UInt64) -> Command {
        state = .attempting(pick)
        attempts.begin(pick.id, now: now)
        return .attempt(pick.id, number: attempts.total)
    }

    /// Takes a failure for the one to show, unless an earlier one says more.
    private mutating func consider(
        _ failure: Failure,
        of target: TargetID?,
        readyAt: UInt64?,
        now: UInt64
    ) {
        let precedence = failure.rule.precedence
        var readyAt = readyAt
        // Another worker, or the next process at this address, takes over from one that stops.
        if precedence == .capacity || failure.reason == .stopping, readyAt == nil {
            readyAt = now.addingMilliseconds(Self.retryAfterDefaultMilliseconds)
        }
        if let shown, !Self.replaces(shown, precedence, of: target, readyAt: readyAt, now: now) {
            return
        }
        shown = Shown(
            failure: failure,
            attempt: target == nil ? 0 : attempts.total,
            target: target,
            readyAt: readyAt
        )
    }

    private static func replaces(
        _ shown: Shown,
        _ precedence: FailureRule.Precedence,
        of target: TargetID?,
        readyAt: UInt64?,
        now: UInt64
    ) -> Bool {
        // What a target says last is how it is, unless it could not be asked.
        if shown.target == target, precedence > .unreachable { return true }
        let earlier = shown.failure.rule.precedence
        guard precedence == .capacity, earlier == .capacity,
            let readyAt, let earlierReadyAt = shown.readyAt
        else { return precedence >= earlier }
        return earlierReadyAt <= now || readyAt <= earlierReadyAt
    }

    /// Ends with this failure, whatever came before.
    private mutating func fail(
        with failure: Failure,
        of target: TargetID? = nil,
        now: UInt64,
        cancelsAttempt: Bool = false
    ) -> Command {
        shown = nil
        let readyAt = failure.retryAfterMilliseconds.map { now.addingMilliseconds($0) }
        consider(failure, of: target, readyAt: readyAt, now: now)
        return end(now: now, cancelsAttempt: cancelsAttempt)
    }

    /// Ends with the failure that says most.
    private mutating func end(now: UInt64, cancelsAttempt: Bool = false) -> Command {
        guard let shown else { preconditionFailure("an end without a failure in \(state)") }
        state = .ended
        let wait = shown.readyAt.map { Self.milliseconds(from: now, to: $0) }
        let isTooLong = (wait ?? 0) > Self.clientWaitMaxMilliseconds
        let ending = Ending(
            failure: shown.failure,
            attempt: shown.attempt,
            retryAfterMilliseconds: wait,
            clientShouldRetry: shown.failure.rule.isDeterministic || isTooLong ? false : nil,
            cancelsAttempt: cancelsAttempt
        )
        return stage == .untouched ? .giveUp(ending) : .failInStream(ending)
    }

    /// The time between, rounded up and at least 1.
    private static func milliseconds(from now: UInt64, to later: UInt64) -> UInt32 {
        guard later > now else { return 1 }
        let nanoseconds = later - now
        let rounded = nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
        return UInt32(clamping: rounded)
    }
}

extension UInt64 {
    /// This time in nanoseconds, so many milliseconds later.
    fileprivate func addingMilliseconds(_ milliseconds: UInt32) -> UInt64 {
        addingClamped(UInt64(milliseconds) * 1_000_000)
    }
}
