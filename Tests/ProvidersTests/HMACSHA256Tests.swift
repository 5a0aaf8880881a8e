// SPDX-License-Identifier: Apache-2.0
import Config
import Providers
import Support
import Testing

@Suite("HMAC-SHA-256")
struct HMACSHA256Tests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let key: [UInt8]
        let message: [UInt8]
        /// A prefix of the code where the published vector is cut.
        let code: String
        var testDescription: String { name }
    }

    /// RFC 4231 sections 4.2 to 4.8.
    static let vectors: [Case] = [
        Case(
            name: "1: short key",
            key: Array(repeating: 0x0B, count: 20),
            message: Array("Hi There".utf8),
            code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        Case(
            name: "2: key shorter than the code",
            key: Array("Jefe".utf8),
            message: Array("what do ya want for nothing?".utf8),
            code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        Case(
            name: "3: key and message longer than 64 bytes together",
            key: Array(repeating: 0xAA, count: 20),
            message: Array(repeating: 0xDD, count: 50),
            code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        Case(
            name: "4: counting key",
            key: Array(1...25),
            message: Array(repeating: 0xCD, count: 50),
            code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        Case(
            name: "5: cut to 128 bits",
            key: Array(repeating: 0x0C, count: 20),
            message: Array("Test With Truncation".utf8),
            code: "a3b6167473100ee06e0c796c2955552b"
        ),
        Case(
            name: "6: key longer than a block",
            key: Array(repeating: 0xAA, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        Case(
            name: "7: key and message longer than a block",
            key: Array(repeating: 0xAA, count: 131),
            message: Array(
                """
                This is a test using a larger than block-size key and a larger than block-size \
                data. The key needs to be hashed before being used by the HMAC algorithm.
                """.utf8
            ),
            code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ]

    @Test("gives the published codes, at every split", arguments: vectors)
    func published(_ row: Case) {
        let keyed = HMACSHA256(key: row.key.span)
        let code = keyed.code(of: row.message.span).hexadecimal
        #expect(code.hasPrefix(row.code))
        let agrees = agreesAtEverySplit(row.message) { pieces -> String in
            var copy = keyed
            for piece in pieces {
                let bytes = Array(piece)
                copy.update(bytes.span)
            }
            return copy.finish().hexadecimal
        }
        #expect(agrees)
        #expect(keyed.code(of: row.message.span).hexadecimal == code, "the key is kept")
    }

    @Test("keys at the length of a block are told from longer ones")
    func blockBoundary() {
        let message = Array("m".utf8)
        let codes = (62...67).map { length in
            let key = [UInt8](repeating: 1, count: length)
            return HMACSHA256(key: key.span).code(of: message.span).hexadecimal
        }
        #expect(Set(codes).count == codes.count)
        // A key of 65 bytes means its hash.
        let long = [UInt8](repeating: 1, count: 65)
        let hashed = SHA256.digest(of: long.span).bytes
        #expect(HMACSHA256(key: hashed.span).code(of: message.span).hexadecimal == codes[3])
    }
}
