// SPDX-License-Identifier: Apache-2.0
import Dialects
import JSON
import Support
import Testing

@Suite("Chat requests for a chat upstream")
struct ChatAdapterTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        let input: String
        let output: String
        var host = ProviderHost.openAI
        var model = "m"
        var isStream = false
        var refused: [String] = []
        var dropped: [String] = []
        var change: @Sendable (inout ModelRules) -> Void = { _ in }

        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            name: "nothing changes where nothing must",
            input: #"{ "x": [1, {"y":null}], "model" : "m", "messages":[], "stream":false}"#,
            output: #"{ "x": [1, {"y":null}], "model" : "m", "messages":[], "stream":false}"#
        ),
        Case(
            name: "another name of the model",
            input: #"{"messages":[],"model": "alias", "x":1}"#,
            output: #"{"messages":[],"model": "m", "x":1}"#
        ),
        Case(
            name: "a model that only the path has named",
            input: #"{"messages":[]}"#,
            output: #"{"messages":[],"model":"m"}"#
        ),
        Case(
            name: "a model and a stream that only the path may name",
            input: #"{"model":"alias","stream":true,"messages":[]}"#,
            output: #"{"messages":[]}"#,
            isStream: true,
            change: {
                $0.namesModel = false
                $0.flagsStream = false
            }
        ),
        Case(
            name: "a stream asks for usage",
            input: #"{"model":"m","stream":true,"messages":[]}"#,
            output: #"{"model":"m","stream":true,"messages":[],"#
                + #""stream_options":{"include_usage":true}}"#,
            isStream: true
        ),
        Case(
            name: "options without the wish",
            input: #"{"stream":true,"stream_options":{"a":1},"model":"m"}"#,
            output: #"{"stream":true,"stream_options":{"a":1,"include_usage":true},"model":"m"}"#,
            isStream: true
        ),
        Case(
            name: "options that say no",
            input: #"{"stream":true,"stream_options":{"include_usage":false},"model":"m"}"#,
            output: #"{"stream":true,"stream_options":{"include_usage":true},"model":"m"}"#,
            isStream: true
        ),
        Case(
            name: "empty and null options",
            input: #"{"stream":true,"stream_options":null,"model":"m"}"#,
            output: #"{"stream":true,"stream_options":{"include_usage":true},"model":"m"}"#,
            isStream: true
        ),
        Case(
            name: "options that already say yes",
            input: #"{"stream":true,"stream_options":{"include_usage":true},"model":"m"}"#,
            output: #"{"stream":true,"stream_options":{"include_usage":true},"model":"m"}"#,
            isStream: true
        ),
        Case(
            name: "an upstream that knows no stream options",
            input:
                #"{"stream":true,"stream_options":{"include_usage":true},"messages":[],"model":"m"}"#,
            output: #"{"stream":true,"messages":[],"model":"m"}"#,
            isStream: true,
            refused: ["stream_options"]
        ),
        Case(
            name: "a stream that is made of a whole answer",
            input:
                #"{"messages":[],"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            output: #"{"messages":[],"model":"m","stream":false}"#
        ),
        Case(
            name: "a whole answer that is made of a stream",
            input: #"{"model":"m"}"#,
            output: #"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            isStream: true
        ),
        Case(
            name: "a reasoning model",
            input: #"{"temperature":0.5,"model":"o3","top_p":1,"max_tokens":5,"messages":[],"#
                + #""stop":["x"],"logprobs":false,"reasoning_effort":"low","logit_bias":{"1":2},"#
                + #""presence_penalty":0,"frequency_penalty":1}"#,
            output: #"{"model":"o3","max_completion_tokens":5,"messages":[],"#
                + #""reasoning_effort":"low"}"#,
            model: "o3",
            dropped: ["temperature", "stop", "logit_bias", "frequency_penalty"]
        ),
        Case(
            name: "both limits",
            input: #"{"messages":[],"max_tokens":5,"max_completion_tokens":6,"model":"gpt-5"}"#,
            output: #"{"messages":[],"max_completion_tokens":6,"model":"gpt-5"}"#,
            model: "gpt-5"
        ),
        Case(
            name: "the chat variant of a reasoning model",
            input: #"{"max_tokens":5,"temperature":0,"model":"gpt-5-chat-latest"}"#,
            output: #"{"max_completion_tokens":5,"temperature":0,"model":"gpt-5-chat-latest"}"#,
            model: "gpt-5-chat-latest"
        ),
        Case(
            name: "SAP's Azure takes only what it knows",
            input: #"{"beta":1,"model":"gpt-4o","messages":[{"role":"user","content":[{"#
                + #""type":"image_url","image_url":{"url":"data:image/jpg;base64,AAAA"}}]}],"#
                + #""service_tier":"flex","empty":null,"max_tokens":4,"user":"u","#
                + #""verbosity":"low"}"#,
            output: #"{"model":"gpt-4o","messages":[{"role":"user","content":[{"#
                + #""type":"image_url","image_url":{"url":"data:image/jpg;base64,AAAA"}}]}],"#
                + #""max_tokens":4,"user":"u","verbosity":"low"}"#,
            host: .sapAzure,
            model: "gpt-4o",
            dropped: ["beta", "service_tier"]
        ),
        Case(
            name: "members that were refused",
            input: #"{"model":"m","seed":1,"messages":[],"user":"u"}"#,
            output: #"{"model":"m","messages":[]}"#,
            refused: ["seed", "user", "other"],
            dropped: ["seed", "user"]
        ),
        Case(
            name: "the last member goes and another comes",
            input: #"{"messages":[],"model":"m","stream":true,"seed":1}"#,
            output:
                #"{"messages":[],"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            isStream: true,
            refused: ["seed"],
            dropped: ["seed"]
        ),
        Case(
            name: "a compatible server gets what the client says",
            input: #"{"model":"o3","temperature":0.5,"max_tokens":5,"stop":"x","top_k":3,"y":1}"#,
            output: #"{"model":"o3","temperature":0.5,"max_tokens":5,"stop":"x","top_k":3,"y":1}"#,
            host: .compatible,
            model: "o3"
        ),
        Case(
            name: "Gemini's OpenAI interface gets what the client says",
            input: #"{"model":"gemini-3-pro","reasoning_effort":"none","extra_body":{}}"#,
            output: #"{"model":"gemini-3-pro","reasoning_effort":"none","extra_body":{}}"#,
            host: .gemini,
            model: "gemini-3-pro"
        ),
        Case(
            name: "what tools said moves behind their calls",
            input: #"{"model":"m","messages":[ {"role":"user"}, {"role":"assistant","#
                + #""tool_calls":[1,2,3]}, {"role":"tool","n":1} , {"role":"developer"}, "#
                + #"{"role":"tool","n":2},{"role":"user"},{"role":"tool","n":3} ],"stream":true}"#,
            output: #"{"model":"m","messages":[ {"role":"user"}, {"role":"assistant","#
                + #""tool_calls":[1,2,3]}, {"role":"tool","n":1},{"role":"tool","n":2},"#
                + #"{"role":"tool","n":3} , {"role":"developer"}, {"role":"user"} ],"#
                + #""stream":true,"stream_options":{"include_usage":true}}"#,
            isStream: true
        ),
        Case(
            name: "results of no call stay where they are",
            input: #"{"model":"m","messages":[{"role":"tool"},{"role":"assistant"},"#
                + #"{"role":"user"},{"role":"tool"}]}"#,
            output: #"{"model":"m","messages":[{"role":"tool"},{"role":"assistant"},"#
                + #"{"role":"user"},{"role":"tool"}]}"#
        ),
        Case(
            name: "names that are written with escapes",
            input: #"{"mod\u0065l":"gpt-5","t\u0065mperature":0.1,"messages":[]}"#,
            output: #"{"mod\u0065l":"gpt-5.4","messages":[]}"#,
            model: "gpt-5.4",
            dropped: ["temperature"]
        ),
    ]

    @Test("Edits", arguments: cases)
    func adapts(_ row: Case) throws {
        var plan = RequestPlan(
            format: .chat,
            host: row.host,
            model: row.model,
            isStream: row.isStream
        )
        plan.refused = row.refused
        row.change(&plan.rules)
        let result = try Converting.adapted(row.input, plan)
        #expect(result.body == row.output)
        #expect(result.dropped == row.dropped)
    }

    @Test(
        "Generated requests stay JSON, and what the rules allow stays the same",
        arguments: 0..<100
    )
    func generated(_ seed: Int) throws {
        var generator = RandomConversation(seed: UInt64(seed), .all)
        let text = generator.chatRequest()
        for (host, model) in [
            (ProviderHost.openAI, "o3"), (.sapAzure, "gpt-5"), (.compatible, "x"),
        ] {
            for isStream in [false, true] {
                let plan = RequestPlan(format: .chat, host: host, model: model, isStream: isStream)
                let result = try Converting.adapted(text, plan)
                let before = try JSONValue(text)
                let after = try JSONValue(result.body)
                #expect(after["messages"] == before["messages"], "seed \(seed)")
                #expect(after["model"]?.string == model, "seed \(seed)")
                #expect((after["stream"]?.bool ?? false) == isStream, "seed \(seed)")
                for name in result.dropped { #expect(after[name] == nil, "seed \(seed)") }
            }
        }
    }

    @Test("Options of the wrong type name their place")
    func badOptions() throws {
        let plan = RequestPlan(format: .chat, host: .openAI, model: "m", isStream: true)
        #expect(throws: ConversionError.self) {
            try Converting.adapted(#"{"stream":true,"stream_options":1}"#, plan)
        }
        #expect(throws: ConversionError.self) { try Converting.adapted("[]", plan) }
        let closed = RequestPlan(format: .chat, host: .sapAzure, model: "m", isStream: true)
        #expect(throws: ConversionError.self) { try Converting.adapted(#"{"x":1}"#, closed) }
    }
}
