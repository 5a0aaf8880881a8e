// SPDX-License-Identifier: Apache-2.0

/// Decodes the body of one request, whatever its framing.
///
/// Contract as for `ChunkedDecoder`: call until `needMore` or `end`, drop what is consumed.
package struct RequestBodyDecoder {
    package typealias Step = BodyStep

    /// What is left of the body.
    private enum State {
        /// Bytes that are still to come. Ends at 0.
        case length(remaining: Int)
        /// Chunks.
        case chunked
        /// Content-Length passed the limit; every call says so.
        case tooLarge
    }

    private var state: State
    private var chunks: ChunkedDecoder

    /// A decoder for a body of at most `limit` bytes.
    package init(framing: BodyFraming, limit: Int, limits: HTTPLimits = .request) {
        chunks = ChunkedDecoder(limits: limits, bodyMax: limit)
        switch framing {
        case .none: state = .length(remaining: 0)
        case .length(let length): state = length > limit ? .tooLarge : .length(remaining: length)
        case .chunked: state = .chunked
        case .untilClose: preconditionFailure("a request body does not end with the connection")
        }
    }

    /// Whether Content-Length alone passes the limit: then `100 Continue` must not be sent.
    package var isRefused: Bool {
        switch state {
        case .tooLarge: true
        case .length, .chunked: false
        }
    }

    /// Takes the bytes that follow those consumed so far.
    ///
    /// - Throws: `bodyTooLarge` before any byte is given out if Content-Length passes the limit,
    ///   and with the size line of the chunk that passes it.
    package mutating func next(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Step {
        switch state {
        case .chunked:
            return try chunks.next(bytes)
        case .tooLarge:
            throw .bodyTooLarge
        case .length(let remaining):
            if remaining == 0 { return .end(consumed: 0) }
            if bytes.isEmpty { return .needMore(consumed: 0) }
            let taken = min(remaining, bytes.count)
            state = .length(remaining: remaining - taken)
            return .data(0..<taken, consumed: taken)
        }
    }
}
