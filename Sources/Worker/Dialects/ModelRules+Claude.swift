// SPDX-License-Identifier: Apache-2.0

extension ModelRules {
    static func messages(_ host: ProviderHost, _ model: String) -> ModelRules {
        ModelRules()
    }

    static func converse(_ host: ProviderHost, _ model: String) -> ModelRules {
        ModelRules()
    }
}
