// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Support
import System
import Testing

@testable import Supervisor

/// The supervisor's end of a pipe of which the test has the worker's.
private final class Printer {
    let loop: EventLoop
    private(set) var output: WorkerOutput
    private(set) var said: [String] = []
    private(set) var timesHeldBack = 0
    private var end: OwnedFD?
    /// As over execve(2), where the descriptor stays.
    private let spare: OwnedFD

    init() throws {
        loop = try EventLoop()
        let pipe = try Syscalls.pipe()
        end = try pipe.second.duplicate()
        spare = try pipe.first.duplicate()
        output = WorkerOutput(pipe.takeFirst(), loop: loop)
        try start()
    }

    private func start() throws {
        output.hooks.printed = { [unowned self] text, isCut in
            said.append(String(copying: text) + (isCut ? "+" : ""))
        }
        output.hooks.heldBack = { [unowned self] in timesHeldBack += 1 }
        try output.start()
    }

    /// False when the pipe did not take all of it.
    @discardableResult
    func print(_ text: String) -> Bool {
        Syscalls.write(end?.raw ?? -1, text.utf8.span) == .bytes(text.utf8.count)
    }

    func close() { end = nil }

    func turn() throws { try loop.turn(waitMax: 0) }

    func turn(until condition: () -> Bool) throws {
        let end = Syscalls.monotonicNanoseconds() + 10_000_000_000
        while !condition(), Syscalls.monotonicNanoseconds() < end { try loop.turn(waitMax: 50) }
        #expect(condition())
    }

    /// What a program does that takes over.
    func handOver() throws {
        output.close()
        output = WorkerOutput(
            try spare.duplicate(),
            tail: output.tail.lines,
            unlogged: output.unlogged,
            loop: loop
        )
        try start()
    }
}

@Suite struct WorkerOutputTests {
    private let printer: Printer

    init() throws {
        printer = try Printer()
    }

    private static let max = OutputAllowance.linesMax

    @Test("Lines are told as they come, empty ones are not")
    func lines() throws {
        printer.print("one\n\ntw")
        try printer.turn { !printer.said.isEmpty }
        #expect(printer.said == ["one"])
        printer.print("o\nthree")
        try printer.turn { printer.said.count == 2 }
        printer.output.finish()
        #expect(printer.said == ["one", "two", "three"])
        #expect(String(decoding: printer.output.tail.lines, as: UTF8.self) == "one\ntwo\nthree")
        #expect(printer.timesHeldBack == 0)
        #expect(printer.loop.registrations == 0)
    }

    @Test("A pipe without a writer is not watched any more, and its end costs nothing")
    func end() throws {
        printer.print("last\n")
        printer.close()
        try printer.turn { printer.loop.registrations == 0 }
        #expect(printer.said == ["last"])
        printer.output.finish()
        #expect(printer.said == ["last"])
    }

    @Test("A flood is not read beyond the allowance, fills its pipe, and goes on a second later")
    func flood() throws {
        let line = "a line that nobody wants\n"
        var written = 0
        while printer.print(line) { written += 1 }
        try printer.turn { printer.timesHeldBack == 1 }
        #expect(printer.said.count == Self.max)
        #expect(printer.loop.registrations == 0)
        // What one read took from the pipe is all that there is room for again.
        while printer.print(line) { written += 1 }
        #expect(written * line.utf8.count < 80 << 10)
        for _ in 0..<10 { try printer.turn() }
        #expect(printer.said.count == Self.max)
        try printer.turn { printer.said.count > Self.max }
        try printer.turn { printer.said.count == 2 * Self.max }
        #expect(printer.timesHeldBack == 1)
    }

    @Test("A worker that ends in a flood is read to the end: its last words are kept, not logged")
    func lastWords() throws {
        for _ in 0..<1_000 { printer.print("a line that nobody wants\n") }
        try printer.turn { printer.timesHeldBack == 1 }
        printer.print("Fatal error: Index out of range\n")
        printer.output.finish()
        #expect(printer.said.count == Self.max)
        let tail = String(decoding: printer.output.tail.lines, as: UTF8.self)
        #expect(tail.hasSuffix("a line that nobody wants\nFatal error: Index out of range"))
        // No timer and no descriptor is left.
        #expect(printer.loop.registrations == 0)
        printer.output.finish()
    }

    @Test("Lines that are dropped only at the end are told about, too")
    func droppedAtEnd() throws {
        for number in 0..<100 { printer.print("\(number)\n") }
        printer.output.finish()
        #expect(printer.said == (0..<Self.max).map { "\($0)" })
        #expect(printer.timesHeldBack == 1)
    }

    @Test("Somebody else with the other end is not waited for, however much it writes")
    func leakedEnd() throws {
        while printer.print(String(repeating: "x", count: 100) + "\n") {}
        printer.output.finish()
        #expect(printer.said.count <= Self.max)
        // The pipe is open still, and takes more, which nobody reads.
        #expect(printer.print("more\n"))
        for _ in 0..<3 { try printer.turn() }
        #expect(printer.said.count <= Self.max)
    }

    @Test("Another program goes on in the middle of a line")
    func handedOver() throws {
        printer.print("one\ntw")
        try printer.turn { printer.said == ["one"] }
        try printer.handOver()
        printer.print("o\n")
        try printer.turn { printer.said.count == 2 }
        printer.output.finish()
        #expect(printer.said == ["one", "two"])
        #expect(String(decoding: printer.output.tail.lines, as: UTF8.self) == "one\ntwo")
    }

    @Test("Another program goes on with lines that are held back")
    func handedOverInFlood() throws {
        for number in 0..<50 { printer.print("\(number)\n") }
        try printer.turn { printer.timesHeldBack == 1 }
        try printer.handOver()
        #expect(printer.said == (0..<50).map { "\($0)" })
    }
}
