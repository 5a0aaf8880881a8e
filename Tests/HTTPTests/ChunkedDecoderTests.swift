// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP
import Support
import Testing

@Suite("Chunked bodies")
struct ChunkedDecoderTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        /// The data, complete or up to the error.
        let data: String
        let error: HTTPParseError?
        var testDescription: String { name }

        init(_ name: String, _ text: String, data: String = "", _ error: HTTPParseError? = nil) {
            self.name = name
            self.text = text
            self.data = data
            self.error = error
        }
    }

    static let accepted: [Case] = [
        Case("empty", "0\r\n\r\n"),
        Case("many zeros", "0000000000000000\r\n\r\n"),
        Case("one chunk", "5\r\nhello\r\n0\r\n\r\n", data: "hello"),
        Case("leading zeros", "0000000000000002\r\nhi\r\n0\r\n\r\n", data: "hi"),
        Case("lower-case digits", "a\r\n0123456789\r\n0\r\n\r\n", data: "0123456789"),
        Case("upper-case digits", "A\r\n0123456789\r\n0\r\n\r\n", data: "0123456789"),
        Case(
            "data that looks like framing",
            "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n",
            data: "0\r\n\r\n\r\n"
        ),
        Case("extension", "2;name=value\r\nhi\r\n0;x\r\n\r\n", data: "hi"),
        Case("quoted extension", "2;n=\"a;b\\\"\t \"\r\nhi\r\n0\r\n\r\n", data: "hi"),
        Case("white space before the semicolon", "2 \t;n\r\nhi\r\n0\r\n\r\n", data: "hi"),
        Case("extension beyond ASCII", "2;n=\u{e4}\r\nhi\r\n0\r\n\r\n", data: "hi"),
        Case("trailers", "1\r\nx\r\n0\r\nA: b\r\nC:\r\nD:\t\u{e4}\r\n\r\n", data: "x"),
    ]

    static let rejected: [Case] = [
        Case("no size", "\r\n", .chunkSizeInvalid),
        Case("a letter that is no digit", "g\r\n", .chunkSizeInvalid),
        Case("0x", "0x5\r\nhello\r\n", .chunkSizeInvalid),
        Case("a plus", "+5\r\nhello\r\n", .chunkSizeInvalid),
        Case("a minus", "-5\r\nhello\r\n", .chunkSizeInvalid),
        Case("space first", " 5\r\nhello\r\n", .chunkSizeInvalid),
        Case("extension without a size", ";x\r\n", .chunkSizeInvalid),
        Case("an underscore", "1_0\r\n", .chunkSizeInvalid),
        Case("a fraction", "1.0\r\n", .chunkSizeInvalid),
        Case("NUL behind the size", "5\0\r\nhello\r\n", .chunkSizeInvalid),
        Case("2^63", "8000000000000000\r\n", .chunkSizeInvalid),
        Case("2^64 - 1", "ffffffffffffffff\r\n", .chunkSizeInvalid),
        Case("2^64 + 5", "10000000000000005\r\nhello\r\n", .chunkSizeInvalid),
        Case("17 digits", "00000000000000005\r\nhello\r\n", .chunkSizeInvalid),
        Case("space behind the size", "5 \r\nhello\r\n", .chunkExtensionInvalid),
        Case("a word behind the size", "5 x\r\nhello\r\n", .chunkExtensionInvalid),
        Case("NUL in an extension", "5;a=\0\r\nhello\r\n", .chunkExtensionInvalid),
        Case("escape in an extension", "5;a=\u{1b}\r\nhello\r\n", .chunkExtensionInvalid),
        Case("LF behind the size", "5\nhello\r\n", .bareLineFeed),
        Case("LF for the size", "\nhello\r\n", .bareLineFeed),
        Case("LF in an extension", "5;a\nhello\r\n", .bareLineFeed),
        Case("CR and no LF behind the size", "5\rhello\r\n", .bareCarriageReturn),
        Case("CR in an extension", "5;a\rb\r\nhello\r\n", .bareCarriageReturn),
        Case("data too long", "5\r\nhello!\r\n", data: "hello", .chunkNotTerminated),
        Case("data too short", "5\r\nhell\r\n0\r\n\r\n", data: "hell\r", .chunkNotTerminated),
        Case("LF behind data", "5\r\nhello\n0\r\n\r\n", data: "hello", .chunkNotTerminated),
        Case("CR and no LF behind data", "5\r\nhello\r0\r\n", data: "hello", .chunkNotTerminated),
        Case("no line end behind data", "5\r\nhello0\r\n\r\n", data: "hello", .chunkNotTerminated),
        Case("a second chunk without a size", "1\r\nx\r\n\r\n", data: "x", .chunkSizeInvalid),
        Case("trailer without a colon", "0\r\nA\r\n\r\n", .badHeaderName),
        Case("trailer without a name", "0\r\n: a\r\n\r\n", .badHeaderName),
        Case("trailer with a space in the name", "0\r\nA b: c\r\n\r\n", .badHeaderName),
        Case("folded trailer", "0\r\nA: b\r\n c\r\n\r\n", .obsoleteFold),
        Case("NUL in a trailer", "0\r\nA: \0\r\n\r\n", .badHeaderValue),
        Case("LF behind a trailer", "0\r\nA: b\n\r\n", .bareLineFeed),
        Case("LF in the name of a trailer", "0\r\nA\n\r\n", .bareLineFeed),
        Case("CR in a trailer", "0\r\nA: b\rc\r\n\r\n", .bareCarriageReturn),
        Case("LF as the end", "0\r\n\n", .bareLineFeed),
        Case("CR and no LF as the end", "0\r\n\rx", .bareCarriageReturn),
    ]

    @Test("is taken, at every split", arguments: accepted)
    func accepts(_ row: Case) {
        let bytes = Array(row.text.utf8)
        let whole = ChunkedTranscript([bytes[...]])
        #expect(whole.error == nil)
        #expect(whole.isComplete)
        #expect(whole.data == Array(row.data.utf8))
        #expect(whole.unread == 0)
        #expect(agreesAtEverySplit(bytes) { ChunkedTranscript($0) })
        let more = bytes + Array("GET".utf8)
        #expect(ChunkedTranscript([more[...]]).unread == 3)
        #expect(agreesAtEverySplit(more) { ChunkedTranscript($0) })
        for count in bytes.indices {
            let part = ChunkedTranscript([bytes[..<count]])
            #expect(part.error == nil && !part.isComplete)
        }
    }

    @Test("is refused, at every split", arguments: rejected)
    func rejects(_ row: Case) {
        let bytes = Array(row.text.utf8)
        let whole = ChunkedTranscript([bytes[...]])
        #expect(whole.error == row.error)
        #expect(whole.data == Array(row.data.utf8))
        #expect(agreesAtEverySplit(bytes) { ChunkedTranscript($0) })
    }

    @Test("limits of extensions and trailers, at every split")
    func limits() {
        let limits = HTTPLimits(
            chunkExtensionBytes: 8,
            chunkExtensionBytesTotal: 12,
            trailerBytes: 10
        )
        let rows: [(String, HTTPParseError?)] = [
            ("1;1234567\r\nx\r\n0\r\n\r\n", nil),
            ("1;12345678\r\nx\r\n0\r\n\r\n", .chunkExtensionTooLong),
            ("1       ;\r\nx\r\n0\r\n\r\n", nil),
            ("1        ;\r\nx\r\n0\r\n\r\n", .chunkExtensionTooLong),
            ("1;1234567\r\nx\r\n1;123\r\nx\r\n0\r\n\r\n", nil),
            ("1;1234567\r\nx\r\n1;1234\r\nx\r\n0\r\n\r\n", .chunkExtensionTooLong),
            ("0\r\nA: 45678\r\n\r\n", nil),
            ("0\r\nA: 456789\r\n\r\n", .trailersTooLarge),
            ("0\r\nA: 45678901234567890\r\n\r\n", .trailersTooLarge),
            ("0\r\nA:b\r\nC:d\r\n\r\n", nil),
            ("0\r\nA:b\r\nC:d\r\nE:f\r\n\r\n", .trailersTooLarge),
        ]
        for (text, error) in rows {
            let bytes = Array(text.utf8)
            #expect(ChunkedTranscript([bytes[...]], limits: limits).error == error, "\(text)")
            #expect(agreesAtEverySplit(bytes) { ChunkedTranscript($0, limits: limits) })
        }
    }

    @Test("the largest size that fits is taken")
    func largestSize() throws {
        var decoder = ChunkedDecoder()
        let line = Array("7fffffffffffffff\r\n".utf8)
        #expect(try decoder.next(line.span) == .needMore(consumed: line.count))
        #expect(try decoder.next([1, 2].span) == .data(0..<2, consumed: 2))
    }

    @Test("sizes that do not fit together are refused")
    func sumOverflows() {
        let bytes = Array("1\r\nx\r\n7fffffffffffffff\r\n".utf8)
        let whole = ChunkedTranscript([bytes[...]])
        #expect(whole.error == .bodyTooLarge)
        #expect(whole.data == [UInt8(ascii: "x")])
    }

    @Test("the line end behind data is taken along if it is there")
    func takesLineEnd() throws {
        var decoder = ChunkedDecoder()
        let bytes = Array("3\r\nabc\r\n".utf8)
        #expect(try decoder.next(bytes.span) == .data(3..<6, consumed: 8))
        #expect(try decoder.next([UInt8]().span) == .needMore(consumed: 0))
        #expect(try decoder.next(Array("0\r\n\r\n".utf8).span) == .end(consumed: 5))
        #expect(try decoder.next([1].span) == .end(consumed: 0))
    }
}

