// SPDX-License-Identifier: Apache-2.0
import Dialects
import Testing

/// Requests that stay in Gemini's format: every byte that need not change stays.
struct GeminiAdapterTests {
    struct Row: CustomTestStringConvertible {
        let testDescription: String
        let host: ProviderHost
        let body: String
        let expected: String
        var refused: [String] = []

        init(
            _ name: String,
            _ host: ProviderHost,
            _ body: String,
            _ expected: String,
            refused: [String] = []
        ) {
            testDescription = name
            self.host = host
            self.body = body
            self.expected = expected
            self.refused = refused
        }
    }

    private static let turns =
        #"{ "contents": [{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"id":2}}}]},{"parts":{"function_call":{"name":"f","args":{"id":1},"id":"x"}}}], "generationConfig":{"thinkingConfig":{"thinkingBudget":0,"x":[1]}}, "unknown" : 1.0e2 }"#

    @Test(arguments: [
        Row("nothing to change", .gemini, turns, turns),
        Row(
            "model and stream",
            .gemini,
            #"{"model":"m", "contents":[], "stream":true}"#,
            #"{"contents":[]}"#
        ),
        Row(
            "SAP: ids and budgets of nothing",
            .sapVertex,
            turns,
            #"{ "contents": [{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"id":2}}}]},{"parts":{"function_call":{"name":"f","args":{"id":1}}},"role":"user"}], "generationConfig":{"thinkingConfig":{"thinkingBudget":-1,"x":[1]}}, "unknown" : 1.0e2 }"#
        ),
        Row(
            "SAP: turns without a role are the user's",
            .sapVertex,
            #"{"contents":[{"parts":[{"text":"a"}]},{},{"role":"model","parts":[]}]}"#,
            #"{"contents":[{"parts":[{"text":"a"}],"role":"user"},{"role":"user"},{"role":"model","parts":[]}]}"#
        ),
        Row(
            "Google: a turn may have no role",
            .gemini,
            #"{"contents":[{"parts":[{"text":"a"}]}]}"#,
            #"{"contents":[{"parts":[{"text":"a"}]}]}"#
        ),
        Row(
            "SAP: other budgets stay",
            .sapVertex,
            #"{"generation_config":{"thinking_config":{"thinking_budget":1}}}"#,
            #"{"generation_config":{"thinking_config":{"thinking_budget":1}}}"#
        ),
        Row(
            "members that were refused",
            .sapVertex,
            #"{"labels":{"a":"b"},"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}"#,
            #"{"contents":[]}"#,
            refused: ["labels", "generationConfig", "other"]
        ),
    ])
    func adapts(_ row: Row) throws {
        var plan = RequestPlan(
            format: .gemini,
            host: row.host,
            model: "gemini-2.5-pro",
            isStream: false
        )
        plan.refused = row.refused
        let result = try Converting.adapted(row.body, plan)
        #expect(result.body == row.expected)
        #expect(result.dropped == row.refused.filter { $0 != "other" })
    }

    @Test func wrongBodiesAreRefused() {
        let plan = RequestPlan(
            format: .gemini,
            host: .gemini,
            model: "gemini-2.5-pro",
            isStream: false
        )
        #expect(throws: ConversionError.self) { _ = try Converting.adapted("[]", plan) }
    }
}
