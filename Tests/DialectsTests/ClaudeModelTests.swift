// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dialects

struct ClaudeModelTests {
    struct Name: CustomTestStringConvertible {
        let name: String
        let family: ClaudeModel.Family
        let major: Int
        let minor: Int
        var testDescription: String { name }

        init(_ name: String, _ family: ClaudeModel.Family, _ major: Int, _ minor: Int) {
            self.name = name
            self.family = family
            self.major = major
            self.minor = minor
        }
    }

    @Test(arguments: [
        Name("claude-3-opus-20240229", .opus, 3, 0),
        Name("claude-3-haiku", .haiku, 3, 0),
        Name("claude-3-5-sonnet-20241022", .sonnet, 3, 5),
        Name("claude-3-7-sonnet-latest", .sonnet, 3, 7),
        Name("claude-sonnet-4-20250514", .sonnet, 4, 0),
        Name("claude-opus-4-1-20250805", .opus, 4, 1),
        Name("claude-sonnet-4-5@20250929", .sonnet, 4, 5),
        Name("claude-opus-4-7", .opus, 4, 7),
        Name("claude-opus-4-10", .opus, 4, 10),
        Name("claude-opus-5", .opus, 5, 0),
        Name("Claude-Sonnet-4.6", .sonnet, 4, 6),
        Name("anthropic--claude-4.6-sonnet", .sonnet, 4, 6),
        Name("anthropic--claude-3-haiku", .haiku, 3, 0),
        Name("anthropic.claude-3-sonnet-20240229-v1:0", .sonnet, 3, 0),
        Name("anthropic.claude-sonnet-4-5-20250929-v1:0", .sonnet, 4, 5),
        Name("eu.anthropic.claude-opus-4-6-v1", .opus, 4, 6),
        Name("eu.anthropic.claude-opus-4-20250514-v1:0", .opus, 4, 0),
        Name("us.anthropic.claude-haiku-4-5-20251001-v1:0", .haiku, 4, 5),
        Name("claude-sonnet-4-5[1m]", .sonnet, 4, 5),
        Name("claude-2.1", .other, 2, 1),
        Name("claude-instant-1.2", .other, 1, 2),
        Name(
            "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            .sonnet,
            4,
            5
        ),
    ])
    func readsNames(_ row: Name) throws {
        let model = try #require(ClaudeModel(row.name))
        #expect(model.family == row.family)
        #expect(model.version == ClaudeModel.Version(row.major, row.minor))
    }

    @Test(arguments: ["", "gpt-5.4", "sonnet-4-5", "claude", "claude-sonnet", "claude-v2:1", "m"])
    func knowsWhatItDoesNotKnow(_ name: String) {
        #expect(ClaudeModel(name) == nil)
    }

    @Test func comparesNumbers() {
        #expect(ClaudeModel.Version(4, 10) > ClaudeModel.Version(4, 9))
        #expect(ClaudeModel.Version(5, 0) > ClaudeModel.Version(4, 10))
        #expect(ClaudeModel.Version(3, 7) < ClaudeModel.Version(4, 0))
    }

    /// A model and what it takes, a letter each: sampling, both of temperature and top_p, a turn to
    /// go on with, a budget, adaptive thinking, effort, maximal and extra high effort, a schema, a
    /// long context behind a beta.
    struct Rules: CustomTestStringConvertible {
        let model: String
        let takes: String
        var testDescription: String { model }
    }

    @Test(arguments: [
        Rules(model: "claude-3-haiku-20240307", takes: "SBP......."),
        Rules(model: "claude-3-5-sonnet-20241022", takes: "SBP......."),
        Rules(model: "claude-3-7-sonnet-20250219", takes: "SBPt......"),
        Rules(model: "claude-sonnet-4-20250514", takes: "SBPt.....l"),
        Rules(model: "claude-opus-4-20250514", takes: "SBPt......"),
        Rules(model: "claude-opus-4-1", takes: "S.Pt......"),
        Rules(model: "claude-sonnet-4-5", takes: "S.Pt....fl"),
        Rules(model: "claude-haiku-4-5", takes: "S.Pt....f."),
        Rules(model: "claude-opus-4-5", takes: "S.Pt.e..f."),
        Rules(model: "claude-sonnet-4-6", takes: "S..taem.f."),
        Rules(model: "claude-opus-4-6", takes: "S..taem.f."),
        Rules(model: "claude-opus-4-7", takes: "....aemxf."),
        Rules(model: "claude-opus-4-8", takes: "....aemxf."),
        Rules(model: "claude-sonnet-5", takes: "....aemxf."),
        Rules(model: "whatever", takes: "SBPtaemxf."),
    ])
    func rules(_ row: Rules) {
        let rules = ModelRules(format: .messages, host: .anthropic, model: row.model)
        let flags: [(Bool, Character)] = [
            (rules.takesSampling, "S"), (rules.takesTemperatureWithTopP, "B"),
            (rules.takesPrefill, "P"), (rules.claude.takesBudget, "t"),
            (rules.claude.takesAdaptive, "a"), (rules.claude.takesEffort, "e"),
            (rules.claude.takesMaxEffort, "m"), (rules.claude.takesExtraHighEffort, "x"),
            (rules.claude.takesOutputFormat, "f"), (rules.claude.hasLongContextBeta, "l"),
        ]
        #expect(String(flags.map { $0.0 ? $0.1 : "." }) == row.takes)
        let thinking: ModelRules.Thinking =
            row.takes.contains("t") ? .budget : row.takes.contains("a") ? .adaptive : .unsupported
        #expect(rules.thinking == thinking)
    }

    @Test func hosts() {
        let anthropic = ModelRules(format: .messages, host: .anthropic, model: "claude-opus-4-5")
        #expect(anthropic.namesModel && anthropic.flagsStream && anthropic.takesMediaURLs)
        #expect(!anthropic.claude.namesVersion && anthropic.claude.repairs == .anthropic)
        for host in [ProviderHost.bedrock, .sapBedrock] {
            let rules = ModelRules(format: .messages, host: host, model: "claude-opus-4-5")
            #expect(!rules.namesModel && !rules.flagsStream && !rules.takesMediaURLs)
            #expect(rules.claude.namesVersion && rules.claude.repairs == .bedrock)
            let converse = ModelRules(format: .converse, host: host, model: "amazon.nova-pro-v1:0")
            #expect(!converse.namesModel && !converse.flagsStream && !converse.takesMediaURLs)
            #expect(converse.thinking == .unsupported)
        }
    }
}
