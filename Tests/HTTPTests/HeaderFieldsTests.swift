// SPDX-License-Identifier: Apache-2.0

import HTTP
import Testing

@Suite("Header fields")
struct HeaderFieldsTests {
    /// The fields of a head with these lines.
    private func parse(_ lines: String...) throws -> (RequestHead, [UInt8]) {
        let text = "GET / HTTP/1.0\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        let bytes = Array(text.utf8)
        var parser = RequestHeadParser()
        var head = RequestHead()
        #expect(try parser.parse(bytes.span, into: &head) == bytes.count)
        return (head, bytes)
    }

    @Test("every known name is found in lower, upper and mixed case, and no near miss is")
    func knownNames() throws {
        for known in KnownHeader.allCases where known != .other {
            let name = known.name.description
            // Values that pass wherever the parser reads them.
            let value =
                switch known {
                case .contentLength: "1"
                case .expect: "100-continue"
                case .host: "a"
                case .transferEncoding: ""
                default: "x"
                }
            if known != .transferEncoding {
                for spelling in [
                    name, name.uppercased(), name.prefix(1).uppercased() + name.dropFirst(),
                ] {
                    let (head, _) = try parse("\(spelling): \(value)")
                    #expect(head.fields.first?.known == known, "\(spelling)")
                }
            }
            for miss in [name + "x", "x" + name, String(name.dropLast()) + "_", name + "-"] {
                let (head, _) = try parse("\(miss): \(value)")
                #expect(head.fields.first?.known == .other, "\(miss)")
            }
        }
        // Known headers are kept in a set of 64 bits.
        #expect(KnownHeader.allCases.count <= 64)
        #expect(
            Set(KnownHeader.allCases.map { $0.name.description }).count
                == KnownHeader.allCases.count
        )
    }

    @Test("tokens are found in lists over several lines")
    func tokens() throws {
        let (head, bytes) = try parse(
            "Connection: a, B ,,\tc\t,",
            "Connection:",
            "connection: d",
            "TE: trailers;q=1, e"
        )
        func has(_ token: StaticString, _ known: KnownHeader) -> Bool {
            head.fields.containsToken(token, in: known, bytes: bytes.span)
        }
        for token: StaticString in ["a", "b", "c", "d"] {
            #expect(has(token, .connection))
        }
        for token: StaticString in ["", "e", "ab", "a, b"] {
            #expect(!has(token, .connection))
        }
        #expect(has("e", .te))
        #expect(!has("trailers", .te))
        #expect(!has("a", .upgrade))
    }

    @Test("fields for this connection only are told from the others")
    func hopByHop() throws {
        let (head, bytes) = try parse(
            "Connection: close, X-Mine",
            "x-mine: 1",
            "X-Yours: 1",
            "Keep-Alive: timeout=5",
            "TE: trailers",
            "Trailer: x",
            "Upgrade: x",
            "Proxy-Connection: close",
            "Proxy-Authorization: x",
            "Accept: x",
            "Content-Type: x",
            "X-Mi: 1"
        )
        let passed = head.fields.filter { !head.fields.isHopByHop($0, bytes: bytes.span) }
        #expect(
            passed.map { bytes.span.text($0.name) } == [
                "X-Yours", "Accept", "Content-Type", "X-Mi",
            ]
        )
    }

    @Test("Connection is bounded, over several lines too")
    func connectionIsBounded() {
        for (lengths, isTaken) in [
            ([1024], true), ([1025], false), ([512, 512], true), ([512, 513], false),
        ] {
            let lines = lengths.map { "Connection: " + String(repeating: ",", count: $0) + "\r\n" }
            let bytes = Array(("GET / HTTP/1.0\r\n" + lines.joined() + "\r\n").utf8)
            let error = RequestTranscript([bytes[...]]).error
            #expect(error == (isTaken ? nil : .connectionTooLong))
            let answer = Array(("HTTP/1.0 200 OK\r\n" + lines.joined() + "\r\n").utf8)
            #expect(ResponseTranscript([answer[...]]).error == error)
        }
    }

    @Test("the storage starts empty for every head")
    func storage() throws {
        var parser = RequestHeadParser()
        var head = RequestHead()
        let first = Array("GET / HTTP/1.1\r\nHost: a\r\nCookie: x\r\nAccept: y\r\n\r\n".utf8)
        let second = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        #expect(try parser.parse(first.span, into: &head) == first.count)
        #expect(head.fields.count == 3 && head.fields.contains(.cookie))
        parser.reset()
        #expect(try parser.parse(second.span, into: &head) == second.count)
        #expect(head.fields.count == 1 && !head.fields.contains(.cookie))
        #expect(head.fields.contains(.host))
    }
}
