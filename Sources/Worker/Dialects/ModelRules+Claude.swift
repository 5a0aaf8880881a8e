// SPDX-License-Identifier: Apache-2.0

/// What a Claude model and its host differ in beyond what other models do.
package struct ClaudeRules: Equatable, Sendable {
    /// Repairs that requests in the client's own format get.
    package var repairs: MessagesRepairs = []
    /// Whether version and betas stand in the body (`anthropic_version`, `anthropic_beta`).
    package var namesVersion = false
    /// Whether the model's name says that it is Claude.
    package var isNamed = false
    /// Whether `thinking` may be `enabled` with a budget.
    package var takesBudget = true
    /// Whether `thinking` may be `adaptive`.
    package var takesAdaptive = true
    /// Whether `output_config.effort` is taken, and its levels beyond `high`.
    package var takesEffort = true
    package var takesMaxEffort = true
    package var takesExtraHighEffort = true
    /// Whether `output_config.format` and strict tools are taken.
    package var takesOutputFormat = true
    /// Whether a context of a million tokens is there, but behind a beta.
    package var hasLongContextBeta = false
    /// Most bytes of a tool's name.
    package var toolNameBytesMax = 128

    package init() {}
}

extension ModelRules {
    /// Output limit for Claude 3, whose models end there; later ones take more than anybody wants
    /// without saying so.
    private static let maxTokensOfClaude3 = 4096
    /// Twice that: whoever names no limit expects an answer as long as it takes, but Bedrock
    /// counts the limit against the quota before the answer is there.
    private static let maxTokensOfLater = 8192

    static func messages(_ host: ProviderHost, _ model: String) -> ModelRules {
        var rules = claude(model)
        switch host {
        case .bedrock, .sapBedrock:
            rules.namesModel = false
            rules.flagsStream = false
            rules.hasClosedMembers = true
            rules.takesMediaURLs = false
            rules.claude.namesVersion = true
            rules.claude.repairs = .bedrock
        case .openAI, .compatible, .azure, .anthropic, .gemini, .sapAzure, .sapVertex,
            .sapOpenSource, .sapOrchestration, .demo:
            rules.claude.repairs = .anthropic
        }
        return rules
    }

    /// What a model takes wherever it runs.
    ///
    /// Of a model whose name says nothing everything is believed, so that its upstream decides.
    static func claude(_ name: String) -> ModelRules {
        var rules = ModelRules()
        rules.thinking = .budget
        rules.maxTokensDefault = maxTokensOfLater
        guard let model = ClaudeModel(name) else { return rules }
        let version = model.version
        rules.claude.isNamed = true
        if version < ClaudeModel.Version(3, 5) { rules.maxTokensDefault = maxTokensOfClaude3 }
        rules.takesTemperatureWithTopP = version < ClaudeModel.Version(4, 1)
        rules.takesPrefill = version < ClaudeModel.Version(4, 6)
        rules.takesSampling = version < ClaudeModel.Version(4, 7)
        rules.claude.takesBudget =
            version >= ClaudeModel.Version(3, 7) && version < ClaudeModel.Version(4, 7)
        rules.claude.takesAdaptive = version >= ClaudeModel.Version(4, 6)
        rules.thinking =
            if rules.claude.takesBudget {
                .budget
            } else if rules.claude.takesAdaptive {
                .adaptive
            } else {
                .unsupported
            }
        let firstWithEffort = model.family == .opus ? 5 : 6
        rules.claude.takesEffort = version >= ClaudeModel.Version(4, firstWithEffort)
        rules.claude.takesMaxEffort = version >= ClaudeModel.Version(4, 6)
        rules.claude.takesExtraHighEffort = version >= ClaudeModel.Version(4, 7)
        rules.claude.takesOutputFormat = version >= ClaudeModel.Version(4, 5)
        rules.claude.hasLongContextBeta =
            model.family == .sonnet && version >= ClaudeModel.Version(4, 0)
            && version < ClaudeModel.Version(4, 6)
        rules.claude.toolNameBytesMax = version < ClaudeModel.Version(4, 0) ? 64 : 128
        return rules
    }
}
