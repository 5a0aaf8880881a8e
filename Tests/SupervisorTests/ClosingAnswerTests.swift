// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP
import Scoreboard
import Support
import Testing

@testable import Supervisor

@Suite struct ClosingAnswerTests {
    /// What a client reads from an answer.
    private struct Read: Equatable {
        var status = 0
        var body: [UInt8] = []
        var isComplete = false
        var unread = 0
    }

    /// As any client would.
    private func read(_ bytes: [UInt8], method: HTTPMethod = .post) throws -> Read {
        let buffer = ByteBuffer()
        buffer.append(bytes.span)
        var decoder = ResponseDecoder()
        decoder.begin(requestMethod: method)
        var read = Read()
        while !read.isComplete {
            let event = try buffer.withBytes { bytes throws(HTTPParseError) in
                let event = try decoder.next(bytes)
                if case .data(let range, _) = event {
                    for index in range { read.body.append(bytes[index]) }
                }
                return event
            }
            switch event {
            case .interim, .needMore:
                Issue.record("\(event)")
                return read
            case .head(let consumed):
                read.status = decoder.head.status
                buffer.consume(consumed)
            case .data(_, let consumed):
                buffer.consume(consumed)
            case .end(let consumed):
                buffer.consume(consumed)
                read.isComplete = true
            }
        }
        read.unread = buffer.count
        return read
    }

    private func form(
        _ errors: ErrorDialect = .openAI,
        _ stream: StreamDialect = .chat
    ) -> AnswerForm {
        var form = AnswerForm()
        form.errors = errors
        form.stream = stream
        form.isStream = true
        form.isChunked = true
        return form
    }

    /// Whether the JSON is an error as the vendor writes it.
    private func expectError(
        _ json: JSONValue,
        _ dialect: ErrorDialect,
        _ reason: ClosingAnswer.Reason
    ) {
        let error = json["error"]
        #expect(error?["message"]?.string == reason.message)
        switch dialect {
        case .openAI:
            #expect(error?["type"]?.string == "server_error")
            #expect(error?["code"]?.string == reason.code)
            #expect(error?["param"] == .null)
        case .anthropic:
            #expect(json["type"]?.string == "error")
            #expect(error?["type"]?.string == "overloaded_error")
        case .gemini:
            #expect(error?["code"]?.int == 503)
            #expect(error?["status"]?.string == "UNAVAILABLE")
        }
    }

    // MARK: Whole answers

