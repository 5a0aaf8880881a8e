// SPDX-License-Identifier: Apache-2.0
import Dialects
import Metrics

/// What a client is told about an upstream that did not answer, in one table.
enum UpstreamFailureMapping {
    static func error(_ failure: UpstreamFailure, upstream: String) -> APIError {
        let (status, code, what) = parts(failure.kind)
        var error = APIError(
            status,
            .upstream,
            code,
            "The upstream '\(upstream)' \(what): \(failure.detail)."
        )
        if failure.kind == .tooManyConnections { error.retryAfterSeconds = 1 }
        return error
    }

    private static func parts(_ kind: UpstreamFailure.Kind) -> (Int, StaticString, String) {
        switch kind {
        case .resolveFailed: (502, "upstream_unreachable", "could not be resolved")
        case .connectRefused: (502, "upstream_unreachable", "refused the connection")
        case .connectFailed: (502, "upstream_unreachable", "could not be reached")
        case .proxyFailed: (502, "upstream_unreachable", "could not be reached through the proxy")
        case .tlsFailed: (502, "upstream_tls", "could not be trusted")
        case .connectTimeout:
            (504, "upstream_timeout", "could not be reached in time (timeouts.connect)")
        case .headersTimeout:
            (504, "upstream_timeout", "did not answer in time (timeouts.headers)")
        case .idleTimeout: (504, "upstream_timeout", "fell silent (timeouts.idle)")
        case .totalTimeout: (504, "upstream_timeout", "took too long (timeouts.total)")
        case .reset: (502, "upstream_cut", "broke the connection")
        case .truncated: (502, "upstream_cut", "ended its answer in the middle")
        case .closedBeforeResponse: (502, "upstream_cut", "closed the connection unanswered")
        case .protocolError: (502, "upstream_invalid_response", "broke HTTP/1.1")
        case .tooManyConnections: (503, "upstream_busy", "has no free connection")
        }
    }
}

extension UpstreamFailure.Kind {
    /// How the attempt counts in the metrics.
    var result: Metrics.UpstreamResult {
        switch self {
        case .resolveFailed, .connectRefused, .connectFailed, .proxyFailed, .tooManyConnections:
            .connectError
        case .tlsFailed: .tlsError
        case .connectTimeout, .headersTimeout, .idleTimeout, .totalTimeout: .timeout
        case .reset, .truncated, .closedBeforeResponse: .reset
        case .protocolError: .protocolError
        }
    }
}
