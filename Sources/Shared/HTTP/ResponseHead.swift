// SPDX-License-Identifier: Apache-2.0

/// The head of one response.
///
/// Ranges are offsets from the first byte of the head.
package struct ResponseHead {
    /// The status code, 100 to 599.
    package internal(set) var status = 0
    /// The protocol version.
    package internal(set) var version = HTTPVersion.http11
    /// The reason phrase; often empty.
    package internal(set) var reason = 0..<0
    /// The field lines.
    package internal(set) var fields = HeaderFields()
    /// Where the body ends, with the request's method taken into account.
    package internal(set) var framing = BodyFraming.none
    /// Whether the server lets the connection stay open; see `ResponseDecoder.isReusable`.
    package internal(set) var keepAlive = false
    /// Bytes of the head, with the empty line at its end.
    package internal(set) var headBytes = 0

    package init() {}
}
