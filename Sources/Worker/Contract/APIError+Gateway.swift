// SPDX-License-Identifier: Apache-2.0
import Dialects

extension APIError {
    static func unknownPath(_ path: String) -> APIError {
        APIError(
            404,
            .notFound,
            "unknown_url",
            "Unknown path '\(path)'. This gateway serves /v1/chat/completions, /v1/completions, "
                + "/v1/embeddings, /v1/models and /health."
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
