// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import Metrics
import Support
import Testing

/// Streams of Gemini, as chunks of an upstream and as a client gets them.
struct GeminiStreamTests {
    /// What a client sees: each chunk's parts, the reason and usage of the last one.
    private static func chunks(_ text: String) throws -> [JSONValue] {
        var chunks: [JSONValue] = []
        for event in text.split(separator: "\n\n") {
            #expect(event.hasPrefix("data: ") && !event.contains("\n"))
            chunks.append(try JSONValue(String(event.dropFirst(6))))
        }
        #expect(text.hasSuffix("\n\n"))
        return chunks
    }

    private static func parts(_ chunks: [JSONValue]) -> [JSONValue] {
        chunks.flatMap { $0["candidates"]?[0]?["content"]?["parts"]?.array ?? [] }
    }

    private static func isEnd(_ event: Dialects.StreamEvent) -> Bool {
        if case .end = event { true } else { false }
    }

    @Test func textAndUsage() throws {
        let result = try Converting.stream(
            [
                #"{"candidates":[{"content":{"role":"model","parts":[{"text":"No"}]},"index":0}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5},"responseId":"r"}"#,
                #"{"candidates":[{"content":{"role":"model","parts":[{"text":"on."}]},"index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6}}"#,
                #"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP","index":0}]}"#,
                #"{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":9,"totalTokenCount":16}}"#,
            ],
            from: .gemini,
            to: .gemini
        )
        #expect(result.steps.count { if case .text = $0 { true } else { false } } == 2)
        #expect(result.steps.last == .end)
        #expect(result.steps.dropLast().last == .finish(.stop, stopSequence: nil))
        #expect(result.steps.contains(.usage(TokenUsage(input: 5, output: 11, reasoning: 9))))
        let chunks = try Self.chunks(result.text)
        #expect(Self.parts(chunks).compactMap { $0["text"]?.string } == ["No", "on.", ""])
        let last = try #require(chunks.last)
        #expect(last["candidates"]?[0]?["finishReason"]?.string == "STOP")
        #expect(last["usageMetadata"]?["totalTokenCount"]?.int == 16)
        #expect(last["usageMetadata"]?["thoughtsTokenCount"]?.int == 9)
        for chunk in chunks {
            #expect(chunk["modelVersion"]?.string == "m")
            #expect(chunk["responseId"]?.string == Converting.identity.unique)
        }
        for chunk in chunks.dropLast() {
            #expect(chunk["candidates"]?[0]?["finishReason"] == nil)
            #expect(chunk["usageMetadata"] == nil)
        }
    }

    @Test func thoughtsSignaturesAndCalls() throws {
        let result = try Converting.stream(
            [
                #"{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true},{"text":"Ah","thought":true,"thoughtSignature":"QUFB"}]}}]}"#,
                #"{"candidates":[{"content":{"parts":[{"text":"Look:"},{"functionCall":{"name":"f","args":{"a":[1,"\u00fc"]}},"thoughtSignature":"QkJC"},{"functionCall":{"id":"i2","name":"g"}}]},"finishReason":"STOP"}]}"#,
            ],
            from: .gemini,
            to: .gemini
        )
        let expected = try JSONValue(
            #"[{"text":"Hm","thought":true},{"text":"Ah","thought":true},{"text":"Look:"},{"functionCall":{"name":"f","args":{"a":[1,"ü"]}},"thoughtSignature":"QkJC"},{"functionCall":{"id":"i2","name":"g","args":{}}},{"text":""}]"#
        )
        #expect(JSONValue.array(Self.parts(try Self.chunks(result.text))) == expected)
        #expect(result.steps.contains(.finish(.toolCalls, stopSequence: nil)))
        let starts = result.steps.compactMap { step in
            if case .callStart(let index, _, _, _) = step { index } else { nil }
        }
        #expect(starts == [0, 1])
    }

