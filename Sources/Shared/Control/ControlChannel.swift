// SPDX-License-Identifier: Apache-2.0
internal import Bytes
package import System

/// One end of the SEQPACKET pair between the supervisor and a worker.
///
/// Never blocks. Descriptors that arrive with a message that does not announce them are closed.
package final class ControlChannel {
    /// What a receive brought.
    package enum Received: Equatable {
        /// The receiver owns the descriptors.
        case message(ControlMessage, descriptors: [Int32])
        /// The message is whole, its descriptors were lost on the way: this process had no room
        /// for them. recvmsg(2), MSG_CTRUNC.
        case descriptorsLost(ControlMessage)
        case nothing
        case peerGone
        case protocolError(ControlError)
    }

    /// What a send did.
    package enum Sent: Equatable {
        case sent
        /// The peer does not read, or too many descriptors are under way (unix(7): ETOOMANYREFS,
        /// bounded by RLIMIT_NOFILE of the sender). Try again later.
        case full
        case peerGone
    }

    package let fd: OwnedFD
    private let buffer = ByteBuffer(capacity: ControlMessage.bytesMax)

    package init(_ fd: consuming OwnedFD) {
        self.fd = fd
    }

    /// Sends one message; copies of `descriptors` travel with it and stay open here.
    package func send(_ message: ControlMessage, descriptors: [Int32] = []) -> Sent {
        precondition(descriptors.count == message.descriptorCount, "descriptors do not match")
        buffer.clear()
        message.encode(to: buffer)
        let outcome = buffer.withBytes { bytes in
            Syscalls.sendMessage(fd.raw, bytes, descriptors: descriptors)
        }
        switch outcome {
        case .bytes: return .sent
        case .wouldBlock: return .full
        case .failed(let errno):
            switch errno {
            case .tooManyReferences, .noMemory, .noBufferSpace: return .full
            default: return .peerGone
            }
        }
    }

    /// Takes one message off the socket.
    ///
    /// A peer that ends with messages of ours unread makes the kernel say ECONNRESET, once and before
    /// what the peer had sent: only behind that is the end.
    package func receive() -> Received {
        var outcome = receiveRaw()
        if outcome == .failed(.connectionReset) { outcome = receiveRaw() }
        switch outcome {
        case .wouldBlock: return .nothing
        case .endOfStream, .failed: return .peerGone
        case .message(_, let descriptors): return decode(descriptors)
        case .tooLong: return .protocolError(.tooLong)
        case .descriptorsLost:
            let decoded = decode(nil)
            guard case .message(let message, _) = decoded else { return decoded }
            return .descriptorsLost(message)
        }
    }

    private func receiveRaw() -> MessageOutcome {
        Syscalls.receiveMessage(
            fd.raw,
            into: buffer,
            bytesMax: ControlMessage.bytesMax,
            descriptorsMax: ControlMessage.connectionsMax
        )
    }

    /// Decodes what is in the buffer; nil descriptors are not compared with what is announced.
    private func decode(_ descriptors: [Int32]?) -> Received {
        do throws(ControlError) {
            let message = try buffer.withBytes { bytes throws(ControlError) in
                try ControlMessage(decoding: bytes)
            }
            guard let descriptors else { return .message(message, descriptors: []) }
            guard message.descriptorCount == descriptors.count else { throw .descriptorCount }
            return .message(message, descriptors: descriptors)
        } catch {
            for descriptor in descriptors ?? [] { OwnedFD(owning: descriptor).close() }
            return .protocolError(error)
        }
    }
}
