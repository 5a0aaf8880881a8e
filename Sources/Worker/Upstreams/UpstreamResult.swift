// SPDX-License-Identifier: Apache-2.0

/// How a call ended.
enum UpstreamResult {
    /// The whole response was delivered.
    case complete
    case failed(UpstreamFailure)
}

/// Why there is no whole response.
struct UpstreamFailure: Error {
    /// Closed set: a case is a metric label and decides about status and retry.
    enum Kind: String, CaseIterable {
        case resolveFailed = "resolve_failed"
        case connectRefused = "connect_refused"
        case connectTimeout = "connect_timeout"
        case connectFailed = "connect_failed"
        /// Handshake or certificate.
        case tlsFailed = "tls_failed"
        case proxyFailed = "proxy_failed"
        case headersTimeout = "headers_timeout"
        case idleTimeout = "idle_timeout"
        case totalTimeout = "total_timeout"
        /// The connection broke.
        case reset
        /// The response ended in the middle.
        case truncated
        /// The upstream closed the connection instead of answering.
        case closedBeforeResponse = "closed_before_response"
        /// The response breaks HTTP/1.1.
        case protocolError = "protocol_error"
        /// Every allowed connection was in use for the whole connect timeout, or too many calls
        /// waited already.
        case tooManyConnections = "too_many_connections"

        var metricLabel: String { rawValue }

        var isTimeout: Bool {
            switch self {
            case .connectTimeout, .headersTimeout, .idleTimeout, .totalTimeout: true
            case .resolveFailed, .connectRefused, .connectFailed, .tlsFailed, .proxyFailed, .reset,
                .truncated, .closedBeforeResponse, .protocolError, .tooManyConnections:
                false
            }
        }
    }

    let kind: Kind
    /// For logs and error texts: host and port first, never a secret.
    let detail: String
    /// Whether `upstreamHead` was called.
    let responseBegan: Bool
    let timings: UpstreamTimings
}
