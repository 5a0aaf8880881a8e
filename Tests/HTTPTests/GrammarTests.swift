// SPDX-License-Identifier: Apache-2.0

import HTTP
import Testing

/// The byte sets of the grammar, asked through the parser for every byte.
@Suite("Byte sets")
struct GrammarTests {
    private static let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

    private func isTaken(_ parts: [[UInt8]]) -> Bool {
        RequestTranscript([Array(parts.joined())[...]]).error == nil
    }

    @Test("names hold exactly the bytes of a token")
    func token() {
        let token = Set((Self.letters + "!#$%&'*+-.^_`|~").utf8)
        for byte in UInt8.min...UInt8.max {
            let isTaken = isTaken([
                Array("GET / HTTP/1.0\r\nA".utf8), [byte], Array("b: c\r\n\r\n".utf8),
            ])
            // A colon ends the name one byte earlier.
            let isName = token.contains(byte) || byte == UInt8(ascii: ":")
            #expect(isTaken == isName, "byte \(byte)")
            let isMethodTaken = self.isTaken([
                Array("G".utf8), [byte], Array(" / HTTP/1.0\r\n\r\n".utf8),
            ])
            #expect(isMethodTaken == token.contains(byte), "byte \(byte)")
        }
    }

    @Test("Host holds exactly the bytes of an authority without user information")
    func host() {
        let host = Set((Self.letters + "-._~%!$&'()*+;=:").utf8)
        for byte in UInt8.min...UInt8.max {
            let isTaken = isTaken([
                Array("GET / HTTP/1.1\r\nHost: a".utf8), [byte], Array("1\r\n\r\n".utf8),
            ])
            #expect(isTaken == host.contains(byte), "byte \(byte)")
        }
    }

    @Test("targets hold exactly visible ASCII without the fragment")
    func target() {
        for byte in UInt8.min...UInt8.max {
            let isTaken = isTaken([
                Array("GET /a".utf8), [byte], Array("41 HTTP/1.0\r\n\r\n".utf8),
            ])
            #expect(isTaken == ((0x21...0x7E).contains(byte) && byte != 0x23), "byte \(byte)")
        }
    }

    @Test("values hold exactly tab, visible ASCII, space and bytes beyond ASCII")
    func value() {
        for byte in UInt8.min...UInt8.max {
            for place in 0...8 {
                let isTaken = isTaken([
                    Array("GET / HTTP/1.0\r\nA: ".utf8), [UInt8](repeating: 0x61, count: place),
                    [byte], Array("aaaaaaaaaa\r\n\r\n".utf8),
                ])
                #expect(isTaken == (byte == 9 || (byte >= 0x20 && byte != 0x7F)), "byte \(byte)")
            }
        }
    }

    @Test("lengths hold exactly digits, sizes exactly hexadecimal digits")
    func numbers() {
        for byte in UInt8.min...UInt8.max {
            let length = isTaken([
                Array("POST / HTTP/1.0\r\nContent-Length: 1".utf8), [byte],
                Array("1\r\n\r\n".utf8),
            ])
            #expect(length == (0x30...0x39).contains(byte), "byte \(byte)")
            let size = Array("1".utf8) + [byte] + Array("1\r\n".utf8)
            let isTaken = ChunkedTranscript([size[...]]).error == nil
            let isDigit = Set("0123456789abcdefABCDEF".utf8).contains(byte)
            #expect(isTaken == (isDigit || byte == UInt8(ascii: ";")), "byte \(byte)")
        }
    }
}
