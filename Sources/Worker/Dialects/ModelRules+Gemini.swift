// SPDX-License-Identifier: Apache-2.0

extension ModelRules {
    static func gemini(_ host: ProviderHost, _ model: String) -> ModelRules {
        var rules = ModelRules()
        // The path names the model and the method.
        rules.namesModel = false
        rules.flagsStream = false
        rules.stopMax = 5
        // Google fetches what it keeps itself, and nothing from the web.
        rules.takesMediaURLs = false
        rules.gemini = GeminiModel(model)
        rules.thinking = rules.gemini?.thinking ?? .unsupported
        return rules
    }
}
