// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import Testing

@testable import Supervisor

@Suite struct OutputTailTests {
    struct Row: CustomTestStringConvertible {
        let name: String
        let input: String
        let kept: String
        var testDescription: String { name }

        init(_ name: String, _ input: String, _ kept: String) {
            self.name = name
            self.input = input
            self.kept = kept
        }
    }

    private static let max = OutputTail.bytesMax
    private static let long = String(repeating: "x", count: max)
    private static let trace = """
        Worker/WorkerFaults.swift:137: Fatal error: a fault was asked for
        Current stack trace:
        0    libswiftCore.so                    0x00007f64c9b5f130 swift_reportError + 33
        19   apus-worker                        0x000055680df98941 <unavailable> + 330049

        """

    static let rows = [
        Row("nothing", "", ""),
        Row("only line feeds", "\n\n", ""),
        Row("one line", "Fatal error\n", "Fatal error"),
        Row("lines", "one\n\ntwo\n", "one\ntwo"),
        Row("without a line feed", "one\ntwo", "one\ntwo"),
        Row("as much as is kept", long, long),
        Row("whole lines only", long + "\nlast\n", "last"),
        Row("a line that just has room", "ab\n" + long.dropFirst(3), "ab\n" + long.dropFirst(3)),
        Row("a line that has no room", "abc\n" + long.dropFirst(3), String(long.dropFirst(3))),
        Row("the end of a line that is too long", "head" + long, long),
        Row("not half a character", "é" + long.dropFirst(), String(long.dropFirst())),
        Row("a line that is too long, and the next one", "head" + long + "\nlast", "last"),
        Row(
            "the last of many",
            (100..<300).map { "line \($0)\n" }.joined(),
            (243..<300).map { "line \($0)" }.joined(separator: "\n")
        ),
        Row(
            "no stack trace of the runtime",
            "before\n" + trace,
            "before\nWorker/WorkerFaults.swift:137: Fatal error: a fault was asked for"
        ),
        Row(
            "what comes behind a trace",
            trace + "more\n1 of 2\n",
            String(trace.prefix { $0 != "\n" }) + "\nmore\n1 of 2"
        ),
    ]

    /// What is kept of `pieces`, each cut into lines as soon as it is there.
    private func lines(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        var tail = OutputTail()
        let buffer = ByteBuffer()
        for (number, piece) in pieces.enumerated() {
            buffer.append(Array(piece))
            let isLast = number == pieces.count - 1
            while let line = buffer.withBytes({ OutputLine(atFrontOf: $0, isLast: isLast) }) {
                buffer.withBytes(in: 0..<line.length) { tail.append($0, isCut: line.isCut) }
                buffer.consume(line.consumed)
            }
        }
        return tail.lines
    }

    @Test("The last whole lines are kept, however they arrive", arguments: rows)
    func everySplit(_ row: Row) {
        let input = Array(row.input.utf8)
        #expect(String(decoding: lines([input[...]]), as: UTF8.self) == row.kept)
        #expect(agreesAtEverySplit(input) { lines($0) })
    }

    @Test("Another program goes on with what was kept")
    func handedOver() {
        var tail = OutputTail(Array("one".utf8))
        tail.append(Array("two".utf8).span, isCut: false)
        #expect(String(decoding: tail.lines, as: UTF8.self) == "one\ntwo")
    }
}
