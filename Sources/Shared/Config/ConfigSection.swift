// SPDX-License-Identifier: Apache-2.0

/// The objects of a configuration and the keys they may have.
///
/// The parser, the documentation and the editor schema are held together by this list.
package enum ConfigSection: CaseIterable, Sendable {
    case root
    case status
    case openaiUpstream
    case demoUpstream
    case model
    case target
    case key
    case timeouts
    case guards
    case logs
    case cors

    /// Where the object stands; NAME is whatever the user calls it.
    package var path: String {
        switch self {
        case .root: ""
        case .status: "status"
        case .openaiUpstream, .demoUpstream: "upstreams.NAME"
        case .model: "models.NAME"
        case .target: "models.NAME.targets[]"
        case .key: "keys[]"
        case .timeouts: "timeouts"
        case .guards: "guards"
        case .logs: "logs"
        case .cors: "cors"
        }
    }

    package var keys: [String] {
        switch self {
        case .root:
            [
                "listen", "status", "workers", "upstreams", "models", "keys", "auth", "timeouts",
                "guards", "logs", "cors", "$schema",
            ]
        case .status: ["listen"]
        case .openaiUpstream:
            [
                "kind", "base_url", "api_key", "headers", "proxy", "ca_file", "client_cert",
                "client_key", "connections_max", "idle_timeout",
            ]
        case .demoUpstream: ["kind"]
        case .model: ["targets"]
        case .target: ["upstream", "model"]
        case .key: ["name", "hash", "user", "org", "models"]
        case .timeouts: TimeoutKey.allCases.map(\.rawValue)
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
