// SPDX-License-Identifier: Apache-2.0

extension ModelRules {
    static func gemini(_ host: ProviderHost, _ model: String) -> ModelRules {
        ModelRules()
    }
}
