// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Support
import Testing

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

    @Test("are rounded like the library rounds, whatever the digits")
    func rounding() throws {
        var random = SplitMix(seed: 17)
        var texts = [
            "0", "-0", "-0.0", "0e5", "16777217", "16777219", "1e-45", "1.4e-45", "7e-46",
            "3.4028235e38", "3.4028235677973366e38", "1.17549435e-38", "0.10000000149011612",
            "12345678901234567890123", "0.00000000000000000000000000000001", "1e10", "-1E+2",
            "1.00000005960464477539062499999999999", "1.00000005960464477539062500000000001",
            "1.000000059604644775390625", "9007199791611905.0000001",
        ]
        for _ in 0..<4_000 {
            let sign = Bool(random.next() % 2 == 0) ? "-" : ""
            let digits = String(random.next() >> (random.next() % 60))
            let point = Int(random.next() % UInt64(digits.count)) + 1
            var text = sign + digits.prefix(point)
            if point < digits.count { text += "." + digits.dropFirst(point) }
            if random.next() % 2 == 0 { text += "e" + String(Int(random.next() % 80) - 45) }
            texts.append(text)
            // Half way between two numbers, and next to it.
            let low = Float(bitPattern: UInt32(random.next() % 0x7F00_0000))
            let half = (Double(low) + Double(low.nextUp)) / 2
            texts += ["\(half)", "\(half.nextUp)", "\(half.nextDown)", "\(low)"]
        }
        for text in texts {
            let expected = try #require(Float(text))
            guard expected.isFinite else { continue }
            let bytes = (0..<4).map { UInt8(truncatingIfNeeded: expected.bitPattern >> ($0 * 8)) }
            #expect(try Self.base64("[\(text)]") == Base64.text(bytes.span), "\(text)")
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
