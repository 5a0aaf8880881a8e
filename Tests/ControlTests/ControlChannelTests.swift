// SPDX-License-Identifier: Apache-2.0
import Bytes
import Control
import Support
import System
import Testing

@Suite struct ControlChannelTests {
    private struct Ends {
        let supervisor: ControlChannel
        let worker: ControlChannel
    }

    private func ends() throws -> Ends {
        let pair = try Syscalls.pairs(seqpacket: true)
        return pair.split { first, second in
            Ends(supervisor: ControlChannel(first), worker: ControlChannel(second))
        }
    }

    /// Sends raw bytes and descriptors, as a broken peer would.
    private func sendRaw(_ channel: ControlChannel, _ bytes: [UInt8], _ descriptors: [Int32] = []) {
        let sent = Syscalls.sendMessage(channel.fd.raw, bytes.span, descriptors: descriptors)
        #expect(sent == .bytes(bytes.count))
    }

    private func encoded(_ message: ControlMessage) -> [UInt8] {
        let buffer = ByteBuffer()
        message.encode(to: buffer)
        return buffer.array
    }

    private func connections(_ count: Int) -> ControlMessage {
        .connections((0..<count).map { HandedConnection(id: UInt32($0), listener: 0) })
    }

    @Test("A message with descriptors arrives whole, with copies")
    func descriptors() throws {
        let ends = try ends()
        let one = try Syscalls.pairs(seqpacket: false)
        let two = try Syscalls.pairs(seqpacket: false)
        let message = connections(2)
        let sent = ends.supervisor.send(message, descriptors: [one.first.raw, two.first.raw])
        #expect(sent == .sent)
        guard case .message(let received, let copies) = ends.worker.receive() else {
            Issue.record("no message")
            return
        }
        #expect(received == message)
        #expect(copies.count == 2)
        // The order is kept: what is written to the first copy comes out of the first pair.
        let bytes: [UInt8] = [42]
        #expect(Syscalls.send(copies[0], bytes.span) == .bytes(1))
        #expect(Syscalls.peek(one.second.raw) == .bytes(1))
        #expect(Syscalls.peek(two.second.raw) == .wouldBlock)
        for copy in copies { OwnedFD(owning: copy).close() }
        #expect(ends.worker.receive() == .nothing)
    }

    @Test("The end of the peer is seen, after what it had sent")
    func peerGone() throws {
        let pair = try Syscalls.pairs(seqpacket: true)
        let near = ControlChannel(try pair.first.duplicate())
        let far = ControlChannel(try pair.second.duplicate())
        #expect(far.send(.drained) == .sent)
        _ = consume far
        pair.split { first, second in
            first.close()
            second.close()
        }
        #expect(near.receive() == .message(.drained, descriptors: []))
        #expect(near.receive() == .peerGone)
        #expect(near.send(.drained) == .peerGone)
    }

    @Test("A peer that ends with messages unread is not gone before its own were received")
    func resetBeforeMessages() throws {
        let pair = try Syscalls.pairs(seqpacket: true)
        let near = ControlChannel(try pair.first.duplicate())
        let far = ControlChannel(try pair.second.duplicate())
        // What the peer has not read makes its end a reset, which the kernel says first and once.
        #expect(near.send(.recount) == .sent)
        let report = ControlMessage.report([ConnectionReport(id: 7, event: .started)])
        #expect(far.send(report) == .sent)
        #expect(far.send(connections(1), descriptors: [pair.first.raw]) == .sent)
        #expect(far.send(.drained) == .sent)
        _ = consume far
        pair.split { first, second in
            first.close()
            second.close()
        }
        #expect(near.receive() == .message(report, descriptors: []))
        guard case .message(let message, let descriptors) = near.receive() else {
            Issue.record("the message with a descriptor was lost")
            return
        }
        for descriptor in descriptors { OwnedFD(owning: descriptor).close() }
        #expect(message == connections(1))
        #expect(near.receive() == .message(.drained, descriptors: []))
        #expect(near.receive() == .peerGone)
        #expect(near.receive() == .peerGone)
    }

    @Test("Descriptors that no message announces are closed, and the message is refused")
    func surplus() throws {
        let ends = try ends()
        for (message, count) in [(ControlMessage.drained, 1), (connections(1), 3)] {
            let pair = try Syscalls.pairs(seqpacket: false)
            let far = try pair.second.duplicate()
            let descriptors = [Int32](repeating: pair.first.raw, count: count)
            sendRaw(ends.worker, encoded(message), descriptors)
            pair.split { first, second in
                first.close()
                second.close()
            }
            #expect(Syscalls.peek(far.raw) == .wouldBlock, "still under way")
            #expect(ends.supervisor.receive() == .protocolError(.descriptorCount))
            #expect(Syscalls.peek(far.raw) == .endOfStream, "closed with the message")
        }
    }

