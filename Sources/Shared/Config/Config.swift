// SPDX-License-Identifier: Apache-2.0
package import System

/// What an apus fleet runs with: read once, checked as a whole, never changed.
package struct Config: Equatable, Sendable {
    /// How many workers the supervisor keeps.
    package enum Workers: Equatable, Sendable {
        /// Twice the cores and one.
        case auto
        case count(Int)
    }

    /// Addresses for clients.
    package var listen: [SocketAddress]
    /// Address for operators.
    package var statusListen: SocketAddress
    package var workers: Workers
    /// In the order of the file; other parts name them by their index.
    package var upstreams: [UpstreamConfig]
    package var models: ModelTable
    package var keys: KeyTable
    /// Whether `auth` is `off`: open to all, whatever the address.
    package var authIsOff: Bool
    package var timeouts: TimeoutConfig
    package var retries: RetryConfig
    package var fleet = FleetConfig()
    /// Silence after which a stream gets a sign of life; nil sends none.
    ///
    /// Units: nanoseconds.
    package var keepaliveNanoseconds: UInt64?
    /// What a request to `/chat/stream` without a model asks for; `models` has an answer for it.
    package var defaultModel: String?
    /// Largest request body, in bytes.
    package var bodyBytesMax: Int
    /// Whether every request is logged.
    package var logsAccess: Bool
    /// Origins that browsers may call from, `*` for any; nil sends no CORS fields.
    package var corsOrigins: [String]?

    /// Whether a request must carry a client key.
    package var requiresKey: Bool { !keys.keys.isEmpty }
}

/// Every wait of a worker has an end.
///
/// Units: nanoseconds.
package struct TimeoutConfig: Equatable, Sendable {
    /// Until an upstream connection stands, TLS included.
    package var connect: UInt64 = 5_000_000_000
    /// From the end of a request to the head of its answer.
    package var headers: UInt64 = 60_000_000_000
    /// From the head of a stream to its first content.
    package var firstContent: UInt64 = 60_000_000_000
    /// Between two pieces of an upstream's answer, or of ours that a client does not take.
    package var idle: UInt64 = 60_000_000_000
    /// One request, from its head to the end of its answer.
    package var total: UInt64 = 600_000_000_000
    /// From the first byte of a request head to its last.
    package var clientHead: UInt64 = 10_000_000_000
    /// Between two pieces of a request body.
    package var clientBody: UInt64 = 30_000_000_000
    /// A keep-alive connection without a request.
    package var clientIdle: UInt64 = 75_000_000_000
    /// What is left of running requests when a worker stops.
    package var drain: UInt64 = 600_000_000_000

    package init() {}
}

/// How often a request is tried before its client sees a failure.
///
/// Units: nanoseconds.
package struct RetryConfig: Equatable, Sendable {
    /// Attempts at one target, the first included.
    package var triesPerTarget = 2
    /// Targets that one request may see, fallback models included.
    package var maxTargets = 3
    /// Upper end of the random wait before the second attempt; it doubles with each.
    package var backoffFirst: UInt64 = 200_000_000
    /// What the wait never exceeds.
    package var backoffMax: UInt64 = 8_000_000_000
    /// The longest `Retry-After` of an upstream that is waited for.
    package var retryAfterMax: UInt64 = 30_000_000_000

    package init() {}
}

/// The caps of a configuration, each with its reason.
package enum ConfigLimits {
    /// Bytes of the file: 10,000 keys take about 2 MiB.
    package static let fileBytesMax = 4 << 20
    /// Bytes of one secret from a file: a service key of a cloud has 2 to 4 KiB.
    package static let secretBytesMax = 64 << 10
    package static let listenMax = 16
    /// Metrics have a label per upstream, so their number bounds a page.
    package static let upstreamsMax = 64
    package static let modelsMax = 4096
    /// Targets of one model: each may cost a client the time of an attempt.
    package static let targetsMax = 16
    /// Names of one model's `fallbacks`: no request sees more targets.
    package static let fallbacksMax = 16
    /// Deployments of one model in one resource group.
    package static let deploymentsMax = 64
    package static let weights = 1...1000
    package static let triesPerTarget = 1...10
    package static let targetsPerRequest = 1...16
    /// No model writes more tokens in one answer.
    package static let outputTokens = 1...10_000_000
    package static let keysMax = 10_000
    package static let headersMax = 32
    package static let originsMax = 64
    package static let patternsMax = 64
    /// Bytes of a name that shows in logs and metrics.
    package static let nameBytesMax = 64
    /// Bytes of a model name, `UPSTREAM/` included; the longest known are below 100.
    ///
    /// Longer ones belong to nobody, so that patterns are not tried on megabytes.
    package static let modelNameBytesMax = 512
    package static let workers = 1...256
    package static let connections = 1...16_384
    /// The scanner's own limit is the upper end.
    package static let bodyBytes = 1024...256 << 20
    /// One millisecond to a day: zero would fail every request, more than a day is no limit.
    package static let timeoutNanoseconds: ClosedRange<UInt64> =
        1_000_000...24 * 3_600_000_000_000
}