    @Test(
        "A whole answer is 503 with an error of the client's vendor",
        arguments: ErrorDialect.allCases,
        ClosingAnswer.Reason.allCases
    )
    func unavailable(dialect: ErrorDialect, reason: ClosingAnswer.Reason) throws {
        let bytes = ClosingAnswer.unavailable(reason, form(dialect))
        let answer = try read(bytes)
        #expect(answer.status == 503 && answer.isComplete && answer.unread == 0)
        expectError(try JSONValue(bytes: answer.body), dialect, reason)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("\r\nContent-Type: application/json\r\n"))
        #expect(text.contains("\r\nRetry-After: 1\r\n"))
        #expect(text.contains("\r\nConnection: close\r\n"))
        #expect(text.contains("\r\nContent-Length: \(answer.body.count)\r\n"))
        #expect(!text.contains("x-request-id"))
    }

    @Test("HEAD gets the same head and no body", arguments: ErrorDialect.allCases)
    func head(dialect: ErrorDialect) throws {
        var form = form(dialect)
        let whole = ClosingAnswer.unavailable(.workerLost, form, requestID: "req_1")
        form.isHead = true
        let bytes = ClosingAnswer.unavailable(.workerLost, form, requestID: "req_1")
        let answer = try read(bytes, method: .head)
        #expect(answer == Read(status: 503, body: [], isComplete: true, unread: 0))
        #expect(Array(whole.prefix(bytes.count)) == bytes)
        #expect(String(decoding: bytes, as: UTF8.self).hasSuffix("\r\n\r\n"))
    }

    @Test(
        "The id of the request is named, unless it could break the head",
        arguments: [
            ("req_0123456789abcdef", true), ("a", true), ("~!@#", true),
            ("a b", false), ("a\r\nx: y", false), ("\u{7F}", false), ("\u{E9}", false),
            ("\0", false),
        ]
    )
    func requestID(id: String, isNamed: Bool) throws {
        let bytes = ClosingAnswer.unavailable(.workerLost, form(), requestID: id)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("\r\nx-request-id: \(id)\r\n") == isNamed)
        #expect(text.contains("x-request-id") == isNamed)
        #expect(try read(bytes).isComplete)
    }

    // MARK: Ends of streams

    /// The data of a chunked body behind the head that the worker has sent.
    private func rest(_ end: [UInt8], after sent: String = "") throws -> Read {
        var bytes = Array("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".utf8)
        if !sent.isEmpty {
            bytes += Array("\(String(sent.utf8.count, radix: 16))\r\n\(sent)\r\n".utf8)
        }
        var read = try read(bytes + end)
        #expect(read.status == 200 && read.isComplete && read.unread == 0)
        #expect(read.body.starts(with: Array(sent.utf8)))
        read.body.removeFirst(sent.utf8.count)
        return read
    }

    /// The events of a stream: name and data.
    private func events(_ body: [UInt8]) -> [(event: String?, data: String)] {
        let buffer = ByteBuffer()
        buffer.append(body.span)
        var splitter = EventStreamSplitter()
        var events: [(event: String?, data: String)] = []
        while let length = buffer.withBytes({ splitter.next($0) }) {
            let bytes = Array(buffer.array.prefix(length))
            let event = EventStreamEvent(bytes.span)
            let data = ByteBuffer()
            event.appendData(of: bytes.span, to: data)
            let name = event.event.map { String(decoding: bytes[$0], as: UTF8.self) }
            events.append((name, data.text))
            buffer.consume(length)
        }
        #expect(buffer.count == 0)
        return events
    }

    struct Stream: CustomTestStringConvertible, Sendable {
        let dialect: StreamDialect
        let errors: ErrorDialect
        /// What the worker has sent before.
        let sent: String
        let event: String?
        var testDescription: String { "\(dialect)" }
    }

    static let streams = [
        Stream(dialect: .chat, errors: .openAI, sent: "data: {\"id\":1}\n\n", event: nil),
        Stream(dialect: .completions, errors: .openAI, sent: "data: {}\n\n", event: nil),
        Stream(
            dialect: .messages,
            errors: .anthropic,
            sent: "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            event: "error"
        ),
        Stream(dialect: .gemini, errors: .gemini, sent: "data: {\"a\":1}\r\n\r\n", event: nil),
    ]

    @Test("A stream of events ends with an error event of its dialect", arguments: streams)
    func streamEnd(row: Stream) throws {
        for reason in ClosingAnswer.Reason.allCases {
            let end = ClosingAnswer.streamEnd(reason, form(row.errors, row.dialect))
            for sent in ["", row.sent] {
                let events = events(try rest(end, after: sent).body)
                #expect(events.count == 1)
                #expect(events.first?.event == row.event)
                expectError(try JSONValue(events.first?.data ?? ""), row.errors, reason)
            }
        }
    }

    @Test("A stream without chunks ends with the bare event", arguments: streams)
    func bareStreamEnd(row: Stream) throws {
        var form = form(row.errors, row.dialect)
        form.isChunked = false
        let events = events(ClosingAnswer.streamEnd(.workerLost, form))
        #expect(events.count == 1)
        #expect(events.first?.event == row.event)
        expectError(try JSONValue(events.first?.data ?? ""), row.errors, .workerLost)
    }

    @Test("A stream of responses ends with its own kind of error event")
    func responsesEnd() throws {
        let end = ClosingAnswer.streamEnd(.workerLost, form(.openAI, .responses))
        let events = events(try rest(end, after: "event: a\ndata: {}\n\n").body)
        #expect(events.count == 1 && events.first?.event == "error")
        let error = try JSONValue(events.first?.data ?? "")
        #expect(error["type"]?.string == "error")
        #expect(error["code"]?.string == "worker_lost")
        #expect(error["message"]?.string == ClosingAnswer.Reason.workerLost.message)
        #expect(error["param"] == .null && error["sequence_number"]?.int == 0)
    }

    @Test(
        "A JSON array that is written piece by piece stays JSON",
        arguments: [("", 0), ("[{\"a\":1}", 1), ("[{\"a\":1},\r\n{\"b\":[2]}", 2)]
    )
    func arrayEnd(sent: String, count: Int) throws {
        var form = form(.gemini, .geminiArray)
        form.hasBody = !sent.isEmpty
        let end = ClosingAnswer.streamEnd(.workerLost, form)
        let body = Array(sent.utf8) + (try rest(end, after: sent).body)
        let items = try JSONValue(bytes: body).array ?? []
        #expect(items.count == count + 1)
        expectError(items.last ?? .null, .gemini, .workerLost)
    }
}
