// SPDX-License-Identifier: Apache-2.0
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
}
