// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop
import System
import Testing

@testable import Worker

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("Connections")
struct ConnectionTests {
    @Test("carry one call after the other")
    func keepAlive() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server)
        for number in 0..<20 {
            let sink = try lane.exchange(path: "/\(number)")
            #expect(sink.isComplete)
            #expect(sink.text == "ok")
        }
        #expect(server.peers.count == 1)
        #expect(server.requests.count == 20)
        #expect(
            lane.upstreams.counters(0)
                == UpstreamCounters(connectionsOpened: 1, reuses: 19)
        )
    }

    @Test("are used last in, first out, and the oldest goes when too many idle")
    func lifo() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server) { $0.idleMax = 2 }
        let sinks = (0..<3).map { _ in CollectingSink() }
        for sink in sinks { lane.begin(sink) }
        try lane.wait("three answers") { sinks.allSatisfy(\.isOver) }
        try lane.wait("the eviction") { server.openPeers == 2 }
        #expect(lane.upstreams.idleConnections(0) == 2)
        #expect(lane.upstreams.openConnections(0) == 2)
        let last = server.peers.last
        for _ in 0..<3 { #expect(try lane.exchange().isComplete) }
        #expect(last?.requests.count == 4)
        #expect(server.peers.count == 3)
        #expect(lane.upstreams.counters(0).idleEnds == 1)
    }

    @Test("that the upstream closes while idle leave the pool")
    func closedWhileIdle() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .stall] }
        let lane = LaneHarness(to: server)
        #expect(try lane.exchange().isComplete)
        #expect(lane.upstreams.idleConnections(0) == 1)
        server.peers[0].end()
        try lane.wait("the pool to notice") { lane.upstreams.idleConnections(0) == 0 }
        #expect(lane.upstreams.openConnections(0) == 0)
        #expect(try lane.exchange().isComplete)
        #expect(lane.upstreams.counters(0).staleRetries == 0)
    }

    @Test("that get bytes while idle leave the pool")
    func surplusWhileIdle() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .stall] }
        let lane = LaneHarness(to: server)
        #expect(try lane.exchange().isComplete)
        server.peers[0].say(ok)
        try lane.wait("the pool to notice") { lane.upstreams.openConnections(0) == 0 }
        #expect(try lane.exchange().isComplete)
        #expect(server.peers.count == 2)
    }

    @Test("close after the idle timeout")
    func idleTimeout() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server) { $0.idleTimeout = 60_000_000 }
        #expect(try lane.exchange().isComplete)
        let start = Syscalls.monotonicNanoseconds()
        try lane.wait("the idle timeout") { server.openPeers == 0 }
        #expect(Syscalls.monotonicNanoseconds() - start >= 50_000_000)
        #expect(lane.upstreams.openConnections(0) == 0)
        #expect(lane.upstreams.counters(0).idleEnds == 1)
    }

    @Test("that are stale are replaced once, with the whole request")
    func staleRetry() throws {
        let loop = try EventLoop()
        // Every connection answers twice, takes a third request and closes without a word.
        let server = try ScriptedServer(on: loop) { _ in
            [.request, .send(ok), .request, .send(ok), .request, .close]
        }
        let lane = LaneHarness(to: server)
        let body = ByteBuffer(String(repeating: "b", count: 40_000))
        for _ in 0..<9 {
            let sink = try lane.exchange(method: .post, body: [BodyPiece(body)])
            #expect(sink.isComplete, "\(sink.failure?.detail ?? "")")
        }
        // 1 2 x3 | 1' 2 x3 ...: calls 3, 5, 7 and 9 find a connection that has answered twice.
        #expect(lane.upstreams.counters(0).staleRetries == 4)
        #expect(server.peers.count == 5)
        #expect(server.requests.count { $0.utf8.count > 40_000 } == server.requests.count)
        #expect(lane.upstreams.openConnections(0) == 1)
    }

    @Test("that break are replaced only if reused and before any byte", arguments: [true, false])
    func noRetryOfFresh(resetting: Bool) throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in
            [.request, resetting ? .reset : .close]
        }
        let lane = LaneHarness(to: server)
        let sink = try lane.exchange()
        #expect(sink.failure?.kind == (resetting ? .reset : .closedBeforeResponse))
        #expect(sink.failure?.responseBegan == false)
        #expect(sink.failure?.detail.hasPrefix("127.0.0.1:\(server.port): ") == true)
        #expect(server.peers.count == 1)
        #expect(lane.upstreams.counters(0).staleRetries == 0)
    }

    @Test("that die inside a response are not replaced")
    func noRetryAfterByte() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in
            [.request, .send(ok), .request, .send("H"), .close]
        }
        let lane = LaneHarness(to: server)
        #expect(try lane.exchange().isComplete)
        let sink = try lane.exchange()
        #expect(sink.failure?.kind == .truncated)
        #expect(server.peers.count == 1)
    }

    @Test("wait for each other at the cap, in order")
    func waiting() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server) { $0.connectionsMax = 2 }
        var order: [Int] = []
        let sinks = (0..<12).map { number in
            let sink = CollectingSink()
            sink.onEnd = { order.append(number) }
            return sink
        }
        for sink in sinks { lane.begin(sink) }
        #expect(lane.upstreams.waitingCalls(0) == 10)
        try lane.wait("all answers") { sinks.allSatisfy(\.isOver) }
        #expect(sinks.count(where: { $0.isComplete }) == sinks.count)
        #expect(server.peers.count == 2)
        #expect(order == order.sorted())
        #expect(lane.upstreams.waitingCalls(0) == 0)
    }

    @Test("that close make room for those who wait")
    func waitingForSlot() throws {
        let loop = try EventLoop()
        let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(closing), .stall] }
        let lane = LaneHarness(to: server) { $0.connectionsMax = 1 }
        let sinks = (0..<4).map { _ in CollectingSink() }
        for sink in sinks { lane.begin(sink) }
        try lane.wait("all answers") { sinks.allSatisfy(\.isOver) }
        #expect(sinks.count(where: { $0.isComplete }) == sinks.count)
        #expect(server.peers.count == 4)
        #expect(lane.upstreams.openConnections(0) == 0)
    }

    @Test("that never come free fail the call after the connect timeout")
    func waitingTooLong() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .stall] }
        let lane = LaneHarness(to: server) { $0.connectionsMax = 1 }
        let first = CollectingSink()
        let call = lane.begin(first)
        let second = CollectingSink()
        lane.begin(second, timeouts: UpstreamTimeouts(connect: 50))
        try lane.wait("the timeout") { second.isOver }
        #expect(second.failure?.kind == .tooManyConnections)
        #expect(first.ends == 0)
        #expect(lane.upstreams.waitingCalls(0) == 0)
        call.cancel()
        #expect(lane.upstreams.openConnections(0) == 0)
    }

    @Test("are refused when too many wait, and not from inside begin")
    func queueFull() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .stall] }
        let lane = LaneHarness(to: server) {
            $0.connectionsMax = 1
            $0.waitingMax = 1
        }
        let sinks = (0..<3).map { _ in CollectingSink() }
        let calls = sinks.map { lane.begin($0) }
        #expect(sinks[2].ends == 0)
        try lane.wait("the refusal") { sinks[2].isOver }
        #expect(sinks[2].failure?.kind == .tooManyConnections)
        for call in calls { call.cancel() }
        #expect(lane.upstreams.openConnections(0) == 0)
        #expect(lane.upstreams.waitingCalls(0) == 0)
    }

    @Test("refused by the upstream fail the call with its address")
    func refused() throws {
        let loop = try EventLoop()
        let unused = try unusedPort()
        var settings = UpstreamSettings(
            name: "nobody",
            scheme: .http,
            host: "127.0.0.1",
            port: unused
        )
        settings.connectionsMax = 1
        let alone = LaneHarness([settings], loop: loop)
        let sinks = (0..<3).map { _ in CollectingSink() }
        for sink in sinks { alone.begin(sink) }
        try alone.wait("the refusals") { sinks.allSatisfy(\.isOver) }
        for sink in sinks {
            #expect(sink.failure?.kind == .connectRefused)
            #expect(sink.failure?.detail == "127.0.0.1:\(unused): connection refused")
        }
        #expect(alone.upstreams.counters(0).connectFailures == 3)
        #expect(alone.upstreams.openConnections(0) == 0)
    }

    @Test("to a name that does not resolve fail the call")
    func unresolved() throws {
        let loop = try EventLoop()
        let settings = UpstreamSettings(
            name: "nowhere",
            scheme: .http,
            host: "name.invalid",
            port: 80
        )
        let lane = LaneHarness([settings], loop: loop)
        let sink = try lane.exchange()
        #expect(sink.failure?.kind == .resolveFailed)
        #expect(sink.failure?.detail == "name.invalid:80: the host name could not be resolved")
        #expect(lane.upstreams.openConnections(0) == 0)
    }

    @Test("to a name are made like those to an address")
    func resolved() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server) { $0.host = "localhost" }
        #expect(try lane.exchange().isComplete)
        #expect(try lane.exchange().isComplete)
        #expect(lane.upstreams.counters(0).reuses == 1)
    }

    @Test("drain: idle ones close now, busy ones after their call")
    func drain() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { number in
            number == 0 ? [.request, .send(ok), .stall] : [.request, .stall]
        }
        let lane = LaneHarness(to: server)
        let first = CollectingSink()
        let second = CollectingSink()
        lane.begin(first)
        lane.begin(second)
        try lane.wait("the first answer and the second request") {
            first.isOver && server.requests.count == 2
        }
        lane.upstreams.drainIdle()
        #expect(lane.upstreams.openConnections(0) == 1)
        server.peers[1].say(ok)
        try lane.wait("the second answer") { second.isOver }
        #expect(second.isComplete)
        #expect(lane.upstreams.openConnections(0) == 0)
    }

    @Test("leave nothing registered when all is closed")
    func nothingLeft() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let before = loop.registrations
        let lane = LaneHarness(to: server) { $0.host = "localhost" }
        let sinks = (0..<5).map { _ in CollectingSink() }
        for sink in sinks { lane.begin(sink) }
        try lane.wait("the answers") { sinks.allSatisfy(\.isOver) }
        lane.upstreams.close()
        try lane.wait("the server to see the ends") { server.openPeers == 0 }
        #expect(loop.registrations == before)
    }

    /// A port on which nothing listens: bound by us, but not listening.
    private func unusedPort() throws -> UInt16 {
        let any = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        let socket = try Syscalls.streamSocket(for: any)
        try Syscalls.bind(socket.raw, any)
        return try Syscalls.localAddress(socket.raw).port ?? 0
    }
}
