// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dialects

@Suite("The rules of OpenAI's models")
struct OpenAIRulesTests {
    struct Row: CustomTestStringConvertible {
        let model: String
        let family: OpenAIModel.Family
        var isReasoning = true

        var testDescription: String { model }
    }

    @Test(
        "Names",
        arguments: [
            Row(model: "o1", family: .oSeries),
            Row(model: "o1-preview", family: .oSeries),
            Row(model: "o3-mini", family: .oSeries),
            Row(model: "o4-mini-2025-04-16", family: .oSeries),
            Row(model: "gpt-5", family: .gpt(major: 5, minor: 0)),
            Row(model: "gpt-5-mini", family: .gpt(major: 5, minor: 0)),
            Row(model: "gpt-5.4-2026-02-01", family: .gpt(major: 5, minor: 4)),
            Row(model: "gpt-5.3-codex", family: .gpt(major: 5, minor: 3)),
            Row(model: "openai/gpt-5.1", family: .gpt(major: 5, minor: 1)),
            Row(model: "ft:o3-mini:org::id", family: .oSeries),
            Row(
                model: "gpt-5-chat-latest",
                family: .gpt(major: 5, minor: 0),
                isReasoning: false
            ),
            Row(model: "gpt-4o", family: .other, isReasoning: false),
            Row(model: "gpt-4o1", family: .other, isReasoning: false),
            Row(model: "gpt-4.1-mini", family: .other, isReasoning: false),
            Row(model: "gpt-4-0613", family: .other, isReasoning: false),
            Row(model: "gpt-35-turbo", family: .other, isReasoning: false),
            Row(model: "gpt-oss-120b", family: .other, isReasoning: false),
            Row(model: "o3x", family: .other, isReasoning: false),
            Row(model: "omni-moderation-latest", family: .other, isReasoning: false),
            Row(model: "chatgpt-4o-latest", family: .other, isReasoning: false),
            Row(model: "gpt", family: .other, isReasoning: false),
            Row(model: "", family: .other, isReasoning: false),
        ]
    )
    func names(_ row: Row) {
        let model = OpenAIModel(row.model)
        #expect(model.family == row.family)
        #expect(model.isReasoning == row.isReasoning)
    }

    @Test("Only hosts of OpenAI's models have its rules", arguments: ProviderHost.allCases)
    func hosts(_ host: ProviderHost) {
        let rules = ModelRules(format: .chat, host: host, model: "gpt-5.4")
        let isOpenAI = [.openAI, .azure, .sapAzure, .sapOrchestration].contains(host)
        #expect(rules.renamesMaxTokens == isOpenAI)
        #expect(rules.takesSampling == !isOpenAI)
        #expect(rules.takesStop == !isOpenAI)
        #expect(rules.stopMax == (isOpenAI ? 4 : 0))
        #expect(rules.hasClosedMembers == (host == .sapAzure))
        #expect(rules.namesModel && rules.flagsStream)
        #expect(rules.thinking == .adaptive)
        #expect(!ModelRules(format: .responses, host: host, model: "gpt-4o").takesStop)
    }

    @Test("Every effort has a nearest one that the model knows")
    func efforts() {
        let known: [String: [Reasoning.Effort]] = [
            "o3": [.low, .medium, .high],
            "gpt-5": [.minimal, .low, .medium, .high],
            "gpt-5.1": [.none, .low, .medium, .high],
            "gpt-5.4": [.none, .low, .medium, .high, .xhigh],
        ]
        for (name, efforts) in known {
            let model = OpenAIModel(name)
            for effort in Reasoning.Effort.allCases {
                let nearest = model.nearest(effort)
                #expect(efforts.contains(nearest), "\(name) \(effort)")
                if efforts.contains(effort) { #expect(nearest == effort, "\(name) \(effort)") }
            }
        }
    }
}
