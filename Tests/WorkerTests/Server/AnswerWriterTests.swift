// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Testing

@testable import Worker

@Suite("The answer writer")
struct AnswerWriterTests {
    private func begin(_ writer: inout AnswerWriter, _ pool: BufferPool) -> HeadWriter {
        var ledger = RequestLedger()
        ledger.id = .generated(1, 2)
        var date = HTTPDate.Cache()
        date.update(unixSeconds: 0)
        return writer.begin(status: 200, ledger: ledger, head: nil, date: date, pool: pool)
    }

    private static let head =
        "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        + "x-request-id: req_00000000000000010000000000000002\r\n\r\n"

    @Test("takes a buffer when there is something to say and gives it back when it was sent")
    func buffers() {
        let pool = BufferPool()
        var writer = AnswerWriter()
        #expect(writer.isEmpty && pool.taken == 0)
        begin(&writer, pool).end()
        #expect(writer.output?.text.lowercased() == Self.head.lowercased())
        #expect(pool.taken == 1)
        writer.releaseIfEmpty(pool)
        #expect(pool.taken == 1 && writer.count == Self.head.utf8.count)
        writer.output?.consume(Self.head.utf8.count)
        writer.releaseIfEmpty(pool)
        #expect(pool.taken == 0 && writer.output == nil)
        writer.release(pool)
        #expect(pool.taken == 0)
    }

    @Test("frames a stream in chunks, or not at all, answer by answer")
    func streams() {
        let pool = BufferPool()
        var writer = AnswerWriter()
        begin(&writer, pool).end()
        writer.output?.clear()
        writer.beginChunks()
        writer.stream("hello".utf8.span, pool)
        writer.stream("".utf8.span, pool)
        writer.endStream(pool)
        #expect(writer.output?.text == "5\r\nhello\r\n0\r\n\r\n")
        writer.output?.clear()
        begin(&writer, pool).end()
        writer.output?.clear()
        writer.stream("hello".utf8.span, pool)
        writer.endStream(pool)
        #expect(writer.output?.text == "hello", "the answer before was chunked, this one is not")
    }
}

@Suite("Request ids")
struct RequestIDTests {
    @Test(
        "of a client are taken if they can stand in a log and a header",
        arguments: [
            ("a", true), ("req-1_2.3:4/5", true), (String(repeating: "x", count: 128), true),
            (String(repeating: "x", count: 129), false), ("", false), ("a b", false),
            ("a\"b", false), ("a\\b", false), ("ä", false), ("a\tb", false), ("a\u{7F}", false),
        ]
    )
    func acceptable(_ text: String, _ expected: Bool) {
        let isAcceptable = RequestID.isAcceptable(text.utf8.span)
        #expect(isAcceptable == expected)
    }

    @Test("never repeat, in one worker or between two with one seed")
    func unique() {
        var seen: Set<String> = []
        for worker in 0..<4 {
            var generator = RequestIDGenerator(seed: 42, worker: UInt64(worker))
            for _ in 0..<2_000 {
                let out = ByteBuffer()
                generator.next().append(to: out, head: nil)
                let isNew = seen.insert(out.text).inserted
                #expect(isNew)
                #expect(out.count == 36 && out.text.hasPrefix("req_"))
            }
        }
    }

    @Test("of a client come from where they stand in the head")
    func client() {
        let out = ByteBuffer()
        RequestID.client(3..<6).append(to: out, head: ByteBuffer("ab cde f"))
        #expect(out.text == "cde")
    }
}
