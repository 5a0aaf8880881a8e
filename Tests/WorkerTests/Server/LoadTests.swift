// SPDX-License-Identifier: Apache-2.0
import Control
import Loop
import Metrics
import Scoreboard
import Support
import System
import Testing

@testable import Worker

@Suite("What a worker says about its load")
struct LoadTests {
    @Test("counts requests, streams and connections when they change")
    func counts() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [
                .request, .send(TestUpstream.streamHead),
                .send(TestUpstream.chunk(TestUpstream.event("a"))),
            ]
        }
        let before = Syscalls.monotonicNanoseconds()
        let client = try harness.client()
        #expect(harness.board.load.connections == 1)
        try client.send(TestRequest.chat("up/m", stream: true))
        try harness.turn()
        #expect(harness.board.load.requests == 1)
        try client.wait(for: "\"a\"")
        var load = harness.board.load
        #expect(load.streams == 1 && load.requestsTotal == 0)
        #expect(load.oldestStream > before)
        #expect(load.oldestStream < Syscalls.monotonicNanoseconds())
        let second = try harness.client()
        try second.send(TestRequest.chat("demo/stall", stream: true))
        try second.wait(for: "data: ")
        let first = load.oldestStream
        #expect(harness.board.load.oldestStream == first)
        #expect(harness.board.load.streams == 2)
        server.peers[0].say(
            TestUpstream.chunk(TestUpstream.finish + TestUpstream.done) + TestUpstream.end
        )
        _ = try client.answer()
        client.close()
        try harness.turn(milliseconds: 130)
        load = harness.board.load
        #expect(load.requests == 1 && load.streams == 1 && load.connections == 1)
        #expect(load.requestsTotal == 1)
        #expect(load.oldestStream > first)
        second.close()
        try harness.turn(milliseconds: 130)
        load = harness.board.load
        #expect(load.requests == 0 && load.streams == 0 && load.connections == 0)
        #expect(load.oldestStream == 0 && load.bytesQueued == 0)
    }

    @Test("has a heart that beats with the loop")
    func heartbeat() throws {
        let harness = try WorkerHarness()
        let turns = harness.board.load.turns
        try harness.turn(5)
        let load = harness.board.load
        #expect(load.turns == turns + 5)
        #expect(load.turnStartedAt == 0)
        #expect(load.turnEndedAt > 0 && load.turnEndedAt <= Syscalls.monotonicNanoseconds())
    }

    @Test("all counts are said again when they are asked for")
    func recount() throws {
        let harness = try WorkerHarness()
        let client = try harness.client()
        try client.send(TestRequest.get("/health"))
        _ = try client.answer()
        #expect(try harness.reported().requests == 1)
        #expect(try harness.reported().requests == 0)
        #expect(harness.supervisor.send(.recount) == .sent)
        try harness.turn()
        #expect(try harness.reported().requests == 1)
    }
}
