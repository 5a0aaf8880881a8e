// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Providers
import Support
import Testing

@Suite("Python literals")
struct PythonLiteralTests {
    static func json(_ literal: String) throws(PythonLiteralError) -> String {
        try json(bytes: Array(literal.utf8))
    }

    static func json(bytes: [UInt8]) throws(PythonLiteralError) -> String {
        let out = ByteBuffer("kept")
        do {
            try PythonLiteral.append(json: bytes.span, to: out)
        } catch {
            #expect(out.text == "kept", "nothing is left of a failure")
            throw error
        }
        return String(out.text.dropFirst(4))
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let literal: String
        let json: String
        var testDescription: String { literal.debugDescription }

        init(_ literal: String, _ json: String) {
            self.literal = literal
            self.json = json
        }
    }

    static let cases: [Case] = [
        // Events of a converse stream.
        Case(
            #"{'contentBlockDelta': {'delta': {'text': "it's"}, 'contentBlockIndex': 0}}"#,
            #"{"contentBlockDelta":{"delta":{"text":"it's"},"contentBlockIndex":0}}"#
        ),
        Case(
            #"{'messageStart': {'role': 'assistant'}}"#,
            #"{"messageStart":{"role":"assistant"}}"#
        ),
        Case(
            #"{'metadata': {'usage': {'inputTokens': 40}, 'trace': None, 'cached': False}}"#,
            #"{"metadata":{"usage":{"inputTokens":40},"trace":null,"cached":false}}"#
        ),
        Case(
            #"{'delta': {'toolUse': {'input': '{"tz": "CET", "q": "it\'s"}'}}}"#,
            #"{"delta":{"toolUse":{"input":"{\"tz\": \"CET\", \"q\": \"it's\"}"}}}"#
        ),
        Case(#"{'redactedContent': b'\x00\xffab\''}"#, #"{"redactedContent":"AP9hYic="}"#),
        // Words and containers.
        Case("True", "true"),
        Case("False", "false"),
        Case("None", "null"),
        Case(" [ ] ", "[]"),
        Case("{}", "{}"),
        Case("()", "[]"),
        Case("(1,)", "[1]"),
        Case("(1, 2)", "[1,2]"),
        Case("(1, (2, 3,), [4, ], {5: 6, },)", #"[1,[2,3],[4],{"5":6}]"#),
        Case("((),)", "[[]]"),
        Case("\t{\r\n'a'\n:\u{c}1 , }\n", #"{"a":1}"#),
        Case(
            "{1: 1, 2.5: 2, None: 3, True: 4, -1: 5}",
            #"{"1":1,"2.5":2,"null":3,"true":4,"-1":5}"#
        ),
        Case("{'a': 1, 'a': 2}", #"{"a":1,"a":2}"#),
        // Numbers.
        Case("0", "0"),
        Case("-0", "-0"),
        Case("00", "0"),
        Case("+7", "7"),
        Case("123456789012345678901234567890", "123456789012345678901234567890"),
        Case("-1.5", "-1.5"),
        Case("1.", "1.0"),
        Case(".5", "0.5"),
        Case("-.5e-3", "-0.5e-3"),
        Case("1e+16", "1e+16"),
        Case("1E5", "1E5"),
        Case("1.e5", "1.0e5"),
        Case("01.5", "1.5"),
        Case("5e-324", "5e-324"),
        // Strings.
        Case("''", "\"\""),
        Case("\"\"", "\"\""),
        Case(#"'\'\"\\'"#, #""'\"\\""#),
        Case(#""a'b\"c""#, #""a'b\"c""#),
        Case(#"'\a\b\t\n\v\f\r'"#, #""\u0007\b\t\n\u000b\f\r""#),
        Case(#"'\0\101\7778\x41\xe9'"#, "\"\\u0000A\u{1FF}8A\u{E9}\""),
        Case(#"'\u00e9\u65e5\U0001f600'"#, "\"é日😀\""),
        Case(#"'\ud83d\ude00'"#, "\"😀\""),
        Case(#"'\ud83dx\ude00'"#, "\"\u{FFFD}x\u{FFFD}\""),
        Case(#"'\ud83d'"#, "\"\u{FFFD}\""),
        Case(#"'\ud83d\ud83d\ude00'"#, "\"\u{FFFD}😀\""),
        Case(#"'\ud83d' '\ude00'"#, "\"\u{FFFD}\u{FFFD}\""),
        Case(#"'\/\d\é\%'"#, #""\\/\\d\\é\\%""#),
        Case("'a\\\nb'", "\"ab\""),
        Case("'é日😀\u{2028}\u{7f}'", "\"é日😀\u{2028}\u{7f}\""),
        Case("'\u{1}\t'", #""\u0001\t""#),
        Case("'a' \"b\"\n'c'", "\"abc\""),
        Case("{'a' 'b': 'c' 'd'}", #"{"ab":"cd"}"#),
        Case("u'a' U'b'", "\"ab\""),
        Case(#"r'\n\'\\é' R"\"""#, #""\\n\\'\\\\é\\\"""#),
        // Bytes.
        Case("b''", "\"\""),
        Case("b'foo' B\"bar\"", "\"Zm9vYmFy\""),
        Case(#"b'\xff\377\n\u'"#, "\"//8KXHU=\""),
        Case(#"br'\x' Rb'\''"#, "\"XHhcJw==\""),
    ]

    @Test("become JSON", arguments: cases)
    func become(_ row: Case) throws {
        let json = try Self.json(row.literal)
        #expect(json == row.json)
        // And it is JSON, whoever reads it.
        let bytes = Array(json.utf8)
        var scanner = JSONScanner()
        #expect(try scanner.scan(bytes.span, isFinal: true))
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let literal: String
        let kind: PythonLiteralError.Kind
        let offset: Int
        var testDescription: String { literal.debugDescription }

        init(_ literal: String, _ kind: PythonLiteralError.Kind, _ offset: Int) {
            self.literal = literal
            self.kind = kind
            self.offset = offset
        }
    }

    static let refusals: [Refusal] = [
        Refusal("", .unexpectedEnd, 0),
        Refusal("  ", .unexpectedEnd, 2),
        Refusal("{", .unexpectedEnd, 1),
        Refusal("{'a'", .unexpectedEnd, 4),
        Refusal("{'a':", .unexpectedEnd, 5),
        Refusal("{'a': 1", .unexpectedEnd, 7),
        Refusal("{'a': 1,", .unexpectedEnd, 8),
        Refusal("[1", .unexpectedEnd, 2),
        Refusal("'a", .unexpectedEnd, 2),
        Refusal("'a\\", .unexpectedEnd, 2),
        Refusal("b'", .unexpectedEnd, 2),
        Refusal("{'a' 1}", .unexpected, 5),
        Refusal("{'a': 1 'b': 2}", .unexpected, 8),
        Refusal("{'a'}", .unexpected, 4),
        Refusal("{'a', 'b'}", .unexpected, 4),
        Refusal("{,}", .unexpected, 1),
        Refusal("[1 2]", .unexpected, 3),
        Refusal("[,]", .unexpected, 1),
        Refusal("[1,,2]", .unexpected, 3),
        Refusal("(,)", .unexpected, 1),
        Refusal("(1)", .unexpected, 2),
        Refusal("('a' 'b')", .unexpected, 8),
        Refusal("[1}", .unexpected, 2),
        Refusal("{'a': 1]", .unexpected, 7),
        Refusal("1 2", .unexpected, 2),
        Refusal("{} # comment", .unexpected, 3),
        Refusal("1.2.3", .unexpected, 3),
        Refusal("<object>", .unexpected, 0),
        Refusal("\u{feff}{}", .unexpected, 0),
        Refusal("true", .word, 0),
        Refusal("[null]", .word, 1),
        Refusal("Truer", .word, 0),
        Refusal("None_", .word, 0),
        Refusal("Trué", .word, 0),
        Refusal("inf", .word, 0),
        Refusal("{'a': nan}", .word, 6),
        Refusal("set()", .word, 0),
        Refusal("f'a'", .word, 0),
        Refusal("bu'a'", .word, 0),
        Refusal("ub'a'", .word, 0),
        Refusal("bb'a'", .word, 0),
        Refusal("-", .number, 0),
        Refusal("--1", .number, 0),
        Refusal(".", .number, 0),
        Refusal("-inf", .number, 0),
        Refusal("1_000", .number, 0),
        Refusal("0x10", .number, 0),
        Refusal("007", .number, 0),
        Refusal("1j", .number, 0),
        Refusal("1e", .number, 2),
        Refusal("1e+", .number, 3),
        Refusal(".e5", .number, 0),
        Refusal(#"'\x4'"#, .escape, 1),
        Refusal(#"'\xg0'"#, .escape, 1),
        Refusal(#"'\u12'"#, .escape, 1),
        Refusal(#"'\u 123'"#, .escape, 1),
        Refusal(#"'\U00110000'"#, .escape, 1),
        Refusal(#"'\N{BULLET}'"#, .escape, 1),
        Refusal(#"b'\777'"#, .escape, 2),
        Refusal("'a\nb'", .string, 2),
        Refusal("'a\rb'", .string, 2),
        Refusal("'''a'''", .string, 0),
        Refusal("'a' '''b'''", .string, 4),
        Refusal("'a' b'b'", .bytes, 4),
        Refusal("b'a' 'b'", .bytes, 5),
        Refusal("b'é'", .bytes, 2),
        Refusal("{[]: 1}", .name, 1),
        Refusal("{(1, 2): 1}", .name, 1),
        Refusal("{{}: 1}", .name, 1),
    ]

    @Test("that JSON cannot say, and other text, are refused", arguments: refusals)
    func refused(_ row: Refusal) {
        #expect(throws: PythonLiteralError.self) { try Self.json(row.literal) }
        do {
            _ = try Self.json(row.literal)
        } catch {
            #expect(error.kind == row.kind)
            #expect(error.offset == row.offset)
        }
    }

    @Test("have limits of depth and size")
    func limits() throws {
        for (open, close) in [("[", "]"), ("(", ",)"), ("{'a':", "}")] {
            func nested(_ depth: Int) -> String {
                String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
            }
            let deepest = try Self.json(nested(PythonLiteral.depthMax))
            #expect(deepest.contains("1"))
            for depth in [PythonLiteral.depthMax + 1, 100_000] {
                do {
                    _ = try Self.json(nested(depth))
                    Issue.record("accepted")
                } catch {
                    #expect(error.kind == .tooDeep)
                }
            }
        }
        let large = [UInt8](repeating: 0x20, count: PythonLiteral.bytesMax + 1)
        do {
            _ = try Self.json(bytes: large)
            Issue.record("accepted")
        } catch {
            #expect(error.kind == .tooLarge)
        }
    }

    @Test("with broken UTF-8 still become JSON")
    func brokenText() throws {
        let json = try Self.json(bytes: [0x27, 0xC3, 0x5C, 0x6E, 0xA9, 0xFF, 0x27])
        #expect(json == "\"\u{FFFD}\\n\u{FFFD}\u{FFFD}\"")
    }

    @Test("that are printed from random values read back", arguments: [1, 2, 3, 4] as [UInt64])
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        for _ in 0..<400 {
            var printer = PythonPrinter(random: random)
            let value = printer.value(depth: 0)
            random = printer.random
            let json = try Self.json(value.literal)
            #expect(try JSONValue(json) == value.value, "seed \(seed): \(value.literal)")
        }
    }

    @Test("that are damaged never trap", arguments: [1, 2, 3, 4] as [UInt64])
    func damage(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var accepted = 0
        for _ in 0..<2000 {
            var bytes = Array(Self.cases[random.below(Self.cases.count)].literal.utf8)
            for _ in 0..<(1 + random.below(3)) where !bytes.isEmpty {
                let at = random.below(bytes.count)
                let marks = Array("'\"\\{}[](),:.-+eubrx0 \n".utf8)
                switch random.below(3) {
                case 0: bytes[at] = marks[random.below(marks.count)]
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
                }
            }
            do {
                let json = Array(try Self.json(bytes: bytes).utf8)
                var scanner = JSONScanner()
                #expect(try scanner.scan(json.span, isFinal: true), "seed \(seed): \(bytes)")
                accepted += 1
            } catch let error as PythonLiteralError {
                #expect((0...bytes.count).contains(error.offset))
            }
        }
        #expect(accepted > 100)
    }
}

/// Prints random values the way `repr` does.
private struct PythonPrinter {
    var random: SplitMix

    mutating func value(depth: Int) -> (literal: String, value: JSONValue) {
        switch random.below(depth < 4 ? 8 : 5) {
        case 0: return ("None", .null)
        case 1: return random.oneIn(2) ? ("True", .bool(true)) : ("False", .bool(false))
        case 2:
            let number = Double(random.below(2_000_000) - 1_000_000) / 64
            return (number.description, .number(number))
        case 3:
            let number = random.below(1 << 40)
            return (number.description, .number(Double(number)))
        case 4:
            let text = text()
            return (quoted(text), .string(text))
        case 5, 6:
            let items = (0..<random.below(4)).map { _ in value(depth: depth + 1) }
            let list = items.map(\.literal).joined(separator: ", ")
            let isTuple = random.oneIn(2)
            let end = isTuple && items.count == 1 ? "," : ""
            return (
                isTuple ? "(\(list)\(end))" : "[\(list)]", .array(items.map(\.value))
            )
        default:
            var members: [String: JSONValue] = [:]
            var parts: [String] = []
            for index in 0..<random.below(4) {
                let name = text() + "\(index)"
                let item = value(depth: depth + 1)
                members[name] = item.value
                parts.append("\(quoted(name)): \(item.literal)")
            }
            return ("{\(parts.joined(separator: ", "))}", .object(members))
        }
    }

    private mutating func text() -> String {
        let scalars: [Unicode.Scalar] = [
            "a", "Z", "0", " ", "'", "\"", "\\", "\n", "\t", "\r", "\0", "\u{1f}", "\u{7f}", "é",
            "\u{85}", "日", "\u{2028}", "\u{ffff}", "😀", "{", "}", ",", ":", "#", "/",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<random.below(12) { text.append(scalars[random.below(scalars.count)]) }
        return String(text)
    }

    /// As `repr` or, half the time, `ascii` writes it.
    private mutating func quoted(_ text: String) -> String {
        let isASCII = random.oneIn(2)
        let quote: Unicode.Scalar =
            text.unicodeScalars.contains("'") && !text.unicodeScalars.contains("\"") ? "\"" : "'"
        var result = String(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case quote, "\\": result += "\\" + String(scalar)
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0"..."\u{1f}", "\u{7f}"..."\u{a0}": result += "\\x" + digits(scalar, 2)
            case "\u{a1}"..."\u{ff}" where isASCII: result += "\\x" + digits(scalar, 2)
            case "\u{100}"..."\u{ffff}" where isASCII: result += "\\u" + digits(scalar, 4)
            case "\u{10000}"..."\u{10ffff}" where isASCII: result += "\\U" + digits(scalar, 8)
            default: result += String(scalar)
            }
        }
        return result + String(quote)
    }

    private func digits(_ scalar: Unicode.Scalar, _ count: Int) -> String {
        let text = String(scalar.value, radix: 16)
        return String(repeating: "0", count: count - text.utf8.count) + text
    }
}
