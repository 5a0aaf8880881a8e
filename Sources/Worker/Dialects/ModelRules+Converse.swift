// SPDX-License-Identifier: Apache-2.0

/// What models and hosts differ in that are reached by Bedrock Converse.
package struct ConverseRules: Equatable, Sendable {
    package enum TopK: Equatable, Sendable {
        case unsupported
        /// Claude's `top_k`.
        case plain
        /// Nova's `inferenceConfig.topK`.
        case nested
    }

    /// Whether `cachePoint` is taken, everywhere.
    ///
    /// Nova caches by itself and refuses the blocks in most places; other models know none.
    package var takesCachePoints = false
    /// Whether a `cachePoint` may say how long it lasts.
    package var takesCacheDuration = false
    /// Whether Claude's own `tool_choice` may forbid more than one call at a time.
    package var takesSingleCalls = false
    package var topK = TopK.unsupported

    package init() {}
}

extension ModelRules {
    /// Bedrock's limit for names of tools and ids of calls.
    static let converseNameBytesMax = 64

    static func converse(_ host: ProviderHost, _ model: String) -> ModelRules {
        var rules = claude(model)
        rules.namesModel = false
        rules.flagsStream = false
        rules.hasClosedMembers = true
        rules.takesMediaURLs = false
        rules.claude.toolNameBytesMax = converseNameBytesMax
        guard let claude = ClaudeModel(model) else {
            // Nova and others: `thinking` would be a member that they do not know.
            rules.thinking = .unsupported
            rules.claude.takesBudget = false
            rules.claude.takesAdaptive = false
            rules.claude.takesEffort = false
            rules.claude.takesOutputFormat = false
            let isNova = model.lowercased().contains("nova")
            // Llama, Mistral and others want the user's turn last.
            rules.takesPrefill = isNova
            if isNova { rules.converse.topK = .nested }
            return rules
        }
        let version = claude.version
        rules.converse.topK = .plain
        rules.converse.takesCachePoints =
            version >= ClaudeModel.Version(3, 7)
            || (version == ClaudeModel.Version(3, 5) && claude.family == .haiku)
        // SAP's own check of requests is older than the member.
        rules.converse.takesCacheDuration =
            host == .bedrock && version >= ClaudeModel.Version(4, 5)
        rules.converse.takesSingleCalls = version >= ClaudeModel.Version(4, 5)
        return rules
    }
}
