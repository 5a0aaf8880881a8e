// SPDX-License-Identifier: Apache-2.0
import Bytes
import Loop
import Support
import System
import Testing

@testable import Worker

@Suite("Embeddings")
struct EmbeddingExchangeTests {
    private static let titan = "aws/amazon.titan-embed-text-v2:0"
    /// A script of requests that the test answers.
    private static let manyRequests = Array(repeating: ServerStep.request, count: 20)

    /// A worker with Bedrock and Gemini upstreams that play the same script on every connection.
    private func start(
        _ script: @escaping (Int) -> [ServerStep],
        more: String = ""
    ) throws -> (harness: WorkerHarness, server: ScriptedServer) {
        let loop = try EventLoop()
        let server = try ScriptedServer(on: loop, script: script)
        let url = "http://127.0.0.1:\(server.port)"
        let config = """
            {"upstreams": {
                "aws": {"kind": "bedrock", "region": "eu-central-1", "base_url": "\(url)",
                    "access_key_id": "AKID", "secret_access_key": "${env:SECRET}"},
                "google": {"kind": "gemini", "base_url": "\(url)", "api_key": "${env:KEY}"},
                "up": {"kind": "openai", "base_url": "\(url)/v1", "api_key": "${env:KEY}"}
            }, "retries": {"tries_per_target": 1}\(more)}
            """
        return (try WorkerHarness(config, on: loop), server)
    }

    private func request(
        _ count: Int,
        _ model: String = titan,
        _ fields: String = "",
        more: String = ""
    ) -> String {
        let inputs = (0..<count).map { "\"text \($0)\"" }.joined(separator: ",")
        return TestRequest.post(
            "/v1/embeddings",
            #"{"model":"\#(model)","input":[\#(inputs)]\#(more)}"#,
            fields
        )
    }

    private func body(of request: String) throws -> JSONValue {
        let end = try #require(request.firstRange(of: "\r\n\r\n")?.upperBound)
        return try JSONValue(String(request[end...]))
    }

    /// The number at the end of the text that a request of Titan's has.
    private func number(of request: String) throws -> Int {
        let text = try #require(try body(of: request)["inputText"]?.string)
        return try #require(Int(text.dropFirst(5)))
    }

    private static func head(_ status: Int, _ body: String, _ fields: String = "") -> String {
        "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
    }

