// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support
import Testing

/// Reads Gemini requests and writes them as Gemini requests: what is lost or changed shows.
struct GeminiRequestReaderTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let body: String
        let expected: String
        var dropped: [String] = []

        init(_ name: String, _ body: String, _ expected: String? = nil, dropped: [String] = []) {
            testDescription = name
            self.body = body
            self.expected = expected ?? body
            self.dropped = dropped
        }
    }

    private static func plan(_ model: String = "gemini-2.5-flash") -> RequestPlan {
        RequestPlan(format: .gemini, host: .gemini, model: model, isStream: false)
    }

    /// A request with one user turn and `members` behind it.
    private static func with(_ members: String) -> String {
        #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],\#(members)}"#
    }

    static let rows = [
        Row("a text", #"{"contents":[{"role":"user","parts":[{"text":"Hi \"you\" \u00fc ☃"}]}]}"#),
        Row(
            "objects where lists belong, and no role",
            #"{"contents":{"parts":{"text":"Hi"}}}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#
        ),
        Row(
            "instructions, snake case",
            with(#""system_instruction":{"parts":{"text":"Be brief."}}"#),
            with(#""systemInstruction":{"parts":[{"text":"Be brief."}]}"#)
        ),
        Row(
            "instructions of several parts, with a role",
            with(
                #""systemInstruction":{"role":"system","parts":[{"text":"A"},{"text":""},{"text":"B"}]}"#
            ),
            with(#""systemInstruction":{"parts":[{"text":"A"},{"text":"B"}]}"#)
        ),
        Row(
            "a call and its result, by name",
            #"{"contents":[{"role":"user","parts":[{"text":"Time?"}]},{"role":"model","parts":[{"functionCall":{"name":"now","args":{"tz":"CET"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"now","response":{"result":"12:00"}}}]}]}"#
        ),
        Row(
            "a call and its result, by id",
            #"{"contents":[{"role":"user","parts":[{"text":"Time?"}]},{"role":"model","parts":[{"functionCall":{"id":"c1","name":"now","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"now","response":{"error":"no"}}}]}]}"#
        ),
        Row(
            "results without ids get those of their calls, in order",
            #"{"contents":[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f"}},{"functionCall":{"id":"2","name":"g"}},{"functionCall":{"id":"3","name":"f"}}]},{"role":"function","parts":[{"functionResponse":{"name":"g","response":{}}},{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{}}},{"functionCall":{"id":"2","name":"g","args":{}}},{"functionCall":{"id":"3","name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"2","name":"g","response":{}}},{"functionResponse":{"id":"1","name":"f","response":{}}},{"functionResponse":{"id":"3","name":"f","response":{}}}]}]}"#
        ),
        Row(
            "snake case of parts",
            #"{"contents":[{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"iVBORw0K"}},{"file_data":{"mime_type":"video/mp4","file_uri":"gs://b/v.mp4"}}]},{"role":"model","parts":[{"function_call":{"name":"f","args":{"a":1}},"thought_signature":"c2ln"}]},{"role":"user","parts":[{"function_response":{"name":"f","response":{"x":1}}}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0K"}},{"fileData":{"mimeType":"video/mp4","fileUri":"gs://b/v.mp4"}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"c2ln"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"x":1}}}]}]}"#
        ),
        Row(
            "base64 of Google's own kind becomes everybody's",
            #"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"-_-_aQ"}}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"+/+/aQ=="}}]}]}"#
        ),
        Row(
            "base64 with escaped slashes",
            #"{"contents":[{"parts":[{"inlineData":{"mimeType":"image\/png","data":"\/9j\/"}}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image\/png","data":"/9j/"}}]}]}"#
        ),
        Row(
            "thoughts, and signatures of thoughts, texts and calls",
            #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hm.","thought":true},{"text":"Hmm.","thought":true,"thoughtSignature":"QUJD"},{"text":"Yes","thoughtSignature":"REVG"},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"R0hJ"},{"thoughtSignature":"SktM"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hm.","thought":true},{"text":"Hmm.","thought":true,"thoughtSignature":"QUJD"},{"text":"Yes"},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"R0hJ"}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#,
            dropped: ["contents[].parts[].thoughtSignature"]
        ),
        Row(
            "a model turn that was cut has no parts",
            #"{"contents":[{"role":"user","parts":[{"text":"A"}]},{"role":"model"},{"role":"user","parts":[{"text":"B"}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"A"},{"text":"B"}]}]}"#
        ),
        Row(
            "the model begins",
            #"{"contents":[{"role":"model","parts":[{"text":"Hello"}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"."}]},{"role":"model","parts":[{"text":"Hello"}]}]}"#
        ),
        Row(
            "code that Google ran becomes text",
            #"{"contents":[{"parts":[{"text":"Go"}]},{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"print(1)"}},{"code_execution_result":{"outcome":"OUTCOME_OK","output":"1"}}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"text":"```python\nprint(1)\n```\n"},{"text":"```\n1\n```\n"}]}]}"#
        ),
        Row(
            "media of a result stand behind it",
            #"{"contents":[{"parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":{"a":1},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}]}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"a":1}}},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}"#
        ),
        Row(
            "all of the configuration that others have",
            with(
                #""generationConfig":{"maxOutputTokens":512,"temperature":0.2,"topP":0.9,"topK":40,"seed":7,"presencePenalty":0.1,"frequencyPenalty":-0.5,"responseLogprobs":true,"logprobs":3,"candidateCount":2,"stopSequences":["END","STOP"],"responseMimeType":"application/json","responseSchema":{"type":"string","enum":["a","b"]},"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}}"#
            )
        ),
        Row(
            "snake case of the configuration, numbers as strings, text only",
            with(
                #""generation_config":{"max_output_tokens":"512","top_p":1,"top_k":40.0,"candidate_count":1,"stop_sequences":["END",""],"response_mime_type":"text/plain","response_modalities":["TEXT"],"thinking_config":{"thinking_budget":0,"include_thoughts":false}}"#
            ),
            with(
                #""generationConfig":{"maxOutputTokens":512,"topP":1.0,"topK":40,"stopSequences":["END"],"responseMimeType":"text/plain","thinkingConfig":{"thinkingBudget":0,"includeThoughts":false}}"#
            )
        ),
        Row(
            "a JSON Schema of the answer",
            with(
                #""generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}}"#
            ),
            with(
                #""generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"object","properties":{"a":{"type":"integer"}}}}"#
            )
        ),
        Row(
            "what nobody else has is named",
            with(
                #""safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"cachedContent":"c/1","labels":{},"model":"m","stream":true,"generationConfig":{"speechConfig":{},"responseModalities":["IMAGE"],"mediaResolution":null,"thinkingConfig":{"x":1}},"tools":[{"googleSearch":{}},{"codeExecution":{},"urlContext":{}}]"#
            ),
            #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#,
            dropped: [
                "safetySettings", "cachedContent", "labels", "generationConfig.speechConfig",
                "generationConfig.responseModalities", "generationConfig.thinkingConfig.x",
                "tools[].googleSearch", "tools[].codeExecution", "tools[].urlContext",
            ]
        ),
        Row(
            "members of parts that nobody else has",
            #"{"contents":[{"parts":[{"text":"Hi","videoMetadata":{"fps":1}},{"toolCall":{}}],"x":1}]}"#,
            #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#,
            dropped: [
                "contents[].x", "contents[].parts[].videoMetadata", "contents[].parts[].toolCall",
            ]
        ),
        Row(
            "functions of several tools, with types in capitals",
            with(
                #""tools":[{"functionDeclarations":[{"name":"f","description":"F","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true},"b":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"}},"required":["a"]}}]},{"function_declarations":{"name":"g","parameters_json_schema":{"type":"object","properties":{"x":{"type":["string","null"]}},"$schema":"s"},"behavior":"BLOCKING"}}]"#
            ),
            with(
                #""tools":[{"functionDeclarations":[{"name":"f","description":"F","parameters":{"type":"object","properties":{"a":{"type":"string","nullable":true},"b":{"type":"array","items":{"type":"integer"},"minItems":1}},"required":["a"]}},{"name":"g","parameters":{"type":"object","properties":{"x":{"type":"string","nullable":true}}}}]}]"#
            ),
            dropped: ["tools[].functionDeclarations[].behavior"]
        ),
    ]

    @Test(arguments: rows)
    func roundTrip(_ row: Row) throws {
        let result = try Converting.request(row.body, from: .gemini, Self.plan())
        #expect(try JSONValue(result.body) == JSONValue(row.expected))
        #expect(result.dropped == row.dropped)
        // What was written reads and writes the same again.
        let again = try Converting.request(result.body, from: .gemini, Self.plan())
        #expect(again.body == result.body)
    }

    struct Choice {
        let config: String
        let expected: String
        var dropped: [String] = []
    }

    @Test(arguments: [
        Choice(config: #"{"mode":"AUTO"}"#, expected: #"{"mode":"AUTO"}"#),
        Choice(config: #"{"mode":"NONE"}"#, expected: #"{"mode":"NONE"}"#),
        Choice(config: #"{"mode":"ANY"}"#, expected: #"{"mode":"ANY"}"#),
        Choice(
            config: #"{"mode":"any","allowed_function_names":["f"]}"#,
            expected: #"{"mode":"ANY","allowedFunctionNames":["f"]}"#
        ),
        Choice(
            config: #"{"mode":"ANY","allowedFunctionNames":["f","g"]}"#,
            expected: #"{"mode":"ANY"}"#,
            dropped: ["toolConfig.functionCallingConfig.allowedFunctionNames"]
        ),
        Choice(
            config: #"{"mode":"VALIDATED"}"#,
            expected: #"{"mode":"AUTO"}"#,
            dropped: ["toolConfig.functionCallingConfig.mode"]
        ),
    ])
    func toolChoice(_ row: Choice) throws {
        let tools = #""tools":[{"functionDeclarations":[{"name":"f"}]}]"#
        let body = Self.with(
            tools + #","toolConfig":{"functionCallingConfig":\#(row.config)}"#
        )
        let result = try Converting.request(body, from: .gemini, Self.plan())
        let config = try JSONValue(result.body)["toolConfig"]?["functionCallingConfig"]
        #expect(config == (try JSONValue(row.expected)))
        #expect(result.dropped == row.dropped)
    }

    struct Bad: CustomTestStringConvertible {
        let path: String
        let body: String
        var testDescription: String { "\(path) \(body)" }

        init(_ path: String, _ body: String) {
            self.path = path
            self.body = body
        }
    }

    @Test(arguments: [
        Bad("", "[]"),
        Bad("contents", "{}"),
        Bad("contents", #"{"contents":null}"#),
        Bad("contents", #"{"contents":"Hi"}"#),
        Bad("contents", #"{"contents":[]}"#),
        Bad("contents[0]", #"{"contents":["Hi"]}"#),
        Bad("contents[0].role", #"{"contents":[{"role":"system","parts":[]}]}"#),
        Bad("contents[0].role", #"{"contents":[{"role":1,"parts":[]}]}"#),
        Bad("contents[0].parts", #"{"contents":[{"role":"user"}]}"#),
        Bad("contents[0].parts", #"{"contents":[{"parts":"Hi"}]}"#),
        Bad("contents[0].parts[0]", #"{"contents":[{"parts":["Hi"]}]}"#),
        Bad("contents[0].parts[0]", #"{"contents":[{"parts":[{}]}]}"#),
        Bad("contents[0].parts[1].text", #"{"contents":[{"parts":[{"text":""},{"text":1}]}]}"#),
        Bad("contents[0].parts[0].inlineData", #"{"contents":[{"parts":[{"inlineData":"x"}]}]}"#),
        Bad(
            "contents[0].parts[0].inlineData.mimeType",
            #"{"contents":[{"parts":[{"inlineData":{"data":"AAAA"}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].inlineData.data",
            #"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png"}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].inlineData.data",
            #"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA*A"}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].inlineData.data",
            #"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAA=A"}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].inlineData.data",
            #"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"A"}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].fileData.fileUri",
            #"{"contents":[{"parts":[{"fileData":{}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].functionCall",
            #"{"contents":[{"parts":[{"functionCall":{"name":"f"}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].functionCall.name",
            #"{"contents":[{"role":"model","parts":[{"functionCall":{}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].functionCall.args",
            #"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":"{}"}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].functionResponse",
            #"{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].functionResponse",
            #"{"contents":[{"role":"model","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#
        ),
        Bad(
            "contents[1].parts[0].functionResponse",
            #"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"g","response":{}}}]}]}"#
        ),
        Bad(
            "contents[0].parts[0].functionResponse.name",
            #"{"contents":[{"parts":[{"functionResponse":{"response":{}}}]}]}"#
        ),
        Bad(
            "contents[1].parts[0].functionResponse.response",
            #"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":"12"}}]}]}"#
        ),
        Bad("systemInstruction", #"{"contents":[],"systemInstruction":"Be brief."}"#),
        Bad(
            "systemInstruction.parts[0]",
            #"{"contents":[],"systemInstruction":{"parts":[{"inlineData":{}}]}}"#
        ),
        Bad("generationConfig", with(#""generationConfig":[]"#)),
        Bad("generationConfig.temperature", with(#""generationConfig":{"temperature":"hot"}"#)),
        Bad(
            "generationConfig.maxOutputTokens",
            with(#""generationConfig":{"maxOutputTokens":"many"}"#)
        ),
        Bad("generationConfig.maxOutputTokens", with(#""generationConfig":{"maxOutputTokens":0}"#)),
        Bad("generationConfig.topK", with(#""generationConfig":{"topK":1.5}"#)),
        Bad("generationConfig.stopSequences", with(#""generationConfig":{"stopSequences":"END"}"#)),
        Bad(
            "generationConfig.stopSequences[1]",
            with(#""generationConfig":{"stopSequences":["a",2]}"#)
        ),
        Bad(
            "generationConfig.thinkingConfig.thinkingBudget",
            with(#""generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}"#)
        ),
        Bad(
            "generationConfig.thinkingConfig.thinkingLevel",
            with(#""generationConfig":{"thinkingConfig":{"thinkingLevel":"HUGE"}}"#)
        ),
        Bad("generationConfig.responseSchema", with(#""generationConfig":{"responseSchema":"x"}"#)),
        Bad(
            "generationConfig.responseMimeType",
            with(#""generationConfig":{"responseMimeType":1}"#)
        ),
        Bad("tools", with(#""tools":"x""#)),
        Bad("tools[0]", with(#""tools":["x"]"#)),
        Bad(
            "tools[0].functionDeclarations[0].name",
            with(#""tools":[{"functionDeclarations":[{}]}]"#)
        ),
        Bad(
            "tools[0].functionDeclarations[0].name",
            with(#""tools":[{"functionDeclarations":[{"name":""}]}]"#)
        ),
        Bad(
            "tools[0].functionDeclarations[0].parameters",
            with(#""tools":[{"functionDeclarations":[{"name":"f","parameters":[]}]}]"#)
        ),
        Bad(
            "toolConfig.functionCallingConfig.mode",
            with(#""toolConfig":{"functionCallingConfig":{"mode":"SOME"}}"#)
        ),
        Bad(
            "toolConfig.functionCallingConfig.allowedFunctionNames[0]",
            with(
                #""toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":[1]}}"#
            )
        ),
    ])
    func badInput(_ row: Bad) throws {
        let document = try Converting.Document(row.body)
        let bytes = document.bytes.span
        var path: String?
        do throws(ConversionError) {
            _ = try Conversion.readRequest(.gemini, document.tape, bytes)
        } catch {
            #expect(error.kind == .invalid)
            path = error.path(document.tape, bytes)
        }
        #expect(path == row.path)
    }

    @Test func manyCallsAndResultsTakeLinearTime() throws {
        let count = 20_000
        let calls = (0..<count).map { #"{"functionCall":{"name":"f\#($0)"}}"# }
        let results = (0..<count).map {
            #"{"functionResponse":{"name":"f\#(count - 1 - $0)","response":{}}}"#
        }
        let body =
            #"{"contents":[{"role":"model","parts":[\#(calls.joined(separator: ","))]},"#
            + #"{"parts":[\#(results.joined(separator: ","))]}]}"#
        let clock = ContinuousClock()
        var turns = 0
        let elapsed = try clock.measure {
            turns = try Converting.conversation(.gemini, body).messages.count
        }
        #expect(turns == 2)
        // A walk over all calls for each result takes minutes.
        #expect(elapsed < .seconds(20))
    }
}
