// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

/// Whole answers of Gemini and what they mean.
struct GeminiAnswerTests {
    private static func read(_ text: String) throws -> (Answer, [UInt8]) {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        let answer = try Conversion.readAnswer(.gemini, document.tape.root, document.tape, bytes)
        return (answer, document.bytes)
    }

    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let body: String
        /// The parts as an answer for a client of Gemini has them.
        let parts: String
        let finish: FinishReason
        var usage: TokenUsage?

        init(
            _ name: String,
            _ body: String,
            parts: String,
            _ finish: FinishReason,
            usage: TokenUsage? = nil
        ) {
            testDescription = name
            self.body = body
            self.parts = parts
            self.finish = finish
            self.usage = usage
        }
    }

    static let rows = [
        Row(
            "text",
            #"{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"text":"Noon."}]}}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":3,"thoughtsTokenCount":0,"cachedContentTokenCount":0,"totalTokenCount":15},"modelVersion":"gemini-2.5-pro","responseId":"r1"}"#,
            parts: #"[{"text":"Noon."}]"#,
            .stop,
            usage: TokenUsage(input: 12, output: 3)
        ),
        Row(
            "usage of all kinds",
            #"{"candidates":[{"finishReason":"MAX_TOKENS","content":{"parts":[{"text":"N"}]}}],"usageMetadata":{"promptTokenCount":12,"toolUsePromptTokenCount":8,"candidatesTokenCount":3,"thoughtsTokenCount":40,"cachedContentTokenCount":5,"totalTokenCount":63}}"#,
            parts: #"[{"text":"N"}]"#,
            .length,
            usage: TokenUsage(input: 20, output: 43, cached: 5, reasoning: 40)
        ),
        Row(
            "snake case, a single part, numbers as text",
            #"{"candidates":[{"finish_reason":"STOP","content":{"parts":{"text":"N"}}}],"usage_metadata":{"prompt_token_count":"2","candidates_token_count":1}}"#,
            parts: #"[{"text":"N"}]"#,
            .stop,
            usage: TokenUsage(input: 2, output: 1)
        ),
        Row(
            "thoughts apart from texts",
            #"{"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"Hm.","thought":true},{"text":"A"},{"text":"B","thoughtSignature":"U0lH"}]}}]}"#,
            parts:
                #"[{"text":"Hm.","thought":true},{"text":"A"},{"text":"B"}]"#,
            .stop
        ),
        Row(
            "calls, reason stays STOP",
            #"{"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"Let me look."},{"functionCall":{"name":"now","args":{"tz":"CET"}},"thoughtSignature":"U0lH"},{"functionCall":{"id":"x","name":"now"}}]}}]}"#,
            parts:
                #"[{"text":"Let me look."},{"functionCall":{"name":"now","args":{"tz":"CET"}},"thoughtSignature":"U0lH"},{"functionCall":{"id":"x","name":"now","args":{}}}]"#,
            .toolCalls
        ),
        Row(
            "calls that were cut",
            #"{"candidates":[{"finishReason":"MAX_TOKENS","content":{"parts":[{"functionCall":{"name":"now"}}]}}]}"#,
            parts: #"[{"functionCall":{"name":"now","args":{}}}]"#,
            .length
        ),
        Row(
            "an image",
            #"{"candidates":[{"finishReason":"STOP","content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}"#,
            parts: #"[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]"#,
            .stop
        ),
        Row(
            "code that Google ran",
            #"{"candidates":[{"finishReason":"STOP","content":{"parts":[{"executableCode":{"language":"PYTHON","code":"1+1"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}}]}}]}"#,
            parts: #"[{"text":"```python\n1+1\n```\n"},{"text":"```\n2\n```\n"}]"#,
            .stop
        ),
        Row(
            "a blocked prompt",
            #"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}"#,
            parts: "[]",
            .contentFilter,
            usage: TokenUsage(input: 4, output: 0)
        ),
        Row(
            "no reason, no parts",
            #"{"candidates":[{"content":{"role":"model"}}]}"#,
            parts: "[]",
            .stop
        ),
        Row(
            "a stream's list as one answer",
            #"[{"candidates":[{"content":{"parts":[{"text":"A"}]}}]},{"candidates":[{"content":{"parts":[{"text":"B"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}]"#,
            parts: #"[{"text":"A"},{"text":"B"}]"#,
            .stop,
            usage: TokenUsage(input: 1, output: 2)
        ),
        Row(
            "the first of several candidates",
            #"{"candidates":[{"content":{"parts":[{"text":"A"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"B"}]},"finishReason":"SAFETY"}]}"#,
            parts: #"[{"text":"A"}]"#,
            .stop
        ),
    ]

    @Test(arguments: rows)
    func readsAndWrites(_ row: Row) throws {
        let (answer, bytes) = try Self.read(row.body)
        #expect(answer.finish == row.finish)
        #expect(answer.usage == row.usage)
        let out = ByteBuffer()
        Conversion.writeAnswer(
            answer,
            .gemini,
            Converting.identity,
            from: bytes.span,
            ConversionScratch(),
            to: out
        )
        let written = try JSONValue(out.text)
        #expect(written["candidates"]?[0]?["content"]?["parts"] == (try JSONValue(row.parts)))
        #expect(written["modelVersion"]?.string == "m")
        #expect(written["responseId"]?.string == Converting.identity.unique)
        // What was written means the same.
        let (again, _) = try Self.read(out.text)
        #expect(again.finish == answer.finish)
        #expect(again.usage == answer.usage)
        #expect(again.parts.count == answer.parts.count)
    }

    @Test(arguments: [
        ("STOP", FinishReason.stop), ("MAX_TOKENS", .length), ("SAFETY", .contentFilter),
        ("RECITATION", .contentFilter), ("BLOCKLIST", .contentFilter),
        ("PROHIBITED_CONTENT", .contentFilter), ("SPII", .contentFilter),
        ("LANGUAGE", .contentFilter), ("IMAGE_SAFETY", .contentFilter),
        ("MALFORMED_FUNCTION_CALL", .stop), ("OTHER", .stop),
        ("FINISH_REASON_UNSPECIFIED", .stop), ("SOMETHING_NEW", .stop),
    ])
    func finishReasons(_ name: String, _ expected: FinishReason) throws {
        let body =
            #"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"\#(name)"}]}"#
        #expect(try Self.read(body).0.finish == expected)
    }

    @Test(arguments: [
        (FinishReason.stop, "STOP"), (.stopSequence, "STOP"), (.toolCalls, "STOP"),
        (.pause, "STOP"), (.length, "MAX_TOKENS"), (.contentFilter, "SAFETY"),
    ])
    func finishNames(_ finish: FinishReason, _ expected: String) throws {
        var answer = Answer()
        answer.finish = finish
        let out = ByteBuffer()
        Conversion.writeAnswer(
            answer,
            .gemini,
            Converting.identity,
            from: Span(),
            ConversionScratch(),
            to: out
        )
        let written = try JSONValue(out.text)
        #expect(written["candidates"]?[0]?["finishReason"]?.string == expected)
        #expect(written["usageMetadata"] == nil)
    }

    @Test(arguments: [
        "{}", "[]", #"{"candidates":[]}"#, #""text""#,
        #"{"usageMetadata":{"promptTokenCount":1}}"#,
        #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"m"}}"#,
        #"{"candidates":[{"content":{"parts":[{"text":1}]}}]}"#,
        #"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}"#,
        #"{"promptFeedback":{}}"#,
    ])
    func noAnswers(_ body: String) throws {
        #expect(throws: ConversionError.self) { _ = try Self.read(body) }
    }

    @Test func answersOfOthers() throws {
        var answer = Answer()
        answer.parts = [
            .thinking(Thinking(text: .text("Hm"), signature: .text("not base64!"))),
            .thinking(Thinking(text: .text("Hmm"), signature: .text("QUJD"))),
            .thinking(Thinking(text: nil, encrypted: .text("AAAA"))),
            .refusal(.text("No.")),
            .toolCall(
                ToolCall(id: .text("toolu_1"), name: .text("f"), input: .text(.text(#"{"a":1}"#)))
            ),
            .toolCall(ToolCall(id: nil, name: .text("g"), input: .text(.text("broken")))),
        ]
        answer.usage = TokenUsage(input: 10, output: 7, cached: 4, reasoning: 5, cacheWrite: 3)
        let out = ByteBuffer()
        Conversion.writeAnswer(
            answer,
            .gemini,
            Converting.identity,
            from: Span(),
            ConversionScratch(),
            to: out
        )
        let written = try JSONValue(out.text)
        let parts = try JSONValue(
            #"[{"text":"Hm","thought":true},{"text":"Hmm","thought":true,"thoughtSignature":"QUJD"},{"text":"No."},{"functionCall":{"id":"toolu_1","name":"f","args":{"a":1}}},{"functionCall":{"name":"g","args":{}}}]"#
        )
        #expect(written["candidates"]?[0]?["content"]?["parts"] == parts)
        let usage = try JSONValue(
            #"{"promptTokenCount":10,"candidatesTokenCount":2,"thoughtsTokenCount":5,"cachedContentTokenCount":4,"totalTokenCount":17}"#
        )
        #expect(written["usageMetadata"] == usage)
    }
}
