// SPDX-License-Identifier: Apache-2.0
import Bytes
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
