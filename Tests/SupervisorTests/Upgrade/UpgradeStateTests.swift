// SPDX-License-Identifier: Apache-2.0
import Bytes
import Metrics
import System
import Testing

@testable import Supervisor

@Suite struct UpgradeStateTests {
    private func state() -> UpgradeState {
        var state = UpgradeState()
        state.configuration = 30
        var process = UpgradeState.Process()
        process.serial = 9
        process.pidfd = 20
        process.control = 21
        process.metrics = 22
        process.scoreboard = 23
        process.output = 24
        process.printed = Array("one\ntwo".utf8) + [0xFF]
        process.unlogged = Array("two".utf8) + [0xFF]
        state.processes = [process]
        return state
    }

    @Test("A worker comes through whole, with what it has printed")
    func process() throws {
        let read = try #require(UpgradeState(decoding: state().encoded()))
        #expect(read.processes == state().processes)
        #expect(read.descriptors == [20, 21, 22, 23, 24, 30])
    }

    @Test("A state of another form is not read")
    func otherForm() {
        var bytes = state().encoded()
        let form = Array(UpgradeState.format.utf8)
        // A text begins with its length, in 8 bytes.
        #expect(Array(bytes[8..<8 + form.count]) == form)
        bytes[8] = UInt8(ascii: "1")
        #expect(form[0] != bytes[8])
        #expect(UpgradeState(decoding: bytes) == nil)
    }

    @Test("A program of another form is told from one that could take over")
    func answers() {
        #expect(UpgradeHandover.problem(answer: UpgradeHandover.answer) == nil)
        let older = "1" + UpgradeState.format.dropFirst()
        let problem = UpgradeHandover.problem(answer: "\(UpgradeHandover.word) \(older) 0.0.9")
        #expect(problem?.hasSuffix("restart instead") == true)
    }

    private func counted() -> UpgradeState {
        var state = UpgradeState()
        state.startedAt = 1_000
        state.desired = 3
        state.scaledTo = 3
        var socket = UpgradeState.Socket()
        socket.descriptor = 9
        socket.address = "127.0.0.1:80"
        socket.counts.accepted = 5
        socket.counts.refused = 6
        socket.counts.paused[.full] = 7
        socket.counts.paused[.error] = 8
        state.listeners = [socket]
        state.reloads.succeeded = 4
        state.changes.ended(
            kind: .reload,
            at: 11,
            ok: false,
            generation: 2,
            reason: "no",
            durationMilliseconds: 12
        )
        state.changes.ended(
            kind: .scale,
            at: 13,
            ok: true,
            generation: 2,
            reason: "1 to 3 workers",
            durationMilliseconds: 0
        )
        state.hashKey = [1, 2, 255]
        state.bootDuration.record(nanoseconds: 5_000_000)
        state.streamsAborted = 14
        state.lag.record(nanoseconds: 7_000)
        state.abandoned = [4_711]
        state.waiting = 10
        return state
    }

    @Test("What one program has counted the next one knows")
    func roundTrip() throws {
        let state = counted()
        let read = try #require(UpgradeState(decoding: state.encoded()))
        #expect(read.startedAt == state.startedAt)
        #expect(read.desired == 3 && read.scaledTo == 3)
        #expect(read.listeners == state.listeners)
        #expect(read.reloads == state.reloads)
        #expect(read.changes == state.changes)
        #expect(read.changes.lastReload?.reason == "no")
        #expect(read.hashKey == state.hashKey)
        #expect(read.bootDuration == state.bootDuration)
        #expect(read.streamsAborted == 14)
        #expect(read.lag == state.lag)
        #expect(read.abandoned == [4_711])
        #expect(read.descriptors == [9, 10])
    }

    @Test("A state that ends early is refused, wherever it does")
    func truncated() {
        let bytes = counted().encoded()
        for length in 0..<bytes.count {
            #expect(UpgradeState(decoding: Array(bytes[..<length])) == nil, "\(length)")
        }
    }
}
