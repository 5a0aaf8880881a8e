// SPDX-License-Identifier: Apache-2.0

extension ModelRules {
    static func chat(_ host: ProviderHost, _ model: String) -> ModelRules {
        ModelRules()
    }

    static func responses(_ host: ProviderHost, _ model: String) -> ModelRules {
        openAIResponses(host, model)
    }
}
