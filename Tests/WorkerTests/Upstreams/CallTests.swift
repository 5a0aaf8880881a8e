// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Loop
import System
import Testing

@testable import Worker

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
private let openHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

@Suite("Calls")
struct CallTests {
    // MARK: Cancelling

    @Test("that are cancelled close their connection within the turn")
    func cancel() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in
            [.request, .send(openHead + "3\r\nabc\r\n"), .stall]
        }
        let lane = LaneHarness(to: server)
        let sink = CollectingSink()
        let call = lane.begin(sink)
        try lane.wait("the first data") { sink.dataCalls == 1 }
        let calls = sink.calls
        call.cancel()
        #expect(lane.upstreams.openConnections(0) == 0)
        let turn = loop.turns
        try lane.wait("the server to see the end") { server.peers[0].sawEnd }
        #expect(server.peers[0].endTurn <= turn + 1)
        try lane.turn(times: 3)
        #expect(sink.calls == calls)
        #expect(lane.upstreams.buffersInUse == 0)
        call.cancel()
        call.pause()
        call.resume()
    }

    @Test("can be cancelled while they connect")
    func cancelConnecting() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server) { $0.connectionsMax = 1 }
        let first = CollectingSink()
        let second = CollectingSink()
        let call = lane.begin(first)
        lane.begin(second)
        call.cancel()
        try lane.wait("the second answer") { second.isOver }
        #expect(second.isComplete)
        #expect(first.calls == 0)
        #expect(lane.upstreams.openConnections(0) == 1)
    }

    @Test("can be cancelled while they wait")
    func cancelWaiting() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server) { $0.connectionsMax = 1 }
        let sinks = (0..<3).map { _ in CollectingSink() }
        let calls = sinks.map { lane.begin($0) }
        calls[1].cancel()
        try lane.wait("the answers") { sinks[0].isOver && sinks[2].isOver }
        #expect(sinks[1].calls == 0)
        #expect(server.requests.count == 2)
    }

    /// The methods of a sink.
    enum Moment: String, CaseIterable {
        case head, data, readDone, end
    }

    @Test("can be cancelled, and others begun, inside every callback", arguments: Moment.allCases)
    func reentrant(_ moment: Moment) throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in
            [
                .request,
                .pieces([Array((openHead + "1\r\na\r\n").utf8), Array("0\r\n\r\n".utf8)]), .again,
            ]
        }
        let lane = LaneHarness(to: server)
        let sink = CollectingSink()
        let next = CollectingSink()
        var call: UpstreamCall?
        var seen = 0
        let act = {
            guard seen == 0 else { return }
            seen = 1
            lane.begin(next)
            call?.pause()
            call?.resume()
            call?.cancel()
        }
        switch moment {
        case .head: sink.onHead = act
        case .data: sink.onData = act
        case .readDone: sink.onReadDone = act
        case .end: sink.onEnd = act
        }
        call = lane.begin(sink)
        try lane.wait("the call begun inside") { next.isOver }
        #expect(next.isComplete)
        #expect(next.text == "a")
        #expect(sink.ends == (moment == .end ? 1 : 0))
        #expect(sink.heads == 1)
        #expect(sink.dataCalls == (moment == .head ? 0 : 1))
        // The connection of a cancelled call is gone; that of a complete one was used again.
        #expect(server.peers.count == (moment == .end ? 1 : 2))
        #expect(lane.upstreams.openConnections(0) == 1)
        #expect(lane.upstreams.buffersInUse == 0)
    }

    // MARK: Pausing

    @Test("that are paused stop reading, and get the rest later")
    func pause() throws {
        let loop = try EventLoop()
        let body = [UInt8](repeating: 7, count: 16 << 20)
        let head = Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8)
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(head + body), .stall] }
        let lane = LaneHarness(to: server)
        let sink = CollectingSink()
        var call: UpstreamCall?
        sink.onData = { call?.pause() }
        call = lane.begin(sink, timeouts: UpstreamTimeouts(idle: 100))
        try lane.wait("the first data") { sink.dataCalls == 1 }
        // Longer than the idle timeout, which stands still.
        try lane.turn(milliseconds: 200)
        #expect(sink.dataCalls == 1)
        #expect(sink.readsDone == 1)
        #expect(sink.body.count < 1 << 20)
        #expect(server.peers[0].bytesUnsent > 1 << 20, "the server's send buffer is not full")
        sink.onData = {}
        call?.resume()
        #expect(sink.dataCalls == 1, "resume must not call the sink")
        try lane.wait("the rest") { sink.isOver }
        #expect(sink.isComplete)
        #expect(sink.body == body)
        #expect(lane.upstreams.idleConnections(0) == 1)
    }

    @Test("that are paused at every piece lose nothing, also in what was read before")
    func pauseInBuffer() throws {
        let loop = try EventLoop()
        let chunks = (0..<50).map { "2\r\n\($0 + 10)\r\n" }.joined()
        let server = try ScriptedServer(on: loop) { _ in
            [.request, .send(openHead + chunks + "0\r\n\r\n"), .again]
        }
        let lane = LaneHarness(to: server)
        let sink = CollectingSink()
        var call: UpstreamCall?
        sink.onHead = { call?.pause() }
        sink.onData = { call?.pause() }
        call = lane.begin(sink)
        for count in 0...50 {
            try lane.wait("piece \(count)") { sink.dataCalls == count && sink.heads == 1 }
            try lane.turn(times: 2)
            #expect(sink.dataCalls == count)
            call?.resume()
        }
        try lane.wait("the end") { sink.isOver }
        #expect(sink.isComplete)
        #expect(sink.text == (10..<60).map(String.init).joined())
        #expect(lane.upstreams.buffersInUse == 0)
    }

    @Test("that are paused at the last byte still end", arguments: ["GET", "HEAD"])
    func pauseAtEnd(method: String) throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in
            [.request, .send(method == "HEAD" ? "HTTP/1.1 204 No\r\n\r\n" : ok), .again]
        }
        let lane = LaneHarness(to: server)
        for round in 0..<2 {
            let sink = CollectingSink()
            var call: UpstreamCall?
            sink.onHead = { call?.pause() }
            sink.onData = { call?.pause() }
            call = lane.begin(sink, method: method == "HEAD" ? .head : .get)
            while !sink.isOver {
                let calls = sink.calls
                try lane.wait("round \(round)") { sink.calls > calls }
                try lane.turn(times: 2)
                call?.resume()
            }
            #expect(sink.isComplete)
        }
        #expect(lane.upstreams.counters(0).reuses == 1)
        #expect(lane.upstreams.buffersInUse == 0)
    }

    @Test("that are paused do not spin when the upstream breaks")
    func pausedAndBroken() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in
            [.request, .send(openHead + "3\r\nabc\r\n"), .stall]
        }
        let lane = LaneHarness(to: server)
        let sink = CollectingSink()
        var call: UpstreamCall?
        sink.onData = { call?.pause() }
        call = lane.begin(sink)
        try lane.wait("the first data") { sink.dataCalls == 1 }
        server.peers[0].end(resetting: true)
        try lane.turn(times: 3)
        let turns = loop.turns
        try lane.turn(milliseconds: 60)
        // 2 ms waits: 30 turns; a spinning descriptor makes thousands.
        #expect(loop.turns - turns < 60)
        #expect(sink.ends == 0)
        call?.resume()
        try lane.wait("the failure") { sink.isOver }
        #expect(sink.failure?.kind == .reset)
        #expect(sink.failure?.responseBegan == true)
    }

    // MARK: Timeouts

    @Test("time out when no head comes")
    func headersTimeout() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send("HTTP/1.1 2"), .stall] }
        let lane = LaneHarness(to: server)
        let start = Syscalls.monotonicNanoseconds()
        let sink = try lane.exchange(timeouts: UpstreamTimeouts(headers: 60, idle: 20))
        #expect(sink.failure?.kind == .headersTimeout)
        #expect(Syscalls.monotonicNanoseconds() - start >= 55_000_000)
        #expect(lane.upstreams.openConnections(0) == 0)
    }

    @Test("time out when the body stands still, not while it drips")
    func idleTimeout() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(openHead), .stall] }
        let lane = LaneHarness(to: server)
        let sink = CollectingSink()
        lane.begin(sink, timeouts: UpstreamTimeouts(headers: 10_000, idle: 1_000))
        try lane.wait("the head") { sink.heads == 1 }
        // Longer than the timeout in all, and much shorter each.
        for _ in 0..<5 {
            try lane.turn(milliseconds: 250)
            server.peers[0].say("1\r\nx\r\n")
        }
        #expect(sink.ends == 0)
        try lane.wait("the timeout") { sink.isOver }
        #expect(sink.failure?.kind == .idleTimeout)
        #expect(sink.text == "xxxxx")
    }

    @Test("time out in total, also while paused")
    func totalTimeout() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(openHead), .stall] }
        let lane = LaneHarness(to: server)
        let sink = CollectingSink()
        let call = lane.begin(sink, timeouts: UpstreamTimeouts(idle: 40, total: 100))
        try lane.wait("the head") { sink.heads == 1 }
        call.pause()
        try lane.wait("the timeout") { sink.isOver }
        #expect(sink.failure?.kind == .totalTimeout)
        #expect(sink.failure?.kind.isTimeout == true)
    }

    @Test("time out when the request cannot be written")
    func writeTimeout() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.stopReading, .stall] }
        let lane = LaneHarness(to: server)
        let body = ByteBuffer([UInt8](repeating: 1, count: 16 << 20))
        let sink = try lane.exchange(
            method: .post,
            body: [BodyPiece(body)],
            timeouts: UpstreamTimeouts(headers: 5_000, idle: 60)
        )
        #expect(sink.failure?.kind == .idleTimeout)
        #expect(sink.failure?.timings.sentNs == 0)
        #expect(lane.upstreams.buffersInUse == 0)
    }

    @Test("time out when no connection comes")
    func connectTimeout() throws {
        let loop = try EventLoop()
        // A listener whose queue is full answers no further SYN.
        let any = SocketAddress.ipv4(octets: [127, 0, 0, 1], port: 0)
        let listener = try Syscalls.streamSocket(for: any)
        try Syscalls.bind(listener.raw, any)
        try Syscalls.listen(listener.raw, backlog: 0)
        let address = try Syscalls.localAddress(listener.raw)
        let filler = try Syscalls.streamSocket(for: address)
        do { try Syscalls.connect(filler.raw, address) } catch { #expect(error == .inProgress) }
        let second = try Syscalls.streamSocket(for: address)
        do { try Syscalls.connect(second.raw, address) } catch { #expect(error == .inProgress) }
        let settings = UpstreamSettings(
            name: "full",
            scheme: .http,
            host: "127.0.0.1",
            port: address.port ?? 0
        )
        let lane = LaneHarness([settings], loop: loop)
        let start = Syscalls.monotonicNanoseconds()
        let sink = try lane.exchange(timeouts: UpstreamTimeouts(connect: 100))
        #expect(sink.failure?.kind == .connectTimeout)
        #expect(sink.failure?.detail.contains("no connection within the connect timeout") == true)
        #expect(Syscalls.monotonicNanoseconds() - start < 2_000_000_000)
        #expect(lane.upstreams.openConnections(0) == 0)
    }

    @Test("tell when their parts happened")
    func timings() throws {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop) { _ in [.request, .send(ok), .again] }
        let lane = LaneHarness(to: server)
        let first = CollectingSink()
        let call = lane.begin(first)
        try lane.wait("the answer") { first.isOver }
        #expect(!call.timings.connectionReused)
        #expect(call.timings.connectNs > 0)
        #expect(call.timings.firstByteNs >= call.timings.connectNs)
        let second = CollectingSink()
        let again = lane.begin(second)
        try lane.wait("the answer") { second.isOver }
        #expect(again.timings.connectionReused)
        #expect(again.timings.firstByteNs > 0)
        #expect(again.timings.tcpNs == 0)
    }
}
