// SPDX-License-Identifier: Apache-2.0
import Bytes
import Testing

@testable import Log

/// The moment 2026-01-02T03:04:05.678Z.
let someTime = LogTime(seconds: 1_767_323_045, nanoseconds: 678_901_234)

func line(
    _ format: LogFormat,
    _ level: LogLevel = .info,
    slot: Int? = nil,
    _ fields: (inout LogRecord) -> Void = { _ in }
) -> String {
    var formatter = LogFormatter(format: format, processID: 42, slot: slot)
    let out = ByteBuffer()
    formatter.append(level, "ready", at: someTime, to: out, fields)
    return out.text
}

struct EscapeCase: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let quoted: String
    let bare: String
    var testDescription: String { name }

    init(_ name: String, _ bytes: [UInt8], _ quoted: String, bare: String? = nil) {
        self.name = name
        self.bytes = bytes
        self.quoted = quoted
        self.bare = bare ?? quoted
    }

    init(_ name: String, _ text: String, _ quoted: String, bare: String? = nil) {
        self.init(name, Array(text.utf8), quoted, bare: bare)
    }
}

@Suite struct LogRecordTests {
    @Test("A JSON line with every type of field")
    func json() {
        let text = line(.json, .warning, slot: 3) { record in
            record.field("count", -7)
            record.field("ok", true)
            record.field("kind", "fixed" as StaticString)
            record.field("name", Array("a \"b\"\n".utf8).span)
            record.field("text", "x".uppercased())
            record.field("took_ms", milliseconds: 12_345_678)
        }
        #expect(
            text == """
                {"ts":"2026-01-02T03:04:05.678Z","level":"warning","msg":"ready","pid":42,"slot":3,\
                "count":-7,"ok":true,"kind":"fixed","name":"a \\"b\\"\\n","text":"X",\
                "took_ms":12.345}

                """
        )
    }

    @Test("A readable line without and with colours")
    func readable() {
        let fields: (inout LogRecord) -> Void = { record in
            record.field("plain", Array("a-b:1".utf8).span)
            record.field("spaced", Array("a b".utf8).span)
            record.field("empty", [UInt8]().span)
            record.field("took_ms", milliseconds: 999)
        }
        #expect(
            line(.readable(colours: false), .error, fields)
                == "03:04:05.678 ERROR ready pid=42 plain=a-b:1 spaced=\"a b\" empty=\"\" "
                + "took_ms=0.000\n"
        )
        #expect(
            line(.readable(colours: true), .info)
                == "03:04:05.678 \u{1B}[32mINFO \u{1B}[0m ready \u{1B}[2mpid=\u{1B}[0m42\n"
        )
    }

    @Test(
        "Any bytes become safe text",
        arguments: [
            EscapeCase("plain", "abc /?=&", "abc /?=&"),
            EscapeCase("quote and backslash", #"a"b\c"#, #"a\"b\\c"#, bare: #"a"b\c"#),
            EscapeCase("line breaks and tab", "a\nb\rc\td", #"a\nb\rc\td"#),
            EscapeCase("escape sequence", "\u{1B}[31mred", #"\u001b[31mred"#),
            EscapeCase("NUL and DEL", "\0\u{7F}", #"\u0000\u007f"#),
            EscapeCase("C1 control", "\u{9B}31m", #"\u009b31m"#),
            EscapeCase("raw C1 byte", [0x9B, 0x41], #"\ufffdA"#),
            EscapeCase("umlaut, kanji, emoji", "ä漢😀", "ä漢😀"),
            EscapeCase("line separators", "\u{2028}\u{2029}", #"\u2028\u2029"#),
            EscapeCase("right-to-left override", "\u{202E}abc\u{2069}", #"\u202eabc\u2069"#),
            EscapeCase("byte order mark", "\u{FEFF}a", #"\ufeffa"#),
            EscapeCase("overlong slash", [0xC0, 0xAF], #"\ufffd\ufffd"#),
            EscapeCase("overlong in three", [0xE0, 0x9F, 0xBF], #"\ufffd\ufffd\ufffd"#),
            EscapeCase("surrogate", [0xED, 0xA0, 0x80], #"\ufffd\ufffd\ufffd"#),
            EscapeCase("beyond U+10FFFF", [0xF4, 0x90, 0x80, 0x80], #"\ufffd\ufffd\ufffd\ufffd"#),
            EscapeCase("cut character", [0x61, 0xE6, 0xBC], #"a\ufffd\ufffd"#),
            EscapeCase("character cut by ASCII", [0xE6, 0xBC, 0x41], #"\ufffd\ufffdA"#),
            EscapeCase("FE and FF", [0xFE, 0xFF], #"\ufffd\ufffd"#),
        ]
    )
    func escaping(row: EscapeCase) {
        let quoted = ByteBuffer()
        LogText.append(row.bytes.span, .quoted, to: quoted)
        #expect(quoted.text == row.quoted)
        let bare = ByteBuffer()
        LogText.append(row.bytes.span, .bare, to: bare)
        #expect(bare.text == row.bare)
    }

    @Test("Random bytes never bring a control character, a quote or broken UTF-8 into a line")
    func randomBytes() {
        var seed: UInt64 = 20
        for _ in 0..<3000 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var bytes: [UInt8] = []
            var rest = seed
            for _ in 0..<8 {
                rest = rest &* 6_364_136_223_846_793_005 &+ 1
                bytes.append(UInt8(truncatingIfNeeded: rest >> 56))
            }
            let out = ByteBuffer()
            LogText.append(bytes.span, .quoted, to: out)
            let text = String(validating: out.array, as: UTF8.self)
            #expect(text != nil, "\(bytes)")
            let scalars = text?.unicodeScalars ?? "".unicodeScalars
            #expect(!scalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
            let unescaped = out.text.replacing(#"\\"#, with: "").replacing(#"\""#, with: "")
            #expect(!unescaped.contains("\""))
        }
    }

    @Test("A long text is cut in front of the character that crosses its limit")
    func longText() {
        let out = ByteBuffer()
        LogText.append([UInt8](repeating: 0x61, count: 512).span, .quoted, to: out)
        #expect(out.text == String(repeating: "a", count: 512))
        out.clear()
        let long = Array((String(repeating: "a", count: 510) + "漢字").utf8)
        LogText.append(long.span, .quoted, to: out)
        #expect(out.text == String(repeating: "a", count: 510) + "...")
        out.clear()
        LogText.append([UInt8](repeating: 0xBF, count: 600).span, .bare, to: out)
        #expect(out.count == 509 * 6 + 3 || out.count == 508 * 6 + 3)
    }

    @Test("A line that gets too long keeps whole fields and says so", arguments: [true, false])
    func longLine(isJSON: Bool) {
        let nasty = [UInt8](repeating: 1, count: 500)
        let text = line(isJSON ? .json : .readable(colours: true)) { record in
            record.field("first", nasty.span)
            record.field("second", nasty.span)
            record.field("third", 3)
        }
        #expect(text.utf8.count <= LogRecord.lineBytesMax)
        #expect(text.contains("first"))
        #expect(!text.contains("second"))
        #expect(!text.contains("third"))
        #expect(text.hasSuffix(isJSON ? ",\"truncated\":true}\n" : " truncated=true\n"))
    }

    @Test("A message made at run time is escaped")
    func runtimeMessage() {
        var formatter = LogFormatter(format: .json, processID: 1, slot: nil)
        let out = ByteBuffer()
        let message = Array("bad \"x\"\u{1B}".utf8)
        formatter.append(.info, message.span, at: someTime, to: out) { _ in }
        #expect(out.text.contains(#""msg":"bad \"x\"\u001b""#))
    }

    @Test(
        "Times, on both sides of leap days and centuries",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (68_169_599, "1972-02-28T23:59:59.000Z"),
            (68_169_600, "1972-02-29T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"), (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"), (-5, "1970-01-01T00:00:00.000Z"),
            (253_402_300_799, "9999-12-31T23:59:59.000Z"), (.max, "9999-12-31T23:59:59.000Z"),
        ]
    )
    func times(seconds: Int, expected: String) {
        var timestamp = LogTimestamp()
        let out = ByteBuffer()
        timestamp.append(LogTime(seconds: seconds, nanoseconds: 0), to: out)
        #expect(out.text == expected)
    }

    @Test("Every day of 400 years follows the one before")
    func calendar() {
        var (year, month, day) = (1970, 1, 1)
        for days in 0..<146_097 {
            let date = LogTimestamp.civil(days: days)
            guard date == (year, month, day) else {
                Issue.record("day \(days) is \(date), not \(year)-\(month)-\(day)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            day += 1
            if day > lengths[month - 1] { (day, month) = (1, month + 1) }
            if month > 12 { (month, year) = (1, year + 1) }
        }
    }

    @Test("The second is cached and the milliseconds are not")
    func timestampCache() {
        var timestamp = LogTimestamp()
        let out = ByteBuffer()
        for (seconds, milliseconds) in [(5, 1), (5, 999), (6, 0), (5, 2)] {
            out.clear()
            let time = LogTime(seconds: seconds, nanoseconds: milliseconds * 1_000_000)
            timestamp.appendTimeOfDay(time, to: out)
            let padded = String(repeating: "0", count: 3 - "\(milliseconds)".count)
            #expect(out.text == "00:00:0\(seconds).\(padded)\(milliseconds)")
        }
    }
}
