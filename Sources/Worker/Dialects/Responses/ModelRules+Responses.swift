// SPDX-License-Identifier: Apache-2.0

extension ModelRules {
    /// What a model takes through OpenAI Responses.
    ///
    /// OpenAI's reasoning models refuse sampling. Of models behind a compatible server only the
    /// server knows, so nothing is kept from it.
    static func openAIResponses(_ host: ProviderHost, _ model: String) -> ModelRules {
        var rules = ModelRules()
        let thinks = isReasoningModel(model)
        switch host {
        case .openAI, .azure:
            rules.takesSampling = !thinks
        case .sapAzure:
            rules.takesSampling = !thinks
            rules.hasClosedMembers = true
        case .compatible, .anthropic, .gemini, .bedrock, .sapBedrock, .sapVertex,
            .sapOpenSource, .sapOrchestration, .demo:
            break
        }
        rules.thinking = thinks || host == .compatible ? .adaptive : .unsupported
        return rules
    }

    /// Whether the name is that of one of OpenAI's reasoning models.
    ///
    /// The chat models of the gpt-5 line do not reason, and a name may have a provider in front.
    private static func isReasoningModel(_ model: String) -> Bool {
        let name = model.split(separator: "/").last ?? ""
        if name.hasPrefix("gpt-5") { return !name.contains("-chat") }
        return name.hasPrefix("o1") || name.hasPrefix("o3") || name.hasPrefix("o4")
            || name.hasPrefix("codex")
    }
}
