// SPDX-License-Identifier: Apache-2.0

/// How much a Claude model thinks for a request, and what follows from it for the output limit.
struct MessagesReasoning: Equatable {
    enum Mode: Equatable {
        /// The member is not there, which is off.
        case absent
        case disabled
        case enabled(budget: Int)
        case adaptive

        var isOn: Bool {
            switch self {
            case .absent, .disabled: false
            case .enabled, .adaptive: true
            }
        }
    }

    var mode = Mode.absent
    /// What becomes `output_config.effort`.
    var effort: Reasoning.Effort?
    var maxTokens: Int
    /// Whether the client asked for what it does not get.
    var isOmitted = false
    /// Whether it asked for an effort that it does not get.
    var isEffortOmitted = false

    /// Smallest budget that the interface takes.
    static let budgetMin = 1024

    /// Decides for `conversation`, which was read from `bytes`.
    ///
    /// A forced tool wins over thinking, because Claude refuses the two together and the client
    /// counts on the tool. Thinking with a budget is also off while a call of a tool waits whose
    /// turn does not begin with signed thoughts: Claude refuses that too, and OpenAI's formats have
    /// no place for the thoughts.
    init(_ conversation: Conversation, _ plan: RequestPlan, _ bytes: Span<UInt8>) {
        let rules = plan.rules
        maxTokens =
            conversation.maxTokens ?? plan.maxTokensDefault ?? rules.maxTokensDefault
        guard let wish = conversation.reasoning else { return }
        if wish.effort == Reasoning.Effort.none || wish.budget == 0 {
            if conversation.format == .messages, rules.thinking != .unsupported { mode = .disabled }
            return
        }
        let isForeign = conversation.format != .messages
        guard wish.isAdaptive || wish.budget != nil || (isForeign && wish.effort != nil) else {
            setEffort(wish.effort, rules)
            return
        }
        guard rules.thinking != .unsupported, !plan.refused.contains("thinking"),
            !Self.forcesTool(conversation)
        else {
            isOmitted = true
            return
        }
        let budget = wish.budget ?? -1
        if rules.thinking == .adaptive
            || (rules.claude.takesAdaptive && (wish.isAdaptive || wish.budget == -1))
        {
            mode = .adaptive
            setEffort(wish.effort ?? (budget > 0 ? Self.effort(budget: budget) : nil), rules)
            return
        }
        guard !Self.awaitsToolWithoutThoughts(conversation, bytes) else {
            isOmitted = true
            return
        }
        let tokens = budget > 0 ? budget : Self.budget(wish.effort ?? .medium)
        let enabled = max(tokens, Self.budgetMin)
        mode = .enabled(budget: enabled)
        if !isForeign { setEffort(wish.effort, rules) }
        // The limit counts the thoughts too: what the client wants to read comes on top of them.
        if maxTokens <= enabled { maxTokens += enabled }
    }

    private mutating func setEffort(_ effort: Reasoning.Effort?, _ rules: ModelRules) {
        guard let effort else { return }
        if rules.claude.takesEffort {
            self.effort = effort
        } else {
            isEffortOmitted = true
        }
    }

    /// Tokens to think with for an effort.
    static func budget(_ effort: Reasoning.Effort) -> Int {
        switch effort {
        case .none: 0
        case .minimal, .low: 1024
        case .medium: 2048
        case .high: 4096
        case .xhigh: 8192
        }
    }

    /// The effort for a budget that a model does not take.
    static func effort(budget: Int) -> Reasoning.Effort {
        if budget < 2048 { return .low }
        return budget < 8192 ? .medium : .high
    }

    /// The name of an effort for a model.
    static func name(_ effort: Reasoning.Effort, _ rules: ClaudeRules) -> StaticString {
        switch effort {
        case .none, .minimal, .low: "low"
        case .medium: "medium"
        case .high: "high"
        case .xhigh:
            if rules.takesExtraHighEffort {
                "xhigh"
            } else if rules.takesMaxEffort {
                "max"
            } else {
                "high"
            }
        }
    }

    static func forcesTool(_ conversation: Conversation) -> Bool {
        switch conversation.toolChoice {
        case .required?, .named?: !conversation.tools.isEmpty
        case .auto?, ToolChoice.none?, nil: false
        }
    }

    private static func awaitsToolWithoutThoughts(
        _ conversation: Conversation,
        _ bytes: Span<UInt8>
    ) -> Bool {
        var index = conversation.messages.count - 1
        while index >= 0, conversation.messages[index].role == .user { index -= 1 }
        var first: Part?
        var hasCall = false
        while index >= 0, conversation.messages[index].role == .assistant {
            let parts = conversation.messages[index].parts
            first = parts.first ?? first
            hasCall = hasCall || parts.contains { if case .toolCall = $0 { true } else { false } }
            index -= 1
        }
        guard hasCall, let first else { return false }
        guard case .thinking(let thinking) = first else { return true }
        return !MessagesThoughts.areSigned(thinking, conversation.format, bytes)
    }
}

/// Thoughts of earlier turns.
enum MessagesThoughts {
    /// Whether Claude takes the thoughts back: they are its own, as far as anybody can tell.
    ///
    /// Encrypted ones only from clients whose format has a place for Claude's, and none that are
    /// marked as another vendor's.
    static func areSigned(
        _ thinking: Thinking,
        _ format: WireFormat,
        _ bytes: Span<UInt8>
    ) -> Bool {
        if let signature = thinking.signature {
            return ThoughtMark.find(signature, in: bytes) == nil
        }
        guard let encrypted = thinking.encrypted, format == .messages || format == .responses else {
            return false
        }
        return ThoughtMark.find(encrypted, in: bytes) == nil
    }
}
