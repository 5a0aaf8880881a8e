// SPDX-License-Identifier: Apache-2.0

/// An error that a client gets, in the shape of its own vendor.
package struct APIError: Error, Equatable {
    /// OpenAI's `type` member, which official SDKs show but do not act on.
    package enum Kind: String, Sendable {
        case invalidRequest = "invalid_request_error"
        case authentication = "authentication_error"
        case permission = "permission_error"
        case notFound = "not_found_error"
        case rateLimit = "rate_limit_error"
        case server = "server_error"
        case upstream = "upstream_error"
    }

    package let status: Int
    package let kind: Kind
    /// Stable name for programs; also the label in logs.
    package let code: StaticString
    package let message: String
    /// JSON path or header that is wrong.
    package var param: String?
    /// Methods that the path has, for 405.
    package var allow: StaticString?
    /// Seconds after which a retry makes sense.
    package var retryAfterSeconds: Int?
    /// Whether official SDKs are told to retry or not to; nil leaves it to their own rules.
    package var shouldRetry: Bool?
    /// Whether the connection cannot carry another request: its bytes are not understood.
    package var closesConnection = false

    package init(
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

    package static func == (left: APIError, right: APIError) -> Bool {
        left.status == right.status && left.kind == right.kind && left.message == right.message
            && left.code.description == right.code.description && left.param == right.param
    }
}
