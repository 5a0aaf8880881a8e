// SPDX-License-Identifier: Apache-2.0

import HTTP
import Support
import Testing

@Suite("Responses that must be refused")
struct ResponseRejectTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        let error: HTTPParseError
        let method: HTTPMethod

        init(_ name: String, _ text: String, _ error: HTTPParseError, method: HTTPMethod = .post) {
            self.name = name
            bytes = Array(text.utf8)
            self.error = error
            self.method = method
        }

        var testDescription: String { name }
    }

    static func field(_ name: String, _ fields: String, _ error: HTTPParseError) -> Case {
        Case(name, "HTTP/1.1 200 OK\r\n" + fields + "\r\n\r\n", error)
    }

    static func chunks(_ name: String, _ body: String, _ error: HTTPParseError) -> Case {
        Case(name, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body, error)
    }

    static let cases: [Case] = [
        Case("garbage", "SSH-2.0-OpenSSH_9.2\r\n", .badStartLine),
        Case("an empty line first", "\r\nHTTP/1.1 200 OK\r\n", .badStartLine),
        Case("short garbage", "x\r\n", .badStartLine),
        Case("a control byte", "\u{15}\u{3}\u{3}", .badStartLine),
        Case("a NUL in the reason", "HTTP/1.1 200 O\0K\r\n", .badStartLine),
        Case("HTTP/2", "HTTP/2.0 200 OK\r\n", .badVersion),
        Case("HTTP/1.2", "HTTP/1.2 200 OK\r\n", .badVersion),
        Case("HTTP/2 without minor", "HTTP/2 200 OK\r\n", .badStartLine),
        Case("ICY", "ICY 200 OK\r\n", .badStartLine),
        Case("lower-case version", "http/1.1 200 OK\r\n", .badStartLine),
        Case("a tab behind the version", "HTTP/1.1\t200 OK\r\n", .badStartLine),
        Case("two spaces behind the version", "HTTP/1.1  200 OK\r\n", .badStatus),
        Case("version only", "HTTP/1.1\r\n", .badStartLine),
        Case("version and space", "HTTP/1.1 \r\n", .badStatus),
        Case("two digits", "HTTP/1.1 20\r\n", .badStatus),
        Case("two digits and a reason", "HTTP/1.1 20 OK\r\n", .badStatus),
        Case("four digits", "HTTP/1.1 2000 OK\r\n", .badStatus),
        Case("code with a sign", "HTTP/1.1 +20 OK\r\n", .badStatus),
        Case("code with a letter", "HTTP/1.1 2x0 OK\r\n", .badStatus),
        Case("code 099", "HTTP/1.1 099 OK\r\n", .badStatus),
        Case("code 600", "HTTP/1.1 600 OK\r\n", .badStatus),
        Case("code 000", "HTTP/1.1 000 OK\r\n", .badStatus),
        Case("reason without a space", "HTTP/1.1 200OK\r\n", .badStatus),
        Case("a tab before the reason", "HTTP/1.1 200\tOK\r\n", .badStatus),
        Case("LF behind the status line", "HTTP/1.1 200 OK\nA: b\r\n", .bareLineFeed),
        Case("CR in the reason", "HTTP/1.1 200 O\rK\r\n", .bareCarriageReturn),
        Case("LF as the empty line", "HTTP/1.1 200 OK\r\nA: b\r\n\n", .bareLineFeed),
        field("space before the colon", "Content-Length : 5", .badHeaderName),
        field("no colon", "Content-Length 5", .badHeaderName),
        field("empty name", ": 5", .badHeaderName),
        field("folded line", "A: b\r\n c", .obsoleteFold),
        field("white space first", " A: b", .obsoleteFold),
        field("NUL in a value", "A: \0", .badHeaderValue),
        field("CR in a value", "A: \rb", .bareCarriageReturn),
        field("empty length", "Content-Length:", .contentLengthInvalid),
        field("length below 0", "Content-Length: -5", .contentLengthInvalid),
        field("length with a plus", "Content-Length: +5", .contentLengthInvalid),
        field("length list", "Content-Length: 5, 5", .contentLengthInvalid),
        field("length too large", "Content-Length: 99999999999999999999", .contentLengthInvalid),
        field("2^63", "Content-Length: 9223372036854775808", .contentLengthInvalid),
        field(
            "lengths that differ",
            "Content-Length: 5\r\nContent-Length: 6",
            .contentLengthDuplicate
        ),
        field(
            "lengths that agree",
            "Content-Length: 5\r\nContent-Length: 5",
            .contentLengthDuplicate
        ),
        field(
            "length and chunked",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            .contentLengthWithTransferEncoding
        ),
        field(
            "chunked and length",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            .contentLengthWithTransferEncoding
        ),
        field("gzip, chunked", "Transfer-Encoding: gzip, chunked", .transferEncodingUnsupported),
        field("identity", "Transfer-Encoding: identity", .transferEncodingUnsupported),
        field(
            "chunked twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            .transferEncodingUnsupported
        ),
        Case(
            "chunked on HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            .transferEncodingInHTTP10
        ),
        Case("101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", .switchingProtocolsRefused),
        Case(
            "101 behind 100",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching\r\n\r\n",
            .switchingProtocolsRefused
        ),
        Case(
            "interim responses without an end",
            String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 17),
            .tooManyInterimResponses
        ),
        Case(
            "a bad head behind an interim one",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/9.9 200 OK\r\n",
            .badVersion
        ),
        Case(
            "two lengths in answer to HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            .contentLengthDuplicate,
            method: .head
        ),
        chunks("no size", "\r\nabc\r\n", .chunkSizeInvalid),
        chunks("size with a sign", "+3\r\nabc\r\n", .chunkSizeInvalid),
        chunks("data too short", "3\r\nab\r\n0\r\n\r\n", .chunkNotTerminated),
        chunks("data too long", "3\r\nabcd\r\n0\r\n\r\n", .chunkNotTerminated),
        chunks("LF behind a size", "3\nabc\r\n", .bareLineFeed),
        chunks("a bad trailer", "0\r\nbad\r\n\r\n", .badHeaderName),
        chunks("an HTML page", "<html>\r\n", .chunkSizeInvalid),
    ]

    @Test("is refused, at every split", arguments: cases)
    func rejects(_ row: Case) {
        let whole = ResponseTranscript([row.bytes[...]], method: row.method)
        #expect(whole.error == row.error)
        #expect(!whole.isReusable)
        #expect(!whole.isComplete)
        #expect(agreesAtEverySplit(row.bytes) { ResponseTranscript($0, method: row.method) })
    }

    @Test("limits of heads, at every split")
    func limits() {
        let limits = HTTPLimits(startLineBytes: 20, headBytes: 40, fields: 2)
        let inputs: [(String, HTTPParseError?)] = [
            ("HTTP/1.1 200 12345678901\r\n", .startLineTooLong),
            ("HTTP/1.1 200 1234567\r\n\r\n", nil),
            ("HTTP/1.1 200 OK\r\nA: 3456789012345678901\r\n", .headTooLarge),
            ("HTTP/1.1 200 OK\r\nA:1\r\nB:2\r\nC:3\r\n", .tooManyFields),
            ("HTTP/1.1 200 OK\r\nA:1\r\nB:2\r\n\r\n", nil),
            ("HTTP/1.1 100 O\r\n\r\nHTTP/1.1 200 OK\r\nA:1\r\nB:2\r\n\r\n", nil),
        ]
        for (text, error) in inputs {
            let bytes = Array(text.utf8)
            #expect(ResponseTranscript([bytes[...]], limits: limits).error == error, "\(text)")
            #expect(agreesAtEverySplit(bytes) { ResponseTranscript($0, limits: limits) })
        }
    }

    @Test("a head that drips in byte by byte is looked at once")
    func slowDrip() throws {
        var text = "HTTP/1.1 200 OK\r\n"
        for index in 0..<120 {
            text += "F\(index): " + String(repeating: "v", count: 1000) + "\r\n"
        }
        let bytes = Array((text + "\r\n").utf8)
        var decoder = ResponseDecoder()
        decoder.begin(requestMethod: .get)
        for count in 0..<bytes.count {
            let part = bytes.span.extracting(0..<count)
            #expect(try decoder.next(part) == .needMore(consumed: 0))
        }
        #expect(try decoder.next(bytes.span) == .head(consumed: bytes.count))
        #expect(decoder.bytesExamined <= bytes.count + 130)
    }
}
