// SPDX-License-Identifier: Apache-2.0

/// What is put right in a request of Anthropic Messages whose upstream speaks Messages too.
///
/// Each is what some upstream refuses with a 400 and some client sends all the same.
package struct MessagesRepairs: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Members at the top that Bedrock does not know are left out: it refuses them.
    package static let closedMembers = MessagesRepairs(rawValue: 1 << 0)
    /// `context_management` stays only for compaction with its beta.
    package static let contextManagement = MessagesRepairs(rawValue: 1 << 1)
    /// `cache_control.scope` goes, wherever it is; `ttl` stays.
    package static let cacheScope = MessagesRepairs(rawValue: 1 << 2)
    /// Tools keep their name, description, schema and cache mark.
    package static let toolMembers = MessagesRepairs(rawValue: 1 << 3)
    /// Tools that Anthropic runs, and what they said in earlier turns, go.
    package static let hostedTools = MessagesRepairs(rawValue: 1 << 4)
    /// Texts without anything to read go, and turns that have nothing else.
    package static let emptyText = MessagesRepairs(rawValue: 1 << 5)
    /// Turns with the role `system` move to the top.
    package static let systemTurns = MessagesRepairs(rawValue: 1 << 6)
    /// `max_tokens` is there.
    package static let maxTokens = MessagesRepairs(rawValue: 1 << 7)
    /// `thinking` is of the kind that the model takes, with a budget that fits.
    package static let thinking = MessagesRepairs(rawValue: 1 << 8)
    /// `temperature`, `top_p` and `top_k` as far as model and thinking allow them.
    package static let sampling = MessagesRepairs(rawValue: 1 << 9)
    /// Models that do not go on with a turn of theirs get one of the user behind it.
    package static let prefill = MessagesRepairs(rawValue: 1 << 10)
    /// What tools said is a list of texts, images and documents.
    package static let toolResults = MessagesRepairs(rawValue: 1 << 11)
    /// Thoughts without a signature, or marked as another vendor's, go: Claude refuses them.
    package static let unsignedThinking = MessagesRepairs(rawValue: 1 << 12)

    /// Anthropic's own API, and whoever copies it.
    package static let anthropic: MessagesRepairs = [.unsignedThinking]
    package static let bedrock: MessagesRepairs = [
        .closedMembers, .contextManagement, .cacheScope, .toolMembers, .hostedTools, .emptyText,
        .systemTurns, .maxTokens, .thinking, .sampling, .prefill, .toolResults, .unsignedThinking,
    ]
}
