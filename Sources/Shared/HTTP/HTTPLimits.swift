// SPDX-License-Identifier: Apache-2.0

/// How much of a message the codec takes before it refuses the rest.
///
/// Every limit is checked before the byte that would pass it is kept, so a peer decides neither how
/// much memory a connection costs nor how long one of its lines may keep a parser busy.
package struct HTTPLimits: Equatable, Sendable {
    /// Longest request or status line, without its CRLF.
    ///
    /// Limit: 8 KiB. RFC 9112 section 3 asks for at least 8000 octets; nginx and Apache use 8 KiB.
    package static let startLineBytesDefault = 8 << 10

    /// Longest request head: start line, field lines and the empty line.
    ///
    /// Limit: 64 KiB. nginx takes 4 buffers of 8 KiB, Envoy 60 KiB; long keys, cookies and trace
    /// baggage fit, and a thousand connections that drip their heads cost 64 MiB at most.
    package static let requestHeadBytesDefault = 64 << 10

    /// Longest response head.
    ///
    /// Limit: 128 KiB. Upstreams are chosen by the operator, sit behind chatty edge networks, and
    /// refusing their answer helps nobody; libcurl allows 300 KiB.
    package static let responseHeadBytesDefault = 128 << 10

    /// Most field lines in one head.
    ///
    /// Limit: 128. SDKs send 15 to 25, browsers about 20, edge networks add 10; Apache allows 100.
    package static let fieldsDefault = 128

    /// Longest extension of one chunk, from the end of its size to the CR.
    ///
    /// Limit: 256 bytes. Nothing here uses extensions; the longest in the wild are signatures of
    /// 85 bytes.
    package static let chunkExtensionBytesDefault = 256

    /// Most extension bytes in one chunked body.
    ///
    /// Limit: 16 KiB. A body of one-byte chunks must not carry 256 times its size in extensions;
    /// Go's server uses the same number.
    package static let chunkExtensionBytesTotalDefault = 16 << 10

    /// Longest trailer section, which is read and dropped.
    ///
    /// Limit: 8 KiB. Checksums and timings are the only trailers seen; they take below 1 KiB.
    package static let trailerBytesDefault = 8 << 10

    /// Most bytes in the Connection values of one head.
    ///
    /// Limit: 1 KiB. `isHopByHop` compares every field with every option, so that this product must
    /// stay small; what is seen has below 40 bytes.
    package static let connectionBytesMax = 1 << 10

    /// Most interim (1xx) responses before a final one.
    ///
    /// Limit: 16. Two are usual (100 and 103); without a cap a peer could send them for ever.
    package static let interimResponsesMax = 16

    /// Longest start line, without its CRLF.
    package let startLineBytes: Int
    /// Longest head, with the empty line at its end.
    package let headBytes: Int
    /// Most field lines.
    package let fields: Int
    /// Longest extension of one chunk.
    package let chunkExtensionBytes: Int
    /// Most extension bytes in one body.
    package let chunkExtensionBytesTotal: Int
    /// Longest trailer section.
    package let trailerBytes: Int

    /// Limits for what clients send.
    package static let request = HTTPLimits(headBytes: requestHeadBytesDefault)
    /// Limits for what upstreams send.
    package static let response = HTTPLimits(headBytes: responseHeadBytesDefault)

    package init(
        startLineBytes: Int = HTTPLimits.startLineBytesDefault,
        headBytes: Int = HTTPLimits.requestHeadBytesDefault,
        fields: Int = HTTPLimits.fieldsDefault,
        chunkExtensionBytes: Int = HTTPLimits.chunkExtensionBytesDefault,
        chunkExtensionBytesTotal: Int = HTTPLimits.chunkExtensionBytesTotalDefault,
        trailerBytes: Int = HTTPLimits.trailerBytesDefault
    ) {
        // 6 = a tolerated leading CRLF, the line's own, and the empty line: a start line within its
        // limit must never be what passes the limit of the head.
        precondition(
            startLineBytes > 0 && startLineBytes <= headBytes - 6,
            "the start line limit must leave room in the head limit"
        )
        // Offsets into a head are kept in 32 bits.
        precondition(headBytes <= Int(Int32.max), "head limit beyond 2 GiB")
        precondition(
            fields >= 0 && chunkExtensionBytes >= 0 && chunkExtensionBytesTotal >= 0
                && trailerBytes >= 0,
            "limit below 0"
        )
        self.startLineBytes = startLineBytes
        self.headBytes = headBytes
        self.fields = fields
        self.chunkExtensionBytes = chunkExtensionBytes
        self.chunkExtensionBytesTotal = chunkExtensionBytesTotal
        self.trailerBytes = trailerBytes
    }
}
