// SPDX-License-Identifier: Apache-2.0

/// The head of one request.
///
/// Ranges are offsets from the first byte given to the parser. Reused from request to request, so that its field storage is allocated once per connection.
package struct RequestHead {
    /// The form in which the target was written.
    package enum TargetForm: Equatable, Sendable {
        /// `/path?query`.
        case origin
        /// `http://host/path?query`, which clients of a proxy send and servers must accept.
        case absolute
        /// `*`, with OPTIONS only: the server as a whole.
        case asterisk
    }

    /// The method; `methodRange` has its spelling.
    package internal(set) var method = HTTPMethod.other
    /// The method as it was sent.
    package internal(set) var methodRange = 0..<0
    /// The whole target as it was sent.
    package internal(set) var target = 0..<0
    /// How the target was written.
    package internal(set) var targetForm = TargetForm.origin
    /// The target's path, still percent-encoded.
    ///
    /// Empty in absolute form means `/`.
    package internal(set) var path = 0..<0
    /// What follows the first question mark, which may be nothing; nil without one.
    package internal(set) var query: Range<Int>?
    /// The protocol version.
    package internal(set) var version = HTTPVersion.http11
    /// The field lines.
    package internal(set) var fields = HeaderFields()
    /// Where the body ends; never `untilClose`.
    package internal(set) var framing = BodyFraming.none
    /// Whether the client lets the connection stay open after the response.
    package internal(set) var keepAlive = false
    /// Whether the client waits for `100 Continue` before it sends a body that is not empty.
    ///
    /// Always false on HTTP/1.0, where the expectation must be ignored (RFC 9110 section 10.1.1).
    package internal(set) var expectContinue = false
    /// Bytes of the head, with a tolerated CRLF before it and the empty line at its end.
    package internal(set) var headBytes = 0

    package init() {}
}