@Suite("Request bodies")
struct RequestBodyDecoderTests {
    @Test("a length beyond the limit is refused before any byte")
    func lengthBeyondLimit() {
        var decoder = RequestBodyDecoder(framing: .length(11), limit: 10)
        #expect(decoder.isRefused)
        #expect(throws: HTTPParseError.bodyTooLarge) { try decoder.next([UInt8]().span) }
        #expect(throws: HTTPParseError.bodyTooLarge) { try decoder.next([1].span) }
    }

    @Test("a length up to the limit is taken, and not a byte more")
    func length() throws {
        var decoder = RequestBodyDecoder(framing: .length(10), limit: 10)
        #expect(!decoder.isRefused)
        #expect(try decoder.next([UInt8]().span) == .needMore(consumed: 0))
        #expect(try decoder.next([1, 2, 3, 4].span) == .data(0..<4, consumed: 4))
        let rest = [UInt8](repeating: 7, count: 9)
        #expect(try decoder.next(rest.span) == .data(0..<6, consumed: 6))
        #expect(try decoder.next(rest.span) == .end(consumed: 0))
    }

    @Test("no body ends at once")
    func none() throws {
        var decoder = RequestBodyDecoder(framing: .none, limit: 0)
        #expect(try decoder.next([1].span) == .end(consumed: 0))
        var zero = RequestBodyDecoder(framing: .length(0), limit: 0)
        #expect(try zero.next([1].span) == .end(consumed: 0))
    }

    @Test("chunks are refused with the size line that passes the limit, at every split")
    func chunksBeyondLimit() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let rows: [(String, HTTPParseError?, String)] = [
            (
                "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", nil,
                "POST / http11 chunked keep \"helloworld\""
            ),
            ("5\r\nhello\r\n6\r\n", .bodyTooLarge, "failed 5"),
            ("b\r\n", .bodyTooLarge, "failed 0"),
        ]
        for (body, error, line) in rows {
            let bytes = Array((head + body).utf8)
            let whole = RequestTranscript([bytes[...]], bodyMax: 10)
            #expect(whole.error == error)
            #expect(whole.requests == [line])
            #expect(agreesAtEverySplit(bytes) { RequestTranscript($0, bodyMax: 10) })
        }
    }
}
