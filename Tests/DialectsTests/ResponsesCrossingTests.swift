// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Responses on one side and another vendor's format on the other.
struct ResponsesCrossingTests {
    /// Chat requests say the same after the way through Responses.
    @Test(arguments: 0..<300)
    func chatThroughResponses(_ seed: Int) throws {
        var generator = RandomConversation(seed: UInt64(seed), .all)
        let first = generator.chatRequest()
        let plan = RequestPlan(format: .responses, host: .compatible, model: "m", isStream: false)
        let request = try Converting.request(first, from: .chat, plan)
        let before = try Converting.conversation(.chat, first)
        let after = try Converting.conversation(.responses, request.body)
        var expected = try Meaning(before, of: first)
        var actual = try Meaning(after, of: request.body)
        // Chat has thoughts without a proof, which OpenAI would not take back.
        expected.changeItems { item in
            if case .thinking = item { nil } else { item }
        }
        for tool in expected.tools.indices where expected.tools[tool].isStrict == nil {
            expected.tools[tool].isStrict = false
        }
        if let limit = expected.settings["maxTokens"].flatMap({ Int($0) }), limit < 16 {
            expected.settings["maxTokens"] = "16"
        }
        expected.drop(
            "stop",
            "seed",
            "presencePenalty",
            "frequencyPenalty",
            "logprobs",
            "topLogprobs",
            "candidates"
        )
        expected.joinTexts()
        actual.joinTexts()
        #expect(actual == expected, "seed \(seed): \(first)")
    }

