// SPDX-License-Identifier: Apache-2.0

import HTTP
import Support
import Testing

@Suite("Limits of request heads")
struct RequestLimitTests {
    /// Small enough to try every split of inputs around each limit.
    static let limits = HTTPLimits(startLineBytes: 24, headBytes: 64, fields: 3)

    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        let error: HTTPParseError?
        var testDescription: String { name }
    }

    static func line(_ bytes: Int) -> String {
        "GET /" + String(repeating: "a", count: bytes - 14) + " HTTP/1.1\r\n"
    }

    /// A head of exactly `bytes` bytes.
    static func head(_ bytes: Int) -> String {
        let start = "GET / HTTP/1.0\r\nA:"
        return start + String(repeating: "b", count: bytes - start.utf8.count - 4) + "\r\n\r\n"
    }

    static let cases: [Case] = [
        Case(name: "longest start line", text: line(24) + "Host:\r\n\r\n", error: nil),
        Case(name: "start line + 1", text: line(25) + "Host:\r\n\r\n", error: .startLineTooLong),
        Case(
            name: "start line + 1, no end yet",
            text: String(decoding: line(30).utf8.prefix(25), as: UTF8.self),
            error: .startLineTooLong
        ),
        Case(
            name: "longest start line behind a CRLF",
            text: "\r\n" + line(24) + "Host:\r\n\r\n",
            error: nil
        ),
        Case(
            name: "a control byte where the line is too long",
            text: "GET /aaaaaaaaaaaaaaaaaaa\u{1}\r\n",
            error: .badStartLine
        ),
        Case(
            name: "a control byte behind where the line is too long",
            text: "GET /aaaaaaaaaaaaaaaaaaaa\u{1}\r\n",
            error: .startLineTooLong
        ),
        Case(name: "largest head", text: head(64), error: nil),
        Case(name: "head + 1", text: head(65), error: .headTooLarge),
        Case(name: "head + 2", text: head(66), error: .headTooLarge),
        Case(name: "head + 3", text: head(67), error: .headTooLarge),
        Case(name: "head + 4", text: head(68), error: .headTooLarge),
        Case(name: "head + 30", text: head(94), error: .headTooLarge),
        Case(
            name: "full head without an end",
            text: String(decoding: head(70).utf8.prefix(64), as: UTF8.self),
            error: nil
        ),
        Case(
            name: "full head without an end + 1",
            text: String(decoding: head(70).utf8.prefix(65), as: UTF8.self),
            error: .headTooLarge
        ),
        Case(
            name: "LF as the last byte that fits",
            text: "GET / HTTP/1.0\r\nA:" + String(repeating: "b", count: 45) + "\n",
            error: .bareLineFeed
        ),
        Case(
            name: "LF as the first byte that does not fit",
            text: "GET / HTTP/1.0\r\nA:" + String(repeating: "b", count: 46) + "\n",
            error: .headTooLarge
        ),
        Case(
            name: "most fields",
            text: "GET / HTTP/1.1\r\nHost:\r\nA:\r\nB:\r\n\r\n",
            error: nil
        ),
        Case(
            name: "fields + 1",
            text: "GET / HTTP/1.1\r\nHost:\r\nA:\r\nB:\r\nC:\r\n\r\n",
            error: .tooManyFields
        ),
        Case(
            name: "a bad field beyond the limit",
            text: "GET / HTTP/1.1\r\nHost:\r\nA:\r\nB:\r\n bad\r\n\r\n",
            error: .tooManyFields
        ),
    ]

    @Test("is kept, at every split", arguments: cases)
    func limit(_ row: Case) {
        let bytes = Array(row.text.utf8)
        #expect(RequestTranscript([bytes[...]], limits: Self.limits).error == row.error)
        #expect(agreesAtEverySplit(bytes) { RequestTranscript($0, limits: Self.limits) })
    }

    @Test("the default limits are those of docs/HTTP_SUPPORT.md")
    func defaults() throws {
        #expect(HTTPLimits.request.startLineBytes == 8192)
        #expect(HTTPLimits.request.headBytes == 65_536)
        #expect(HTTPLimits.request.fields == 128)
        #expect(HTTPLimits.request.chunkExtensionBytes == 256)
        #expect(HTTPLimits.request.chunkExtensionBytesTotal == 16_384)
        #expect(HTTPLimits.request.trailerBytes == 8192)
        #expect(HTTPLimits.response.headBytes == 131_072)

        let longest = "GET /" + String(repeating: "a", count: 8192 - 14) + " HTTP/1.1\r\n"
        let fields = (0..<127).map { "F\($0): x\r\n" }.joined()
        let good = Array((longest + "Host: a\r\n" + fields + "\r\n").utf8)
        #expect(RequestTranscript([good[...]]).error == nil)
        let bad = Array((longest + "Host: a\r\n" + fields + "One: more\r\n\r\n").utf8)
        #expect(RequestTranscript([bad[...]]).error == .tooManyFields)
    }

    @Test("a head that drips in byte by byte is looked at once")
    func slowDrip() throws {
        var text = "POST / HTTP/1.1\r\nHost: a\r\n"
        while text.utf8.count < 60_000 {
            text += "X-Long: " + String(repeating: "v\t", count: 300) + "\r\n"
        }
        text += String(repeating: "n", count: 5_000) + ":\r\n\r\n"
        let bytes = Array(text.utf8)
        var parser = RequestHeadParser()
        var head = RequestHead()
        for count in 0..<bytes.count {
            let part = bytes.span.extracting(0..<count)
            #expect(try parser.parse(part, into: &head) == nil)
        }
        #expect(try parser.parse(bytes.span, into: &head) == bytes.count)
        // A CR is looked at again when the LF is there; nothing else is.
        let lines = head.fields.count + 2
        #expect(parser.bytesExamined <= bytes.count + lines)
        #expect(parser.bytesExamined >= bytes.count - lines)
    }

    @Test("calls without new bytes cost nothing")
    func idleCalls() throws {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a".utf8)
        var parser = RequestHeadParser()
        var head = RequestHead()
        for _ in 0..<1000 {
            #expect(try parser.parse(bytes.span, into: &head) == nil)
        }
        #expect(parser.bytesExamined <= bytes.count)
    }
}
