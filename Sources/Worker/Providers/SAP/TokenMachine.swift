// SPDX-License-Identifier: Apache-2.0
package import Config

/// The access token of one credential: at most one fetch at a time, whoever asks.
///
/// Pure: the caller fetches, keeps those who wait, and passes the time in nanoseconds of a clock that
/// never goes back. A token is fetched again, while the old one is still served, when 80 % of its
/// lifetime are over or 300 s are left, whichever comes first, but never in the first half of its
/// lifetime. A failure is remembered for a second, so that a flood of requests asks once per second.
package struct TokenMachine {
    /// What whoever needs a token does next.
    package enum Want: Equatable, Sendable {
        /// Use the token.
        case use(Secret)
        /// Use the token, and start a fetch in the background.
        case useAndFetch(Secret)
        /// Start a fetch and wait for its end, then ask again.
        case fetch
        /// A fetch is under way: wait for its end, then ask again.
        case wait
        /// Give up; from `retryAt` on the next one to ask starts a fetch.
        case failed(TokenFailure, retryAt: UInt64)
    }

    /// What a refused request does next.
    package enum Refusal: Equatable, Sendable {
        /// Ask for a token again and repeat the request, once.
        case again
        /// The token is itself the replacement of a refused one, so something else is refused: pass
        /// the answer on.
        case pointless
    }

    /// Part of the lifetime after which a token is fetched again, in percent.
    package static let refreshPercent: UInt64 = 80
    /// Time left at which a token is fetched again: requests that start before the end of a token may
    /// queue for minutes.
    package static let refreshBeforeEnd: UInt64 = 300_000_000_000
    /// How long a failure is remembered.
    package static let failureMemory: UInt64 = 1_000_000_000
    /// How long the replacement of a refused token is not itself replaced: requests that are refused
    /// for another reason must not cost a fetch each.
    package static let replacementTrust: UInt64 = 60_000_000_000

    private struct Token: Equatable {
        let text: Secret
        let expiresAt: UInt64
        var refreshAt: UInt64
        /// Until when a refusal does not drop it; 0 for a token that replaces no refused one.
        let trustedUntil: UInt64
    }

    private struct Fetch: Equatable {
        let startedAt: UInt64
        /// Whether the token before was refused.
        var replacesRefused: Bool
    }

    private enum State: Equatable {
        /// Never fetched, or dropped. Exits: `fetching`.
        case empty(replacesRefused: Bool)
        /// A fetch runs and nothing can be served. Exits: `ready`, `failed`.
        case fetching(Fetch)
        /// Exits: `refreshing`, `fetching`, `empty`.
        case ready(Token)
        /// A fetch runs and the old token is served. Exits: `ready`, `fetching`, `failed`.
        case refreshing(Token, Fetch)
        /// Exits: `fetching`.
        case failed(TokenFailure, retryAt: UInt64, replacesRefused: Bool)
    }

    private var state = State.empty(replacesRefused: false)

    package init() {}

    /// Whether the caller owes the machine the end of a fetch.
    package var isFetching: Bool {
        switch state {
        case .fetching, .refreshing: true
        case .empty, .ready, .failed: false
        }
    }

    /// Someone needs a token.
    package mutating func want(now: UInt64) -> Want {
        switch state {
        case .empty(let replacesRefused):
            return startFetch(now, replacesRefused)
        case .fetching:
            return .wait
        case .ready(let token):
            if now >= token.expiresAt { return startFetch(now, false) }
            if now < token.refreshAt { return .use(token.text) }
            state = .refreshing(token, Fetch(startedAt: now, replacesRefused: false))
            return .useAndFetch(token.text)
        case .refreshing(let token, let fetch):
            if now < token.expiresAt { return .use(token.text) }
            state = .fetching(fetch)
            return .wait
        case .failed(let failure, let retryAt, let replacesRefused):
            if now < retryAt { return .failed(failure, retryAt: retryAt) }
            return startFetch(now, replacesRefused)
        }
    }

    private mutating func startFetch(_ now: UInt64, _ replacesRefused: Bool) -> Want {
        state = .fetching(Fetch(startedAt: now, replacesRefused: replacesRefused))
        return .fetch
    }

    /// The fetch ended well; those who wait ask again.
    ///
    /// The lifetime counts from the start of the fetch: the server issued the token behind it.
    package mutating func fetched(_ token: Secret, lifetimeSeconds: Int, now: UInt64) {
        let fetch: Fetch
        switch state {
        case .fetching(let running), .refreshing(_, let running): fetch = running
        case .empty, .ready, .failed: preconditionFailure("fetched in \(state)")
        }
        let lifetime = UInt64(max(0, lifetimeSeconds)) * 1_000_000_000
        let early = min(
            lifetime / 100 * Self.refreshPercent,
            lifetime - min(lifetime, Self.refreshBeforeEnd)
        )
        state = .ready(
            Token(
                text: token,
                expiresAt: fetch.startedAt + lifetime,
                refreshAt: fetch.startedAt + max(lifetime / 2, early),
                trustedUntil: fetch.replacesRefused ? now + Self.replacementTrust : 0
            )
        )
    }

    /// The fetch failed; those who wait ask again.
    package mutating func failed(_ failure: TokenFailure, now: UInt64) {
        let retryAt = now + Self.failureMemory
        switch state {
        case .fetching(let fetch):
            state = .failed(failure, retryAt: retryAt, replacesRefused: fetch.replacesRefused)
        case .refreshing(var token, _):
            if now < token.expiresAt {
                token.refreshAt = retryAt
                state = .ready(token)
            } else {
                state = .failed(failure, retryAt: retryAt, replacesRefused: false)
            }
        case .empty, .ready, .failed: preconditionFailure("failed in \(state)")
        }
    }

    /// A request with this token was refused with 401 or 403.
    ///
    /// Only this very token is dropped: when another one took its place meanwhile, the request just
    /// came too late.
    package mutating func refused(_ token: Secret, now: UInt64) -> Refusal {
        switch state {
        case .ready(let current):
            guard current.text == token else { return .again }
            guard now >= current.trustedUntil else { return .pointless }
            state = .empty(replacesRefused: true)
        case .refreshing(let current, var fetch):
            guard current.text == token else { return .again }
            guard now >= current.trustedUntil else { return .pointless }
            fetch.replacesRefused = true
            state = .fetching(fetch)
        case .empty, .fetching, .failed:
            break
        }
        return .again
    }
}
