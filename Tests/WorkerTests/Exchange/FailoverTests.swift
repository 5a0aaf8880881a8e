// SPDX-License-Identifier: Apache-2.0
import Loop
import Support
import System
import Testing

@testable import Worker

@Suite("An exchange with several targets")
struct FailoverTests {
    private static func stream(_ events: String..., cut: Bool = false) -> [[UInt8]] {
        let parts = ProviderMock.stream(events.map { Array($0.utf8) })
        return cut ? Array(parts.dropLast()) : parts
    }

    // MARK: Refusals

    @Test("429 of one target leads to the next")
    func rateLimited() throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        gateway.mock.override = { request in
            guard request.path.hasPrefix("/a/") else { return nil }
            return ProviderMock.json(429, #"{"error":{"message":"slow"}}"#, "Retry-After: 20\r\n")
        }
        let answer = try gateway.post("/v1/chat/completions", MockGateway.chat("m"))
        #expect(answer.status == 200)
        #expect(answer["apus-attempts"] == "2")
        #expect(answer["apus-upstream"] == "b")
        #expect(answer["retry-after"] == nil)
        let timing = answer["server-timing"] ?? ""
        #expect(timing.contains("attempt1;dur=") && timing.contains("attempt2;dur="))
        #expect(timing.contains(#"desc="a "#) && timing.contains(#"desc="b ok""#))
        #expect(gateway.asked == ["a", "b"])
    }

