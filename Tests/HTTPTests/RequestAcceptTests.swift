// SPDX-License-Identifier: Apache-2.0

import HTTP
import Support
import Testing

@Suite("Requests that must be taken")
struct RequestAcceptTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        let requests: [String]

        init(_ name: String, _ text: String, _ requests: String...) {
            self.name = name
            bytes = Array(text.utf8)
            self.requests = requests
        }

        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            "plain GET",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http11 none keep"
        ),
        Case(
            "POST with a length",
            "POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST /v1/x http11 length(5) keep \"hello\""
        ),
        Case(
            "POST with length 0",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "POST / http11 length(0) keep"
        ),
        Case(
            "length with leading zeros",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000002\r\n\r\nhi",
            "POST / http11 length(2) keep \"hi\""
        ),
        Case(
            "POST without a body",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / http11 none keep"
        ),
        Case(
            "chunked body",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
            "POST / http11 chunked keep \"hello!\""
        ),
        Case(
            "chunked in capitals",
            "POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n0\r\n\r\n",
            "POST / http11 chunked keep"
        ),
        Case(
            "chunked with extension and trailers",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "2;x=\"y\"\r\nab\r\n0\r\nDigest: 1\r\nContent-Length: 9\r\n\r\n",
            "POST / http11 chunked keep \"ab\""
        ),
        Case(
            "three pipelined requests",
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                + "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"
                + "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /1 http11 none keep",
            "POST /2 http11 length(2) keep \"ok\"",
            "GET /3 http11 none keep"
        ),
        Case(
            "pipelined behind a chunked body",
            "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /1 http11 chunked keep \"abc\"",
            "GET /2 http11 none keep"
        ),
        Case(
            "a CRLF before the request",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http11 none keep"
        ),
        Case(
            "a CRLF behind a body",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n"
                + "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / http11 length(1) keep \"x\"",
            "GET / http11 none keep"
        ),
        Case("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET / http10 none close"),
        Case(
            "HTTP/1.0 that stays",
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            "GET / http10 none keep"
        ),
        Case(
            "HTTP/1.0 with both: close wins",
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            "GET / http10 none close"
        ),
        Case(
            "HTTP/1.1 that closes",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET / http11 none close"
        ),
        Case(
            "close in capitals within a list",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo ,, CLOSE\t,bar\r\n\r\n",
            "GET / http11 none close"
        ),
        Case(
            "close in the second Connection line",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            "GET / http11 none close"
        ),
        Case(
            "closed is not close",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
            "GET / http11 none keep"
        ),
        Case("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / http11 none keep"),
        Case(
            "Host with a port",
            "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
            "GET / http11 none keep"
        ),
        Case(
            "Host with an IPv6 address",
            "GET / HTTP/1.1\r\nHost: [::1]:3001\r\n\r\n",
            "GET / http11 none keep"
        ),
        Case(
            "query",
            "GET /a?b=c?d&e=%20 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a?b=c?d&e=%20 query=b=c?d&e=%20 http11 none keep"
        ),
        Case(
            "empty query",
            "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a? query= http11 none keep"
        ),
        Case(
            "percent-encoded path",
            "GET /v1/models/a%2Fb%3a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /v1/models/a%2Fb%3a http11 none keep"
        ),
        Case(
            "bytes that browsers leave alone",
            "GET /a?{\"b\"|c^d} HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a?{\"b\"|c^d} query={\"b\"|c^d} http11 none keep"
        ),
        Case(
            "absolute-form",
            "GET http://a:1/x/y?z HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a:1/x/y?z path=/x/y query=z http11 none keep"
        ),
        Case(
            "absolute-form without a path",
            "GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET HTTPS://a path= http11 none keep"
        ),
        Case(
            "absolute-form, query without a path",
            "GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a?q path= query=q http11 none keep"
        ),
        Case(
            "asterisk-form",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * path=* http11 none keep"
        ),
        Case(
            "a method nobody knows",
            "PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n",
            "PROPFIND /x http11 none keep"
        ),
        Case(
            "a method of every kind of token byte",
            "!#$%&'*+-.^_`|~0aZ / HTTP/1.1\r\nHost: a\r\n\r\n",
            "!#$%&'*+-.^_`|~0aZ / http11 none keep"
        ),
        Case(
            "methods are case-sensitive",
            "connect /x HTTP/1.1\r\nHost: a\r\n\r\n",
            "connect /x http11 none keep"
        ),
        Case(
            "waits for 100",
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
            "POST / http11 length(1) keep continue \"x\""
        ),
        Case(
            "waits for 100 with chunks",
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / http11 chunked keep continue"
        ),
        Case(
            "expects 100 without a body: nothing to wait for",
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
            "POST / http11 length(0) keep"
        ),
        Case(
            "expects 100 on HTTP/1.0: ignored",
            "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
            "POST / http10 length(1) close \"x\""
        ),
        Case(
            "values: empty, tabs, obs-text, white space trimmed",
            "GET / HTTP/1.1\r\nHost: \t a \t \r\nX-A:\r\nX-B: \t \r\nX-C: a\tb c\r\n"
                + "X-D: \u{e4}\u{20ac}\r\nX-E::\r\n\r\n",
            "GET / http11 none keep"
        ),
        Case(
            "GET with a body",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "GET / http11 length(3) keep \"abc\""
        ),
        Case(
            "HEAD, PUT, DELETE, PATCH",
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nPUT / HTTP/1.1\r\nHost: a\r\n\r\n"
                + "DELETE / HTTP/1.1\r\nHost: a\r\n\r\nPATCH / HTTP/1.1\r\nHost: a\r\n\r\n",
            "HEAD / http11 none keep",
            "PUT / http11 none keep",
            "DELETE / http11 none keep",
            "PATCH / http11 none keep"
        ),
        Case(
            "a body that looks like a request",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / http11 length(18) keep \"GET / HTTP/1.1\r\n\r\n\""
        ),
    ]

    @Test("is taken, at every split", arguments: cases)
    func accepts(_ row: Case) {
        let whole = RequestTranscript([row.bytes[...]])
        #expect(whole.error == nil)
        #expect(whole.requests == row.requests)
        #expect(whole.unread == 0)
        #expect(!whole.inBody)
        #expect(agreesAtEverySplit(row.bytes) { RequestTranscript($0) })
    }

    @Test("every proper prefix waits for more and is no error", arguments: cases)
    func prefixWaits(_ row: Case) {
        for count in row.bytes.indices {
            let part = RequestTranscript([row.bytes[..<count]])
            #expect(part.error == nil)
            #expect(part.requests == Array(row.requests.prefix(part.requests.count)))
            #expect(part.requests.count < row.requests.count)
        }
    }

    @Test("every method has its case")
    func methods() throws {
        for method in HTTPMethod.allCases where method != .other {
            var parser = RequestHeadParser()
            var head = RequestHead()
            let text = Array("\(method.name) / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            #expect(try parser.parse(text.span, into: &head) == text.count)
            #expect(head.method == method)
        }
    }

    @Test("fields come in order, with duplicates, trimmed, and known by number")
    func fields() throws {
        let text = Array(
            ("GET / HTTP/1.1\r\nhOsT:a\r\nX-Thing: 1\r\nAccept:  b \r\nx-thing: 2\r\nA: c,d\r\n"
                + "Accept: \r\n\r\n").utf8
        )
        var parser = RequestHeadParser()
        var head = RequestHead()
        #expect(try parser.parse(text.span, into: &head) == text.count)
        let bytes = text.span
        let found = head.fields.map { "\(bytes.text($0.name))=\(bytes.text($0.value))" }
        #expect(found == ["hOsT=a", "X-Thing=1", "Accept=b", "x-thing=2", "A=c,d", "Accept="])
        #expect(head.fields.map(\.known) == [.host, .other, .accept, .other, .other, .accept])
        #expect(head.fields.count(of: .accept) == 2)
        #expect(head.fields.first(.accept) == head.fields[2])
        #expect(head.fields.first(named: "x-thing", in: bytes) == head.fields[1])
        #expect(head.fields.first(named: "x-thin", in: bytes) == nil)
        #expect(!head.fields.contains(.cookie))
        #expect(head.fields.first(.cookie) == nil)
        #expect(head.headBytes == text.count)
    }

    @Test("an idle connection has not started, not even behind a stray CRLF")
    func hasStarted() throws {
        var parser = RequestHeadParser()
        var head = RequestHead()
        #expect(!parser.hasStarted)
        for (text, started) in [("", false), ("\r\n", false), ("\r\nG", true)] {
            let bytes = Array(text.utf8)
            #expect(try parser.parse(bytes.span, into: &head) == nil)
            #expect(parser.hasStarted == started)
        }
        parser.reset()
        #expect(!parser.hasStarted)
    }
}
