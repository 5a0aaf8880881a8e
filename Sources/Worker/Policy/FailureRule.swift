// SPDX-License-Identifier: Apache-2.0

/// What follows from a failure: one row of the table below.
package struct FailureRule: Equatable, Sendable {
    /// Where the request may go next, as long as nothing was committed.
    package enum Next: Equatable, Sendable {
        /// Nowhere: any target would say the same, or time is up.
        case stop
        /// To other targets, never to this one again.
        case failOver
        /// To other targets; to this one again only when no untried one is left.
        ///
        /// For failures that cost much time or say that the target has no room: a fallback model
        /// now is better than the same again.
        case failOverThenRetry
        /// To other targets of the tier, then to this one again, then to fallback models.
        ///
        /// For faults that pass: the model that was asked for is worth a short wait.
        case retryBeforeFallback

        /// Whether the same target may be asked again.
        var mayRetry: Bool {
            switch self {
            case .stop, .failOver: false
            case .failOverThenRetry, .retryBeforeFallback: true
            }
        }
    }

    /// Who has to answer for it.
    package enum Blame: Equatable, Sendable {
        /// The client's request: says nothing about the target.
        case request
        /// The target: what a breaker counts.
        case target
        /// The operator's key, quota or token for the target: closes that, not the target.
        case credential
        /// Nobody but ourselves.
        case gateway
    }

    /// Which of several failures the client is told; the greatest wins.
    ///
    /// It is the one that says best what to do next. Of two alike the later wins, but of two with
    /// a wait (`capacity`) the one that is over first. Of one target that was reached again, its
    /// last word counts.
    package enum Precedence: UInt8, Comparable, Sendable {
        /// The target is not made for the request; others could be, and they say more.
        case unfit
        /// The operator has to act; a target that works tells more about the request.
        case misconfigured
        /// Nobody was reached.
        case unreachable
        /// Wait, then ask again.
        ///
        /// Below `fault`: where one target was merely broken, waiting for another is no advice.
        case capacity
        /// The target took the request and failed.
        case fault
        /// Nothing else would have been tried.
        case decided

        package static func < (one: Precedence, other: Precedence) -> Bool {
            one.rawValue < other.rawValue
        }
    }

    /// The status for the client.
    package enum Answer: Equatable, Sendable {
        case status(UInt16)
        /// The upstream's own, 502 without one.
        case upstreamStatus
    }

    package let next: Next
    package let blame: Blame
    package let precedence: Precedence
    package let answer: Answer

    init(_ next: Next, _ blame: Blame, _ precedence: Precedence, _ answer: Answer) {
        self.next = next
        self.blame = blame
        self.precedence = precedence
        self.answer = answer
    }

    /// Whether another target may be asked.
    package var mayFailOver: Bool { next != .stop }

    /// Whether the same target may be asked again.
    package var mayRetry: Bool { next.mayRetry }

    /// Whether a breaker counts it.
    ///
    /// Faults of requests must not close a target for everyone, those of a key only close the key.
    package var countsAgainstTarget: Bool { blame == .target }

    /// Whether the same request would fail again, however long the client waits.
    ///
    /// What is not worth a retry of ours is not worth one of the client's, unless time or this
    /// worker was the reason.
    package var isDeterministic: Bool { !mayRetry && blame != .gateway }
}

extension FailureReason {
    /// The table.
    ///
    /// A verdict about the request and the end of time stop it; the rest may go better elsewhere.
    package var rule: FailureRule {
        switch self {
        case .connect: .init(.retryBeforeFallback, .target, .unreachable, .status(502))
        case .tls: .init(.failOverThenRetry, .target, .unreachable, .status(502))
        case .connectTimeout: .init(.failOverThenRetry, .target, .unreachable, .status(504))
        case .headersTimeout: .init(.failOverThenRetry, .target, .fault, .status(504))
        case .firstContentTimeout: .init(.failOverThenRetry, .target, .fault, .status(504))
        case .idleTimeout: .init(.failOverThenRetry, .target, .fault, .status(504))
        case .totalTimeout: .init(.stop, .gateway, .fault, .status(504))
        case .reset: .init(.retryBeforeFallback, .target, .fault, .status(502))
        case .truncated: .init(.retryBeforeFallback, .target, .fault, .status(502))
        case .closedBeforeResponse: .init(.retryBeforeFallback, .target, .fault, .status(502))
        case .protocolError: .init(.retryBeforeFallback, .target, .fault, .status(502))
        case .busyPool: .init(.failOverThenRetry, .gateway, .capacity, .status(503))
        case .rateLimited: .init(.failOverThenRetry, .credential, .capacity, .status(429))
        case .overloaded: .init(.failOverThenRetry, .target, .capacity, .upstreamStatus)
        case .serverError: .init(.retryBeforeFallback, .target, .fault, .upstreamStatus)
        case .emptyAnswer: .init(.retryBeforeFallback, .target, .fault, .status(502))
        case .undecodable: .init(.retryBeforeFallback, .target, .fault, .status(502))
        case .errorInStream: .init(.retryBeforeFallback, .target, .fault, .upstreamStatus)
        case .credentials: .init(.failOver, .credential, .misconfigured, .status(502))
        case .modelNotFound: .init(.failOver, .request, .unfit, .status(404))
        case .refused: .init(.stop, .request, .decided, .upstreamStatus)
        case .unsupported: .init(.failOver, .request, .unfit, .status(400))
        case .preparing: .init(.failOverThenRetry, .credential, .misconfigured, .status(502))
        case .stopping: .init(.stop, .gateway, .decided, .status(503))
        }
    }
}
