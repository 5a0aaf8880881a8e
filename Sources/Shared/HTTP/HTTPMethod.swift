// SPDX-License-Identifier: Apache-2.0

/// A request method.
package enum HTTPMethod: UInt8, CaseIterable, Sendable {
    case get, head, post, put, delete, options, patch
    /// Any other valid token; `RequestHead.methodRange` says which.
    case other

    /// The method spelled `name`.
    ///
    /// Method names are case-sensitive (RFC 9110 section 9.1).
    init(_ name: Range<Int>, in bytes: Span<UInt8>) {
        if bytes.equals(name, "POST") {
            self = .post
        } else if bytes.equals(name, "GET") {
            self = .get
        } else if bytes.equals(name, "HEAD") {
            self = .head
        } else if bytes.equals(name, "OPTIONS") {
            self = .options
        } else if bytes.equals(name, "DELETE") {
            self = .delete
        } else if bytes.equals(name, "PUT") {
            self = .put
        } else if bytes.equals(name, "PATCH") {
            self = .patch
        } else {
            self = .other
        }
    }

    /// The method's spelling; empty for `other`.
    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .other: ""
        }
    }
}

/// The protocol version of a message.
package enum HTTPVersion: UInt8, Sendable {
    case http10, http11
}
