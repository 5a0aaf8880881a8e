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

    private enum State: Equatable {
        /// Exits: `attempting`, `ended`.
        case idle
        /// One attempt is under way. Exits: `attempting` (another one), `waiting`, `ended`.
        case attempting(TargetID)
        /// No attempt runs until the backoff is over. Exits: `attempting`, `ended`.
        case waiting(TargetID, until: UInt64)
        /// The final command is out. No exits.
        case ended
    }

    /// When the whole request must be over, in nanoseconds; `.max` never.
    package let deadline: UInt64
    private var plan: TargetPlan
    private var state = State.idle
    private var waits: UInt8 = 0
    /// What the client is told if nothing better comes.
    private var shown: ShownFailure?
    package private(set) var stage = Stage.untouched
    /// The target whose answer the client has got, or a part of it.
    package private(set) var answeredBy: TargetID?
    package private(set) var attempts = AttemptLog()

    /// A request that only one target can serve.
    package init(only target: TargetID, policy: RetryPolicy, deadline: UInt64) {
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
        guard case .attempting(let target) = state else { return .none }
        attempts.end(.failed(failure.reason), now: now)
        guard stage != .committed else { return fail(with: failure, of: target, now: now) }
        consider(failure, of: target, now: now)
        let rule = failure.rule
        guard rule.mayFailOver else { return end(now: now) }
        let readyAt = failure.retryAfterMilliseconds.map { now.addingMilliseconds($0) }
        let waitsTooLong = readyAt.map { $0 - now > plan.policy.retryAfterMax } ?? false
        plan.failed(target, next: waitsTooLong ? .failOver : rule.next, readyAt: readyAt)
        guard now < deadline else { return end(now: now) }
        let delay = plan.policy.backoff.delay(after: waits, random: random)
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
        guard case .attempting(let target) = state else { return }
        stage = .committed
        answeredBy = target
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
        case .attempting(let target):
            attempts.end(.failed(.totalTimeout), now: now)
            return fail(with: failure, of: target, now: now, cancelsAttempt: true)
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

    private mutating func attempt(_ target: TargetID, now: UInt64) -> Command {
        state = .attempting(target)
        attempts.begin(target, now: now)
        return .attempt(target, number: attempts.total)
    }

    /// Takes a failure for the one to show, unless an earlier one says more.
    private mutating func consider(_ failure: Failure, of target: TargetID?, now: UInt64) {
        let new = ShownFailure(failure, of: target, attempt: attempts.total, now: now)
        if let shown, !new.replaces(shown, now: now) { return }
        shown = new
    }

    /// Ends with this failure, whatever came before.
    private mutating func fail(
        with failure: Failure,
        of target: TargetID? = nil,
        now: UInt64,
        cancelsAttempt: Bool = false
    ) -> Command {
        shown = nil
        consider(failure, of: target, now: now)
        return end(now: now, cancelsAttempt: cancelsAttempt)
    }

    /// Ends with the failure that says most.
    private mutating func end(now: UInt64, cancelsAttempt: Bool = false) -> Command {
        guard let shown else { preconditionFailure("an end without a failure in \(state)") }
        state = .ended
        let ending = shown.ending(now: now, cancelsAttempt: cancelsAttempt)
        return stage == .untouched ? .giveUp(ending) : .failInStream(ending)
    }
}
