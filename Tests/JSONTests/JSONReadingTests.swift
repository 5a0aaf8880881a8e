// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Support
import Testing

@Suite("JSON reading")
struct JSONReadingTests {
    @Test(
        "unescapes strings",
        arguments: [
            (#""""#, ""), (#""abc""#, "abc"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u0041\u00e9\u65e5""#, "Aé日"), (#""\ud83d\ude00!""#, "😀!"),
            (#""\uD83D\uDE00""#, "😀"), (#""\u0000""#, "\u{0}"), (#""\uffff""#, "\u{FFFF}"),
            (#""a\\u0041""#, "a\\u0041"), ("\"日\\n本\"", "日\n本"),
            (#""\udbff\udfff\ud800\udc00""#, "\u{10FFFF}\u{10000}"),
            (#""\u07ff\u0800\u007f\u0080""#, "\u{7FF}\u{800}\u{7F}\u{80}"),
        ]
    )
    func unescape(text: String, expected: String) throws {
        let sample = try JSONSample(text)
        #expect(sample.string(sample.root) == expected)
        let isEqual = sample.tape.equals(
            sample.root,
            Array(expected.utf8).span,
            in: sample.bytes.span
        )
        #expect(isEqual)
        let buffer = ByteBuffer()
        let isExact = sample.tape.appendUnescaped(sample.root, in: sample.bytes.span, to: buffer)
        #expect(isExact)
        #expect(buffer.text == expected)
    }

    @Test(
        "half a surrogate pair becomes a replacement character and is told",
        arguments: [
            (#""\ud800""#, "\u{FFFD}"), (#""\udc00a""#, "\u{FFFD}a"),
            (#""\ud800\n""#, "\u{FFFD}\n"), (#""\ud800x\udc00""#, "\u{FFFD}x\u{FFFD}"),
            (#""\ud800\ud83d\ude00""#, "\u{FFFD}😀"), (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"),
            (#""\ud800\\""#, "\u{FFFD}\\"),
        ]
    )
    func loneSurrogate(text: String, expected: String) throws {
        let sample = try JSONSample(text)
        let buffer = ByteBuffer()
        let isExact = sample.tape.appendUnescaped(sample.root, in: sample.bytes.span, to: buffer)
        #expect(!isExact)
        #expect(buffer.text == expected)
    }

    @Test(
        "compares strings by their text",
        arguments: [
            (#""model""#, "model", true), (#""model""#, "mode", false),
            (#""model""#, "models", false),
            (#""mod\u0065l""#, "model", true), (#""mod\u0065l""#, "mode", false),
            (#""mod\u0065l""#, "modell", false), (#""""#, "", true), (#""\n""#, "\\n", false),
            ("7", "7", false), ("null", "null", false),
        ]
    )
    func equality(json: String, text: String, expected: Bool) throws {
        let sample = try JSONSample(json)
        let result = sample.tape.equals(sample.root, Array(text.utf8).span, in: sample.bytes.span)
        #expect(result == expected)
    }

    @Test(
        "reads integers exactly or not at all",
        arguments: [
            ("0", 0), ("-0", 0), ("7", 7), ("-42", -42), ("9223372036854775807", Int.max),
            ("-9223372036854775808", Int.min), ("9223372036854775808", nil),
            ("-9223372036854775809", nil), ("99999999999999999999999999", nil), ("1.0", nil),
            ("1e3", nil), ("\"7\"", nil), ("null", nil),
        ] as [(String, Int?)]
    )
    func integers(json: String, expected: Int?) throws {
        let sample = try JSONSample(json)
        #expect(sample.integer(sample.root) == expected)
    }

    @Test(
        "reads numbers as the nearest double",
        arguments: [
            ("0", 0), ("7", 7), ("-1.5", -1.5), ("0.1", 0.1), ("1e3", 1000), ("1E-2", 0.01),
            ("5e-324", Double.leastNonzeroMagnitude),
            ("1.7976931348623157e308", 1.7976931348623157e308),
            ("9007199254740993", 9_007_199_254_740_992), ("0.30000000000000004", 0.1 + 0.2),
            ("1e-400", 0), ("1e400", nil), ("-1e400", nil), ("true", nil), ("\"1\"", nil),
        ] as [(String, Double?)]
    )
    func numbers(json: String, expected: Double?) throws {
        let sample = try JSONSample(json)
        #expect(sample.number(sample.root) == expected)
    }

    @Test("minus zero keeps its sign")
    func minusZero() throws {
        let sample = try JSONSample("-0")
        #expect(sample.number(sample.root)?.sign == .minus)
    }

    @Test("a number of more digits than a double can need is not converted")
    func longNumber() throws {
        let sample = try JSONSample("0." + String(repeating: "1", count: 2000))
        #expect(sample.number(sample.root) == nil)
    }

    @Test("finds members by name, the last of equal ones, escaped ones too")
    func members() throws {
        let sample = try JSONSample(#"{"a":1,"b":{"a":2},"\u0063":3,"a":4,"":5}"#)
        let tape = sample.tape
        func member(_ name: StaticString) -> Int? {
            sample.integer(tape.member(name, of: sample.root, in: sample.bytes.span))
        }
        #expect(member("a") == 4)
        #expect(member("c") == 3)
        #expect(member("") == 5)
        #expect(sample.integer(sample.node("b", "a")) == 2)
        #expect(sample.node("d") == nil)
        let inNumber = sample.node("a").flatMap { tape.member("a", of: $0, in: sample.bytes.span) }
        #expect(inNumber == nil)
    }

    @Test("iterates over elements and members in order")
    func iteration() throws {
        let sample = try JSONSample(#"{"a":[1,[2,3],{"x":4}],"b":{},"c":[]}"#)
        let names = sample.tape.members(of: sample.root).map { sample.string($0.name) }
        #expect(names == ["a", "b", "c"])
        let a = try #require(sample.node("a"))
        let kinds = sample.tape.elements(of: a).map { sample.tape.kind(of: $0) }
        #expect(kinds == [.number, .array, .object])
        let b = try #require(sample.node("b"))
        let c = try #require(sample.node("c"))
        #expect(Array(sample.tape.members(of: b)).isEmpty)
        #expect(Array(sample.tape.elements(of: c)).isEmpty)
        #expect(Array(sample.tape.elements(of: b)).isEmpty)
        #expect(Array(sample.tape.members(of: a)).isEmpty)
    }

    @Test("ranges cover exactly the value")
    func ranges() throws {
        let text = #" { "a" : "x\ty" , "b" : [ 1 , 2 ] , "c" : -1.5e3 , "d" : null } "#
        let sample = try JSONSample(text)
        #expect(sample.source(sample.node("a")) == #""x\ty""#)
        #expect(sample.source(sample.node("b")) == "[ 1 , 2 ]")
        #expect(sample.source(sample.node("c")) == "-1.5e3")
        #expect(sample.source(sample.node("d")) == "null")
        let a = try #require(sample.node("a"))
        let content = sample.bytes[sample.tape.contentRange(of: a)]
        #expect(String(decoding: content, as: UTF8.self) == #"x\ty"#)
        #expect(sample.tape.hasEscapes(a))
        #expect(sample.tape.valueRange(of: sample.root) == 1..<text.utf8.count - 1)
    }

    @Test("tells the way to a value")
    func paths() throws {
        let long = String(repeating: "ö", count: 60)
        let sample = try JSONSample(
            #"{"messages":[0,{"content":[{"image_url":1}]}],"gpt-5.4":{"a b":[]},"":1,"\#(long)":2}"#
        )
        #expect(sample.path(sample.root) == "")
        let image = sample.node("messages", "1", "content", "0", "image_url")
        #expect(sample.path(image) == "messages[1].content[0].image_url")
        #expect(sample.path(sample.node("gpt-5.4", "a b")) == #"["gpt-5.4"]["a b"]"#)
        #expect(sample.path(sample.node("")) == #"[""]"#)
        let cut = "[\"" + String(repeating: "ö", count: 32) + "…\"]"
        #expect(sample.path(sample.node(long)) == cut)
    }

    @Test("paths stay short however deep the document is")
    func longPath() throws {
        let text =
            String(repeating: #"{"name":"#, count: 500) + "1" + String(repeating: "}", count: 500)
        let sample = try JSONSample(text)
        var node = sample.root
        while let member = sample.tape.members(of: node).first(where: { _ in true }) {
            node = member.value
        }
        let path = try #require(sample.path(node))
        #expect(path.utf8.count < 600 && path.hasSuffix("…"))
    }

    @Test("a name before the others is not found twice", arguments: [2, 16, 17, 400])
    func duplicates(count: Int) throws {
        let names = (0..<count).map { "\"n\($0)\":\($0)" }.joined(separator: ",")
        let unique = try JSONSample("{\(names)}")
        #expect(unique.duplicate(in: unique.root) == nil)
        let twice = try JSONSample(#"{\#(names),"n\u0031":0,"n0":1}"#)
        let found = try #require(twice.duplicate(in: twice.root))
        #expect(twice.string(found) == "n1")
        #expect(twice.tape.hasEscapes(found))
    }

    @Test("duplicates are found at any depth")
    func nestedDuplicates() throws {
        let sample = try JSONSample(#"{"a":[{"x":1},{"x":1,"y":2,"x":3}],"x":0}"#)
        let found = try #require(sample.duplicate)
        #expect(sample.path(found) == "a[1].x")
        let clean = try JSONSample(#"{"a":[{"x":1},{"x":1,"y":2}],"x":0}"#)
        #expect(clean.duplicate == nil)
    }

    @Test("reads every number as the nearest double", arguments: 0..<20)
    func numbers(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        for _ in 0..<500 {
            var text = random.oneIn(2) ? "-" : ""
            text += String(random.next() % [1, 10, 100_000, 1 << 53, .max][random.below(5)])
            if random.oneIn(2) {
                text += "."
                for _ in 0...random.below(20) { text += String(random.below(10)) }
            }
            if random.oneIn(3) {
                text += ["e", "E"][random.below(2)] + ["", "+", "-"][random.below(3)]
                text += String(random.below(30))
            }
            let sample = try JSONSample(text)
            let value = sample.tape.number(of: sample.root, in: sample.bytes.span)
            #expect(value?.bitPattern == Double(text)?.bitPattern, "seed \(seed): \(text)")
        }
    }
}
