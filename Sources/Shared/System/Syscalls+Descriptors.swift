// SPDX-License-Identifier: Apache-2.0
package import Bytes
internal import CLinux

/// What a message with descriptors brought.
package enum MessageOutcome: Equatable {
    /// One whole message and its descriptors, which the receiver now owns.
    case message(bytes: Int, descriptors: [Int32])
    /// The message is longer than `bytesMax`; descriptors that came with it are closed.
    case tooLong
    /// The message is whole, but descriptors were cut off; those that had arrived are closed.
    case descriptorsLost(bytes: Int)
    case endOfStream
    case wouldBlock
    case failed(Errno)
}

extension Syscalls {
    /// Most descriptors in one message: the kernel's SCM_MAX_FD.
    ///
    /// unix(7).
    package static let descriptorsPerMessageMax = Int(CLINUX_FDS_MAX)

    /// Sends one message with descriptors, whose copies here stay open.
    ///
    /// sendmsg(2), SCM_RIGHTS.
    package static func sendMessage(
        _ fd: Int32,
        _ bytes: Span<UInt8>,
        descriptors: [Int32]
    ) -> WriteOutcome {
        // SAFETY: the kernel reads at most the span and the array.
        let outcome = unsafe bytes.withUnsafeBufferPointer { source -> Int in
            guard let base = source.baseAddress else { return Int(-Errno.invalid.code) }
            return unsafe descriptors.withUnsafeBufferPointer { fds in
                unsafe clinux_send_fds(fd, base, source.count, fds.baseAddress, fds.count)
            }
        }
        if outcome >= 0 { return .bytes(outcome) }
        let errno = Errno(code: Int32(-outcome))
        return errno == .tryAgain ? .wouldBlock : .failed(errno)
    }

    /// Receives one message, replacing what `buffer` holds, with up to `descriptorsMax` descriptors
    /// (close-on-exec).
    ///
    /// recvmsg(2).
    package static func receiveMessage(
        _ fd: Int32,
        into buffer: ByteBuffer,
        bytesMax: Int,
        descriptorsMax: Int
    ) -> MessageOutcome {
        buffer.clear()
        var descriptors = [Int32](repeating: -1, count: descriptorsMax)
        var count = 0
        var truncated: Int32 = 0
        var outcome = 0
        // SAFETY: the kernel writes at most the space and the array given.
        _ = unsafe buffer.withUnsafeSpace(minimum: bytesMax) { space in
            guard let base = space.baseAddress else { return 0 }
            outcome = unsafe descriptors.withUnsafeMutableBufferPointer { fds -> Int in
                guard let fdBase = fds.baseAddress else { return 0 }
                return unsafe clinux_recv_fds(
                    fd,
                    base,
                    space.count,
                    fdBase,
                    fds.count,
                    &count,
                    &truncated
                )
            }
            return max(outcome, 0)
        }
        if outcome < 0 {
            let errno = Errno(code: Int32(-outcome))
            return errno == .tryAgain ? .wouldBlock : .failed(errno)
        }
        let received = Array(descriptors.prefix(count))
        if truncated != 0 {
            for descriptor in received { _ = clinux_close(descriptor) }
            return truncated == 1 ? .tooLong : .descriptorsLost(bytes: outcome)
        }
        if outcome == 0 {
            // An empty packet looks like the end of the stream, but can carry descriptors.
            for descriptor in received { _ = clinux_close(descriptor) }
            return .endOfStream
        }
        return .message(bytes: outcome, descriptors: received)
    }
}
