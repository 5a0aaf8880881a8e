// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP

/// Part of a request body: bytes of a buffer that somebody else owns.
struct BodyPiece {
    let buffer: ByteBuffer
    /// Offsets from the first readable byte of `buffer`.
    let range: Range<Int>

    init(_ buffer: ByteBuffer, _ range: Range<Int>) {
        self.buffer = buffer
        self.range = range
    }

    /// All readable bytes of `buffer`.
    init(_ buffer: ByteBuffer) {
        self.init(buffer, 0..<buffer.count)
    }
}

/// How long each part of a call may take, in nanoseconds.
///
/// `UInt64.max` stands for "no limit".
struct UpstreamTimeouts: Equatable {
    /// From `begin` until a connection is there, the time in the waiting queue included.
    var connect: UInt64 = 5_000_000_000
    /// From the last byte of the request until the final response head is complete.
    ///
    /// While the request is still being written `idle` rules: a large body over a slow line is not
    /// a slow answer.
    var headers: UInt64 = 60_000_000_000
    /// Between two moments in which a byte moved: request bytes before, response bytes after the
    /// head.
    ///
    /// Stands still while the call is paused.
    var idle: UInt64 = 60_000_000_000
    /// From `begin` to the end, whatever happens.
    var total: UInt64 = 600_000_000_000
}

/// What to send.
///
/// Head and body stay unchanged until `upstreamHead` or `upstreamEnded`: until then they may be
/// sent a second time.
struct UpstreamRequest {
    var method: HTTPMethod
    /// Request line, fields and the empty line.
    var head: ByteBuffer
    var body: [BodyPiece]
    var timeouts: UpstreamTimeouts

    init(
        method: HTTPMethod,
        head: ByteBuffer,
        body: [BodyPiece] = [],
        timeouts: UpstreamTimeouts = UpstreamTimeouts()
    ) {
        self.method = method
        self.head = head
        self.body = body
        self.timeouts = timeouts
    }

    /// Bytes of head and body.
    var bytes: Int {
        body.reduce(head.count) { $0 + $1.range.count }
    }
}

/// When the parts of a call happened, in nanoseconds from `begin`.
struct UpstreamTimings: Equatable {
    /// Whether the (last) connection had carried another call before.
    var connectionReused = false
    /// Whether a reused connection turned out dead and the request was sent again.
    var retriedStale = false
    /// Until a connection was there; about 0 when one was idle.
    var connectNs: UInt64 = 0
    /// Of that: name, TCP and TLS, as libcurl measured them.
    ///
    /// 0 on a reused connection.
    var resolveNs: UInt64 = 0
    var tcpNs: UInt64 = 0
    var tlsNs: UInt64 = 0
    /// Until the request was written.
    ///
    /// 0 if it never was.
    var sentNs: UInt64 = 0
    /// Until the first byte of the response.
    ///
    /// 0 if none came.
    var firstByteNs: UInt64 = 0
}
