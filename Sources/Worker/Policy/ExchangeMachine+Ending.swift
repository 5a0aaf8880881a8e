// SPDX-License-Identifier: Apache-2.0

extension ExchangeMachine {
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
}
