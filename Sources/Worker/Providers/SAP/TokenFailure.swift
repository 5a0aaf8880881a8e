// SPDX-License-Identifier: Apache-2.0

/// Why there is no access token.
///
/// Holds nothing that a token server wrote except words of a fixed set: its answers may repeat
/// secrets.
package enum TokenFailure: Error, Equatable, Sendable {
    /// What RFC 6749 section 5.2 and XSUAA put into `error`.
    package enum Code: String, CaseIterable, Sendable {
        case accessDenied = "access_denied"
        case invalidClient = "invalid_client"
        case invalidGrant = "invalid_grant"
        case invalidRequest = "invalid_request"
        case invalidScope = "invalid_scope"
        case temporarilyUnavailable = "temporarily_unavailable"
        case unauthorized
        case unauthorizedClient = "unauthorized_client"
        case unsupportedGrantType = "unsupported_grant_type"
    }

    /// What XSUAA puts into `error_description` that repeats nothing of the request.
    package enum Description: String, CaseIterable, Sendable {
        case badCredentials = "Bad credentials"
        case fullAuthentication =
            "Full authentication is required to access this resource"
        case missingCredentials = "Missing credentials"
        case missingGrantType = "Missing grant type"
    }

    /// The server could not be reached.
    case noConnection
    /// No answer in time.
    case timeout
    /// The server knows the request and says no (400, 401 or 403).
    case refused(status: Int, Code?, Description?)
    case unexpectedStatus(Int)
    /// A success whose body is not a JSON object.
    case malformed
    /// A success without a token, or with an empty one.
    case noToken
    /// A token that cannot stand in a header line.
    case unusableToken
    /// A lifetime that is over at once or is no number.
    case lifetime

    /// One line for logs and answers.
    package var message: String {
        switch self {
        case .noConnection: "the token server could not be reached"
        case .timeout: "the token server did not answer in time"
        case .refused(let status, let code, let description):
            "the token server refused the credentials with status \(status)"
                + (code.map { " \($0.rawValue)" } ?? "")
                + (description.map { " (\($0.rawValue))" } ?? "")
        case .unexpectedStatus(let status): "the token server answered with status \(status)"
        case .malformed: "the token server answered with something else than a JSON object"
        case .noToken: "the token server answered without a token"
        case .unusableToken: "the token server answered with a token that no header can hold"
        case .lifetime: "the token server answered with a token that does not live"
        }
    }

    /// For a metric: one of a few words.
    package var metricLabel: StaticString {
        switch self {
        case .noConnection: "no_connection"
        case .timeout: "timeout"
        case .refused: "refused"
        case .unexpectedStatus: "status"
        case .malformed, .noToken, .unusableToken, .lifetime: "malformed"
        }
    }
}
