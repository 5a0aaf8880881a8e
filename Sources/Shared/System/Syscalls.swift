// SPDX-License-Identifier: Apache-2.0
package import Bytes
internal import CLinux

/// What a non-blocking read or receive said.
package enum ReadOutcome: Equatable {
    case bytes(Int)
    case endOfStream
    case wouldBlock
    case failed(Errno)
}

/// What a non-blocking write or send said.
package enum WriteOutcome: Equatable {
    case bytes(Int)
    case wouldBlock
    case failed(Errno)
}

/// The only place that calls the kernel.
///
/// Interrupted calls are retried below. Errors are values: no call leaves anything in errno.
package enum Syscalls {
    /// Nanoseconds of the monotonic clock.
    ///
    /// clock_gettime(2).
    package static func monotonicNanoseconds() -> UInt64 {
        clinux_monotonic_ns()
    }

    /// Seconds and nanoseconds since 1970, UTC.
    ///
    /// clock_gettime(2).
    package static func wallClock() -> (seconds: Int, nanoseconds: Int) {
        var seconds: Int64 = 0
        var nanoseconds: UInt32 = 0
        unsafe clinux_realtime(&seconds, &nanoseconds)
        return (Int(seconds), Int(nanoseconds))
    }

    // MARK: Streams

    /// Receives into the free space behind the readable bytes: room for at least `minimum` bytes is
    /// made, at most `limit` are taken.
    ///
    /// System call: recv(2).
    package static func receive(
        _ fd: Int32,
        into buffer: ByteBuffer,
        minimum: Int,
        limit: Int = .max
    ) -> ReadOutcome {
        var outcome = 0
        // SAFETY: the kernel writes at most the space given; a failure writes nothing.
        _ = unsafe buffer.withUnsafeSpace(minimum: minimum) { space in
            guard let base = space.baseAddress else { return 0 }
            outcome = unsafe clinux_recv(fd, base, min(space.count, limit))
            return max(outcome, 0)
        }
        return readOutcome(outcome)
    }

    /// Reads from a file or pipe into the free space of `buffer`.
    ///
    /// read(2).
    package static func read(_ fd: Int32, into buffer: ByteBuffer, minimum: Int) -> ReadOutcome {
        var outcome = 0
        // SAFETY: as above.
        _ = unsafe buffer.withUnsafeSpace(minimum: minimum) { space in
            guard let base = space.baseAddress else { return 0 }
            outcome = unsafe clinux_read(fd, base, space.count)
            return max(outcome, 0)
        }
        return readOutcome(outcome)
    }

    private static func readOutcome(_ result: Int) -> ReadOutcome {
        if result > 0 { return .bytes(result) }
        if result == 0 { return .endOfStream }
        let errno = Errno(code: Int32(-result))
        return errno == .tryAgain ? .wouldBlock : .failed(errno)
    }

    private static func writeOutcome(_ result: Int) -> WriteOutcome {
        if result >= 0 { return .bytes(result) }
        let errno = Errno(code: Int32(-result))
        return errno == .tryAgain ? .wouldBlock : .failed(errno)
    }

    /// Sends readable bytes of `buffer` without blocking and without SIGPIPE, and consumes what was
    /// taken.
    ///
    /// send(2).
    package static func send(_ fd: Int32, from buffer: ByteBuffer) -> WriteOutcome {
        // SAFETY: the kernel reads at most the readable bytes.
        let outcome = unsafe buffer.withUnsafeReadable { bytes -> Int in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe clinux_send(fd, base, bytes.count)
        }
        if outcome > 0 { buffer.consume(outcome) }
        return writeOutcome(outcome)
    }

    /// Sends `bytes` without blocking and without SIGPIPE.
    ///
    /// send(2).
    package static func send(_ fd: Int32, _ bytes: Span<UInt8>) -> WriteOutcome {
        // SAFETY: the kernel reads at most the span.
        let outcome = unsafe bytes.withUnsafeBufferPointer { source -> Int in
            guard let base = source.baseAddress else { return 0 }
            return unsafe clinux_send(fd, base, source.count)
        }
        return writeOutcome(outcome)
    }

    /// Sends the readable bytes of `first` and then `second` in one call, consuming nothing.
    ///
    /// System call: sendmsg(2) with two parts.
    package static func send(
        _ fd: Int32,
        _ first: ByteBuffer,
        then second: Span<UInt8>
    ) -> WriteOutcome {
        // SAFETY: the kernel reads at most both parts.
        let outcome = unsafe first.withUnsafeReadable { head -> Int in
            unsafe second.withUnsafeBufferPointer { tail -> Int in
                guard let headBase = head.baseAddress else { return 0 }
                guard let tailBase = tail.baseAddress else {
                    return unsafe clinux_send(fd, headBase, head.count)
                }
                return unsafe clinux_send_two(fd, headBase, head.count, tailBase, tail.count)
            }
        }
        return writeOutcome(outcome)
    }

    /// Writes `bytes` to a file or pipe.
    ///
    /// write(2).
    package static func write(_ fd: Int32, _ bytes: Span<UInt8>) -> WriteOutcome {
        // SAFETY: the kernel reads at most the span.
        let outcome = unsafe bytes.withUnsafeBufferPointer { source -> Int in
            guard let base = source.baseAddress else { return 0 }
            return unsafe clinux_write(fd, base, source.count)
        }
        return writeOutcome(outcome)
    }

    /// Whether a stream socket has data, nothing, or its end to deliver, without taking it.
    package static func peek(_ fd: Int32) -> ReadOutcome {
        readOutcome(clinux_recv_peek(fd))
    }

    package enum ShutdownSide: Int32 { case read = 0, write = 1, both = 2 }

    /// Ends one direction of a connection.
    ///
    /// shutdown(2). A peer that is already gone is fine.
    package static func shutdown(_ fd: Int32, _ side: ShutdownSide) {
        _ = clinux_shutdown(fd, side.rawValue)
    }

    // MARK: Sockets

    /// A non-blocking, close-on-exec stream socket.
    ///
    /// socket(2).
    package static func streamSocket(for address: SocketAddress) throws(Errno) -> OwnedFD {
        var raw = try address.raw()
        return OwnedFD(owning: try checked(unsafe clinux_socket_stream(&raw)))
    }

    package static func bind(_ fd: Int32, _ address: SocketAddress) throws(Errno) {
        var raw = try address.raw()
        _ = try checked(unsafe clinux_bind(fd, &raw))
    }

    package static func listen(_ fd: Int32, backlog: Int32) throws(Errno) {
        _ = try checked(clinux_listen(fd, backlog))
    }

    /// Starts a connection; `inProgress` means it goes on in the background.
    package static func connect(_ fd: Int32, _ address: SocketAddress) throws(Errno) {
        var raw = try address.raw()
        _ = try checked(unsafe clinux_connect(fd, &raw))
    }

    /// Takes one connection off the queue, non-blocking and close-on-exec.
    ///
    /// accept4(2).
    package static func accept(_ fd: Int32) throws(Errno) -> OwnedFD {
        OwnedFD(owning: try checked(clinux_accept(fd, nil)))
    }

    package static func localAddress(_ fd: Int32) throws(Errno) -> SocketAddress {
        var raw = clinux_address()
        _ = try checked(unsafe clinux_socket_name(fd, &raw))
        return SocketAddress(raw: raw)
    }

    package static func peerAddress(_ fd: Int32) throws(Errno) -> SocketAddress {
        var raw = clinux_address()
        _ = try checked(unsafe clinux_peer_name(fd, &raw))
        return SocketAddress(raw: raw)
    }

    /// Whether `fd` is a stream socket that listens.
    ///
    /// getsockopt(2) SO_ACCEPTCONN.
    package static func isListening(_ fd: Int32) -> Bool { clinux_is_listening(fd) == 1 }

    /// How many bytes anyone has read from a TCP connection; nil when it is none, and while the count
    /// does not stand still.
    ///
    /// The kernel's own answer, so it holds for a reader that has died since. tcp(7) TCP_INFO.
    package static func bytesConsumed(_ fd: Int32) -> Int? {
        let result = clinux_tcp_consumed(fd)
        return result < 0 ? nil : Int(result)
    }

    /// How many bytes anyone has written to a TCP connection; nil as above.
    ///
    /// Like `bytesConsumed`, it holds for a writer that has died since.
    package static func bytesWritten(_ fd: Int32) -> Int? {
        let result = clinux_tcp_written(fd)
        return result < 0 ? nil : Int(result)
    }

    /// Connections that wait in a listening TCP socket and how many may, nil for other sockets.
    package static func acceptQueue(_ fd: Int32) -> (waiting: Int, limit: Int)? {
        var waiting: UInt32 = 0
        var limit: UInt32 = 0
        guard unsafe clinux_tcp_queue(fd, &waiting, &limit) == 0 else { return nil }
        return (Int(waiting), Int(limit))
    }

    /// The pending error of a socket (SO_ERROR), nil when there is none.
    package static func socketError(_ fd: Int32) -> Errno? {
        let code = clinux_socket_error(fd)
        return code == 0 ? nil : Errno(code: code)
    }

    /// Options of a socket whose failure changes speed, not correctness.
    package static func setNoDelay(_ fd: Int32) { _ = clinux_set_no_delay(fd) }
    package static func setReuseAddress(_ fd: Int32) { _ = clinux_set_reuse_address(fd) }
    package static func setIPv6Only(_ fd: Int32) { _ = clinux_set_ipv6_only(fd) }
    package static func setSendBuffer(_ fd: Int32, bytes: Int32) {
        _ = clinux_set_send_buffer(fd, bytes)
    }
    package static func setReceiveBuffer(_ fd: Int32, bytes: Int32) {
        _ = clinux_set_receive_buffer(fd, bytes)
    }
    /// Makes the next close send a reset instead of an orderly end.
    ///
    /// socket(7) SO_LINGER.
    package static func setResetOnClose(_ fd: Int32) { _ = clinux_set_linger_reset(fd) }

    package static func pairs(seqpacket: Bool) throws(Errno) -> DescriptorPair {
        var fds: (Int32, Int32) = (-1, -1)
        // SAFETY: a homogeneous tuple is laid out like the array of two the callee fills.
        let result = unsafe withUnsafeMutablePointer(to: &fds) { pointer in
            unsafe pointer.withMemoryRebound(to: Int32.self, capacity: 2) { pair in
                seqpacket
                    ? unsafe clinux_socketpair_seqpacket(pair)
                    : unsafe clinux_socketpair_stream(pair)
            }
        }
        _ = try checked(result)
        return DescriptorPair(first: OwnedFD(owning: fds.0), second: OwnedFD(owning: fds.1))
    }

    /// A pipe, both ends non-blocking and close-on-exec: `first` reads, `second` writes.
    ///
    /// pipe2(2).
    package static func pipe() throws(Errno) -> DescriptorPair {
        var fds: (Int32, Int32) = (-1, -1)
        // SAFETY: as above.
        let result = unsafe withUnsafeMutablePointer(to: &fds) { pointer in
            unsafe pointer.withMemoryRebound(to: Int32.self, capacity: 2) { pair in
                unsafe clinux_pipe(pair)
            }
        }
        _ = try checked(result)
        return DescriptorPair(first: OwnedFD(owning: fds.0), second: OwnedFD(owning: fds.1))
    }

    /// Sends one datagram to a Unix socket.
    ///
    /// sendto(2).
    package static func sendDatagram(_ bytes: Span<UInt8>, to path: String) throws(Errno) {
        var raw = try SocketAddress.unix(path: path).raw()
        let fd = OwnedFD(owning: try checked(clinux_socket_datagram_unix()))
        // SAFETY: the kernel reads at most the span.
        let sent = unsafe bytes.withUnsafeBufferPointer { source -> Int in
            guard let base = source.baseAddress else { return 0 }
            return unsafe clinux_sendto(fd.raw, base, source.count, &raw)
        }
        _ = try checked(sent)
    }
}

/// Two descriptors that came into being together.
package struct DescriptorPair: ~Copyable {
    package var first: OwnedFD
    package var second: OwnedFD

    package init(first: consuming OwnedFD, second: consuming OwnedFD) {
        self.first = first
        self.second = second
    }

    package consuming func takeFirst() -> OwnedFD { first }
    package consuming func takeSecond() -> OwnedFD { second }
    /// Calls `body` with both ends, which it owns from there on.
    package consuming func split<Result>(
        _ body: (consuming OwnedFD, consuming OwnedFD) -> Result
    ) -> Result {
        body(first, second)
    }
}
