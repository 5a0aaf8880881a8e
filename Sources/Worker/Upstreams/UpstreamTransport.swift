// SPDX-License-Identifier: Apache-2.0
import Bytes
import System

/// The bytes of a connection: a socket of ours, or TLS inside of libcurl.
final class UpstreamTransport {
    /// Least free space for a read: less would cost calls.
    private static let readBytesMin = 4 << 10

    let descriptor: Int32
    /// The descriptor of a connection without TLS; libcurl knows nothing of it any more.
    private var socket: OwnedFD?
    /// The transfer that a TLS connection lives in, which stays in its multi.
    let attempt: ConnectAttempt?

    /// Takes over a connected descriptor.
    init(plain socket: consuming OwnedFD) {
        descriptor = socket.raw
        self.socket = consume socket
        attempt = nil
    }

    /// Speaks through a connected transfer.
    init(library attempt: ConnectAttempt, descriptor: Int32) {
        self.descriptor = descriptor
        self.attempt = attempt
    }

    /// Whether bytes may wait where epoll does not see them, and a write may want to read.
    var isTLS: Bool { attempt != nil }

    func receive(into buffer: ByteBuffer) -> ReadOutcome {
        if let attempt {
            return attempt.easy.receive(into: buffer, minimum: Self.readBytesMin)
        }
        return Syscalls.receive(descriptor, into: buffer, minimum: Self.readBytesMin)
    }

    /// Sends readable bytes and consumes what was taken.
    ///
    /// After `wouldBlock` the same bytes must come again.
    func send(from buffer: ByteBuffer) -> WriteOutcome {
        if let attempt { return attempt.easy.send(from: buffer) }
        return Syscalls.send(descriptor, from: buffer)
    }

    /// Sends bytes that may be elsewhere next time; not for TLS.
    func sendDirectly(_ bytes: Span<UInt8>) -> WriteOutcome {
        precondition(!isTLS, "OpenSSL wants a blocked write again from the same place")
        return Syscalls.send(descriptor, bytes)
    }

    /// Looks whether there is something to read: one byte of TLS data is lost by that, none of a
    /// socket.
    ///
    /// The first one also makes libcurl attach the connection to its transfer.
    func probe() -> ReadOutcome {
        guard let attempt else { return Syscalls.peek(descriptor) }
        return attempt.easy.receive(into: ByteBuffer(capacity: 1), minimum: 1)
    }

    /// What the library or the kernel says about a failed read.
    func failureText(_ errno: Errno) -> String { attempt?.failureText(errno) ?? errno.text }

    /// Closes the socket; the pool closes a transfer's.
    func closeSocket() { socket = nil }
}
