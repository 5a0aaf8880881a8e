// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop
import System
import Testing

@testable import Worker

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("Requests")
struct RequestTests {
    /// Sizes of the pieces of a body.
    static let bodies: [[Int]] = [
        [], [0], [1], [5, 0, 7], [2_000, 3, 2_000], [16_300], [16_384], [40_000],
        [3, 100_000, 3], [16_383, 16_385, 1, 70_000], [3_000_000], [10, 8_000_000, 10],
    ]

    @Test("arrive byte for byte, whatever their pieces", arguments: bodies)
    func pieces(_ sizes: [Int]) throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server)
        var expected = ""
        var pieces: [BodyPiece] = []
        for (number, size) in sizes.enumerated() {
            let letter = Character(UnicodeScalar(UInt8(97 + number)))
            let text = String(repeating: letter, count: size)
            // Bytes outside of the range must not be sent.
            pieces.append(BodyPiece(ByteBuffer("<<\(text)>>"), 2..<(2 + size)))
            expected += text
        }
        for _ in 0..<2 {
            let sink = try lane.exchange(method: .post, path: "/p", body: pieces)
            #expect(sink.isComplete)
        }
        #expect(server.peers.count == 1)
        let field = expected.isEmpty ? "" : "Content-Length: \(expected.utf8.count)\r\n"
        let request = "POST /p HTTP/1.1\r\nHost: test\r\n\(field)\r\n\(expected)"
        #expect(server.requests == [request, request])
        #expect(lane.upstreams.buffersInUse == 0)
    }

    @Test("stop when the answer comes early, and the connection is not used again")
    func earlyResponse() throws {
        let loop = try EventLoop()
        let refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
        let server = try ScriptedServer(on: loop) { _ in
            [.head, .stopReading, .send(refusal), .stall]
        }
        let lane = LaneHarness(to: server)
        let body = ByteBuffer([UInt8](repeating: 1, count: 16 << 20))
        let sink = try lane.exchange(method: .post, body: [BodyPiece(body)])
        #expect(sink.isComplete)
        #expect(sink.status == 413)
        #expect(sink.text == "big")
        #expect(lane.upstreams.openConnections(0) == 0)
        #expect(server.peers[0].bytesReceived < 16 << 20)
        #expect(lane.upstreams.buffersInUse == 0)
    }

    @Test("are not looked at any more once the answer has begun")
    func earlyHead() throws {
        let loop = try EventLoop()
        let head = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\n"
        let server = try ScriptedServer(on: loop) { _ in
            [.head, .stopReading, .send(head), .drain, .stall]
        }
        let lane = LaneHarness(to: server)
        let body = ByteBuffer([UInt8](repeating: 1, count: 16 << 20))
        let sink = CollectingSink()
        // The body is its owner's again: writing on would trap, since the range is gone.
        sink.onHead = { body.clear() }
        lane.begin(sink, method: .post, body: [BodyPiece(body)])
        try lane.wait("the head") { sink.heads == 1 }
        try lane.turn(milliseconds: 50)
        #expect(server.peers[0].bytesReceived < 16 << 20)
        server.peers[0].say("big")
        try lane.wait("the end") { sink.isOver }
        #expect(sink.isComplete)
        #expect(lane.upstreams.openConnections(0) == 0)
        #expect(lane.upstreams.buffersInUse == 0)
    }

    @Test("go on after an interim response")
    func interimWhileSending() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in
            [.send("HTTP/1.1 100 Continue\r\n\r\n"), .request, .send(ok), .stall]
        }
        let lane = LaneHarness(to: server)
        let body = ByteBuffer([UInt8](repeating: 1, count: 8 << 20))
        let sink = try lane.exchange(method: .post, body: [BodyPiece(body)])
        #expect(sink.isComplete, "\(sink.failure?.detail ?? "")")
        #expect(server.requests.count == 1)
        #expect(lane.upstreams.idleConnections(0) == 1)
    }

    @Test("get the answer of an upstream that broke the connection behind it")
    func answerBeforeBreak() throws {
        let loop = try EventLoop()
        let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"
        // Closing with unread bytes breaks the connection in our direction.
        let server = try ScriptedServer(on: loop) { _ in
            [.head, .stopReading, .send(refusal), .close]
        }
        let lane = LaneHarness(to: server)
        let body = ByteBuffer([UInt8](repeating: 1, count: 8 << 20))
        let sink = try lane.exchange(method: .post, body: [BodyPiece(body)])
        #expect(sink.status == 401)
        #expect(sink.isComplete)
        #expect(lane.upstreams.openConnections(0) == 0)
    }

    @Test("that cannot be sent fail later, not from inside begin")
    func sendFails() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server)
        #expect(try lane.exchange().isComplete)
        let sink = CollectingSink()
        Syscalls.forceErrno(.send, .brokenPipe, count: 1)
        lane.begin(sink)
        #expect(sink.calls == 0)
        // The connection was reused and brought no byte: once more on a fresh one.
        try lane.wait("the answer") { sink.isOver }
        #expect(sink.isComplete, "\(sink.failure?.detail ?? "")")
        #expect(lane.upstreams.counters(0).staleRetries == 1)
    }

    @Test("leave on a connection whose end lies in the same turn's events once more")
    func staleEventOfThisTurn() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server)
        #expect(try lane.exchange().isComplete)
        // epoll keeps what it reported last at the front of its list until it looks again.
        try lane.turn(times: 2)
        // A descriptor that becomes ready before the idle connection does begins the call.
        let pair = try Syscalls.pairs(seqpacket: false)
        let sink = CollectingSink()
        let trigger = Trigger { lane.begin(sink) }
        let token = try loop.register(pair.second.raw, .read, trigger)
        let byte: [UInt8] = [1]
        #expect(Syscalls.send(pair.first.raw, byte.span) == .bytes(1))
        server.peers[0].say("HTTP/1.1 500 Not Yours\r\nContent-Length: 0\r\n\r\n")
        try lane.wait("the answer") { sink.isOver }
        loop.deregister(token)
        #expect(sink.status == 200)
        #expect(sink.isComplete)
        #expect(server.peers.count == 2)
    }

    private final class Trigger: EventHandler {
        private let act: () -> Void
        private var isDone = false

        init(_ act: @escaping () -> Void) { self.act = act }

        override func ready(_ readiness: Readiness, token: EventToken) {
            if isDone { return }
            isDone = true
            act()
        }
    }
}
