// SPDX-License-Identifier: Apache-2.0

/// Why an attempt did not give the client an answer.
///
/// `FailureReason.rule` says what follows from each. The shell may class an answer otherwise than
/// by its status where it knows better: a provider that reports a passing fault as 400 is
/// `serverError`, a 400 that means throttling is `rateLimited`.
package enum FailureReason: UInt8, CaseIterable, Sendable {
    /// No connection: not resolved, refused, unreachable, or refused by the proxy.
    case connect
    /// The peer could not be trusted, or the handshake failed.
    case tls
    case connectTimeout
    /// No response head in time.
    case headersTimeout
    /// No content in time, whatever else came.
    case firstContentTimeout
    /// Silence in the middle of an answer.
    case idleTimeout
    /// The time for the whole request is over.
    case totalTimeout
    /// The connection broke.
    case reset
    /// The answer ended in the middle.
    case truncated
    /// The connection was closed without a byte of an answer.
    case closedBeforeResponse
    /// Not HTTP, a limit of ours broken, or a status that no API answer has (1xx, 3xx).
    case protocolError
    /// Our own limit of connections to this upstream is reached.
    case busyPool
    /// Status 429, or what means the same.
    case rateLimited
    /// Status 503 or 529.
    case overloaded
    /// Another 5xx, or a 4xx that asks for another try: 408, 409, 425.
    ///
    /// Official SDKs repeat 408 and 409 as well.
    case serverError
    /// Success without anything in it.
    case emptyAnswer
    /// Success that is not in the target's format.
    case undecodable
    /// An error inside of a stream that had begun with status 200.
    ///
    /// `Failure.status` is the status that the error names, 0 without one; it decides.
    case errorInStream
    /// 401, 402, 403: the operator's key, not the client's.
    case credentials
    /// 404 for the model or its path at this target; another target may know it.
    case modelNotFound
    /// Another 4xx: the target has judged the request.
    case refused
    /// The request cannot be converted for this target; nothing was sent.
    case unsupported
    /// What a call needs first was not to be had: a token, the list of deployments.
    case preparing
    /// This worker has to leave.
    case stopping

    /// What a status of an HTTP answer means; nil for success.
    package init?(status: UInt16) {
        switch status {
        case 200..<300: return nil
        case 401, 402, 403: self = .credentials
        case 404: self = .modelNotFound
        case 408, 409, 425: self = .serverError
        case 429: self = .rateLimited
        case 400..<500: self = .refused
        case 503, 529: self = .overloaded
        case 500..<600: self = .serverError
        default: self = .protocolError
        }
    }

    /// Stable name for logs, metrics and `Server-Timing`.
    package var label: StaticString {
        switch self {
        case .connect: "connect"
        case .tls: "tls"
        case .connectTimeout: "connect_timeout"
        case .headersTimeout: "headers_timeout"
        case .firstContentTimeout: "first_content_timeout"
        case .idleTimeout: "idle_timeout"
        case .totalTimeout: "total_timeout"
        case .reset: "reset"
        case .truncated: "truncated"
        case .closedBeforeResponse: "closed"
        case .protocolError: "protocol_error"
        case .busyPool: "busy_pool"
        case .rateLimited: "rate_limited"
        case .overloaded: "overloaded"
        case .serverError: "server_error"
        case .emptyAnswer: "empty_answer"
        case .undecodable: "undecodable"
        case .errorInStream: "error_in_stream"
        case .credentials: "credentials"
        case .modelNotFound: "model_not_found"
        case .refused: "refused"
        case .unsupported: "unsupported"
        case .preparing: "preparing"
        case .stopping: "stopping"
        }
    }
}

/// One failed attempt, as far as decisions depend on it.
///
/// Texts and bodies stay with the shell; `ExchangeMachine.attemptToShow` says which to keep.
package struct Failure: Equatable, Sendable {
    package let reason: FailureReason
    /// The upstream's status, 0 without one.
    package let status: UInt16
    /// What the upstream asked to wait.
    package let retryAfterMilliseconds: UInt32?

    package init(
        _ reason: FailureReason,
        status: UInt16 = 0,
        retryAfterMilliseconds: UInt32? = nil
    ) {
        self.reason = reason
        self.status = status
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// The failure that an answer with this status is; nil for success.
    package init?(status: UInt16, retryAfterMilliseconds: UInt32?) {
        guard let reason = FailureReason(status: status) else { return nil }
        self.init(reason, status: status, retryAfterMilliseconds: retryAfterMilliseconds)
    }

    /// What follows: the rule of the reason, or of the status that an error in a stream names.
    package var rule: FailureRule {
        guard reason == .errorInStream, (400..<600).contains(status),
            let named = FailureReason(status: status)
        else { return reason.rule }
        return named.rule
    }

    /// The status for a client that has none yet.
    ///
    /// A dialect may replace it by its own equivalent (529 and 503).
    package var answerStatus: UInt16 {
        switch rule.answer {
        case .status(let status): status
        case .upstreamStatus: (400..<600).contains(status) ? status : 502
        }
    }
}
