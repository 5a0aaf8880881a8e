// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Policy

/// What is expected of one reason, written down a second time.
private struct ReasonRow: CustomTestStringConvertible {
    let reason: FailureReason
    let next: FailureRule.Next
    let blame: FailureRule.Blame
    let isDeterministic: Bool
    /// For an upstream status of 599, which no rule knows by itself.
    let answerStatus: UInt16

    var testDescription: String { reason.label.description }

    init(
        _ reason: FailureReason,
        _ next: FailureRule.Next,
        _ blame: FailureRule.Blame,
        _ answerStatus: UInt16,
        deterministic: Bool = false
    ) {
        self.reason = reason
        self.next = next
        self.blame = blame
        self.answerStatus = answerStatus
        isDeterministic = deterministic
    }

    static let all = [
        ReasonRow(.connect, .retryBeforeFallback, .target, 502),
        ReasonRow(.tls, .failOverThenRetry, .target, 502),
        ReasonRow(.connectTimeout, .failOverThenRetry, .target, 504),
        ReasonRow(.headersTimeout, .failOverThenRetry, .target, 504),
        ReasonRow(.firstContentTimeout, .failOverThenRetry, .target, 504),
        ReasonRow(.idleTimeout, .failOverThenRetry, .target, 504),
        ReasonRow(.totalTimeout, .stop, .gateway, 504),
        ReasonRow(.reset, .retryBeforeFallback, .target, 502),
        ReasonRow(.truncated, .retryBeforeFallback, .target, 502),
        ReasonRow(.closedBeforeResponse, .retryBeforeFallback, .target, 502),
        ReasonRow(.protocolError, .retryBeforeFallback, .target, 502),
        ReasonRow(.busyPool, .failOverThenRetry, .gateway, 503),
        ReasonRow(.rateLimited, .failOverThenRetry, .credential, 429),
        ReasonRow(.overloaded, .failOverThenRetry, .target, 599),
        ReasonRow(.serverError, .retryBeforeFallback, .target, 599),
        ReasonRow(.emptyAnswer, .retryBeforeFallback, .target, 502),
        ReasonRow(.undecodable, .retryBeforeFallback, .target, 502),
        ReasonRow(.errorInStream, .retryBeforeFallback, .target, 599),
        ReasonRow(.credentials, .failOver, .credential, 502, deterministic: true),
        ReasonRow(.modelNotFound, .failOver, .request, 404, deterministic: true),
        ReasonRow(.refused, .stop, .request, 599, deterministic: true),
        ReasonRow(.unsupported, .failOver, .request, 400, deterministic: true),
        ReasonRow(.preparing, .failOverThenRetry, .credential, 502),
        ReasonRow(.stopping, .stop, .gateway, 503),
    ]
}

@Suite("Failures")
struct FailureTests {
    @Test("every reason has a row here")
    func completeness() {
        #expect(ReasonRow.all.map(\.reason) == FailureReason.allCases)
        let labels = Set(FailureReason.allCases.map(\.label.description))
        #expect(labels.count == FailureReason.allCases.count)
    }

    @Test("the rule of each reason", arguments: ReasonRow.all)
    fileprivate func rule(row: ReasonRow) {
        let failure = Failure(row.reason, status: 599)
        #expect(failure.rule.next == row.next)
        #expect(failure.rule.blame == row.blame)
        #expect(failure.rule.isDeterministic == row.isDeterministic)
        #expect(failure.rule.countsAgainstTarget == (row.blame == .target))
        #expect(failure.answerStatus == row.answerStatus)
    }

    @Test("the machine follows the rule when there is one target", arguments: ReasonRow.all)
    fileprivate func alone(row: ReasonRow) {
        var machine = ExchangeMachine(only: a, policy: .test, deadline: .max)
        _ = machine.begin(now: 0, random: 0)
        let failure = Failure(row.reason)
        let command = machine.attemptFailed(failure, now: 10 * ms, random: .max)
        switch row.next {
        case .stop, .failOver:
            guard case .giveUp(let ending) = command else {
                Issue.record("\(command)")
                return
            }
            #expect(ending.failure == failure)
            #expect(ending.clientShouldRetry == (row.isDeterministic ? false : nil))
        case .failOverThenRetry, .retryBeforeFallback:
            #expect(command == .wait(until: 110 * ms))
        }
    }