    @Test("429 of all targets is 429, with the shortest wait")
    func allRateLimited() throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        gateway.mock.override = { request in
            let wait = request.path.hasPrefix("/a/") ? 50 : 40
            return ProviderMock.json(
                429,
                #"{"error":{"message":"slow down","type":"requests"}}"#,
                "Retry-After: \(wait)\r\n"
            )
        }
        let chat = try gateway.post("/v1/chat/completions", MockGateway.chat("m"))
        #expect(chat.status == 429)
        #expect(chat["retry-after"] == "40")
        #expect(chat["apus-attempts"] == "2")
        let messages = try gateway.post("/v1/messages", MockGateway.messages("m"))
        #expect(messages.status == 429)
        #expect(messages["retry-after"] == "40")
        #expect(try messages.json["type"]?.string == "error")
        #expect(try messages.json["error"]?["type"]?.string == "rate_limit_error")
    }

    struct Failure: CustomTestStringConvertible {
        let testDescription: String
        let answer: [[UInt8]]?
        var isStream = false
        /// Whether the upstream ends the connection behind the answer.
        var model = "m"
    }

    static let failures: [Failure] = [
        Failure(testDescription: "500", answer: ProviderMock.json(500, "oops")),
        Failure(testDescription: "503", answer: ProviderMock.json(503, #"{"error":"busy"}"#)),
        Failure(testDescription: "a broken connection", answer: nil),
        Failure(testDescription: "an empty answer", answer: ProviderMock.json(200, "")),
        Failure(testDescription: "no JSON", answer: ProviderMock.json(200, "<html>hello</html>")),
        Failure(
            testDescription: "an error with the status 200",
            answer: ProviderMock.json(200, #"{"error":{"message":"no"}}"#)
        ),
        Failure(
            testDescription: "a stream without events",
            answer: stream(": hello\n\n"),
            isStream: true
        ),
        Failure(
            testDescription: "a stream that is no JSON",
            answer: stream("data: oops\n\n"),
            isStream: true
        ),
        Failure(
            testDescription: "a rate-limit event as the first of a stream",
            answer: stream(#"data: {"error":{"message":"slow","code":"429"}}"# + "\n\n"),
            isStream: true
        ),
        Failure(
            testDescription: "a role and then an error",
            answer: stream(
                #"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#
                    + "\n\n",
                #"data: {"error":{"message":"no","type":"server_error"}}"# + "\n\n"
            ),
            isStream: true
        ),
        Failure(
            testDescription: "a stream that ends before content",
            answer: stream(
                #"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}"# + "\n\n"
            ),
            isStream: true
        ),
        Failure(testDescription: "nobody there", answer: nil, model: "d"),
        Failure(testDescription: "nobody there, stream", answer: nil, isStream: true, model: "d"),
    ]

    @Test("a failure before content leads to the next target", arguments: failures)
    func leadsOn(_ row: Failure) throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        gateway.mock.override = { request in
            guard request.path.hasPrefix("/a/") else { return nil }
            return row.answer ?? [Array("HTTP/1.1 200 OK\r\nContent-Le".utf8)]
        }
        if row.answer == nil {
            gateway.mock.server.script = { _ in [.request, .respond, .again] }
            gateway.mock.override = { request in
                request.path.hasPrefix("/a/")
                    ? [Array("HTTP/9 what\r\n\r\n".utf8)] : nil
            }
        }
        let answer = try gateway.post(
            "/v1/chat/completions",
            MockGateway.chat(row.model, [("stream", row.isStream ? true : nil)])
        )
        #expect(answer.status == 200)
        #expect(answer["apus-upstream"] == "b")
        #expect(answer["apus-attempts"] == "2")
        #expect(answer.body.contains("Hi!") || answer.body.contains(#""content":"H"#))
        #expect(!answer.body.contains("error"))
        if row.isStream {
            var problems: [String] = []
            let told = ClientDialect.chat.told(
                stream: answer.body,
                wantsUsage: false,
                &problems
            )
            #expect(told.text == "Hi!")
            #expect(problems.isEmpty)
        }
    }

    @Test("a refusal of the request is final")
    func refused() throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        gateway.mock.override = { _ in
            ProviderMock.json(400, #"{"error":{"message":"bad tool","type":"x"}}"#)
        }
        let answer = try gateway.post("/v1/chat/completions", MockGateway.chat("m"))
        #expect(answer.status == 400)
        #expect(answer.body.contains("bad tool"))
        #expect(gateway.asked == ["a"])
    }

    @Test("an upstream's 401 is not the client's")
    func upstreamKey() throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        gateway.mock.override = { _ in
            ProviderMock.json(401, #"{"error":{"message":"Incorrect API key sk-abcdef123456"}}"#)
        }
        let answer = try gateway.post("/v1/chat/completions", MockGateway.chat("m"))
        #expect(answer.status == 502)
        #expect(!answer.body.contains("sk-abcdef123456"))
        #expect(gateway.asked == ["a", "b"])
    }

    // MARK: Streams of all formats

    struct EarlyError: CustomTestStringConvertible {
        let testDescription: String
        let model: String
        let bytes: [[UInt8]]
        /// The same behind a first piece of text.
        var later: [UInt8] = []
    }

    private static let amazon = "application/vnd.amazon.eventstream"
    private static let claudeStart =
        #"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","#
        + #""content":[],"model":"c","stop_reason":null,"stop_sequence":null,"#
        + #""usage":{"input_tokens":3,"output_tokens":1}}}"#
    private static let claudeError =
        #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#

    static let earlyErrors: [EarlyError] = [
        EarlyError(
            testDescription: "OpenAI Responses",
            model: "x-responses",
            bytes: stream(
                #"event: response.created\#ndata: {"type":"response.created","sequence_number":0,"#
                    + #""response":{"id":"resp_1","object":"response","status":"in_progress","#
                    + #""output":[]}}\#n\#n"#,
                #"event: response.failed\#ndata: {"type":"response.failed","sequence_number":1,"#
                    + #""response":{"id":"resp_1","status":"failed","error":null,"#
                    + #""output":[]}}\#n\#n"#,
                #"event: error\#ndata: {"type":"error","error":{"type":"too_many_requests","#
                    + #""code":"too_many_requests","message":"slow"}}\#n\#n"#
            )
        ),
        EarlyError(
            testDescription: "Anthropic",
            model: "x-anthropic",
            bytes: stream(
                "event: message_start\ndata: \(claudeStart)\n\n",
                "event: error\ndata: \(claudeError)\n\n"
            )
        ),
        EarlyError(
            testDescription: "Claude at SAP",
            model: "x-sap",
            bytes: stream("data: \(claudeStart)\n\n", "data: \(claudeError)\n\n")
        ),
        EarlyError(
            testDescription: "Claude at Bedrock",
            model: "x-bedrock",
            bytes: ProviderMock.stream(
                [
                    AmazonFrames.chunk(claudeStart),
                    AmazonFrames.exception("throttlingException", #"{"message":"Too many"}"#),
                ],
                type: amazon
            )
        ),
        EarlyError(
            testDescription: "Gemini",
            model: "x-gemini",
            bytes: stream(
                #"data: {"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"no"}}\#n\#n"#
            )
        ),
        EarlyError(
            testDescription: "Gemini in an array",
            model: "x-gemini",
            bytes: ProviderMock.stream(
                [
                    Array(
                        #"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"no"}}]"#
                            .utf8
                    )
                ],
                type: "application/json"
            )
        ),
    ]

    @Test("a rate-limit event before content leads on in every format", arguments: earlyErrors)
    func earlyError(_ row: EarlyError) throws {
        let targets = [
            ("x-responses", "openai", "gpt-4.1"), ("x-anthropic", "anthropic", "claude-sonnet-4-5"),
            ("x-sap", "sap", "anthropic--claude-4.5-sonnet"),
            ("x-bedrock", "bedrock", "anthropic.claude-sonnet-4-5"),
            ("x-gemini", "gemini", "gemini-2.5-pro"),
        ]
        let models = targets.map { name, upstream, model in
            let api = upstream == "openai" ? #", "api": "responses""# : ""
            return """
                "\(name)": {"targets": [
                    {"upstream": "\(upstream)", "model": "\(model)"\(api)},
                    {"upstream": "plain", "model": "q"}], "balance": "ordered"}
                """
        }
        let gateway = try MockGateway(
            #""models": {\#(models.joined(separator: ", "))}, \#(MockGateway.quick)"#
        )
        gateway.mock.override = { request in
            guard case .model = request.kind, !request.path.hasPrefix("/plain/") else {
                return nil
            }
            return row.bytes
        }
        for client in ClientDialect.allCases {
            gateway.mock.forget()
            let scenario = Scenario(
                name: "hi",
                asked: Asked(turns: [.init(isUser: true, parts: [.text("hi")])]),
                told: Told()
            )
            let answer = try gateway.ask(
                client.request(scenario, model: row.model, isStream: true)
            )
            #expect(answer.status == 200, "\(client)")
            #expect(answer["apus-upstream"] == "plain", "\(client)")
            #expect(answer["apus-attempts"] == "2", "\(client)")
            var problems: [String] = []
            let told = client.told(stream: answer.body, wantsUsage: true, &problems)
            #expect(told.text == "Hi!", "\(client)")
            #expect(problems.isEmpty, "\(client)")
        }
    }

    @Test(
        "an error behind content reaches the client in its dialect",
        arguments: ClientDialect.allCases
    )
    func lateError(_ client: ClientDialect) throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        let start =
            #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","#
            + #""choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}\#n\#n"#
        gateway.mock.override = { request in
            Self.stream(start, #"data: {"error":{"message":"went away","code":"500"}}\#n\#n"#)
        }
        let scenario = Scenario(
            name: "hi",
            asked: Asked(turns: [.init(isUser: true, parts: [.text("hi")])]),
            told: Told()
        )
        let answer = try gateway.ask(client.request(scenario, model: "m", isStream: true))
        #expect(answer.status == 200 && answer.isWhole)
        #expect(gateway.asked == ["a"])
        #expect(answer.body.contains("Hel"))
        var problems: [String] = []
        let events = ClientEvent.all(in: answer.body, &problems)
        #expect(problems.isEmpty)
        let last = try #require(events.last)
        let json = try JSONValue(last.data)
        #expect(answer.body.contains("went away"))
        #expect(!answer.body.contains("[DONE]"))
        switch client {
        case .chat:
            let error = try #require(json["error"])
            // Its own dialect: as the upstream said it.
            #expect(error["message"]?.string == "went away")
        case .responses:
            // Coding agents wait for a terminal event.
            #expect(last.name == "response.failed")
            #expect(json["response"]?["status"]?.string == "failed")
            #expect(json["response"]?["error"]?["message"]?.string?.contains("went away") == true)
        case .messages:
            #expect(last.name == "error")
            #expect(json["type"]?.string == "error")
            #expect(json["error"]?["type"]?.string == "api_error")
        case .gemini:
            #expect(json["error"]?["code"]?.int != nil)
            #expect(json["error"]?["status"]?.string != nil)
        }
    }

    // MARK: Fallbacks and retries

    @Test("a fallback model answers when no target could")
    func fallback() throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        gateway.mock.override = { request in
            request.path.hasPrefix("/a/") ? ProviderMock.json(503, "") : nil
        }
        let answer = try gateway.post("/v1/chat/completions", MockGateway.chat("n"))
        #expect(answer.status == 200)
        #expect(answer["apus-upstream"] == "openai")
        #expect(gateway.mock.modelRequests.map { $0.body["model"]?.string } == ["n", "gpt-4.1"])
    }

    @Test("a fault that passes is met by another try at the same target")
    func retry() throws {
        let gateway = try MockGateway.pair(
            #""retries": {"tries_per_target": 3, "backoff": "1ms"}"#
        )
        var left = 2
        gateway.mock.override = { request in
            guard request.path.hasPrefix("/a/") else { return nil }
            left -= 1
            return left >= 0 ? ProviderMock.json(502, "") : nil
        }
        let answer = try gateway.post("/v1/chat/completions", MockGateway.chat("o"))
        #expect(answer.status == 200)
        #expect(answer["apus-attempts"] == "3")
        #expect(gateway.asked == ["a", "a", "a"])
        let bodies = Set(gateway.mock.modelRequests.map(\.text))
        #expect(bodies.count == 1)
    }

    @Test("a Retry-After of a target is waited for when it is short")
    func waits() throws {
        let gateway = try MockGateway.pair(
            #""retries": {"tries_per_target": 2, "backoff": "1ms", "retry_after_max": "5s"}"#
        )
        var left = 1
        gateway.mock.override = { request in
            guard request.path.hasPrefix("/a/") else { return nil }
            left -= 1
            return left >= 0 ? ProviderMock.json(429, "", "Retry-After: 1\r\n") : nil
        }
        let start = Syscalls.monotonicNanoseconds()
        let answer = try gateway.post("/v1/chat/completions", MockGateway.chat("o"))
        let elapsed = (Syscalls.monotonicNanoseconds() - start) / 1_000_000
        #expect(answer.status == 200)
        #expect(answer["apus-attempts"] == "2")
        #expect(elapsed >= 950 && elapsed < 5_000, "\(elapsed) ms")
    }

    // MARK: Keepalive

    @Test("a sign of life before content commits nothing", arguments: ClientDialect.allCases)
    func keepalive(_ client: ClientDialect) throws {
        let gateway = try MockGateway.pair(
            #""streams": {"keepalive": "20ms"}, \#(MockGateway.quick)"#
        )
        gateway.mock.override = { $0.path.hasPrefix("/a/") ? [] : nil }
        let scenario = Scenario(
            name: "hi",
            asked: Asked(turns: [.init(isUser: true, parts: [.text("hi")])]),
            told: Told()
        )
        try gateway.client.send(client.request(scenario, model: "m", isStream: true))
        let sign: String
        switch client {
        case .chat, .responses: sign = ": ping\n\n"
        case .messages: sign = "event: ping\ndata: {\"type\":\"ping\"}\n\n"
        case .gemini: sign = "\n"
        }
        let chunk = TestUpstream.chunk(sign)
        try gateway.client.wait(for: "\r\n\r\n\(chunk)\(chunk)")
        let silent = try #require(gateway.peer("/a/"))
        silent.say("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
        let answer = try gateway.client.answer()
        #expect(answer.status == 200)
        #expect(gateway.asked == ["a", "b"])
        var problems: [String] = []
        let body = answer.body.drop { $0 == "\n" }
        let told = client.told(stream: String(body), wantsUsage: true, &problems)
        #expect(told.text == "Hi!")
        // Anthropic's SDKs take a ping anywhere, also in front.
        problems.removeAll { client == .messages && $0 == "another first event" }
        #expect(problems.isEmpty)
    }

    @Test("a failure behind a sign of life is an error event")
    func keepaliveThenFailure() throws {
        let gateway = try MockGateway.pair(
            #""streams": {"keepalive": "20ms"}, \#(MockGateway.quick)"#
        )
        gateway.mock.override = { $0.path.hasPrefix("/a/") ? [] : nil }
        try gateway.client.send(TestRequest.chat("o", stream: true))
        try gateway.client.wait(for: ": ping")
        let silent = try #require(gateway.peer("/a/"))
        silent.say("HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n")
        let answer = try gateway.client.answer()
        #expect(answer.status == 200)
        let last = try JSONValue(answer.events.last ?? "")
        #expect(last["error"]?["code"]?.string == "rate_limit_exceeded")
        #expect(!answer.body.contains("[DONE]"))
    }

    // MARK: Strict models

    @Test("a strict model refuses what it cannot say, another drops and names it")
    func strict() throws {
        let target = #""targets": [{"upstream": "anthropic", "model": "claude-sonnet-4-5"}]"#
        let gateway = try MockGateway(
            #""models": {"strict": {\#(target), "strict": true}, "lax": {\#(target)}}"#
        )
        let more: [(String, Wire?)] = [("seed", 7), ("logit_bias", ["50256": -100])]
        let lax = try gateway.post("/v1/chat/completions", MockGateway.chat("lax", more))
        #expect(lax.status == 200)
        let dropped = Set((lax["apus-dropped"] ?? "").split(separator: ", "))
        #expect(dropped == ["seed", "logit_bias"])
        gateway.mock.forget()
        let strict = try gateway.post("/v1/chat/completions", MockGateway.chat("strict", more))
        #expect(strict.status == 400)
        let error = try strict.json["error"]
        let param = error?["param"]?.string ?? ""
        #expect(param == "seed" || param == "logit_bias")
        #expect(error?["type"]?.string == "invalid_request_error")
        #expect(gateway.mock.modelRequests.isEmpty)
        #expect(
            try gateway.post("/v1/chat/completions", MockGateway.chat("strict")).status == 200
        )
    }

    // MARK: Leaving

    @Test("a client that leaves ends the call", arguments: [false, true])
    func leaves(hasContent: Bool) throws {
        let gateway = try MockGateway.pair(MockGateway.quick)
        let start =
            #"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"x"}}]}"#
        gateway.mock.override = { request in
            guard request.path.hasPrefix("/a/") else { return nil }
            return hasContent ? Self.stream(start + "\n\n", cut: true) : []
        }
        try gateway.client.send(TestRequest.chat("m", stream: true))
        if hasContent {
            try gateway.client.wait(for: #""content":"x""#)
        } else {
            try gateway.harness.loop.wait("the request") { gateway.asked == ["a"] }
        }
        let peer = try #require(gateway.peer("/a/"))
        gateway.client.close()
        try gateway.harness.loop.wait("the upstream's end") { !peer.isOpen }
        try gateway.harness.turn()
        #expect(gateway.asked == ["a"])
        #expect(gateway.harness.worker.connectionCount == 0)
        #expect(gateway.harness.worker.buffers.taken == 0)
    }
}
