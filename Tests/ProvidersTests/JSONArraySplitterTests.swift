// SPDX-License-Identifier: Apache-2.0
import Bytes
import Providers
import Support
import Testing

@Suite("Streamed JSON arrays")
struct JSONArraySplitterTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        let elements: [String]
        var isComplete = true
        var isRefused = false
        var testDescription: String { name }
    }

    struct Transcript: Equatable {
        var elements: [String] = []
        var isComplete = false
        var isRefused = false
        var unread = 0
        var examined = 0

        init(_ pieces: [ArraySlice<UInt8>]) {
            let buffer = ByteBuffer()
            var splitter = JSONArraySplitter()
            do {
                for piece in pieces {
                    buffer.append(Array(piece))
                    try read(buffer, &splitter)
                }
                isComplete = splitter.isComplete
                unread = buffer.count
                examined = splitter.bytesExamined
            } catch {
                isRefused = true
            }
        }

        private mutating func read(
            _ buffer: ByteBuffer,
            _ splitter: inout JSONArraySplitter
        ) throws {
            while true {
                let step = try buffer.withBytes { try splitter.next($0) }
                switch step {
                case .needMore(let length), .end(let length):
                    buffer.consume(length)
                    return
                case .element(let range, let length):
                    elements.append(buffer.withBytes(in: range) { String(copying: $0) })
                    buffer.consume(length)
                }
            }
        }
    }

    static let cases: [Case] = [
        Case(name: "empty array", text: "[]", elements: []),
        Case(name: "white space", text: " \r\n\t[ \n ] \n", elements: []),
        Case(name: "one", text: #"[{"a":1}]"#, elements: [#"{"a":1}"#]),
        Case(
            name: "as Vertex prints it",
            text: "[{\n  \"a\": 1\n}\n,\r\n{\n  \"b\": [2]\n}\n]\n",
            elements: ["{\n  \"a\": 1\n}", "{\n  \"b\": [2]\n}"]
        ),
        Case(name: "no white space", text: "[{},{},{}]", elements: ["{}", "{}", "{}"]),
        Case(
            name: "brackets and commas in strings",
            text: #"[{"a":"}],[{"},{"]":"{\"}\\"}]"#,
            elements: [#"{"a":"}],[{"}"#, #"{"]":"{\"}\\"}"#]
        ),
        Case(
            name: "backslashes at the end of strings",
            text: #"[{"a":"\\"},{"a":"\\\""},{"\\":1}]"#,
            elements: [#"{"a":"\\"}"#, #"{"a":"\\\""}"#, #"{"\\":1}"#]
        ),
        Case(
            name: "nested",
            text: #"[{"a":[[{"b":{}}],[]]},{"c":{}}]"#,
            elements: [#"{"a":[[{"b":{}}],[]]}"#, #"{"c":{}}"#]
        ),
        Case(
            name: "beyond ASCII",
            text: #"[{"é":"日😀"}]"#,
            elements: [#"{"é":"日😀"}"#]
        ),
        Case(
            name: "an object without an array",
            text: #" {"error":{"code":429}} "#,
            elements: [#"{"error":{"code":429}}"#]
        ),
        Case(name: "nothing", text: "", elements: [], isComplete: false),
        Case(name: "cut before the first", text: "[", elements: [], isComplete: false),
        Case(name: "cut in the first", text: #"[{"a":"#, elements: [], isComplete: false),
        Case(name: "cut in a string", text: #"[{"a}]"#, elements: [], isComplete: false),
        Case(name: "cut behind the first", text: "[{}", elements: ["{}"], isComplete: false),
        Case(name: "cut behind a comma", text: "[{},", elements: ["{}"], isComplete: false),
        Case(
            name: "no comma",
            text: "[{}{}]",
            elements: ["{}"],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "two commas",
            text: "[{},,{}]",
            elements: ["{}"],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "comma at the end",
            text: "[{},]",
            elements: ["{}"],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "comma at the start",
            text: "[,{}]",
            elements: [],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "numbers",
            text: "[1,2]",
            elements: [],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "an array in the array",
            text: "[[{}]]",
            elements: [],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "a string",
            text: "\"a\"",
            elements: [],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "events",
            text: "data: {}\n\n",
            elements: [],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "something behind the array",
            text: "[{}]]",
            elements: ["{}"],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "another array",
            text: "[{}] [{}]",
            elements: ["{}"],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "another object",
            text: "{} {}",
            elements: ["{}"],
            isComplete: false,
            isRefused: true
        ),
        Case(
            name: "a comma behind an object",
            text: "{},{}",
            elements: ["{}"],
            isComplete: false,
            isRefused: true
        ),
    ]

    @Test("are split at every split", arguments: cases)
    func split(_ row: Case) {
        let bytes = Array(row.text.utf8)
        let whole = Transcript([bytes[...]])
        #expect(whole.elements == row.elements)
        #expect(whole.isComplete == row.isComplete)
        #expect(whole.isRefused == row.isRefused)
        #expect(agreesAtEverySplit(bytes) { Transcript($0) })
        if row.isComplete {
            #expect(whole.unread == 0)
            #expect(whole.examined == row.elements.map(\.utf8.count).reduce(0, +))
        }
    }

    @Test("have a limit of the size of an element")
    func sizeLimit() {
        let limit = JSONArraySplitter.elementBytesMax
        func element(_ count: Int) -> [UInt8] {
            Array("{\"a\":\"".utf8) + [UInt8](repeating: 0x78, count: count - 8) + Array("\"}".utf8)
        }
        func transcript(_ count: Int) -> Transcript {
            let bytes = Array("[ ".utf8) + element(count) + Array(",{}]".utf8)
            let half = bytes.count / 2
            return Transcript([bytes[..<half], bytes[half...]])
        }
        let largest = transcript(limit)
        #expect(largest.elements.count == 2 && largest.isComplete)
        let tooLarge = transcript(limit + 1)
        #expect(tooLarge.elements.isEmpty && tooLarge.isRefused)
    }

    @Test("that arrive in random pieces are looked at once", arguments: [1, 2, 3] as [UInt64])
    func drip(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var elements: [String] = []
        for index in 0..<100 {
            let text = String(repeating: #"\"}{ "#, count: random.below(60))
            elements.append(#"{"index":\#(index),"text":"\#(text)"}"#)
        }
        let bytes = Array("[\(elements.joined(separator: ",\n"))]".utf8)
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, 1 + random.below(random.oneIn(4) ? 300 : 5))
            pieces.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        let transcript = Transcript(pieces)
        #expect(transcript.elements == elements, "seed \(seed)")
        #expect(transcript.isComplete)
        #expect(transcript.examined == elements.map(\.utf8.count).reduce(0, +))
    }
}
