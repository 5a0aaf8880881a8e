// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        let buffer = ByteBuffer()
        var writer = JSONWriter(buffer)
        body(&writer)
        return buffer.text
    }

    @Test("puts commas between values and nowhere else")
    func commas() {
        let text = written { json in
            json.beginObject()
            json.member("a", 1)
            json.name("b")
            json.beginArray()
            json.value(true)
            json.null()
            json.beginObject()
            json.endObject()
            json.beginArray()
            json.endArray()
            json.value("x")
            json.endArray()
            json.name(escaping: "c\"")
            json.raw("[1]")
            json.member("d", "e")
            json.member("f", false)
            json.member("g", 0.5)
            json.endObject()
        }
        #expect(text == #"{"a":1,"b":[true,null,{},[],"x"],"c\"":[1],"d":"e","f":false,"g":0.5}"#)
        #expect(JSONOutcome(text).isAccepted)
    }

    @Test(
        "escapes what must be and nothing else",
        arguments: [
            ("", #""""#), ("plain", #""plain""#), ("\"\\/", #""\"\\/""#),
            ("\u{8}\u{9}\u{A}\u{C}\u{D}", #""\b\t\n\f\r""#), ("\u{0}\u{1F}", #""\u0000\u001f""#),
            ("\u{7F}\u{2028}é😀", "\"\u{7F}\u{2028}é😀\""),
            (
                "a long run of plain text\nand more of it",
                #""a long run of plain text\nand more of it""#
            ),
        ]
    )
    func escapes(text: String, expected: String) {
        #expect(written { $0.value(text) } == expected)
        #expect(written { $0.value(Array(text.utf8).span) } == expected)
    }

    @Test(
        "replaces bytes that are not UTF-8 as the standard library does",
        arguments: [
            [0x80], [0x61, 0xFF, 0x62], [0xC3], [0xE2, 0x82], [0xE2, 0x82, 0x41],
            [0xED, 0xA0, 0x80],
            [0xF0, 0x9F, 0x98], [0xF0, 0x9F, 0x98, 0x22], [0xC0, 0xAF], [0xF4, 0x90, 0x80, 0x80],
            [0xC3, 0xA9, 0xC3],
        ] as [[UInt8]]
    )
    func badUTF8(bytes: [UInt8]) throws {
        let text = written { $0.value(bytes.span) }
        let sample = try JSONSample(text)
        let read = sample.string(sample.root)
        #expect(read == String(decoding: bytes, as: UTF8.self))
    }

    @Test(
        "writes doubles so that they read back equal",
        arguments: [
            0, -0.0, 1, 0.1, -1.5, 1e21, 1e-7, Double.leastNonzeroMagnitude,
            .greatestFiniteMagnitude, 123_456_789.125,
            1.0 / 3.0, 9_007_199_254_740_992,
        ]
    )
    func doubles(number: Double) throws {
        let text = written { $0.value(number) }
        let sample = try JSONSample(text)
        #expect(sample.number(sample.root) == number)
    }

    @Test("writes what JSON cannot say as null", arguments: [Double.nan, .infinity, -.infinity])
    func notFinite(number: Double) {
        #expect(written { $0.value(number) } == "null")
    }

    @Test("writes integers at their limits")
    func integers() {
        #expect(written { $0.value(Int.min) } == "-9223372036854775808")
        #expect(written { $0.value(UInt.max) } == "18446744073709551615")
    }

    @Test("an end without a beginning is a programming error")
    func misuse() async {
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter(ByteBuffer())
            writer.endArray()
        }
    }
}
