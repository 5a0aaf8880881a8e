// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Testing

/// Requests of clients whose upstream speaks Responses too.
struct ResponsesAdapterTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let name: String
        var host = ProviderHost.openAI
        var model = "gpt-4.1"
        var isStream = false
        var isCompaction = false
        var refused: [String] = []
        let body: String
        let expected: String
        var dropped: [String] = []

        var testDescription: String { name }
    }

    private static let plain = [
        Row(
            name: "nothing changes that needs no change",
            isStream: true,
            body:
                #"{ "model" : "gpt-4.1", "unknown": [1, {"a":null}], "input":"hi", "stream": true }"#,
            expected:
                #"{ "model" : "gpt-4.1", "unknown": [1, {"a":null}], "input":"hi", "stream": true }"#
        ),
        Row(
            name: "the model's name, and order and space survive",
            body: #"{"input": "hi", "model": "alias" , "metadata":{"a":"b"},"store":true}"#,
            expected: #"{"input": "hi", "model": "gpt-4.1" , "metadata":{"a":"b"},"store":true}"#
        ),
        Row(
            name: "a model that is missing",
            body: #"{"input":"hi"}"#,
            expected: #"{"input":"hi","model":"gpt-4.1"}"#
        ),
        Row(
            name: "a stream where the client wants none",
            isStream: true,
            body: #"{"input":"hi","model":"gpt-4.1","stream":null}"#,
            expected: #"{"input":"hi","model":"gpt-4.1","stream":true}"#
        ),
        Row(
            name: "a stream that is missing",
            isStream: true,
            body: #"{"input":"hi"}"#,
            expected: #"{"input":"hi","model":"gpt-4.1","stream":true}"#
        ),
        Row(
            name: "no stream where the client wants one",
            body:
                #"{"input":"hi","model":"gpt-4.1","stream":true,"stream_options":{"include_obfuscation":false}}"#,
            expected: #"{"input":"hi","model":"gpt-4.1","stream":false}"#
        ),
        Row(
            name: "options of a stream stay with it",
            isStream: true,
            body:
                #"{"input":"hi","model":"gpt-4.1","stream":true,"stream_options":{"include_obfuscation":false}}"#,
            expected:
                #"{"input":"hi","model":"gpt-4.1","stream":true,"stream_options":{"include_obfuscation":false}}"#
        ),
        Row(
            name: "sampling of a reasoning model",
            model: "gpt-5.4",
            body:
                #"{"model":"gpt-5.4","temperature":1,"top_p":null,"top_logprobs":2,"input":"hi","reasoning":{"effort":"low"}}"#,
            expected: #"{"model":"gpt-5.4","input":"hi","reasoning":{"effort":"low"}}"#,
            dropped: ["temperature", "top_logprobs"]
        ),
        Row(
            name: "sampling of a model of somebody else",
            host: .compatible,
            model: "gpt-5-like",
            body: #"{"model":"gpt-5-like","temperature":1,"input":"hi"}"#,
            expected: #"{"model":"gpt-5-like","temperature":1,"input":"hi"}"#
        ),
        Row(
            name: "members that the upstream has refused",
            refused: ["prompt_cache_key", "metadata"],
            body:
                #"{"prompt_cache_key":"k","model":"gpt-4.1","metadata":null,"input":"hi","store":false}"#,
            expected: #"{"model":"gpt-4.1","input":"hi","store":false}"#,
            dropped: ["prompt_cache_key"]
        ),
        Row(
            name: "tools of OpenAI stay with OpenAI",
            body:
                #"{"model":"gpt-4.1","input":"hi","tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}}"#,
            expected:
                #"{"model":"gpt-4.1","input":"hi","tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}}"#
        ),
        Row(
            name: "the tag of a stored response comes off",
            body: #"{"model":"gpt-4.1","input":"hi","previous_response_id":"resp_1_adeadbeef"}"#,
            expected: #"{"model":"gpt-4.1","input":"hi","previous_response_id":"resp_1"}"#
        ),
        Row(
            name: "an id without a tag stays",
            body: #"{"model":"gpt-4.1","input":"hi","previous_response_id":"resp_1"}"#,
            expected: #"{"model":"gpt-4.1","input":"hi","previous_response_id":"resp_1"}"#
        ),
        Row(
            name: "an id that goes with the upstream's refusal",
            refused: ["previous_response_id"],
            body: #"{"model":"gpt-4.1","input":"hi","previous_response_id":"resp_1_adeadbeef"}"#,
            expected: #"{"model":"gpt-4.1","input":"hi"}"#,
            dropped: ["previous_response_id"]
        ),
        Row(
            name: "thoughts of other vendors stay away",
            body:
                #"{"model":"gpt-4.1","input":[{"type":"reasoning","encrypted_content":"apus.s.Eq","summary":[]},{"type":"reasoning","encrypted_content":"gAAA","summary":[]},{"role":"user","content":"a"},{"encrypted_content":"apus.c.Cg","type":"reasoning"}]}"#,
            expected:
                #"{"model":"gpt-4.1","input":[{"type":"reasoning","encrypted_content":"gAAA","summary":[]},{"role":"user","content":"a"}]}"#,
            dropped: ["input[].reasoning"]
        ),
        Row(
            name: "compaction",
            isStream: true,
            isCompaction: true,
            body:
                #"{"model":"x","input":[],"stream":true,"max_output_tokens":100,"instructions":"i"}"#,
            expected: #"{"model":"gpt-4.1","input":[],"instructions":"i"}"#,
            dropped: ["max_output_tokens"]
        ),
    ]

    private static let sap = [
        Row(
            name: "only members that Azure behind SAP AI Core takes",
            host: .sapAzure,
            model: "gpt-4.1",
            body:
                #"{"model":"a","client_metadata":{"x":1},"input":"hi","beta":null,"store":false,"prompt_cache_key":"k"}"#,
            expected: #"{"model":"gpt-4.1","input":"hi","store":false,"prompt_cache_key":"k"}"#,
            dropped: ["client_metadata"]
        ),
        Row(
            name: "only functions",
            host: .sapAzure,
            body:
                #"{"model":"gpt-4.1","input":"hi","tools":[{"type":"custom","name":"apply_patch"},{"type":"function","name":"f"},{"type":"web_search"},{"name":"x"}],"tool_choice":"required"}"#,
            expected:
                #"{"model":"gpt-4.1","input":"hi","tools":[{"type":"function","name":"f"}],"tool_choice":"required"}"#,
            dropped: ["tools[].custom", "tools[].web_search"]
        ),
        Row(
            name: "no tool is left",
            host: .sapAzure,
            body:
                #"{"model":"gpt-4.1","input":"hi","tools":[{"type":"custom","name":"p"}],"tool_choice":"required"}"#,
            expected: #"{"model":"gpt-4.1","input":"hi","tools":[],"tool_choice":"auto"}"#,
            dropped: ["tools[].custom", "tool_choice"]
        ),
        Row(
            name: "auto stays when no tool is left",
            host: .sapAzure,
            body:
                #"{"model":"gpt-4.1","input":"hi","tools":[{"type":"custom","name":"p"}],"tool_choice":"auto"}"#,
            expected: #"{"model":"gpt-4.1","input":"hi","tools":[],"tool_choice":"auto"}"#,
            dropped: ["tools[].custom"]
        ),
        Row(
            name: "a choice of a tool that goes",
            host: .sapAzure,
            body:
                #"{"tool_choice":{"type":"custom","name":"p"},"model":"gpt-4.1","input":"hi","tools":[{"type":"custom","name":"p"},{"type":"function","name":"f"}]}"#,
            expected:
                #"{"tool_choice":"auto","model":"gpt-4.1","input":"hi","tools":[{"type":"function","name":"f"}]}"#,
            dropped: ["tools[].custom", "tool_choice"]
        ),
        Row(
            name: "a choice of a tool that stays",
            host: .sapAzure,
            body:
                #"{"tool_choice":{"type":"function","name":"f"},"model":"gpt-4.1","input":"hi","tools":[{"type":"custom","name":"p"},{"type":"function","name":"f"}]}"#,
            expected:
                #"{"tool_choice":{"type":"function","name":"f"},"model":"gpt-4.1","input":"hi","tools":[{"type":"function","name":"f"}]}"#,
            dropped: ["tools[].custom"]
        ),
        Row(
            name: "a choice by a function's name of a tool that is none",
            host: .sapAzure,
            body:
                #"{"tool_choice":{"type":"function","name":"p"},"model":"gpt-4.1","input":"hi","tools":[{"type":"custom","name":"p"},{"type":"function","name":"f"}]}"#,
            expected:
                #"{"tool_choice":"auto","model":"gpt-4.1","input":"hi","tools":[{"type":"function","name":"f"}]}"#,
            dropped: ["tools[].custom", "tool_choice"]
        ),
        Row(
            name: "empty tools are fine",
            host: .sapAzure,
            body: #"{"model":"gpt-4.1","input":"hi","tools":[],"tool_choice":"auto"}"#,
            expected: #"{"model":"gpt-4.1","input":"hi","tools":[],"tool_choice":"auto"}"#
        ),
        Row(
            name: "nothing that is known",
            host: .sapAzure,
            isStream: true,
            body: #"{"foo":1}"#,
            expected: #"{"model":"gpt-4.1","stream":true}"#,
            dropped: ["foo"]
        ),
        Row(
            name: "a member that is missing behind ones that go",
            host: .sapAzure,
            isStream: true,
            body: #"{"input":"hi","foo":1,"bar":2}"#,
            expected: #"{"input":"hi","model":"gpt-4.1","stream":true}"#,
            dropped: ["foo", "bar"]
        ),
    ]

    @Test(arguments: plain + sap)
    func adapts(_ row: Row) throws {
        var plan = RequestPlan(
            format: .responses,
            host: row.host,
            model: row.model,
            isStream: row.isStream
        )
        plan.refused = row.refused
        plan.isCompaction = row.isCompaction
        let request = try Converting.adapted(row.body, plan)
        #expect(request.body == row.expected)
        #expect(request.dropped == row.dropped)
    }

    @Test func whereThePathNamesTheModel() throws {
        var plan = RequestPlan(format: .responses, host: .azure, model: "m", isStream: true)
        plan.rules.namesModel = false
        plan.rules.flagsStream = false
        let request = try Converting.adapted(#"{"model":"m","stream":true,"input":"hi"}"#, plan)
        #expect(request.body == #"{"input":"hi"}"#)
        #expect(request.dropped.isEmpty)
    }

    @Test func onlyObjects() {
        let plan = RequestPlan(format: .responses, host: .openAI, model: "m", isStream: false)
        #expect(throws: ConversionError.self) { try Converting.adapted("[]", plan) }
    }

    @Test func compactionNeedsTheModelsOwnInterface() throws {
        var plan = RequestPlan(format: .chat, host: .openAI, model: "m", isStream: false)
        plan.isCompaction = true
        let error = #expect(throws: ConversionError.self) {
            try Converting.request(#"{"input":"hi"}"#, from: .responses, plan)
        }
        #expect(error?.kind == .unsupported)
    }
}
