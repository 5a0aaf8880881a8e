// SPDX-License-Identifier: Apache-2.0

/// The objects of a configuration and the keys they may have.
///
/// The parser, the documentation and the editor schema are held together by this list.
package enum ConfigSection: CaseIterable, Sendable {
    case root
    case status
    case openaiUpstream
    case azureUpstream
    case anthropicUpstream
    case geminiUpstream
    case bedrockUpstream
    case sapUpstream
    case demoUpstream
    case model
    case target
    case key
    case timeouts
    case retries
    case fleet
    case streams
    case guards
    case logs
    case cors

    /// Where the object stands; NAME is whatever the user calls it.
    package var path: String {
        switch self {
        case .root: ""
        case .status: "status"
        case .openaiUpstream, .azureUpstream, .anthropicUpstream, .geminiUpstream,
            .bedrockUpstream, .sapUpstream, .demoUpstream:
            "upstreams.NAME"
        case .model: "models.NAME"
        case .target: "models.NAME.targets[]"
        case .key: "keys[]"
        case .timeouts: "timeouts"
        case .retries: "retries"
        case .fleet: "fleet"
        case .streams: "streams"
        case .guards: "guards"
        case .logs: "logs"
        case .cors: "cors"
        }
    }

    /// The keys of every upstream that is reached over HTTP.
    private static let httpKeys = [
        "kind", "base_url", "headers", "proxy", "ca_file", "client_cert", "client_key",
        "connections_max", "idle_timeout",
    ]

    package var keys: [String] {
        switch self {
        case .root:
            [
                "listen", "status", "workers", "upstreams", "models", "default_model", "keys",
                "auth", "timeouts", "retries", "fleet", "streams", "guards", "logs", "cors",
                "$schema",
            ]
        case .status: ["listen"]
        case .openaiUpstream: Self.httpKeys + ["api_key", "responses"]
        case .azureUpstream: Self.httpKeys + ["api_key", "api_version", "responses"]
        case .anthropicUpstream: Self.httpKeys + ["api_key", "version"]
        case .geminiUpstream: Self.httpKeys + ["api_key", "api_version"]
        case .bedrockUpstream:
            Self.httpKeys + ["region", "access_key_id", "secret_access_key", "session_token"]
        case .sapUpstream:
            Self.httpKeys + [
                "service_key", "resource_group", "api_version", "responses_api_version",
                "discovery_interval", "tenant_header", "token_request", "deployments", "discover",
                "orchestration", "client_type", "include", "exclude",
            ]
        case .demoUpstream: ["kind"]
        case .model: ["targets", "balance", "fallbacks", "strict", "max_tokens"]
        case .target: ["upstream", "model", "weight", "api"]
        case .key: ["name", "hash", "user", "org", "models"]
        case .timeouts: TimeoutKey.allCases.map(\.rawValue)
        case .retries: ["tries_per_target", "max_targets", "backoff", "retry_after_max"]
        case .fleet:
            [
                "lame_duck", "drain_stalled", "hang", "connections_per_worker", "queue",
                "queue_age",
                "recycle_requests", "recycle_age", "recycle_memory",
            ]
        case .streams: ["keepalive"]
        case .guards: ["max_body"]
        case .logs: ["access"]
        case .cors: ["origins"]
        }
    }
}

/// The keys of `timeouts`.
package enum TimeoutKey: String, CaseIterable, Sendable {
    case connect, headers
    case firstContent = "first_content"
    case idle, total
    case clientHead = "client_head"
    case clientBody = "client_body"
    case clientIdle = "client_idle"
    case drain

    package var field: WritableKeyPath<TimeoutConfig, UInt64> {
        switch self {
        case .connect: \.connect
        case .headers: \.headers
        case .firstContent: \.firstContent
        case .idle: \.idle
        case .total: \.total
        case .clientHead: \.clientHead
        case .clientBody: \.clientBody
        case .clientIdle: \.clientIdle
        case .drain: \.drain
        }
    }
}
