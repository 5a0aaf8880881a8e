// SPDX-License-Identifier: Apache-2.0

/// What `thinkingConfig` says, worked out from what a client wants.
struct GeminiThinking: Equatable {
    /// Nil leaves it to the model; -1 says so.
    var budget: Int?
    /// Gemini 3's level.
    var level: String?
    var includesThoughts: Bool?

    var isEmpty: Bool { budget == nil && level == nil && includesThoughts == nil }

    /// Nil where the model cannot think.
    init?(_ reasoning: Reasoning, _ plan: RequestPlan) {
        guard let model = plan.rules.gemini else { return nil }
        switch plan.rules.thinking {
        case .unsupported: return nil
        case .budget: budget = Self.budget(reasoning, model, plan.host)
        case .adaptive: level = Self.level(reasoning, model)
        }
        let isOff = reasoning.effort == Reasoning.Effort.none || reasoning.budget == 0
        if let shows = reasoning.showsThoughts {
            includesThoughts = shows
        } else if !isOff {
            includesThoughts = true
        }
    }

    private static func budget(
        _ reasoning: Reasoning,
        _ model: GeminiModel,
        _ host: ProviderHost
    ) -> Int? {
        let wanted: Int
        if let budget = reasoning.budget {
            wanted = budget
        } else if let effort = reasoning.effort {
            wanted = tokens(effort)
        } else if reasoning.isAdaptive {
            return -1
        } else {
            return nil
        }
        if wanted < 0 { return -1 }
        if wanted == 0 {
            // AI Core refuses 0.
            if host == .sapVertex { return -1 }
            return model.canStopThinking ? 0 : model.budgets.lowerBound
        }
        return min(max(wanted, model.budgets.lowerBound), model.budgets.upperBound)
    }

    private static func tokens(_ effort: Reasoning.Effort) -> Int {
        switch effort {
        case .none: 0
        case .minimal: 512
        case .low: 1_024
        case .medium: 8_192
        case .high: 24_576
        case .xhigh: 32_768
        }
    }

    /// The first Gemini 3 Pro knows `low` and `high` only, Pro does not know `minimal`.
    private static func level(_ reasoning: Reasoning, _ model: GeminiModel) -> String? {
        let effort: Reasoning.Effort
        if let wanted = reasoning.effort {
            effort = wanted
        } else if let budget = reasoning.budget, budget >= 0 {
            effort = budget == 0 ? .none : budget < 2_048 ? .low : budget < 8_192 ? .medium : .high
        } else {
            return nil
        }
        switch effort {
        case .none, .minimal: return model.line == .pro ? "low" : "minimal"
        case .low: return "low"
        case .medium: return model.line == .pro && model.version == 30 ? "high" : "medium"
        case .high, .xhigh: return "high"
        }
    }
}