    /// Requests of Responses say the same after the way through chat.
    @Test(arguments: 0..<300)
    func responsesThroughChat(_ seed: Int) throws {
        var generator = RandomResponsesRequest(seed: UInt64(seed))
        let first = generator.request()
        let plan = RequestPlan(format: .chat, host: .compatible, model: "m", isStream: false)
        let request = try Converting.request(first, from: .responses, plan)
        let before = try Converting.conversation(.responses, first)
        let after = try Converting.conversation(.chat, request.body)
        var expected = try Meaning(before, of: first)
        var actual = try Meaning(after, of: request.body)
        // Chat has no summaries of thoughts, and no choice without tools to choose from.
        expected.drop("showsThoughts", "toolChoice", "parallelToolCalls", "effort")
        actual.drop("toolChoice", "parallelToolCalls", "effort")
        #expect(actual.tools == expected.tools, "seed \(seed): \(first)")
        #expect(actual.settings == expected.settings, "seed \(seed): \(first)")
        #expect(
            Self.calls(actual) == Self.calls(expected),
            "seed \(seed): \(first)\n\(request.body)"
        )
    }

    /// Calls and results in order; where media of results stand differs.
    private static func calls(_ meaning: Meaning) -> [String] {
        meaning.turns.flatMap { turn in
            turn.items.compactMap { item -> String? in
                switch item {
                case .call(let id, let name, _, _): "call \(id ?? "-") \(name)"
                case .result(let id, _, _, _, _): "result \(id ?? "-")"
                case .text, .media, .thinking, .refusal: nil
                }
            }
        }
    }

    /// What Codex sends in the middle of its work, to a model that is none of OpenAI's.
    @Test func codex() throws {
        let body = #"""
            {"model":"claude","instructions":"You are Codex.","input":[
            {"type":"message","role":"developer","content":[{"type":"input_text","text":"<permissions>"}]},
            {"type":"message","role":"user","content":[{"type":"input_text","text":"<environment_context>"}]},
            {"type":"message","role":"user","content":[{"type":"input_text","text":"fix it"}]},
            {"type":"reasoning","summary":[{"type":"summary_text","text":"look first"}],"content":null,"encrypted_content":"apus.s.EqQB"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}],"phase":"commentary"},
            {"type":"function_call","name":"exec_command","arguments":"{\"cmd\":\"ls\"}","call_id":"toolu_1"},
            {"type":"function_call","name":"exec_command","arguments":"{\"cmd\":\"pwd\"}","call_id":"toolu_2"},
            {"type":"message","role":"developer","content":[{"type":"input_text","text":"approved"}]},
            {"type":"function_call_output","call_id":"toolu_1","output":"a.txt\n"},
            {"type":"function_call_output","call_id":"toolu_2","output":"/work\n"},
            {"type":"custom_tool_call","status":"completed","call_id":"toolu_3","name":"apply_patch","input":"*** Begin Patch\n"},
            {"type":"custom_tool_call_output","call_id":"toolu_3","output":"{\"output\":\"ok\"}"},
            {"type":"function_call","name":"view_image","arguments":"{}","call_id":"toolu_4"},
            {"type":"message","role":"user","content":[{"type":"input_text","text":"<turn_aborted>"}]}],
            "tools":[{"type":"function","name":"exec_command","description":"d","strict":false,"parameters":{"type":"object","properties":{}}},
            {"type":"custom","name":"apply_patch","description":"d","format":{"type":"grammar","syntax":"lark","definition":"start"}},
            {"type":"web_search","external_web_access":false}],"tool_choice":"auto","parallel_tool_calls":true,
            "reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,
            "include":["reasoning.encrypted_content"],"prompt_cache_key":"0199","text":{"verbosity":"medium"},
            "client_metadata":{"x-codex-installation-id":"i"}}
            """#
        let conversation = try Converting.conversation(.responses, body)
        #expect(
            ResponsesShape.of(conversation, body)
                == "system{You are Codex.}{<permissions>}{approved} U{text <environment_context>} "
                + "U{text fix it} A{thinking text look first signature EqQB}{text I look.}"
                + "{call toolu_1 exec_command {\"cmd\":\"ls\"}}"
                + "{call toolu_2 exec_command {\"cmd\":\"pwd\"}} "
                + "U{result toolu_1 exec_command: text a.txt\n}"
                + "{result toolu_2 exec_command: text /work\n} "
                + "A{call toolu_3 apply_patch {\"input\":\"*** Begin Patch\\n\"}} "
                + "U{result toolu_3 apply_patch: text {\"output\":\"ok\"}} "
                + "U{text <turn_aborted>}"
        )
        #expect(
            conversation.omissions.names == [
                "client_metadata", "input[].function_call", "tools[].custom",
                "tools[].web_search", "text.verbosity",
            ]
        )
        #expect(conversation.toolChoice == .auto)
        #expect(conversation.reasoning?.effort == .medium)
        #expect(conversation.isStream)
    }

    /// A stream of Claude, as a client of Responses sees it.
    @Test func claudeThinksAndCalls() throws {
        let events = [
            #"{"type":"message_start","message":{"id":"msg_bdrk_01X","type":"message","role":"assistant","content":[],"model":"c","usage":{"input_tokens":60,"cache_read_input_tokens":5,"output_tokens":1}}}"#,
            #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"look \"first\""}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB/+=="}}"#,
            #"{"type":"content_block_stop","index":0}"#,
            #"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            #"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Checking."}}"#,
            #"{"type":"content_block_stop","index":1}"#,
            #"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_time","input":{}}}"#,
            #"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"tz\":\"CET\"}"}}"#,
            #"{"type":"content_block_stop","index":2}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":31}}"#,
            #"{"type":"message_stop"}"#,
        ]
        let text = try Converting.stream(events, from: .messages, to: .responses).text
        let transcript = try ResponsesTranscript(text)
        #expect(transcript.faults == [])
        let response = try #require(transcript.response)
        let output = response["output"]?.array ?? []
        #expect(output.map { $0["type"]?.string } == ["reasoning", "message", "function_call"])
        #expect(output[0]["summary"]?[0]?["text"]?.string == #"look "first""#)
        #expect(output[0]["encrypted_content"]?.string == "apus.s.EqQB/+==")
        #expect(output[1]["content"]?[0]?["text"]?.string == "Checking.")
        #expect(output[2]["call_id"]?.string == "toolu_1")
        #expect(output[2]["arguments"]?.string == #"{"tz":"CET"}"#)
        #expect(response["status"]?.string == "completed")
        #expect(response["usage"]?["input_tokens"]?.int == 65)
        #expect(response["usage"]?["output_tokens"]?.int == 31)
    }

    /// Claude gets its signed and its encrypted thoughts back as it gave them.
    @Test func claudeGetsItsThoughtsBack() throws {
        let body = #"""
            {"model":"claude","input":[{"role":"user","content":"q"},
            {"type":"reasoning","summary":[],"encrypted_content":"apus.e.EvAF+/=="},
            {"type":"reasoning","summary":[{"type":"summary_text","text":"look"}],"encrypted_content":"apus.s.EqQB+/=="},
            {"type":"function_call","call_id":"toolu_1","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"toolu_1","output":"1"}],
            "reasoning":{"effort":"high"},"max_output_tokens":30000,
            "tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]}
            """#
        let plan = RequestPlan(
            format: .messages,
            host: .anthropic,
            model: "claude-sonnet-4-5",
            isStream: false
        )
        let request = try Converting.request(body, from: .responses, plan)
        let turn = try JSONValue(request.body)["messages"]?[1]?["content"]
        #expect(turn?[0]?["type"]?.string == "redacted_thinking", "\(request.body)")
        #expect(turn?[0]?["data"]?.string == "EvAF+/==")
        #expect(turn?[1]?["thinking"]?.string == "look")
        #expect(turn?[1]?["signature"]?.string == "EqQB+/==")
        #expect(turn?[2]?["type"]?.string == "tool_use")
        #expect(request.dropped == [])
    }
}
