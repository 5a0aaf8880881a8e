// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Scoreboard
import Support
import System
import Testing

@testable import Worker

/// The record of a connection is what is left of it after a crash: at every quiet point it must say
/// what the kernel says.
@Suite("The record of a connection")
struct RecordTests {
    /// A connection over TCP whose record is compared with the kernel's counts.
    private struct Watched {
        let harness: WorkerHarness
        let client: TestClient
        let copy: KeptCopy
        let number: Int

        init(_ harness: WorkerHarness) throws {
            self.harness = harness
            let made = try harness.networkClient()
            client = made.client
            copy = made.copy
            number = Int(harness.lastID)
        }

        var record: ConnectionRecord { harness.board.record(number) }

        /// What differs between the record and the kernel's counts.
        func differences() -> [String] {
            let record = record
            var result: [String] = []
            let written = Syscalls.bytesWritten(copy.raw).map { UInt64($0) }
            let consumed = Syscalls.bytesConsumed(copy.raw).map { UInt64($0) }
            if record.written != written { result.append("written \(record), \(written ?? 0)") }
            if record.boundary != written { result.append("boundary \(record), \(written ?? 0)") }
            if record.consumed != consumed { result.append("consumed \(record), \(consumed ?? 0)") }
            if record.isWriting { result.append("writing") }
            return result
        }
    }

    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let request: String
        var isHead = false
        var closes = false
    }

    static let whole: [Case] = [
        Case(testDescription: "health", request: TestRequest.get("/health")),
        Case(
            testDescription: "HEAD",
            request: "HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n",
            isHead: true
        ),
        Case(testDescription: "an error", request: TestRequest.get("/nowhere")),
        Case(
            testDescription: "a preflight",
            request: "OPTIONS /health HTTP/1.1\r\nHost: h\r\n\r\n"
        ),
        Case(testDescription: "a whole answer", request: TestRequest.chat("demo/fast")),
        Case(testDescription: "a stream", request: TestRequest.chat("demo/fast", stream: true)),
        Case(
            testDescription: "a chunked request",
            request: "POST /v1/embeddings HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "2\r\n{}\r\n0\r\n\r\n"
        ),
        Case(
            testDescription: "a large request",
            request: TestRequest.chat(
                "demo/fast",
                more: #","user":"\#(String(repeating: "x", count: 200_000))""#
            )
        ),
        Case(
            testDescription: "HTTP/1.0 that stays",
            request: "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        ),
        Case(
            testDescription: "HTTP/1.0",
            request: "GET /health HTTP/1.0\r\n\r\n",
            closes: true
        ),
        Case(testDescription: "no HTTP", request: "\u{1}\u{2}\r\n\r\n", closes: true),
    ]

    @Test("after an answer is idle and agrees with the kernel", arguments: whole)
    func afterAnswers(_ row: Case) throws {
        let harness = try WorkerHarness()
        let watched = try Watched(harness)
        try harness.turn()
        #expect(watched.record == ConnectionRecord())
        for _ in 0..<2 {
            try watched.client.send(row.request)
            let answer = try watched.client.answer(toHead: row.isHead)
            #expect(answer.isWhole)
            try harness.turn()
            #expect(watched.record.form == AnswerForm())
            if row.closes {
                #expect(watched.record.phase == .closing)
                break
            }
            #expect(watched.record.phase == .idle)
            #expect(watched.differences() == [])
            #expect(watched.record.answerStart == watched.record.written)
        }
    }

    #if DEBUG
    @Test("has no id once its answer is out, so that the next request is not called by it")
    func idAfterAnswers() throws {
        let harness = try WorkerHarness()
        let watched = try Watched(harness)
        var ids: [String?] = []
        harness.worker.scoreboard.afterEveryStore {
            let record = watched.record
            guard record.phase == .reading, record.written > 0 else { return }
            ids.append(harness.board.requestID(watched.number))
        }
        for id in ["mine-1", "mine-2"] {
            try watched.client.send(TestRequest.get("/health", "x-request-id: \(id)\r\n"))
            #expect(try watched.client.answer()["x-request-id"] == id)
            try harness.turn()
            #expect(harness.board.requestID(watched.number) == nil)
        }
        harness.worker.scoreboard.afterEveryStore(nil)
        #expect(ids.contains("mine-2"))
        #expect(!ids.contains("mine-1"))
    }
    #endif

    @Test("in the middle of requests tells how far they are")
    func reading() throws {
        let harness = try WorkerHarness()
        let watched = try Watched(harness)
        let request = Array(TestRequest.chat("demo/hang", "x-request-id: mine-1\r\n").utf8)
        let cut = request.count - 10
        try watched.client.send(Array(request[..<5]))
        try harness.turn()
        #expect(watched.record.phase == .reading)
        #expect(watched.differences() == [])
        #expect(harness.board.requestID(watched.number)?.hasPrefix("req_") == true)
        try watched.client.send(Array(request[5..<cut]))
        try harness.turn()
        #expect(watched.record.phase == .reading)
        #expect(watched.record.consumed == UInt64(cut))
        #expect(harness.board.requestID(watched.number) == "mine-1")
        try watched.client.send(Array(request[cut...]))
        try harness.turn()
        #expect(watched.record.phase == .answering)
        #expect(watched.record.form == AnswerForm())
        #expect(watched.record.written == 0 && watched.record.answerStart == 0)
        #expect(watched.differences() == [])
    }

    @Test("has the interim answer before the answer")
    func interim() throws {
        let harness = try WorkerHarness()
        let watched = try Watched(harness)
        let request = TestRequest.chat("demo/hang", "Expect: 100-continue\r\n")
        guard let end = request.firstRange(of: "\r\n\r\n") else { throw TestFailure("no end") }
        try watched.client.send(String(request[..<end.upperBound]))
        try watched.client.wait(for: "100 Continue\r\n\r\n")
        #expect(watched.record.phase == .reading)
        #expect(watched.record.answerStart == 25)
        #expect(watched.differences() == [])
        try watched.client.send(String(request[end.upperBound...]))
        try harness.turn()
        #expect(watched.record.phase == .answering)
        #expect(watched.record.answerStart == 25)
        #expect(watched.differences() == [])
    }

    @Test("is not idle while a part of the next request was read")
    func pipelining() throws {
        let harness = try WorkerHarness()
        let watched = try Watched(harness)
        let one = TestRequest.get("/health")
        // More than are answered in one turn, and a part of another one.
        try watched.client.send(String(repeating: one, count: 40) + "GET /hea")
        for _ in 0..<6 {
            try harness.loop.turn(waitMax: 1)
            #expect(watched.record.phase != .idle || watched.record.consumed == 0)
            #expect(watched.differences() == [])
        }
        #expect(watched.record.phase == .reading)
        try watched.client.send("lth HTTP/1.1\r\nHost: h\r\n\r\n")
        for _ in 0..<41 { _ = try watched.client.answer() }
        try harness.turn()
        #expect(watched.record.phase == .idle)
        #expect(watched.differences() == [])
    }

    // MARK: Streams

    struct Dialect: CustomTestStringConvertible {
        let testDescription: String
        let path: String
        let body: String
        let stream: StreamDialect
        let errors: ErrorDialect
    }

    private static let message = #"[{"role":"user","content":"hello"}]"#
    private static let contents = #"{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}"#

    static let dialects: [Dialect] = [
        Dialect(
            testDescription: "chat",
            path: "/v1/chat/completions",
            body: #"{"model":"demo/stall","stream":true,"messages":\#(message)}"#,
            stream: .chat,
            errors: .openAI
        ),
        Dialect(
            testDescription: "plain chat",
            path: "/chat/stream",
            body: #"{"model":"demo/stall","messages":\#(message)}"#,
            stream: .chat,
            errors: .openAI
        ),
        Dialect(
            testDescription: "completions",
            path: "/v1/completions",
            body: #"{"model":"demo/stall","stream":true,"prompt":"hello"}"#,
            stream: .completions,
            errors: .openAI
        ),
        Dialect(
            testDescription: "responses",
            path: "/v1/responses",
            body: #"{"model":"demo/stall","stream":true,"input":"hello"}"#,
            stream: .responses,
            errors: .openAI
        ),
        Dialect(
            testDescription: "messages",
            path: "/v1/messages",
            body: #"{"model":"demo/stall","stream":true,"max_tokens":9,"messages":\#(message)}"#,
            stream: .messages,
            errors: .anthropic
        ),
        Dialect(
            testDescription: "gemini",
            path: "/v1beta/models/demo%2Fstall:streamGenerateContent?alt=sse",
            body: contents,
            stream: .gemini,
            errors: .gemini
        ),
        Dialect(
            testDescription: "gemini's array",
            path: "/v1beta/models/demo%2Fstall:streamGenerateContent",
            body: contents,
            stream: .geminiArray,
            errors: .gemini
        ),
    ]

    /// The content of chunks that end where the text ends; nil when they do not.
    private static func content(of text: String) -> String? {
        guard let head = text.firstRange(of: "\r\n\r\n") else { return nil }
        var rest = text[head.upperBound...].utf8[...]
        var content = ""
        while !rest.isEmpty {
            guard let line = rest.firstIndex(of: UInt8(ascii: "\r")),
                let size = Int(String(rest[..<line]) ?? "", radix: 16), size > 0
            else { return nil }
            let begin = rest.index(line, offsetBy: 2)
            guard rest.distance(from: begin, to: rest.endIndex) >= size + 2 else { return nil }
            let end = rest.index(begin, offsetBy: size)
            content += String(rest[begin..<end]) ?? ""
            rest = rest[rest.index(end, offsetBy: 2)...]
        }
        return content
    }

    @Test("of a stream stands between two events whenever nothing moves", arguments: dialects)
    func streams(_ row: Dialect) throws {
        let harness = try WorkerHarness()
        let watched = try Watched(harness)
        try watched.client.send(TestRequest.get("/health"))
        _ = try watched.client.answer()
        let before = watched.record.written
        try watched.client.send(TestRequest.post(row.path, row.body))
        var quiet = 0
        try harness.loop.wait("a stream that stalls") {
            // Between two turns nothing moves, so each is a point at which a crash may come.
            let differences = watched.differences()
            #expect(differences == [])
            let seen = watched.client.input.count
            watched.client.read()
            quiet = watched.client.input.count == seen && seen > 0 ? quiet + 1 : 0
            return quiet > 20
        }
        let record = watched.record
        #expect(record.phase == .answering)
        #expect(record.answerStart == before)
        #expect(record.written == before + UInt64(watched.client.input.count))
        var form = AnswerForm()
        form.stream = row.stream
        form.errors = row.errors
        form.isStream = true
        form.isChunked = true
        form.hasBody = true
        #expect(record.form == form)
        let content = try #require(Self.content(of: watched.client.text))
        if row.stream == .geminiArray {
            _ = try JSONValue(content + "]")
        } else {
            #expect(content.hasSuffix("\n\n"))
        }
    }

    @Test("says that nothing of an array is out when only signs of life are")
    func arrayKeepalive() throws {
        let (harness, _) = try WorkerHarness.scripted(
            #""streams": {"keepalive": "20ms"}"#
        ) { _ in [.request, .stall] }
        let watched = try Watched(harness)
        try watched.client.send(
            TestRequest.post("/v1beta/models/up%2Fm:streamGenerateContent", Self.contents)
        )
        try watched.client.wait(for: "\r\n1\r\n\n\r\n")
        #expect(watched.record.form.stream == .geminiArray)
        #expect(watched.record.form.isChunked && !watched.record.form.hasBody)
        #expect(watched.differences() == [])
    }

    #if DEBUG
    @Test("of a stream says complete before its last event goes out, in the same write")
    func lastEvent() throws {
        let (harness, server) = try WorkerHarness.scripted { _ in
            [.request, .send(TestUpstream.streamHead)]
        }
        let watched = try Watched(harness)
        try watched.client.send(TestRequest.chat("up/m", stream: true))
        try harness.loop.wait("the upstream's request") { server.requests.count == 1 }
        server.peers[0].say(TestUpstream.chunk(TestUpstream.event("a")))
        try watched.client.wait(for: "\"a\"")
        var writes: [AnswerForm] = []
        harness.worker.scoreboard.afterEveryStore {
            // What the record says while a write is under way.
            guard watched.record.isWriting else { return }
            writes.append(watched.record.form)
        }
        // The upstream does not end its body.
        server.peers[0].say(TestUpstream.chunk(TestUpstream.finish + TestUpstream.done))
        let answer = try watched.client.answer()
        harness.worker.scoreboard.afterEveryStore(nil)
        #expect(answer.isWhole && answer.events.last == "[DONE]")
        #expect(writes.last?.isComplete == true)
        // Only the boundary is stored before the form, and before the call.
        #expect(writes.count { !$0.isComplete } <= 1)
    }
    #endif

    @Test("of a stream over HTTP/1.0 says that its end cannot be told")
    func oldStream() throws {
        let harness = try WorkerHarness()
        let watched = try Watched(harness)
        let body = #"{"model":"demo/stall","stream":true,"messages":\#(Self.message)}"#
        try watched.client.send(
            "POST /v1/chat/completions HTTP/1.0\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                + body
        )
        try watched.client.wait(for: "data: ")
        try harness.turn()
        #expect(watched.record.form.isStream && !watched.record.form.isChunked)
        #expect(watched.differences() == [])
    }

    @Test("of a client that does not read says where the answer would stand")
    func blocked() throws {
        let harness = try WorkerHarness()
        let made = try harness.networkClient(receiveBuffer: 4096)
        try made.client.send(TestRequest.chat("demo/long", stream: true))
        var last: UInt64 = 0
        var quiet = 0
        try harness.loop.wait("a full connection") {
            let record = harness.record
            quiet = record.boundary > record.written && record.written == last ? quiet + 1 : 0
            last = record.written
            return quiet > 10
        }
        let record = harness.record
        #expect(record.written == Syscalls.bytesWritten(made.copy.raw).map { UInt64($0) })
        #expect(!record.isWriting)
        let queued = try #require(harness.worker.connections.values.first).outputBytes
        #expect(record.boundary == record.written + UInt64(queued))
        #expect(harness.board.load.bytesQueued == queued)
        let answer = try made.client.answer()
        #expect(answer.isWhole && answer.events.last == "[DONE]")
        try harness.turn()
        #expect(harness.record.phase == .idle)
        #expect(harness.board.load.bytesQueued == 0)
    }
}