    private static func vector(_ number: Int) -> String {
        head(200, #"{"embedding":[\#(number).5,-1],"inputTextTokenCount":\#(number + 1)}"#)
    }

    private func expectNothingLeft(_ harness: WorkerHarness) {
        #expect(harness.worker.buffers.taken == 0)
        #expect(harness.worker.lane.buffersInUse == 0)
        #expect(harness.worker.upstreams.allSatisfy { $0.calls == 0 })
    }

    // MARK: Several calls

    @Test("texts go to Titan one by one, four at once, and come back in order")
    func order() throws {
        let (harness, server) = try start { _ in Self.manyRequests }
        let client = try harness.client()
        try client.send(request(10, Self.titan, "Idempotency-Key: once\r\n"))
        var answered: Set<String> = []
        for done in 0..<10 {
            let running = min(4, 10 - done)
            try harness.loop.wait("\(running) calls") { server.requests.count == done + running }
            try harness.turn()
            #expect(server.requests.count == done + running)
            // The call that was sent last is answered first.
            let open = server.peers.filter { peer in
                peer.requests.last.map { !answered.contains($0) } ?? false
            }
            #expect(open.count == running)
            let peer = try #require(open.last)
            let text = try #require(peer.requests.last)
            answered.insert(text)
            peer.say(Self.vector(try number(of: text)))
        }
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(answer["apus-attempts"] == "1")
        let json = try answer.json
        let data = try #require(json["data"]?.array)
        #expect(data.map { $0["index"]?.int } == Array(0..<10))
        #expect(data.map { $0["embedding"]?[0]?.number } == (0..<10).map { Double($0) + 0.5 })
        #expect(json["usage"]?["prompt_tokens"]?.int == 55)
        #expect(json["model"]?.string == Self.titan)
        let lines = try harness.accessLines()
        #expect(lines.first?["tokens_in"]?.int == 55)
        #expect(Set(try server.requests.map { try number(of: $0) }) == Set(0..<10))
        // Each is signed for its own body, and none claims to be another.
        let signatures = server.requests.compactMap { text in
            text.split(separator: "\r\n").first { $0.hasPrefix("authorization: ") }
        }
        #expect(Set(signatures).count == 10)
        #expect(!server.requests.contains { $0.contains("idempotency-key") })
        expectNothingLeft(harness)
    }

    @Test("a single text is one call with everything that belongs to it")
    func single() throws {
        let (harness, server) = try start { _ in [.request, .send(Self.vector(0))] }
        let client = try harness.client()
        try client.send(
            request(
                1,
                Self.titan,
                "Idempotency-Key: once\r\n",
                more: #","dimensions":256,"user":"u","encoding_format":"base64""#
            )
        )
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(try answer.json["data"]?[0]?["embedding"]?.string == "AAAAPwAAgL8=")
        #expect(answer["apus-dropped"] == "user")
        let sent = try #require(server.requests.first)
        #expect(sent.contains("idempotency-key: once"))
        let target = "POST /model/amazon.titan-embed-text-v2%3A0/invoke HTTP/1.1"
        #expect(sent.hasPrefix(target))
        #expect(try body(of: sent)["dimensions"]?.int == 256)
        expectNothingLeft(harness)
    }

    struct Failing: CustomTestStringConvertible {
        let testDescription: String
        let steps: [ServerStep]
        let status: Int
        let code: String
        /// Whether bodies have to be there before it shows.
        var isFoundAtTheEnd = false
    }

    static let failures: [Failing] = [
        Failing(
            testDescription: "a refusal",
            steps: [.send(head(429, #"{"message":"slow"}"#, "Retry-After: 9\r\n"))],
            status: 429,
            code: "rate_limit_exceeded"
        ),
        Failing(
            testDescription: "a broken connection",
            steps: [.reset],
            status: 502,
            code: "upstream_cut"
        ),
        Failing(
            testDescription: "an answer that is cut",
            steps: [.send("HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{"), .close],
            status: 502,
            code: "upstream_cut"
        ),
        Failing(
            testDescription: "an error with a good status",
            steps: [.send(head(200, #"{"message":"no"}"#))],
            status: 502,
            code: "upstream_invalid_response",
            isFoundAtTheEnd: true
        ),
    ]

    @Test("what goes wrong with one call ends all of them", arguments: failures)
    func oneFails(_ row: Failing) throws {
        let (harness, server) = try start { _ in Self.manyRequests }
        let client = try harness.client()
        try client.send(request(9))
        try harness.loop.wait("four calls") { server.requests.count == 4 }
        for step in row.steps {
            switch step {
            case .send(let bytes): server.peers[2].say(String(decoding: bytes, as: UTF8.self))
            case .reset: server.peers[2].end(resetting: true)
            default: server.peers[2].end()
            }
        }
        if row.isFoundAtTheEnd {
            var answered = [0, 0, 1, 0]
            try harness.loop.wait("the answer") {
                for (index, peer) in server.peers.enumerated()
                where peer.requests.count > answered[index] {
                    answered[index] += 1
                    peer.say(Self.vector(0))
                }
                client.read()
                return !client.text.isEmpty
            }
        }
        let answer = try client.answer()
        #expect(answer.status == row.status)
        #expect(try answer.json["error"]?["code"]?.string == row.code)
        #expect((answer["retry-after"] == "9") == (row.status == 429))
        try harness.turn()
        expectNothingLeft(harness)
        if row.status == 429 { #expect(server.requests.count == 4) }
    }

    @Test("a client that leaves ends all calls")
    func clientLeaves() throws {
        let (harness, server) = try start { _ in Self.manyRequests }
        let client = try harness.client()
        try client.send(request(9))
        try harness.loop.wait("four calls") { server.requests.count == 4 }
        server.peers[0].say(Self.vector(0))
        try harness.loop.wait("the fifth call") { server.requests.count == 5 }
        client.close()
        try harness.loop.wait("their end") {
            harness.worker.connectionCount == 0
        }
        try harness.loop.wait("their end upstream") {
            server.peers.count { $0.isOpen } <= 1
        }
        expectNothingLeft(harness)
    }

    @Test("calls that take longer than one may take fail as one")
    func totalTime() throws {
        let (harness, server) = try start(
            { _ in [.request] },
            more: #", "timeouts": {"total": "300ms"}"#
        )
        let client = try harness.client()
        try client.send(request(9))
        try harness.loop.wait("four calls") { server.requests.count == 4 }
        server.peers[0].say(Self.vector(0))
        let answer = try client.answer()
        #expect(answer.status == 504)
        try harness.turn()
        expectNothingLeft(harness)
    }

    @Test("answers that are too large together are refused")
    func tooLarge() throws {
        let (harness, server) = try start { _ in Self.manyRequests }
        let client = try harness.client()
        try client.send(request(5))
        try harness.loop.wait("four calls") { server.requests.count == 4 }
        let size = AttemptAnswer.answerBytesMax / 4
        let text = Self.head(200, String(repeating: " ", count: size + 1))
        for peer in server.peers { peer.say(text) }
        let answer = try client.answer()
        #expect(answer.status == 502)
        #expect(try answer.json["error"]?["code"]?.string == "upstream_answer_too_large")
        try harness.turn()
        expectNothingLeft(harness)
    }

    @Test("a member that the model refuses is left out of every call the next time")
    func refusedMember() throws {
        let (harness, server) = try start { _ in [.request, .respond, .again] }
        server.respond = { text in
            let refusal =
                #"{"message":"Malformed input request: extraneous key [normalize] is not "#
                + #"permitted, please reformat your input and try again."}"#
            let answer = text.contains("normalize") ? Self.head(400, refusal) : Self.vector(0)
            return [Array(answer.utf8)]
        }
        let client = try harness.client()
        try client.send(request(6))
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(try answer.json["data"]?.array?.count == 6)
        let plain = server.requests.filter { !$0.contains("normalize") }
        #expect(plain.count == 6)
        expectNothingLeft(harness)
    }

    @Test("Gemini gets a hundred texts at once")
    func batches() throws {
        let (harness, server) = try start { _ in [.request, .respond, .again] }
        server.respond = { text in
            let count = text.split(separator: #""model":"#).count - 1
            let vectors = Array(repeating: #"{"values":[0.25]}"#, count: count)
            let body = #"{"embeddings":[\#(vectors.joined(separator: ","))]}"#
            return [Array(Self.head(200, body).utf8)]
        }
        let client = try harness.client()
        try client.send(request(230, "google/gemini-embedding-001"))
        let answer = try client.answer()
        #expect(try answer.json["data"]?.array?.count == 230)
        let counts = try server.requests.map { try body(of: $0)["requests"]?.array?.count }
        #expect(counts == [100, 100, 30])
        #expect(server.requests.allSatisfy { $0.contains(":batchEmbedContents HTTP/1.1") })
        // Nobody has counted: a quarter of the bytes.
        let bytes = (0..<230).reduce(0) { $0 + "text \($1)".utf8.count }
        #expect(try answer.json["usage"]?["total_tokens"]?.int == (bytes + 3) / 4)
        expectNothingLeft(harness)
    }

    // MARK: One call

    @Test("OpenAI's answers go through as they are, in the form that was asked for")
    func passed() throws {
        let list =
            #"{"data":[{"object":"embedding","index":0,"embedding":[ 0.5,-1 ]}],"model":"x","#
            + #""usage":{"prompt_tokens":3,"total_tokens":3},"extra":1}"#
        let (harness, server) = try start { _ in [.request, TestUpstream.json(200, list), .again] }
        let client = try harness.client()
        try client.send(request(1, "up/m", more: #","extra":[1]"#))
        let same = try client.answer()
        #expect(same.body == list)
        #expect(try body(of: try #require(server.requests.first))["extra"] != nil)
        #expect(try body(of: try #require(server.requests.first))["model"]?.string == "m")
        try client.send(request(1, "up/m", more: #","encoding_format":"base64""#))
        let converted = try client.answer()
        #expect(try converted.json["data"]?[0]?["embedding"]?.string == "AAAAPwAAgL8=")
        #expect(try converted.json["model"]?.string == "up/m")
        let lines = try harness.accessLines()
        #expect(lines.map { $0["tokens_in"]?.int } == [3, 3])
        expectNothingLeft(harness)
    }

    @Test("what OpenAI's clients understand better than we goes through")
    func unknown() throws {
        let strange = #"{"object":"list","vectors":7}"#
        let (harness, _) = try start { _ in [.request, TestUpstream.json(200, strange)] }
        let client = try harness.client()
        try client.send(request(1, "up/m"))
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(answer.body == strange)
        expectNothingLeft(harness)
    }

    @Test("Gemini's clients are answered by OpenAI's interface")
    func geminiClient() throws {
        let list = #"{"data":[{"embedding":[0.5]},{"embedding":[1.5]}]}"#
        let (harness, server) = try start { index in
            [.request, TestUpstream.json(200, list), .again]
        }
        let client = try harness.client()
        try client.send(
            TestRequest.post(
                "/v1beta/models/up%2Fm:batchEmbedContents",
                #"{"requests":[{"model":"models/x","content":{"parts":[{"text":"a"}]}},"#
                    + #"{"model":"models/x","content":{"parts":[{"text":"b"}]}}]}"#
            )
        )
        let answer = try client.answer()
        #expect(answer.body == #"{"embeddings":[{"values":[0.5]},{"values":[1.5]}]}"#)
        let sent = try body(of: try #require(server.requests.first))
        #expect(sent == (try JSONValue(#"{"model":"m","input":["a","b"]}"#)))
        expectNothingLeft(harness)
    }

    @Test("what cannot be said is refused with its place, and nobody is asked")
    func refused() throws {
        let (harness, server) = try start { _ in [.request] }
        let client = try harness.client()
        let rows: [(String, String)] = [
            (#"{"model":"\#(Self.titan)","input":[[1],[2]]}"#, "input[0]"),
            (#"{"model":"\#(Self.titan)","input":["a",""]}"#, "input[1]"),
            (#"{"model":"\#(Self.titan)","input":"a","encoding_format":"hex"}"#, "encoding_format"),
        ]
        for (text, param) in rows {
            try client.send(TestRequest.post("/v1/embeddings", text))
            let answer = try client.answer()
            #expect(answer.status == 400)
            #expect(try answer.json["error"]?["param"]?.string == param)
        }
        #expect(server.peers.isEmpty)
        expectNothingLeft(harness)
    }

    @Test("too few vectors are no answer")
    func tooFew() throws {
        let (harness, _) = try start { _ in
            [.request, TestUpstream.json(200, #"{"embeddings":[{"values":[1]}]}"#), .again]
        }
        let client = try harness.client()
        try client.send(request(2, "google/gemini-embedding-001"))
        #expect(try client.answer().status == 502)
        expectNothingLeft(harness)
    }
}