    @Test("the machine follows the rule when there is a fallback model", arguments: ReasonRow.all)
    fileprivate func withFallback(row: ReasonRow) {
        let candidates = [Candidate(id: a), Candidate(id: b, tier: 1)]
        var machine = ExchangeMachine(
            candidates: candidates,
            balance: .ordered,
            policy: .test,
            deadline: .max
        )
        _ = machine.begin(now: 0, random: 0)
        let command = machine.attemptFailed(Failure(row.reason), now: 10 * ms, random: .max)
        switch row.next {
        case .stop: #expect(command.isFinal)
        case .failOver, .failOverThenRetry: #expect(command == .attempt(b, number: 2))
        case .retryBeforeFallback: #expect(command == .wait(until: 110 * ms))
        }
    }

    @Test("the machine follows the rule when there is another target", arguments: ReasonRow.all)
    fileprivate func withAnother(row: ReasonRow) {
        var machine = ExchangeMachine(
            candidates: [Candidate(id: a), Candidate(id: b)],
            balance: .ordered,
            policy: .test,
            deadline: .max
        )
        _ = machine.begin(now: 0, random: 0)
        let command = machine.attemptFailed(Failure(row.reason), now: 10 * ms, random: .max)
        if row.next == .stop {
            #expect(command.isFinal)
        } else {
            #expect(command == .attempt(b, number: 2))
        }
    }

    @Test("after the commit nothing is tried again", arguments: ReasonRow.all)
    fileprivate func committed(row: ReasonRow) {
        var machine = ExchangeMachine(
            candidates: [Candidate(id: a), Candidate(id: b)],
            balance: .ordered,
            policy: .test,
            deadline: .max
        )
        _ = machine.begin(now: 0, random: 0)
        machine.committed()
        let failure = Failure(row.reason)
        guard case .failInStream(let ending) = machine.attemptFailed(failure, now: 1, random: 0)
        else {
            Issue.record("no error in the stream")
            return
        }
        #expect(ending.failure == failure)
        #expect(ending.attempt == 1)
    }

    @Test(
        "statuses",
        arguments: [
            (200, nil), (204, nil), (100, .protocolError), (302, .protocolError),
            (400, .refused), (401, .credentials), (402, .credentials), (403, .credentials),
            (404, .modelNotFound), (405, .refused), (408, .serverError), (409, .serverError),
            (413, .refused), (415, .refused), (422, .refused), (425, .serverError),
            (429, .rateLimited), (499, .refused), (500, .serverError), (502, .serverError),
            (503, .overloaded), (504, .serverError), (529, .overloaded), (599, .serverError),
            (600, .protocolError), (0, .protocolError),
        ] as [(UInt16, FailureReason?)]
    )
    func statuses(status: UInt16, reason: FailureReason?) {
        #expect(FailureReason(status: status) == reason)
        let failure = Failure(status: status, retryAfterMilliseconds: 7)
        #expect(failure?.reason == reason)
        #expect(failure?.status == (reason == nil ? nil : status))
        #expect(failure?.retryAfterMilliseconds == (reason == nil ? nil : 7))
    }

    @Test(
        "an error in a stream follows the status that it names",
        arguments: [
            (0, .serverError, 502), (200, .serverError, 502), (700, .serverError, 502),
            (400, .refused, 400), (401, .credentials, 502), (404, .modelNotFound, 404),
            (429, .rateLimited, 429), (500, .serverError, 500), (529, .overloaded, 529),
        ] as [(UInt16, FailureReason, UInt16)]
    )
    func errorInStream(status: UInt16, like: FailureReason, answer: UInt16) {
        let failure = Failure(.errorInStream, status: status)
        #expect(failure.rule.next == like.rule.next)
        #expect(failure.rule.blame == like.rule.blame)
        #expect(failure.rule.precedence == like.rule.precedence)
        #expect(failure.answerStatus == answer)
    }
}
