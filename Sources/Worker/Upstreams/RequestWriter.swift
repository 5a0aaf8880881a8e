// SPDX-License-Identifier: Apache-2.0
import Bytes
import System

/// Hands one request to a transport, as far as that takes it.
///
/// Small requests go out in one write. Large parts of a body are sent from where they are, except
/// with TLS, where what was offered once must stay at its place until it is taken.
struct RequestWriter {
    enum State: Equatable {
        /// Bytes are still to be written. Exits: `sent`, `abandoned`, `broken`.
        case sending
        case sent
        /// The response began before the request was written: the rest is not.
        case abandoned
        /// Writing failed. What the upstream said before may still be there to read.
        case broken
    }

    /// Most bytes written at once, so that one upload does not starve other connections.
    private static let bytesPerEventMax = 256 << 10
    /// Most bytes of one write from a body.
    private static let directBytesMax = 64 << 10
    /// A body part from which a write of its own is cheaper than copying it to its neighbours.
    private static let directBytesMin = 16 << 10

    private(set) var state = State.sent
    private var cursor = RequestCursor()
    private var wire: ByteBuffer?

    /// Starts over with another request.
    mutating func begin() {
        state = .sending
        cursor = RequestCursor()
    }

    /// The response makes the rest of the request superfluous.
    mutating func abandon(_ buffers: BufferPool) {
        if state == .sending { state = .abandoned }
        drop(buffers)
    }

    /// Gives the buffer back.
    mutating func drop(_ buffers: BufferPool) {
        if let wire { buffers.give(wire) }
        wire = nil
    }

    /// Writes until all is written, the transport is full, or it is somebody else's turn.
    ///
    /// - Parameters:
    ///   - request: what to write.
    ///   - transport: where to.
    ///   - buffers: where a buffer comes from.
    /// - Returns: whether any byte was taken.
    mutating func write(
        _ request: borrowing UpstreamRequest,
        to transport: UpstreamTransport,
        _ buffers: BufferPool
    ) -> Bool {
        var written = 0
        while state == .sending, written < Self.bytesPerEventMax {
            let outcome: WriteOutcome
            let offered: Int
            if let wire, !wire.isEmpty {
                offered = wire.count
                outcome = transport.send(from: wire)
            } else if let (buffer, range) = cursor.next(of: request) {
                // A request in one piece has no neighbours either.
                let isDirect = range.count >= Self.directBytesMin || request.body.isEmpty
                guard !transport.isTLS, isDirect else {
                    let wire = self.wire ?? buffers.take()
                    self.wire = wire
                    cursor.copy(of: request, into: wire, limit: BufferPool.bufferBytes)
                    continue
                }
                offered = min(range.count, Self.directBytesMax)
                let slice = range.lowerBound..<(range.lowerBound + offered)
                outcome = buffer.withBytes(in: slice) { transport.sendDirectly($0) }
                if case .bytes(let count) = outcome { cursor.advance(count) }
            } else {
                state = .sent
                drop(buffers)
                return written > 0
            }
            switch outcome {
            case .bytes(let count):
                written += count
                // Taken in part: the socket is full, and asking again would only say so.
                if count < offered, !transport.isTLS { return true }
            case .wouldBlock:
                return written > 0
            case .failed:
                state = .broken
                drop(buffers)
            }
        }
        return written > 0
    }
}
