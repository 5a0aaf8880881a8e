// SPDX-License-Identifier: Apache-2.0
#if DEBUG
import Testing

@testable import Worker

@Suite("Faults that a debug build can be told to have")
struct FaultSwitchTests {
    struct Row: CustomTestStringConvertible {
        let text: String
        /// Nil when the text is not understood.
        let faults: Set<Fault>?
        var testDescription: String { text.isEmpty ? "nothing" : text }
    }

    static let rows: [Row] = [
        Row(text: "", faults: []),
        Row(text: "boot_exit", faults: [.bootExit]),
        Row(text: "boot_exit_78,paths", faults: [.bootExitConfiguration, .paths]),
        Row(text: "paths:slot=2", faults: [.paths]),
        Row(text: "paths:slot=3", faults: []),
        Row(text: "paths:generation=5,boot_hang:generation=6", faults: [.paths]),
        Row(text: "paths:slot=2:generation=5", faults: [.paths]),
        Row(text: "paths:slot=2:generation=6", faults: []),
        Row(text: "boot", faults: nil),
        Row(text: "paths:slot", faults: nil),
        Row(text: "paths:slot=", faults: nil),
        Row(text: "paths:slot=-1", faults: nil),
        Row(text: "paths:pid=1", faults: nil),
        Row(text: "paths slot=2", faults: nil),
    ]

    @Test("are read as they are written, for slot 2 of generation 5", arguments: rows)
    func parse(_ row: Row) {
        #expect(FaultSwitch(row.text, slot: 2, generation: 5)?.faults == row.faults)
    }

    @Test("every fault can be named")
    func names() {
        for fault in Fault.allCases {
            #expect(FaultSwitch(fault.rawValue, slot: 0, generation: 1)?.faults == [fault])
        }
    }

    @Test("paths name faults of their own")
    func paths() {
        #expect(FaultPath(path: "/fault/segv", query: "") == .segv)
        #expect(FaultPath(path: "/fault/leak", query: "64") == .leak(mebibytes: 64))
        #expect(FaultPath(path: "/fault/leak", query: "") == nil)
        #expect(FaultPath(path: "/fault/leak", query: "1000000") == nil)
        #expect(FaultPath(path: "/fault/else", query: "") == nil)
    }
}
#endif
