// SPDX-License-Identifier: Apache-2.0
import Bytes
import Support
import Testing

@testable import Supervisor

@Suite struct OutputLineTests {
    struct Row: CustomTestStringConvertible {
        let name: String
        let input: [UInt8]
        /// A piece that is cut ends with `+`.
        let lines: [String]
        var testDescription: String { name }

        init(_ name: String, _ input: String, _ lines: [String]) {
            self.name = name
            self.input = Array(input.utf8)
            self.lines = lines
        }
    }

    private static let max = OutputLine.bytesMax
    private static let full = String(repeating: "x", count: max)

    static let rows = [
        Row("nothing", "", []),
        Row("one line", "Fatal error: Index out of range\n", ["Fatal error: Index out of range"]),
        Row("no line feed at the end", "one\ntwo", ["one", "two"]),
        Row("empty lines", "\n\na\n\n", ["", "", "a", ""]),
        Row("a carriage return belongs to the line", "a\r\nb", ["a\r", "b"]),
        Row("a NUL ends nothing", "a\0b\n", ["a\0b"]),
        Row("as long as a line may be", full + "\nrest\n", [full, "rest"]),
        Row("as long as a line may be, at the end", full, [full]),
        Row("a byte too long", full + "y\nrest\n", [full + "+", "y", "rest"]),
        Row("a byte too long, at the end", full + "y", [full + "+", "y"]),
        Row("three pieces", full + full + "z\n", [full + "+", full + "+", "z"]),
        Row(
            "no character is cut",
            String(repeating: "é", count: max / 2 - 1) + "x🙂y\n",
            [String(repeating: "é", count: max / 2 - 1) + "x+", "🙂y"]
        ),
    ]

    /// The lines of `pieces`, each taken as soon as it is there.
    private func lines(_ pieces: [ArraySlice<UInt8>]) -> [String] {
        let buffer = ByteBuffer()
        var lines: [String] = []
        func take(isLast: Bool) {
            while let line = buffer.withBytes({ OutputLine(atFrontOf: $0, isLast: isLast) }) {
                let text = buffer.withBytes(in: 0..<line.length) { String(copying: $0) }
                lines.append(text + (line.isCut ? "+" : ""))
                buffer.consume(line.consumed)
            }
        }
        for piece in pieces {
            buffer.append(Array(piece))
            take(isLast: false)
        }
        take(isLast: true)
        return lines
    }

    @Test("Lines are the same however they arrive", arguments: rows)
    func everySplit(_ row: Row) {
        #expect(lines([row.input[...]]) == row.lines)
        #expect(agreesAtEverySplit(row.input) { lines($0) })
    }

    @Test("Bytes that are no text at all end no line, and a cut never gives nothing")
    func noText() {
        let bytes = [UInt8](repeating: 0x80, count: 3 * Self.max)
        let buffer = ByteBuffer(bytes)
        while let line = buffer.withBytes({ OutputLine(atFrontOf: $0) }) {
            #expect(line.isCut && line.length > Self.max - 5 && line.consumed == line.length)
            buffer.consume(line.consumed)
        }
        #expect(buffer.count <= Self.max)
    }
}
