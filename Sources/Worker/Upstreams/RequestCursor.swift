// SPDX-License-Identifier: Apache-2.0
import Bytes

/// How far a request has been handed to the connection.
///
/// Pure.
struct RequestCursor {
    /// 0 is the head, n the body piece n - 1.
    private var part = 0
    private var offset = 0

    /// The part that comes next and what is left of it; nil at the end.
    mutating func next(
        of request: borrowing UpstreamRequest
    ) -> (buffer: ByteBuffer, range: Range<Int>)? {
        while part <= request.body.count {
            let buffer: ByteBuffer
            let range: Range<Int>
            if part == 0 {
                buffer = request.head
                range = 0..<request.head.count
            } else {
                buffer = request.body[part - 1].buffer
                range = request.body[part - 1].range
            }
            if offset < range.count {
                return (buffer, (range.lowerBound + offset)..<range.upperBound)
            }
            part += 1
            offset = 0
        }
        return nil
    }

    /// Counts `bytes` of the current part as handed over.
    mutating func advance(_ bytes: Int) {
        offset += bytes
    }

    /// Copies what comes next behind the bytes of `wire`, at most `limit` bytes.
    mutating func copy(
        of request: borrowing UpstreamRequest,
        into wire: ByteBuffer,
        limit: Int
    ) {
        var room = limit
        while room > 0, let (buffer, range) = next(of: request) {
            let count = min(room, range.count)
            buffer.withBytes(in: range.lowerBound..<(range.lowerBound + count)) { wire.append($0) }
            advance(count)
            room -= count
        }
    }
}
