// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP
import Support
import Testing

@Suite("Writers")
struct WriterTests {
    @Test("a response reads back as it was written")
    func responseRoundTrip() {
        let out = ByteBuffer()
        var date = HTTPDate.Cache(unixSeconds: 0)
        date.update(unixSeconds: 784_111_777)
        let writer = ResponseHeadWriter.begin(out, status: 429)
        writer.date(date)
        writer.field("content-type", "application/json")
        writer.field("retry-after", decimal: 12)
        #expect(writer.field("x-request-id", "req \u{e4}\t1"))
        let wasWritten = writer.field(name: Array("X-Y".utf8).span, value: [UInt8]().span)
        #expect(wasWritten)
        writer.contentLength(2)
        writer.connectionClose()
        writer.end()
        out.append("{}")
        #expect(
            out.text
                == "HTTP/1.1 429 Too Many Requests\r\n"
                + "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                + "content-type: application/json\r\n"
                + "retry-after: 12\r\nx-request-id: req \u{e4}\t1\r\nX-Y: \r\n"
                + "content-length: 2\r\nconnection: close\r\n\r\n{}"
        )
        let back = ResponseTranscript([out.array[...]])
        #expect(back.summary == ["429 [Too Many Requests] http11 length(2) fields=7", "\"{}\""])
        #expect(back.isComplete && !back.isReusable)
    }

    @Test("every status can be written and read back")
    func everyStatus() {
        for status in 200...599 {
            let out = ByteBuffer()
            let writer = ResponseHeadWriter.begin(out, status: status)
            writer.contentLength(0)
            writer.end()
            let back = ResponseTranscript([out.array[...]])
            #expect(back.error == nil && back.isComplete && back.isReusable)
            #expect(back.lines.first?.hasPrefix("\(status) [\(HTTPStatus.reason(status))]") == true)
        }
    }

    @Test("a request reads back as it was written")
    func requestRoundTrip() throws {
        let out = ByteBuffer()
        let writer = try #require(
            RequestHeadWriter.begin(out, method: .post, target: "/v1/chat/completions?a=b")
        )
        #expect(writer.field("host", "api.example:8443"))
        writer.chunked()
        writer.end()
        ChunkedEncoder.append(Array("hello".utf8).span, to: out)
        ChunkedEncoder.append([UInt8]().span, to: out)
        ChunkedEncoder.append([UInt8](repeating: 0x78, count: 300).span, to: out)
        ChunkedEncoder.appendEnd(to: out)
        let body = "hello" + String(repeating: "x", count: 300)
        #expect(
            RequestTranscript([out.array[...]]).requests
                == ["POST /v1/chat/completions?a=b query=a=b http11 chunked keep \"\(body)\""]
        )
        #expect(agreesAtEverySplit(out.array) { RequestTranscript($0) })
    }

    @Test("no value with a control byte can be written, wherever it stands")
    func refusesControlBytes() {
        for byte in UInt8.min...UInt8.max {
            for length in [1, 7, 8, 9, 20] {
                for place in 0..<length {
                    var value = [UInt8](repeating: 0x61, count: length)
                    value[place] = byte
                    let out = ByteBuffer()
                    let writer = ResponseHeadWriter.begin(out, status: 200)
                    let before = out.count
                    let isControl = (byte < 0x20 && byte != 0x09) || byte == 0x7F
                    let known = writer.field("a", value.span)
                    let foreign = writer.field(name: [0x61].span, value: value.span)
                    #expect(known == !isControl && foreign == !isControl)
                    #expect((out.count == before) == isControl)
                }
            }
        }
    }

    @Test("no name that is not a token can be written")
    func refusesNames() {
        let out = ByteBuffer()
        let writer = ResponseHeadWriter.begin(out, status: 200)
        let before = out.count
        for name in ["", "a b", "a:", "a\r\nb", "\u{e4}", "a\0"] {
            let wasWritten = writer.field(name: Array(name.utf8).span, value: [0x61].span)
            #expect(!wasWritten)
        }
        #expect(out.count == before)
    }

    @Test("no target that ends the request line can be written")
    func refusesTargets() {
        let out = ByteBuffer()
        for target in ["", "/a b", "/a\r\nX: y", "/\u{e4}", "/\t", "/\0", "/\u{7f}"] {
            let writer = RequestHeadWriter.begin(out, method: .get, target: target)
            #expect(writer == nil)
        }
        #expect(out.isEmpty)
    }

    @Test("a fixed value with a line end is a programming error")
    func fixedValues() async {
        await #expect(processExitsWith: .failure) {
            ResponseHeadWriter.begin(ByteBuffer(), status: 200).field("a", "b\r\nc: d")
        }
        await #expect(processExitsWith: .failure) {
            ResponseHeadWriter.begin(ByteBuffer(), status: 200).field("a:", "b")
        }
    }
}
