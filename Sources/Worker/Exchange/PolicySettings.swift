// SPDX-License-Identifier: Apache-2.0
import Config
import Policy

extension RetryPolicy {
    init(_ config: RetryConfig) {
        self.init(
            triesPerTarget: UInt8(clamping: config.triesPerTarget),
            maxTargets: UInt8(clamping: config.maxTargets),
            backoff: Backoff(first: config.backoffFirst, longest: config.backoffMax),
            retryAfterMax: config.retryAfterMax
        )
    }
}

extension ModelEntry {
    /// How the exchange chooses among the targets.
    var policyBalance: Policy.Balance {
        switch balance {
        case .weighted: .weighted
        case .leastBusy: .leastBusy
        case .ordered: .ordered
        }
    }
}

extension Failure {
    /// The same, with the wait that the answer's head asks for.
    func asking(forMilliseconds wait: Int) -> Failure {
        Failure(reason, status: status, retryAfterMilliseconds: UInt32(clamping: wait))
    }
}

extension UpstreamFailure.Kind {
    /// What the exchange makes of it.
    var reason: FailureReason {
        switch self {
        case .resolveFailed, .connectRefused, .connectFailed, .proxyFailed: .connect
        case .tlsFailed: .tls
        case .connectTimeout: .connectTimeout
        case .headersTimeout: .headersTimeout
        case .idleTimeout: .idleTimeout
        case .totalTimeout: .totalTimeout
        case .reset: .reset
        case .truncated: .truncated
        case .closedBeforeResponse: .closedBeforeResponse
        case .protocolError: .protocolError
        case .tooManyConnections: .busyPool
        }
    }
}

/// A stream of words for choices that need to be even, not secret (SplitMix64).
struct RandomWords {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
