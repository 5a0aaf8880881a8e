// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// An error that a client gets, in OpenAI's shape.
///
/// Spec: the error object of OpenAI's API reference: `message`, `type`, `param`, `code`, all four
/// present.
struct APIError: Error, Equatable {
    /// The `type` member, which official SDKs show but do not act on.
    enum Kind: String {
        case invalidRequest = "invalid_request_error"
        case authentication = "authentication_error"
        case permission = "permission_error"
        case notFound = "not_found_error"
        case rateLimit = "rate_limit_error"
        case server = "server_error"
        case upstream = "upstream_error"
    }

    let status: Int
    let kind: Kind
    /// Stable name for programs; also the label in logs.
    let code: StaticString
    let message: String
    /// JSON path or header that is wrong.
    var param: String?
    /// Methods that the path has, for 405.
    var allow: StaticString?
    /// Seconds after which a retry makes sense.
    var retryAfterSeconds: Int?
    /// Whether the connection cannot carry another request: its bytes are not understood.
    var closesConnection = false

    init(
        _ status: Int,
        _ kind: Kind,
        _ code: StaticString,
        _ message: String,
        param: String? = nil,
        closesConnection: Bool = false
    ) {
        self.status = status
        self.kind = kind
        self.code = code
        self.message = message
        self.param = param
        self.closesConnection = closesConnection
    }

    static func == (left: APIError, right: APIError) -> Bool {
        left.status == right.status && left.kind == right.kind && left.message == right.message
            && left.code.description == right.code.description && left.param == right.param
    }

    /// Appends `{"error":{...}}`.
    func append(to out: ByteBuffer) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.name("error")
        writer.beginObject()
        writer.member("message", message)
        writer.member("type", kind.rawValue)
        writer.name("param")
        if let param {
            writer.value(param)
        } else {
            writer.null()
        }
        writer.member("code", code.description)
        writer.endObject()
        writer.endObject()
    }
}

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
