// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support
import Testing

/// Gemini's answers and streams for clients of other formats, and others' for clients of Gemini.
struct GeminiCrossTests {
    private static let answer =
        #"{"candidates":[{"finishReason":"STOP","content":{"role":"model","parts":[{"text":"Hm.","thought":true},{"text":"Let me "},{"text":"look."},{"functionCall":{"name":"now","args":{"tz":"CET"}},"thoughtSignature":"U0lH"},{"functionCall":{"name":"now","args":{}}}]}}],"usageMetadata":{"promptTokenCount":12,"toolUsePromptTokenCount":1,"candidatesTokenCount":3,"thoughtsTokenCount":40,"cachedContentTokenCount":5,"totalTokenCount":56},"responseId":"r1"}"#

    @Test func answerForChat() throws {
        let written = try JSONValue(Converting.answer(Self.answer, from: .gemini, to: .chat))
        let choice = try #require(written["choices"]?[0])
        #expect(choice["finish_reason"]?.string == "tool_calls")
        #expect(choice["message"]?["content"]?.string == "Let me look.")
        #expect(choice["message"]?["reasoning_content"]?.string == "Hm.")
        let calls = try #require(choice["message"]?["tool_calls"]?.array)
        #expect(calls.count == 2)
        let ids = Set(calls.compactMap { $0["id"]?.string })
        #expect(ids.count == 2 && ids.allSatisfy { $0.hasPrefix("call_") })
        #expect(calls[0]["function"]?["arguments"]?.string == #"{"tz":"CET"}"#)
        let usage = try #require(written["usage"])
        #expect(usage["prompt_tokens"]?.int == 13)
        #expect(usage["completion_tokens"]?.int == 43)
        #expect(usage["completion_tokens_details"]?["reasoning_tokens"]?.int == 40)
        #expect(usage["prompt_tokens_details"]?["cached_tokens"]?.int == 5)
    }

    @Test func answerForMessages() throws {
        let written = try JSONValue(Converting.answer(Self.answer, from: .gemini, to: .messages))
        #expect(written["stop_reason"]?.string == "tool_use")
        let types = written["content"]?.array?.compactMap { $0["type"]?.string }
        #expect(types?.first == "thinking" && types?.suffix(2) == ["tool_use", "tool_use"])
        // Google's signatures would be refused by Claude when the client sends them back.
        #expect(written["content"]?[0]?["signature"]?.string == "")
        #expect(written["usage"]?["input_tokens"]?.int == 8)
        #expect(written["usage"]?["cache_read_input_tokens"]?.int == 5)
        #expect(written["usage"]?["output_tokens"]?.int == 43)
    }

    @Test func blockedPrompts() throws {
        let blocked = #"{"promptFeedback":{"blockReason":"SAFETY"}}"#
        let chat = try JSONValue(Converting.answer(blocked, from: .gemini, to: .chat))
        #expect(chat["choices"]?[0]?["finish_reason"]?.string == "content_filter")
        let messages = try JSONValue(Converting.answer(blocked, from: .gemini, to: .messages))
        #expect(messages["stop_reason"]?.string == "refusal")
    }

    private static let events = [
        #"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hm","thought":true}]}}],"responseId":"r"}"#,
        #"{"candidates":[{"content":{"role":"model","parts":[{"text":"Look:"},{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"QUJD"},{"functionCall":{"name":"g","args":{}}}]},"finishReason":"STOP"}]}"#,
        #"{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":9,"totalTokenCount":16}}"#,
    ]

    @Test func streamForChat() throws {
        let text = try Converting.stream(
            Self.events,
            from: .gemini,
            to: .chat,
            wantsUsage: true
        ).text
        let chunks = try text.split(separator: "\n\n").filter { $0 != "data: [DONE]" }
            .map { try JSONValue(String($0.dropFirst(6))) }
        #expect(text.hasSuffix("data: [DONE]\n\n"))
        let calls = chunks.flatMap {
            $0["choices"]?[0]?["delta"]?["tool_calls"]?.array ?? []
        }
        #expect(Set(calls.compactMap { $0["index"]?.int }) == [0, 1])
        let arguments = calls.filter { $0["index"]?.int == 0 }
            .compactMap { $0["function"]?["arguments"]?.string }.joined()
        #expect(arguments == #"{"a":1}"#)
        #expect(
            chunks.contains { $0["choices"]?[0]?["finish_reason"]?.string == "tool_calls" }
        )
        #expect(chunks.last?["usage"]?["completion_tokens"]?.int == 11)
    }

    @Test func chatStreamForGemini() throws {
        let result = try Converting.stream(
            [
                #"{"id":"c","choices":[]}"#,
                #"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}"#,
                #"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
                #"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]}"#,
                #"{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
                #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
                #"{"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#,
                "[DONE]",
            ],
            from: .chat,
            to: .gemini
        )
        let chunks = try result.text.split(separator: "\n\n")
            .map { try JSONValue(String($0.dropFirst(6))) }
        let parts = chunks.flatMap { $0["candidates"]?[0]?["content"]?["parts"]?.array ?? [] }
        let expected = try JSONValue(
            #"[{"text":"Hi"},{"functionCall":{"id":"call_1","name":"f","args":{"a":1}}},{"text":""}]"#
        )
        #expect(JSONValue.array(parts) == expected)
        #expect(chunks.last?["candidates"]?[0]?["finishReason"]?.string == "STOP")
        #expect(chunks.last?["usageMetadata"]?["totalTokenCount"]?.int == 11)
    }

    @Test func chatRequestToSAP() throws {
        let request = try Converting.request(
            #"{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Time in CET?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get_time","arguments":"{\"tz\":\"CET\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"12:00"}],"tools":[{"type":"function","function":{"name":"get_time","description":"clock","parameters":{"type":"object","properties":{"tz":{"type":"string"}},"additionalProperties":false}}}],"tool_choice":"auto","max_tokens":512,"reasoning_effort":"low"}"#,
            from: .chat,
            RequestPlan(
                format: .gemini,
                host: .sapVertex,
                model: "gemini-2.5-pro",
                isStream: false
            )
        )
        let expected = try JSONValue(
            #"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Time in CET?"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0K"}}]},{"role":"model","parts":[{"functionCall":{"name":"get_time","args":{"tz":"CET"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"get_time","response":{"result":"12:00"}}}]}],"tools":[{"functionDeclarations":[{"name":"get_time","description":"clock","parameters":{"type":"object","properties":{"tz":{"type":"string"}}}}]}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"generationConfig":{"maxOutputTokens":512,"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}}}"#
        )
        #expect(try JSONValue(request.body) == expected)
        #expect(request.dropped == [])
    }
}