    @Test func blockedPrompt() throws {
        let result = try Converting.stream(
            [
                #"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}"#
            ],
            from: .gemini,
            to: .gemini
        )
        #expect(
            result.steps == [
                .start(id: nil), .usage(TokenUsage(input: 3, output: 0)),
                .finish(.contentFilter, stopSequence: nil), .end,
            ]
        )
        let chunks = try Self.chunks(result.text)
        #expect(chunks.count == 1)
        #expect(chunks[0]["candidates"]?[0]?["finishReason"]?.string == "SAFETY")
    }

    @Test func aReasonInEveryChunk() throws {
        let result = try Converting.stream(
            [
                #"{"candidates":[{"content":{"parts":[{"text":"A"}]},"finishReason":"STOP"}]}"#,
                #"{"candidates":[{"content":{"parts":[{"text":"B"}]},"finishReason":"MAX_TOKENS"}]}"#,
            ],
            from: .gemini,
            to: .gemini
        )
        let finishes = result.steps.filter { if case .finish = $0 { true } else { false } }
        #expect(finishes == [.finish(.length, stopSequence: nil)])
        #expect(result.steps.last == .end)
    }

    @Test func aStreamThatBreaksOffHasNoEnd() throws {
        let result = try Converting.stream(
            [#"{"candidates":[{"content":{"parts":[{"text":"A"}]}}]}"#],
            from: .gemini,
            to: .gemini
        )
        #expect(!result.steps.contains { Self.isEnd($0) })
        #expect(!result.text.contains("finishReason"))
    }

    @Test(arguments: [
        #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Slow."}}"#,
        #"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Slow."}}]"#,
        #"[{"candidates":[{"content":{"parts":[]}}]},{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Slow."}}]"#,
    ])
    func errors(_ event: String) throws {
        let result = try Converting.stream([event, event], from: .gemini, to: .gemini)
        let complaints = result.steps.compactMap { step in
            if case .error(let complaint) = step { complaint } else { nil }
        }
        let expected = UpstreamComplaint(
            status: 429,
            type: "RESOURCE_EXHAUSTED",
            code: "429",
            message: "Slow."
        )
        #expect(complaints == [expected])
        #expect(!result.steps.contains { Self.isEnd($0) })
    }

    @Test func aListIsItsElements() throws {
        let one = #"{"candidates":[{"content":{"parts":[{"text":"A"}]}}]}"#
        let two = #"{"candidates":[{"content":{"parts":[{"text":"B"}]},"finishReason":"STOP"}]}"#
        let whole = try Converting.stream(["[\(one),\(two)]"], from: .gemini, to: .gemini)
        let single = try Converting.stream([one, two], from: .gemini, to: .gemini)
        #expect(whole.text == single.text)
    }

    // MARK: Writing what others stream

    private struct Client {
        private var writer: StreamWriter
        private let scratch = ConversionScratch()
        let out = ByteBuffer()

        init(_ framing: GeminiFraming = .events) {
            writer = StreamWriter(
                .gemini,
                Converting.identity,
                wantsUsage: false,
                framing: framing
            )
        }

        mutating func write(_ events: Dialects.StreamEvent...) {
            for event in events { writer.write(event, from: Span(), scratch, to: out) }
        }

        mutating func fail(_ error: APIError) {
            writer.fail(error, to: out)
        }
    }

    @Test func callsThatMixAreWholeAndInOrder() throws {
        var client = Client()
        client.write(
            .start(id: nil),
            .callStart(index: 0, id: .text("a"), name: .text("f"), signature: nil),
            .callStart(index: 1, id: .text("b"), name: .text("g"), signature: nil),
            .callInput(index: 0, .text("{\"x\"")),
            .callInput(index: 1, .text("{}")),
            .callEnd(index: 1),
            .callInput(index: 0, .text(":1}")),
            .callEnd(index: 0),
            .callStart(index: 2, id: nil, name: .text("h"), signature: nil),
            .callInput(index: 2, .text("{\"cut\":")),
            .finish(.toolCalls, stopSequence: nil),
            .usage(TokenUsage(input: 3, output: 4)),
            .usage(TokenUsage(input: 0, output: 6)),
            .end,
            .text(.text("late"))
        )
        let chunks = try Self.chunks(client.out.text)
        let expected = try JSONValue(
            #"[{"functionCall":{"id":"a","name":"f","args":{"x":1}}},{"functionCall":{"id":"b","name":"g","args":{}}},{"functionCall":{"name":"h","args":{}}},{"text":""}]"#
        )
        #expect(JSONValue.array(Self.parts(chunks)) == expected)
        #expect(chunks.last?["usageMetadata"]?["promptTokenCount"]?.int == 3)
        #expect(chunks.last?["usageMetadata"]?["candidatesTokenCount"]?.int == 6)
        #expect(chunks.last?["candidates"]?[0]?["finishReason"]?.string == "STOP")
    }

    @Test func signaturesOfOthers() throws {
        var client = Client()
        client.write(
            .thinking(.text("Hm")),
            .signature(.text("QUJD")),
            .signature(.text("no base64")),
            .encryptedThinking(.text("QUJD")),
            .refusal(.text("No.")),
            .finish(.contentFilter, stopSequence: nil),
            .end
        )
        let expected = try JSONValue(
            #"[{"text":"Hm","thought":true},{"text":"","thought":true,"thoughtSignature":"QUJD"},{"text":"No."},{"text":""}]"#
        )
        #expect(JSONValue.array(Self.parts(try Self.chunks(client.out.text))) == expected)
    }

    private static let error = APIError(503, .upstream, "upstream_overloaded", "Busy.")

    @Test func failure() throws {
        var client = Client()
        client.write(.text(.text("A")))
        client.fail(Self.error)
        client.fail(Self.error)
        client.write(.end)
        let events = client.out.text.split(separator: "\n\n")
        #expect(events.count == 2)
        #expect(
            events[1]
                == #"data: {"error":{"code":503,"message":"Busy.","status":"UNAVAILABLE"}}"#
        )
    }

    @Test func arrays() throws {
        var client = Client(.array)
        client.write(.text(.text("A")), .text(.text("B")), .finish(.stop, stopSequence: nil), .end)
        let list = try JSONValue(client.out.text)
        #expect(Self.parts(list.array ?? []).compactMap { $0["text"]?.string } == ["A", "B", ""])

        var failing = Client(.array)
        failing.write(.text(.text("A")))
        failing.fail(Self.error)
        failing.write(.end)
        let broken = try JSONValue(failing.out.text)
        #expect(broken.array?.count == 2)
        #expect(broken[1]?["error"]?["code"]?.int == 503)

        var early = Client(.array)
        early.fail(Self.error)
        #expect(try JSONValue(early.out.text)[0]?["error"]?["status"]?.string == "UNAVAILABLE")
    }

    @Test func inputsHaveACap() throws {
        var client = Client()
        client.write(.callStart(index: 0, id: nil, name: .text("f"), signature: nil))
        let piece = JSONText.text(String(repeating: " ", count: 1 << 20))
        for _ in 0..<20 { client.write(.callInput(index: 0, piece)) }
        client.write(.callEnd(index: 0), .end)
        #expect(client.out.count < 1_000)
        #expect(client.out.text.hasPrefix(#"data: {"error":{"code":502"#))
    }

    // MARK: Plain content

    @Test(arguments: [
        (#"{"candidates":[{"content":{"parts":[{"text":"first"}],"role":"model"}}]}"#, true),
        (#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}"#, false),
        (#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finish_reason":"STOP"}]}"#, false),
        (#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{}}"#, false),
        (#"{"error":{"code":429}}"#, false),
        (#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, false),
        (
            #"{"candidates":[{"\u0066inishReason":"STOP","content":{"parts":[{"text":"x"}]}}]}"#,
            false
        ),
        ("{}", false), ("", false),
    ])
    func plainContent(_ data: String, _ expected: Bool) {
        let bytes = Array(data.utf8)
        #expect(StreamReader.isPlainContent(.gemini, bytes.span) == expected)
    }
}
