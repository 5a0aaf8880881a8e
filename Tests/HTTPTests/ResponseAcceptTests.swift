// SPDX-License-Identifier: Apache-2.0

import HTTP
import Support
import Testing

/// The table of RFC 9112 section 6.3, and what goes with it.
@Suite("Responses that must be taken")
struct ResponseAcceptTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        let method: HTTPMethod
        let summary: [String]
        let isReusable: Bool
        /// What the server's closing means behind the last byte.
        let ending: String
        let unread: Int

        init(
            _ name: String,
            _ text: String,
            method: HTTPMethod = .post,
            _ summary: [String],
            reusable: Bool,
            ending: String = "complete",
            unread: Int = 0
        ) {
            self.name = name
            bytes = Array(text.utf8)
            self.method = method
            self.summary = summary
            isReusable = reusable
            self.ending = ending
            self.unread = unread
        }

        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            "length",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            ["200 [OK] http11 length(5) fields=1", "\"hello\""],
            reusable: true
        ),
        Case(
            "length 0",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ["200 [OK] http11 length(0) fields=1"],
            reusable: true
        ),
        Case(
            "chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            ["200 [OK] http11 chunked fields=1", "\"abcde\""],
            reusable: true
        ),
        Case(
            "chunked with extension and trailers",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3;a=b\r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n",
            ["200 [OK] http11 chunked fields=1", "\"abc\""],
            reusable: true
        ),
        Case(
            "until close",
            "HTTP/1.1 200 OK\r\n\r\nanything\r\n",
            ["200 [OK] http11 untilClose fields=0", "\"anything\r\n\""],
            reusable: false
        ),
        Case(
            "until close, empty",
            "HTTP/1.1 500 Oops\r\nServer: x\r\n\r\n",
            ["500 [Oops] http11 untilClose fields=1"],
            reusable: false
        ),
        Case(
            "HEAD with a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
            method: .head,
            ["200 [OK] http11 none fields=1"],
            reusable: true
        ),
        Case(
            "HEAD with chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            method: .head,
            ["200 [OK] http11 none fields=1"],
            reusable: true
        ),
        Case(
            "HEAD without framing",
            "HTTP/1.1 200 OK\r\n\r\n",
            method: .head,
            ["200 [OK] http11 none fields=0"],
            reusable: true
        ),
        Case(
            "HEAD answered with a body: surplus",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            method: .head,
            ["200 [OK] http11 none fields=1"],
            reusable: true,
            unread: 2
        ),
        Case(
            "204",
            "HTTP/1.1 204 No Content\r\n\r\n",
            ["204 [No Content] http11 none fields=0"],
            reusable: true
        ),
        Case(
            "204 with length 0",
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            ["204 [No Content] http11 none fields=1"],
            reusable: true
        ),
        Case(
            "204 that announces a body",
            "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
            ["204 [No Content] http11 none fields=1"],
            reusable: false
        ),
        Case(
            "204 with chunked",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            ["204 [No Content] http11 none fields=1"],
            reusable: false
        ),
        Case(
            "304 with a length",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
            method: .get,
            ["304 [Not Modified] http11 none fields=1"],
            reusable: true
        ),
        Case(
            "100 and 103 before the answer",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            ["interim 100", "interim 103", "200 [OK] http11 length(2) fields=1", "\"ok\""],
            reusable: true
        ),
        Case(
            "interim responses have no body",
            "HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
            ["interim 102", "200 [OK] http11 length(1) fields=1", "\"x\""],
            reusable: true
        ),
        Case(
            "interim close does not count",
            "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            ["interim 100", "200 [OK] http11 length(0) fields=1"],
            reusable: true
        ),
        Case(
            "close",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
            ["200 [OK] http11 length(1) fields=2", "\"x\""],
            reusable: false
        ),
        Case(
            "HTTP/1.0",
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
            ["200 [OK] http10 length(1) fields=1", "\"x\""],
            reusable: false
        ),
        Case(
            "HTTP/1.0 that stays",
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx",
            ["200 [OK] http10 length(1) fields=2", "\"x\""],
            reusable: true
        ),
        Case(
            "HTTP/1.0 until close says it stays",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx",
            ["200 [OK] http10 untilClose fields=1", "\"x\""],
            reusable: false
        ),
        Case(
            "surplus behind a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz",
            ["200 [OK] http11 length(1) fields=1", "\"x\""],
            reusable: true,
            unread: 2
        ),
        Case(
            "surplus behind chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP/1.1 200",
            ["200 [OK] http11 chunked fields=1", "\"x\""],
            reusable: true,
            unread: 12
        ),
        Case(
            "no reason",
            "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
            ["200 [] http11 length(0) fields=1"],
            reusable: true
        ),
        Case(
            "no space behind the code",
            "HTTP/1.1 529\r\nContent-Length: 0\r\n\r\n",
            ["529 [] http11 length(0) fields=1"],
            reusable: true
        ),
        Case(
            "a reason of many kinds of bytes",
            "HTTP/1.1 404 N\u{f6}t:\t Found \r\nContent-Length: 0\r\n\r\n",
            ["404 [N\u{f6}t:\t Found ] http11 length(0) fields=1"],
            reusable: true
        ),
        Case(
            "an early final answer",
            "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            ["413 [Content Too Large] http11 length(2) fields=2", "\"{}\""],
            reusable: false
        ),
        Case(
            "an event stream",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
                + "d\r\ndata: {\"a\":1}\r\n4\r\n\n\n\r\n\r\n0\r\n\r\n",
            ["200 [OK] http11 chunked fields=2", "\"data: {\"a\":1}\n\n\r\n\""],
            reusable: true
        ),
        Case("nothing", "", [], reusable: false, ending: "nothingReceived"),
        Case("half a head", "HTTP/1.1 2", [], reusable: false, ending: "truncated", unread: 10),
        Case("one byte", "H", [], reusable: false, ending: "truncated", unread: 1),
        Case(
            "an interim response and no more",
            "HTTP/1.1 100 Continue\r\n\r\n",
            ["interim 100"],
            reusable: false,
            ending: "truncated"
        ),
        Case(
            "half a body",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
            ["200 [OK] http11 length(5) fields=1", "\"he\""],
            reusable: false,
            ending: "truncated"
        ),
        Case(
            "chunks without an end",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            ["200 [OK] http11 chunked fields=1", "\"x\""],
            reusable: false,
            ending: "truncated"
        ),
        Case(
            "chunks without the last CRLF",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
            ["200 [OK] http11 chunked fields=1", "\"x\""],
            reusable: false,
            ending: "truncated"
        ),
    ]

    @Test("is taken, at every split", arguments: cases)
    func accepts(_ row: Case) {
        let whole = ResponseTranscript([row.bytes[...]], method: row.method)
        #expect(whole.error == nil)
        #expect(whole.summary == row.summary)
        #expect(whole.isReusable == row.isReusable)
        #expect(whole.ending == row.ending)
        #expect(whole.unread == row.unread)
        #expect(agreesAtEverySplit(row.bytes) { ResponseTranscript($0, method: row.method) })
    }

    @Test("one decoder reads answer after answer")
    func reuse() throws {
        var decoder = ResponseDecoder()
        for row in Self.cases where row.ending == "complete" && row.unread == 0 {
            decoder.begin(requestMethod: row.method)
            var offset = 0
            var isComplete = false
            while !isComplete {
                let event = try decoder.next(row.bytes.span.extracting(offset..<row.bytes.count))
                switch event {
                case .interim(_, let consumed), .head(let consumed), .data(_, let consumed):
                    offset += consumed
                case .needMore(let consumed):
                    offset += consumed
                    #expect(decoder.endOfInput() == .complete)
                    isComplete = true
                case .end(let consumed):
                    offset += consumed
                    isComplete = true
                    #expect(try decoder.next([UInt8]().span) == .end(consumed: 0))
                }
            }
            #expect(offset == row.bytes.count)
            #expect(decoder.isReusable == row.isReusable)
        }
    }

    @Test("fields of the head can be read while its bytes are there")
    func fields() throws {
        let bytes = Array(
            ("HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nRetry-After-Ms: 7000\r\n"
                + "X-RateLimit-Left: 0\r\nContent-Length: 0\r\n\r\n").utf8
        )
        var decoder = ResponseDecoder()
        decoder.begin(requestMethod: .post)
        #expect(try decoder.next(bytes.span) == .head(consumed: bytes.count))
        let fields = decoder.head.fields
        let retry = try #require(fields.first(.retryAfter))
        #expect(bytes.span.text(retry.value) == "7")
        let milliseconds = try #require(fields.first(.retryAfterMs))
        #expect(bytes.span.text(milliseconds.value) == "7000")
        #expect(fields.first(named: "x-ratelimit-left", in: bytes.span) == fields[2])
    }
}
