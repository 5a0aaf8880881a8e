// SPDX-License-Identifier: Apache-2.0
import Dialects

extension APIError {
    static func unknownPath(_ path: String) -> APIError {
        APIError(
            404,
            .notFound,
            "unknown_url",
            "Unknown path '\(path)'. This gateway serves /v1/chat/completions, /v1/responses, "
                + "/v1/messages, /v1beta/models/MODEL:generateContent, /v1/completions, "
                + "/v1/embeddings, /v1/models, /chat/stream and /health."
        )
    }

    static func methodNotAllowed(_ method: String, path: String, allow: StaticString) -> APIError {
        var error = APIError(
            405,
            .invalidRequest,
            "method_not_allowed",
            "\(method) is not allowed on '\(path)'; use \(allow.description)."
        )
        error.allow = allow
        return error
    }

    static let missingKey = APIError(
        401,
        .authentication,
        "missing_api_key",
        "No API key was given. Send it as 'Authorization: Bearer KEY', 'x-api-key' or 'api-key'."
    )

    static let invalidKey = APIError(
        401,
        .authentication,
        "invalid_api_key",
        "The API key is not one of this gateway's client keys."
    )

    static func modelNotAllowed(_ model: String) -> APIError {
        APIError(
            403,
            .permission,
            "model_not_allowed",
            "This API key may not use the model '\(model)'.",
            param: "model"
        )
    }

    static func modelNotFound(_ model: String) -> APIError {
        APIError(
            404,
            .notFound,
            "model_not_found",
            "The model '\(model)' does not exist here. GET /v1/models lists what does.",
            param: "model"
        )
    }

    static func responseNotFound(_ id: String) -> APIError {
        APIError(
            404,
            .notFound,
            "response_not_found",
            "No response '\(id)' is known: its id does not name an upstream of this gateway.",
            param: "response_id"
        )
    }

    static let previousNotFound = APIError(
        404,
        .notFound,
        "previous_response_not_found",
        "The upstream that made this response does not serve the model.",
        param: "previous_response_id"
    )

    static let brokenPathName = APIError(
        400,
        .invalidRequest,
        "invalid_model_id",
        "The model id in the path is not valid percent-encoded UTF-8.",
        param: "model"
    )

    static func strict(_ name: String, _ omissions: Omissions) -> APIError {
        let others = omissions.names.dropFirst()
        let more = others.isEmpty ? "" : " (nor \(others.joined(separator: ", ")))"
        return APIError(
            400,
            .invalidRequest,
            "unsupported_parameter",
            "The model's upstream has no '\(name)'\(more), and the model is configured as strict.",
            param: name
        )
    }

    static func answerTooLarge(_ upstream: String) -> APIError {
        APIError(
            502,
            .upstream,
            "upstream_answer_too_large",
            "The upstream '\(upstream)' sent more than \(AttemptAnswer.answerBytesMax) bytes."
        )
    }

    static func eventTooLarge(_ upstream: String) -> APIError {
        APIError(
            502,
            .upstream,
            "upstream_event_too_large",
            "The upstream '\(upstream)' sent an event beyond \(StreamPipe.eventBytesMax) bytes."
        )
    }

    static func unreadableAnswer(_ upstream: String, _ what: String) -> APIError {
        APIError(
            502,
            .upstream,
            "upstream_invalid_response",
            "The upstream '\(upstream)' sent \(what)."
        )
    }

    static func streamCut(_ upstream: String) -> APIError {
        APIError(
            502,
            .upstream,
            "upstream_cut",
            "The upstream '\(upstream)' ended its stream without its last event."
        )
    }

    static func cannot(_ upstream: String, _ what: String) -> APIError {
        APIError(
            400,
            .invalidRequest,
            "unsupported_operation",
            "The upstream '\(upstream)' \(what)."
        )
    }

    static func unavailable(_ upstream: String, _ why: String) -> APIError {
        APIError(502, .upstream, "upstream_unavailable", "The upstream '\(upstream)': \(why).")
    }

    static func noContentInTime(_ upstream: String) -> APIError {
        APIError(
            504,
            .upstream,
            "upstream_timeout",
            "The upstream '\(upstream)' sent no content in time (timeouts.first_content)."
        )
    }

    static func tooSlow(_ upstream: String) -> APIError {
        APIError(
            504,
            .upstream,
            "upstream_timeout",
            "The upstream '\(upstream)' took too long (timeouts.total)."
        )
    }

    static func notPrepared(_ upstream: String) -> APIError {
        APIError(
            504,
            .upstream,
            "upstream_timeout",
            "The upstream '\(upstream)' gave no token or deployments in time."
        )
    }

    static let stopping = APIError(
        503,
        .server,
        "shutting_down",
        "This gateway is stopping, and the answer did not end in time (timeouts.drain)."
    )

    static func bodyTooLarge(limit: Int) -> APIError {
        APIError(
            413,
            .invalidRequest,
            "request_too_large",
            "The request body is larger than this gateway's limit of \(limit) bytes "
                + "(guards.max_body).",
            closesConnection: true
        )
    }

    static let lengthRequired = APIError(
        411,
        .invalidRequest,
        "length_required",
        "A POST needs Content-Length or Transfer-Encoding: chunked."
    )

    static func unsupportedEncoding(_ coding: String) -> APIError {
        APIError(
            415,
            .invalidRequest,
            "unsupported_content_encoding",
            "Request bodies with Content-Encoding '\(coding)' are not accepted; send the JSON "
                + "as it is.",
            closesConnection: true
        )
    }

    static let headTimeout = APIError(
        408,
        .invalidRequest,
        "request_timeout",
        "The request head did not arrive in time.",
        closesConnection: true
    )

    static let bodyTimeout = APIError(
        408,
        .invalidRequest,
        "request_timeout",
        "The request body did not arrive in time.",
        closesConnection: true
    )
}
