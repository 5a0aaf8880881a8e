// SPDX-License-Identifier: Apache-2.0

import HTTP
import Support
import Testing

@Suite("Requests that must be refused")
struct RequestRejectTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        let error: HTTPParseError
        let status: Int

        init(_ name: String, _ text: String, _ error: HTTPParseError, _ status: Int = 400) {
            self.init(name, Array(text.utf8), error, status)
        }

        init(_ name: String, _ bytes: [UInt8], _ error: HTTPParseError, _ status: Int = 400) {
            self.name = name
            self.bytes = bytes
            self.error = error
            self.status = status
        }

        var testDescription: String { name }
    }

    static let startLines: [Case] = [
        Case("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n", .badStartLine),
        Case("LF first", "\nGET / HTTP/1.1\r\n", .bareLineFeed),
        Case("space first", " GET / HTTP/1.1\r\n", .badMethod),
        Case("a TLS hello", [0x16, 0x03, 0x01, 0x02, 0x00], .badStartLine),
        Case("a PROXY v2 header", [0x0D, 0x0A, 0x0D, 0x0A, 0x00], .badStartLine),
        Case("only a method", "GET\r\n", .badMethod),
        Case("method and space", "GET \r\n", .badStartLine),
        Case("HTTP/0.9", "GET /\r\n", .badStartLine),
        Case("HTTP/0.9 with a space behind", "GET / \r\n", .badStartLine),
        Case("method with a colon", "GE:T / HTTP/1.1\r\n", .badMethod),
        Case("method with a slash", "GET/ HTTP/1.1\r\n", .badMethod),
        Case("method beyond ASCII", "G\u{c9}T / HTTP/1.1\r\n", .badMethod),
        Case("a tab behind the method", "GET\t/ HTTP/1.1\r\n", .badMethod),
        Case("a tab before the version", "GET /\tHTTP/1.1\r\n", .badStartLine),
        Case("two spaces behind the method", "GET  / HTTP/1.1\r\n", .badTarget),
        Case("two spaces before the version", "GET /  HTTP/1.1\r\n", .badTarget),
        Case("a space behind the version", "GET / HTTP/1.1 \r\n", .badStartLine),
        Case("a space in the target", "GET /a b HTTP/1.1\r\n", .badTarget),
        Case("no target", "GET  HTTP/1.1\r\n", .badTarget),
        Case("a fragment", "GET /a#b HTTP/1.1\r\n", .badTarget),
        Case("a fragment in the query", "GET /a?b#c HTTP/1.1\r\n", .badTarget),
        Case("a target beyond ASCII", "GET /\u{e4} HTTP/1.1\r\n", .badTarget),
        Case("a tab in the target", "GET /a\tb HTTP/1.1\r\n", .badTarget),
        Case("NUL in the target", "GET /a\0b HTTP/1.1\r\n", .badStartLine),
        Case("DEL in the target", "GET /a\u{7f}b HTTP/1.1\r\n", .badStartLine),
        Case("percent at the end", "GET /a% HTTP/1.1\r\n", .badTarget),
        Case("percent and one digit", "GET /a%2 HTTP/1.1\r\n", .badTarget),
        Case("percent and no digit", "GET /a%zz HTTP/1.1\r\n", .badTarget),
        Case("percent, bad second digit", "GET /a%2g HTTP/1.1\r\n", .badTarget),
        Case("percent in the query", "GET /a?%u1 HTTP/1.1\r\n", .badTarget),
        Case("a relative target", "GET a/b HTTP/1.1\r\n", .badTarget),
        Case("asterisk with GET", "GET * HTTP/1.1\r\n", .badTarget),
        Case("asterisk and more", "OPTIONS *x HTTP/1.1\r\n", .badTarget),
        Case("authority-form", "GET a:80 HTTP/1.1\r\n", .badTarget),
        Case("CONNECT", "CONNECT a:443 HTTP/1.1\r\n", .connectUnsupported, 501),
        Case("CONNECT with a path", "CONNECT / HTTP/1.1\r\n", .connectUnsupported, 501),
        Case("another scheme", "GET ftp://a/ HTTP/1.1\r\n", .badTarget),
        Case("scheme without host", "GET http:///x HTTP/1.1\r\n", .badTarget),
        Case("scheme and port only", "GET http://:80/ HTTP/1.1\r\n", .badTarget),
        Case("user information", "GET http://u:p@a/ HTTP/1.1\r\n", .badTarget),
        Case("scheme only", "GET http:// HTTP/1.1\r\n", .badTarget),
        Case("a bad path in absolute-form", "GET http://a/%x HTTP/1.1\r\n", .badTarget),
        Case("HTTP/1.2", "GET / HTTP/1.2\r\n", .badVersion, 505),
        Case("HTTP/2.0", "GET / HTTP/2.0\r\n", .badVersion, 505),
        Case("HTTP/0.9 by name", "GET / HTTP/0.9\r\n", .badVersion, 505),
        Case("an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .badVersion, 505),
        Case("lower-case http", "GET / http/1.1\r\n", .badStartLine),
        Case("HTTP/11", "GET / HTTP/11\r\n", .badStartLine),
        Case("HTTP/1,1", "GET / HTTP/1,1\r\n", .badStartLine),
        Case("HTTP/1.x", "GET / HTTP/1.x\r\n", .badStartLine),
        Case("HTTP/1.10", "GET / HTTP/1.10\r\n", .badStartLine),
        Case("no version name", "GET / 1.1\r\n", .badStartLine),
        Case("LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n", .bareLineFeed),
        Case("CR behind the request line", "GET / HTTP/1.1\rHost: a\r\n", .bareCarriageReturn),
        Case("CR CR LF", "GET / HTTP/1.1\r\r\nHost: a\r\n", .bareCarriageReturn),
        Case("CR in the target", "GET /\rX HTTP/1.1\r\n", .bareCarriageReturn),
    ]

    static func field(
        _ name: String,
        _ fields: String,
        _ error: HTTPParseError,
        _ status: Int = 400
    ) -> Case {
        Case(name, "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n\r\n", error, status)
    }

    static let fields: [Case] = [
        field("no colon", "Accept", .badHeaderName),
        field("empty name", ": x", .badHeaderName),
        field("space before the colon", "Accept : x", .badHeaderName),
        field("tab before the colon", "Accept\t: x", .badHeaderName),
        field("space in the name", "Acc ept: x", .badHeaderName),
        field("name beyond ASCII", "Acc\u{e9}pt: x", .badHeaderName),
        field("parenthesis in the name", "Accept(x): y", .badHeaderName),
        field("a quote in the name", "\"Accept\": y", .badHeaderName),
        field("folded line", "X: a\r\n b", .obsoleteFold),
        field("folded line with a tab", "X: a\r\n\tb", .obsoleteFold),
        field("a line of blanks", "X: a\r\n  ", .obsoleteFold),
        Case(
            "white space before the first field",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            .obsoleteFold
        ),
        field("NUL in a value", "X: a\0b", .badHeaderValue),
        field("NUL in a name", "X\0Y: ab", .badHeaderValue),
        field("escape in a value", "X: a\u{1b}b", .badHeaderValue),
        field("DEL in a value", "X: a\u{7f}b", .badHeaderValue),
        field("CR in a value", "X: a\rb", .bareCarriageReturn),
        field("LF in a value", "X: a\nb: c", .bareLineFeed),
        Case("LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
        Case("LF behind CR CR", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", .bareCarriageReturn),
        Case("no Host", "GET / HTTP/1.1\r\nAccept: x\r\n\r\n", .hostMissing),
        field("two Hosts", "Host: a", .hostDuplicate),
        field("two Hosts that differ", "host: b", .hostDuplicate),
        Case("two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n", .hostDuplicate),
        Case("Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .hostInvalid),
        Case("Host with a comma", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", .hostInvalid),
        Case("Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .hostInvalid),
        Case("Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .hostInvalid),
        Case("Host with a port of letters", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", .hostInvalid),
        Case("Host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", .hostInvalid),
        Case("Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .hostInvalid),
        Case("Host with a late bracket", "GET / HTTP/1.1\r\nHost: a[::1]\r\n\r\n", .hostInvalid),
        Case("Host with a lone bracket", "GET / HTTP/1.1\r\nHost: ::1]\r\n\r\n", .hostInvalid),
        Case("Host with empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", .hostInvalid),
        Case("Host with a name in brackets", "GET / HTTP/1.1\r\nHost: [xy]\r\n\r\n", .hostInvalid),
        Case("Host with a zone", "GET / HTTP/1.1\r\nHost: [::1%25a]\r\n\r\n", .hostInvalid),
        Case("empty brackets in the target", "GET http://[]/ HTTP/1.1\r\n", .badTarget),
        Case("text behind brackets", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", .hostInvalid),
        field("another expectation", "Expect: 200-ok", .expectationUnsupported, 417),
        field("two expectations", "Expect: 100-continue, x", .expectationUnsupported, 417),
        field("empty expectation", "Expect:", .expectationUnsupported, 417),

        field("empty length", "Content-Length:", .contentLengthInvalid),
        field("length with a plus", "Content-Length: +5", .contentLengthInvalid),
        field("length below 0", "Content-Length: -1", .contentLengthInvalid),
        field("length in hexadecimal", "Content-Length: 0x5", .contentLengthInvalid),
        field("length with a letter", "Content-Length: 5a", .contentLengthInvalid),
        field("length with a fraction", "Content-Length: 5.0", .contentLengthInvalid),
        field("length with a space inside", "Content-Length: 1 2", .contentLengthInvalid),
        field("length with an underscore", "Content-Length: 1_0", .contentLengthInvalid),
        field("length list", "Content-Length: 5, 5", .contentLengthInvalid),
        field("length in quotes", "Content-Length: \"5\"", .contentLengthInvalid),
        field("length in other digits", "Content-Length: \u{0665}", .contentLengthInvalid),
        field("length of 2^63", "Content-Length: 9223372036854775808", .contentLengthInvalid),
        field("length of 20 digits", "Content-Length: 10000000000000000000", .contentLengthInvalid),
        field("20 digits of 0", "Content-Length: 00000000000000000000", .contentLengthInvalid),
        field(
            "two equal lengths",
            "Content-Length: 5\r\nContent-Length: 5",
            .contentLengthDuplicate
        ),
        field(
            "two lengths",
            "Content-Length: 5\r\ncontent-length: 6",
            .contentLengthDuplicate
        ),
        field(
            "length, then chunked",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            .contentLengthWithTransferEncoding
        ),
        field(
            "chunked, then length",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            .contentLengthWithTransferEncoding
        ),
        field(
            "gzip, chunked",
            "Transfer-Encoding: gzip, chunked",
            .transferEncodingUnsupported,
            501
        ),
        field("gzip", "Transfer-Encoding: gzip", .transferEncodingUnsupported, 501),
        field("identity", "Transfer-Encoding: identity", .transferEncodingUnsupported, 501),
        field("empty encoding", "Transfer-Encoding:", .transferEncodingUnsupported, 501),
        field("xchunked", "Transfer-Encoding: xchunked", .transferEncodingUnsupported, 501),
        field(
            "chunked, chunked",
            "Transfer-Encoding: chunked, chunked",
            .transferEncodingUnsupported,
            501
        ),
        field(
            "chunked with a parameter",
            "Transfer-Encoding: chunked;q=1",
            .transferEncodingUnsupported,
            501
        ),
        field(
            "chunked with a comma",
            "Transfer-Encoding: chunked,",
            .transferEncodingUnsupported,
            501
        ),
        field(
            "quoted chunked",
            "Transfer-Encoding: \"chunked\"",
            .transferEncodingUnsupported,
            501
        ),
        field(
            "chunked twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            .transferEncodingUnsupported,
            501
        ),
        field(
            "chunked, then identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            .transferEncodingUnsupported,
            501
        ),
        Case(
            "chunked on HTTP/1.0",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            .transferEncodingInHTTP10
        ),
        field("vertical tab before chunked", "Transfer-Encoding: \u{0b}chunked", .badHeaderValue),
    ]

    @Test("is refused, at every split", arguments: startLines + fields)
    func rejects(_ row: Case) {
        let whole = RequestTranscript([row.bytes[...]])
        #expect(whole.error == row.error)
        #expect(whole.requests == ["failed 0"])
        #expect(row.error.status == row.status)
        #expect(agreesAtEverySplit(row.bytes) { RequestTranscript($0) })
    }

    @Test("what follows the error changes nothing", arguments: startLines + fields)
    func rejectsWithMore(_ row: Case) {
        let more = row.bytes + Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n\u{0}\n".utf8)
        #expect(RequestTranscript([more[...]]) == RequestTranscript([row.bytes[...]]))
    }

    @Test("a request before the bad one is not affected")
    func errorInSecond() {
        let bytes = Array("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/3.0\r\n".utf8)
        let whole = RequestTranscript([bytes[...]])
        #expect(whole.requests == ["GET /1 http11 none keep", "failed 0"])
        #expect(whole.error == .badVersion)
        #expect(agreesAtEverySplit(bytes) { RequestTranscript($0) })
    }

    @Test("every error has a status that an answer can have, and a message")
    func everyErrorIsNamed() {
        for error in HTTPParseError.allCases {
            #expect((400...505).contains(error.status))
            #expect(HTTPStatus.reason(error.status).description != "Unassigned")
            #expect(error.message.description.hasSuffix("."))
        }
        let messages = Set(HTTPParseError.allCases.map { $0.message.description })
        #expect(messages.count == HTTPParseError.allCases.count)
    }
}
