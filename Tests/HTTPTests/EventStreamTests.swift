// SPDX-License-Identifier: Apache-2.0

import Bytes
import HTTP
import Support
import Testing

@Suite("Event streams")
struct EventStreamTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        let events: [String]
        let unread: Int
        var testDescription: String { name }

        init(_ name: String, _ text: String, _ events: [String], unread: Int = 0) {
            self.name = name
            self.text = text
            self.events = events
            self.unread = unread
        }
    }

    static let cases: [Case] = [
        Case("nothing", "", []),
        Case("LF", "data: a\n\ndata: b\n\n", ["data: a\n\n", "data: b\n\n"]),
        Case("CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", ["data: a\r\n\r\n", "data: b\r\n\r\n"]),
        Case("CR", "data: a\r\rdata: b\r\r", ["data: a\r\r", "data: b\r\r"]),
        Case("CRLF then LF", "data: a\r\n\ndata: b\n\n", ["data: a\r\n\n", "data: b\n\n"]),
        Case("LF then CRLF", "data: a\n\r\ndata: b\n\n", ["data: a\n\r\n", "data: b\n\n"]),
        Case("LF then CR", "data: a\n\rdata: b\n\n", ["data: a\n\r", "data: b\n\n"]),
        Case("CRLF then CR", "data: a\r\n\rdata: b\n\n", ["data: a\r\n\r", "data: b\n\n"]),
        Case("CR then CRLF", "data: a\r\r\ndata: b\n\n", ["data: a\r\r", "\n", "data: b\n\n"]),
        Case("three LF", "a\n\n\nb\n\n", ["a\n\n", "\n", "b\n\n"]),
        Case("three CR", "a\r\r\rb\r\r", ["a\r\r", "\r", "b\r\r"]),
        Case("LF CR at the end", "a\n\r", ["a\n\r"]),
        Case("empty line first", "\ndata: a\n\n", ["\n", "data: a\n\n"]),
        Case("CRLF first", "\r\ndata: a\n\n", ["\r\n", "data: a\n\n"]),
        Case("several lines", "event: x\ndata: a\ndata: b\n\n", ["event: x\ndata: a\ndata: b\n\n"]),
        Case("comment", ": ping\n\ndata: a\n\n", [": ping\n\n", "data: a\n\n"]),
        Case("byte order mark", "\u{feff}data: a\n\n", ["\u{feff}data: a\n\n"]),
        Case("no end", "data: a\n", [], unread: 8),
        Case("no end of the line", "data: a\n\ndata: b", ["data: a\n\n"], unread: 7),
        Case("CR at the end of a line", "data: a\r", [], unread: 8),
        Case("control bytes are data", "data: \0\u{1}\t\u{b}\n\n", ["data: \0\u{1}\t\u{b}\n\n"]),
        Case(
            "line ends at every place of a word",
            "12345678\n1234567\n123456\n12345\n1234\n123\n12\n1\n\n",
            ["12345678\n1234567\n123456\n12345\n1234\n123\n12\n1\n\n"]
        ),
    ]

    @Test("is split, at every split", arguments: cases)
    func splits(_ row: Case) {
        let bytes = Array(row.text.utf8)
        let whole = EventTranscript([bytes[...]])
        #expect(whole.events.map { String(decoding: $0, as: UTF8.self) } == row.events)
        #expect(whole.unread == row.unread)
        #expect(agreesAtEverySplit(bytes) { EventTranscript($0) })
    }

    @Test("every mix of three line ends is split as the specification says")
    func everyMix() {
        let ends = ["\n", "\r", "\r\n"]
        for first in ends {
            for second in ends {
                for third in ends {
                    for fourth in ends {
                        let text = "data: a\(first)data: b\(second)\(third)data: c\(fourth)\n"
                        let bytes = Array(text.utf8)
                        let whole = EventTranscript([bytes[...]])
                        #expect(
                            whole.events.joined().elementsEqual(
                                bytes[..<(bytes.count - whole.unread)]
                            )
                        )
                        let data = whole.events.map { dataOf($0) }.filter { !$0.isEmpty }
                        // CR LF across two ends is one line end, so that the lines join.
                        let joins = second == "\r" && third == "\n"
                        let last = fourth == "\r" ? [] : ["c"]
                        #expect(
                            data == (joins ? (last.isEmpty ? [] : ["a\nb\nc"]) : ["a\nb"] + last),
                            "\(bytes)"
                        )
                        #expect(agreesAtEverySplit(bytes) { EventTranscript($0) })
                    }
                }
            }
        }
    }

    @Test("the end of an event is told with its last byte, unless CR may have LF behind it")
    func promptness() {
        let rows: [(String, Bool)] = [
            ("data: a\n\n", true), ("data: a\r\n\r\n", true), ("data: a\r\r", true),
            ("data: a\r\n\r", false), ("data: a\n\r", false), ("data: a\n", false),
        ]
        for (text, isComplete) in rows {
            var splitter = EventStreamSplitter()
            let bytes = Array(text.utf8)
            for count in 0..<bytes.count {
                #expect(splitter.next(bytes.span.extracting(0..<count)) == nil)
            }
            #expect(splitter.next(bytes.span) == (isComplete ? bytes.count : nil))
        }
    }

    @Test("an event of 1 MiB that drips in is looked at once")
    func slowDrip() {
        let bytes = Array("data: ".utf8) + [UInt8](repeating: 0x61, count: 1 << 20) + [10, 10]
        var splitter = EventStreamSplitter()
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(splitter.next(bytes.span.extracting(0..<count)) == nil)
        }
        #expect(splitter.next(bytes.span) == bytes.count)
        #expect(splitter.bytesExamined == bytes.count)
    }

    @Test("fields of an event")
    func fields() throws {
        let text =
            "\u{feff}: hi\r\nevent: add\r\nid: 7\r\nretry: 250\r\nother: x\r\nnocolon\r\n"
            + "data: {\"a\": 1}\r\n\r\n"
        let bytes = Array(text.utf8)
        let event = EventStreamEvent(bytes.span)
        #expect(event.comments == 1)
        #expect(bytes.span.text(try #require(event.event)) == "add")
        #expect(bytes.span.text(try #require(event.id)) == "7")
        #expect(bytes.span.text(try #require(event.retry)) == "250")
        #expect(bytes.span.text(try #require(event.data)) == "{\"a\": 1}")
        #expect(event.dataLines == 1)
    }

    @Test(
        "data",
        arguments: [
            ("data: a\n\n", "a"), ("data:a\n\n", "a"), ("data:  a \n\n", " a "), ("data\n\n", ""),
            ("data:\n\n", ""), ("data: \n\n", ""), ("data: a\ndata: b\n\n", "a\nb"),
            ("data\ndata\n\n", "\n"), ("data: a\r\n: c\r\ndata:\r\ndata: b\r\n\r\n", "a\n\nb"),
            ("data: a:b: c\n\n", "a:b: c"), ("\u{feff}data: a\n\n", "a"), ("Data: a\n\n", ""),
            ("data : a\n\n", ""), ("xdata: a\n\n", ""), ("dat: a\n\n", ""), (" data: a\n\n", ""),
            ("data: a\rdata: b\r\r", "a\nb"), ("data: \u{1F600}\n\n", "\u{1F600}"),
        ]
    )
    func data(_ row: (String, String)) {
        #expect(dataOf(Array(row.0.utf8)) == row.1)
    }

    @Test("id with NUL and retry with letters are ignored; the last of several counts")
    func oddFields() throws {
        let bytes = Array("id: 1\nid: a\0b\nretry: 5\nretry: 5s\nretry:\nevent: a\nevent\n\n".utf8)
        let event = EventStreamEvent(bytes.span)
        #expect(bytes.span.text(try #require(event.id)) == "1")
        #expect(bytes.span.text(try #require(event.retry)) == "5")
        #expect(try #require(event.event).isEmpty)
        #expect(event.data == nil)
        #expect(event.dataLines == 0)
    }

    @Test("lines cover the event byte for byte")
    func lines() {
        let bytes = Array("\u{feff}data: a\r\n:\rid\nretry:1\n\n".utf8)
        var reader = EventStreamLineReader()
        var kinds: [EventStreamLine.Kind] = []
        var end = 0
        while let line = reader.next(bytes.span) {
            #expect(line.line.lowerBound == end)
            end = line.line.upperBound
            kinds.append(line.kind)
        }
        #expect(end == bytes.count)
        #expect(kinds == [.data, .comment, .id, .retry, .empty])
        #expect(reader.next(bytes.span) == nil)
    }

    private func dataOf(_ event: [UInt8]) -> String {
        let out = ByteBuffer()
        EventStreamEvent(event.span).appendData(of: event.span, to: out)
        return out.text
    }
}