    @Test("Missing descriptors are refused")
    func missing() throws {
        let ends = try ends()
        sendRaw(ends.supervisor, encoded(connections(2)))
        #expect(ends.worker.receive() == .protocolError(.descriptorCount))
    }

    @Test("More descriptors than any message has are cut off and closed")
    func cutDescriptors() throws {
        let ends = try ends()
        let pair = try Syscalls.pairs(seqpacket: false)
        let far = try pair.second.duplicate()
        let descriptors = [Int32](repeating: pair.first.raw, count: 40)
        sendRaw(ends.supervisor, encoded(connections(16)), descriptors)
        pair.split { first, second in
            first.close()
            second.close()
        }
        #expect(ends.worker.receive() == .descriptorsLost(connections(16)))
        #expect(Syscalls.peek(far.raw) == .endOfStream)
    }

    @Test("A message longer than any is refused")
    func tooLong() throws {
        let ends = try ends()
        let report = ControlMessage.report(
            (0..<ControlMessage.reportsMax).map { ConnectionReport(id: UInt32($0), event: .closed) }
        )
        sendRaw(ends.worker, encoded(report) + [0, 0, 0, 0, 0, 0, 0, 0])
        #expect(ends.supervisor.receive() == .protocolError(.tooLong))
        #expect(ends.worker.send(report) == .sent)
        let isWhole = ends.supervisor.receive() == .message(report, descriptors: [])
        #expect(isWhole)
    }

    @Test("Garbage and an empty packet end in an error, with descriptors closed")
    func garbage() throws {
        for bytes in [[1, 2, 3], [UInt8](repeating: 0xFF, count: 200)] {
            let ends = try ends()
            let pair = try Syscalls.pairs(seqpacket: false)
            let far = try pair.second.duplicate()
            sendRaw(ends.worker, bytes, [pair.first.raw])
            pair.split { first, second in
                first.close()
                second.close()
            }
            guard case .protocolError = ends.supervisor.receive() else {
                Issue.record("garbage was taken")
                return
            }
            #expect(Syscalls.peek(far.raw) == .endOfStream)
        }
    }

    @Test("A peer that does not read makes the channel full, not the sender wait")
    func full() throws {
        let ends = try ends()
        var sent = 0
        while ends.supervisor.send(.drained) == .sent { sent += 1 }
        #expect(ends.supervisor.send(.drained) == .full)
        for _ in 0..<sent { #expect(ends.worker.receive() == .message(.drained, descriptors: [])) }
        #expect(ends.worker.receive() == .nothing)
        #expect(ends.supervisor.send(.drained) == .sent)
    }

    @Test(
        "Errors of the kernel that pass leave the channel full, others end it",
        arguments: [
            (Errno.tooManyReferences, ControlChannel.Sent.full), (.noMemory, .full),
            (.noBufferSpace, .full), (.tryAgain, .full), (.brokenPipe, .peerGone),
            (.connectionReset, .peerGone), (.notConnected, .peerGone),
        ]
    )
    func forced(errno: Errno, outcome: ControlChannel.Sent) throws {
        let ends = try ends()
        Syscalls.forceErrno(.sendMessage, errno, count: 1)
        #expect(ends.supervisor.send(.drained) == outcome)
        #expect(ends.supervisor.send(.drained) == .sent)
    }

    @Test("A process without room for descriptors learns which connections it lost")
    func noRoom() async {
        await #expect(processExitsWith: .exitCode(5)) {
            // A closed standard descriptor would be room, too.
            try Syscalls.openStandardDescriptors()
            let ends = try ControlChannelTests().ends()
            let message = ControlMessage.connections([HandedConnection(id: 9, listener: 0)])
            let sent = ends.supervisor.send(message, descriptors: [0])
            let open = try openDescriptors()
            try Syscalls.setDescriptorLimit(soft: UInt64((open.max() ?? 0) + 3))
            var fillers: [Int32] = []
            while true {
                do {
                    fillers.append(try ends.worker.fd.duplicate().release())
                } catch { break }
            }
            let received = ends.worker.receive()
            guard sent == .sent, !fillers.isEmpty else { Syscalls.exitNow(1) }
            // Until here the other end must keep its descriptor: a freed number would be room.
            guard ends.supervisor.receive() == .nothing else { Syscalls.exitNow(3) }
            Syscalls.exitNow(received == .descriptorsLost(message) ? 5 : 2)
        }
    }
}
