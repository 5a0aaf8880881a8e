// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Support
import Testing

@Suite("Base64")
struct Base64Tests {
    static func decode(_ text: String) throws(Base64Error) -> [UInt8] {
        let out = ByteBuffer("kept")
        let bytes = Array(text.utf8)
        do {
            try Base64.append(decoding: bytes.span, to: out)
        } catch {
            #expect(out.text == "kept", "nothing is left of a failure")
            throw error
        }
        return Array(out.array.dropFirst(4))
    }

    static func encode(_ bytes: [UInt8]) -> String { Base64.text(bytes.span) }

    /// RFC 4648 section 10, and bytes that use the whole alphabet.
    static let vectors: [(plain: String, encoded: String)] = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ]

    @Test("writes and reads the published vectors")
    func published() throws {
        for vector in Self.vectors {
            #expect(Self.encode(Array(vector.plain.utf8)) == vector.encoded)
            #expect(try Self.decode(vector.encoded) == Array(vector.plain.utf8))
            #expect(try Base64.validate(Array(vector.encoded.utf8).span) == vector.plain.utf8.count)
        }
        #expect(Self.encode([0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF]) == "++++////")
    }

    @Test("reads back what it wrote")
    func roundTrip() throws {
        var random = SplitMix(seed: 11)
        for length in 0..<300 {
            let bytes = random.bytes(length)
            let text = Self.encode(bytes)
            #expect(text.utf8.count == Base64.encodedCount(length))
            #expect(try Self.decode(text) == bytes, "seed \(random.seed)")
            #expect(try Base64.validate(Array(text.utf8).span) == length)
        }
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let text: String
        let error: Base64Error
        var testDescription: String { text.debugDescription }
    }

    static let refusals: [Refusal] = [
        Refusal(text: "Z", error: .length),
        Refusal(text: "Zg", error: .length),
        Refusal(text: "Zg=", error: .length),
        Refusal(text: "Zg==\n", error: .length),
        Refusal(text: "Zm9v\r\n", error: .length),
        Refusal(text: "Zm9vZg==Zg==", error: .byte(offset: 6)),
        Refusal(text: "Zm=v", error: .byte(offset: 2)),
        Refusal(text: "Z===", error: .byte(offset: 1)),
        Refusal(text: "====", error: .byte(offset: 0)),
        Refusal(text: "Zm9-", error: .byte(offset: 3)),
        Refusal(text: "Zm9_", error: .byte(offset: 3)),
        Refusal(text: "Zm 9", error: .byte(offset: 2)),
        Refusal(text: "é9v", error: .byte(offset: 0)),
        Refusal(text: "Zm9vZ\u{0}9v", error: .byte(offset: 5)),
        Refusal(text: "Zm9vZm9vZm9!Zm9v", error: .byte(offset: 11)),
        Refusal(text: "Zh==", error: .spareBits),
        Refusal(text: "Zm9=", error: .spareBits),
    ]

    @Test("refuses what the standard does not allow", arguments: refusals)
    func refused(_ row: Refusal) {
        #expect(throws: row.error) { try Self.decode(row.text) }
        #expect(throws: row.error) { try Base64.validate(Array(row.text.utf8).span) }
    }

    @Test("decodes one text of four digits for each group of bytes")
    func everyGroup() {
        // Of the 256 texts that differ in their last byte alone, each digit and the padding count.
        var accepted = 0
        for byte in UInt8.min...UInt8.max {
            let text = Array("Zm8".utf8) + [byte]
            do {
                try Base64.validate(text.span)
                accepted += 1
            } catch {
                #expect(error == .byte(offset: 3))
            }
        }
        #expect(accepted == 65)
    }
}

@Suite("Vectors of embeddings")
struct FloatListTests {
    static func base64(_ json: String) throws -> String {
        let bytes = Array(json.utf8)
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span, isFinal: true)
        let out = ByteBuffer()
        try FloatList.appendBase64(
            ofNumbers: scanner.tape.root,
            tape: scanner.tape,
            bytes: bytes.span,
            to: out
        )
        return out.text
    }

    static func numbers(_ text: String) throws -> String {
        let bytes = Array(text.utf8)
        let out = ByteBuffer()
        do {
            try FloatList.appendNumbers(ofBase64: bytes.span, to: out)
        } catch {
            #expect(out.isEmpty, "nothing is left of a failure")
            throw error
        }
        return out.text
    }

    @Test("take both forms")
    func bothForms() throws {
        let rows: [(json: String, base64: String)] = [
            ("[]", ""),
            ("[0.0]", "AAAAAA=="),
            ("[1.0]", "AACAPw=="),
            ("[0.01,-0.02]", "CtcjPArXo7w="),
            ("[1e-05,3.4028235e+38,-0.0]", "rMUnN///f38AAACA"),
        ]
        for row in rows {
            #expect(try Self.base64(row.json) == row.base64)
            #expect(try Self.numbers(row.base64) == row.json)
        }
        #expect(try Self.base64("[1, 2.50, -3e0]") == Self.base64("[1.0,2.5,-3.0]"))
        // A double is rounded to the nearest number of 32 bits.
        #expect(try Self.numbers(Self.base64("[0.1000000001]")) == "[0.1]")
    }

    @Test("keep every number of 32 bits")
    func roundTrip() throws {
        var random = SplitMix(seed: 3)
        for _ in 0..<50 {
            var bytes: [UInt8] = []
            for _ in 0..<64 {
                var bits = UInt32(truncatingIfNeeded: random.next())
                // All ones in the exponent mean infinity or no number.
                if bits >> 23 & 0xFF == 0xFF { bits &= ~(1 << 23) }
                bytes += (0..<4).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }
            }
            let text = Base64.text(bytes.span)
            #expect(try Self.base64(Self.numbers(text)) == text, "seed \(random.seed)")
        }
    }

    @Test("refuse everything else")
    func refused() {
        #expect(throws: FloatListError.notNumbers) { try Self.base64("{}") }
        #expect(throws: FloatListError.notNumbers) { try Self.base64("[1,\"2\"]") }
        #expect(throws: FloatListError.notNumbers) { try Self.base64("[1,null]") }
        #expect(throws: FloatListError.notFinite(index: 1)) { try Self.base64("[1,1e39]") }
        #expect(throws: FloatListError.notFinite(index: 0)) { try Self.base64("[1e999]") }
        #expect(throws: FloatListError.base64(.length)) { try Self.numbers("A") }
        #expect(throws: FloatListError.length) { try Self.numbers("AAAA") }
        #expect(throws: FloatListError.notFinite(index: 1)) {
            try Self.numbers("AACAPwAAgH8=")
        }
    }
}
