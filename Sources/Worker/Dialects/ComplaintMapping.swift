// SPDX-License-Identifier: Apache-2.0

/// What a client is told when an upstream complains, in one table.
package enum ComplaintMapping {
    /// The client's error for `complaint` of the upstream that the operator calls `upstream`.
    ///
    /// A provider's 401, 402 or 403 is never the client's: it is the operator's account that is
    /// wrong, and what the provider says about it is not for clients. Where the client's request is
    /// the reason, the upstream's message stays as it is, because programs look for phrases in it.
    package static func error(_ complaint: UpstreamComplaint, upstream: String) -> APIError {
        let status = complaint.status ?? 502
        var error = mapped(status, complaint, upstream)
        if let milliseconds = complaint.retryAfterMilliseconds,
            [429, 502, 503].contains(error.status)
        {
            error.retryAfterSeconds = (milliseconds + 999) / 1_000
        }
        return error
    }

    private static func mapped(
        _ status: Int,
        _ complaint: UpstreamComplaint,
        _ upstream: String
    ) -> APIError {
        switch status {
        case 401, 402, 403:
            return APIError(
                502,
                .upstream,
                "upstream_credentials",
                "The upstream '\(upstream)' refused this gateway's credentials (status \(status)). "
                    + "The operator has to look at its credentials."
            )
        case 404:
            return described(404, .notFound, "upstream_not_found", complaint, upstream)
        case 408, 504:
            return described(504, .upstream, "upstream_timeout", complaint, upstream)
        case 413:
            return refused(413, complaint, upstream, "request_too_large")
        case 429:
            let isQuota = complaint.code == "insufficient_quota"
            return described(
                429,
                .rateLimit,
                isQuota ? "insufficient_quota" : "rate_limit_exceeded",
                complaint,
                upstream
            )
        case 503, 529:
            return described(503, .upstream, "upstream_overloaded", complaint, upstream)
        case 409, 422:
            return refused(status, complaint, upstream, "upstream_refused")
        // 424 is Bedrock's word for a model that failed, 499 for a call that was cut.
        case 400..<424, 425..<499:
            return refused(400, complaint, upstream, "upstream_refused")
        default:
            return described(502, .upstream, "upstream_error", complaint, upstream)
        }
    }

    /// The client's request is the reason.
    private static func refused(
        _ status: Int,
        _ complaint: UpstreamComplaint,
        _ upstream: String,
        _ code: StaticString
    ) -> APIError {
        var code = code
        if complaint.isContentFilter {
            code = "content_filter"
        } else if complaint.isContextLength {
            code = "context_length_exceeded"
        } else if let known = knownCode(complaint.code) {
            code = known
        }
        let message = SecretRedaction.redacted(complaint.message)
        return APIError(
            status,
            .invalidRequest,
            code,
            message.isEmpty ? "The upstream '\(upstream)' refused the request." : message,
            param: complaint.param.map { SecretRedaction.redacted($0) }
        )
    }

    /// The upstream or its limits are the reason.
    private static func described(
        _ status: Int,
        _ kind: APIError.Kind,
        _ code: StaticString,
        _ complaint: UpstreamComplaint,
        _ upstream: String
    ) -> APIError {
        let what =
            switch status {
            case 404: "does not know this model or path"
            case 429: "limits the rate of requests"
            case 503: "is overloaded"
            case 504: "took too long"
            default:
                switch complaint.status {
                case .some(let status) where status >= 400: "failed with status \(status)"
                default: "reported an error"
                }
            }
        let message = SecretRedaction.redacted(complaint.message)
        let reason = message.isEmpty ? "." : ": \(message)"
        return APIError(status, kind, code, "The upstream '\(upstream)' \(what)\(reason)")
    }

    /// OpenAI's codes that programs act on; others would make the set of codes the upstream's.
    private static func knownCode(_ code: String?) -> StaticString? {
        switch code {
        case "unsupported_parameter": "unsupported_parameter"
        case "unsupported_value": "unsupported_value"
        case "unknown_parameter": "unknown_parameter"
        case "missing_required_parameter": "missing_required_parameter"
        case "invalid_value": "invalid_value"
        case "invalid_type": "invalid_type"
        case "invalid_prompt": "invalid_prompt"
        case "string_above_max_length": "string_above_max_length"
        case "previous_response_not_found": "previous_response_not_found"
        default: nil
        }
    }
}

extension UpstreamComplaint {
    /// Whether a filter refused the prompt.
    package var isContentFilter: Bool {
        if let code, code == "content_filter" || code == "content_policy_violation" { return true }
        // Orchestration names the module in `location`.
        return type?.hasPrefix("Filtering Module") ?? false
    }

    /// Whether the request does not fit into the model's context.
    package var isContextLength: Bool {
        if code == "context_length_exceeded" { return true }
        let message = message.lowercased()
        return Self.contextPhrases.contains { message.contains($0) }
    }

    /// What OpenAI, Anthropic, Bedrock, Google and vLLM say when a request is too long.
    private static let contextPhrases = [
        "maximum context length", "prompt is too long", "input is too long",
        "exceeds the maximum number of tokens", "exceeds the context window",
        "exceed context limit", "context length exceeded", "too many input tokens",
    ]
}
