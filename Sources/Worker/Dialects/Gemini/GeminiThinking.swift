// SPDX-License-Identifier: Apache-2.0

/// What a model of Google is, as its name tells.
struct GeminiModel: Equatable {
    enum Line: Equatable {
        case pro, flash, flashLite
    }

    let line: Line
    /// 25 for 2.5; nil for names without one, such as `gemini-flash-latest`.
    let version: Int?
    /// Whether the name says that it makes something else than text.
    let isSpecial: Bool

    /// Nil for models that are not of the Gemini family.
    init?(_ name: String) {
        let name = name.lowercased()
        guard let start = name.firstRange(of: "gemini-") else { return nil }
        let words = name[start.upperBound...].split(separator: "-")
        version = words.first.flatMap { Self.version($0) }
        if words.contains("flash") {
            line = words.contains("lite") ? .flashLite : .flash
        } else {
            line = .pro
        }
        isSpecial = words.contains { ["image", "tts", "live", "embedding", "audio"].contains($0) }
    }

    /// `2.5` is 25, `3` is 30.
    private static func version(_ word: Substring) -> Int? {
        let digits = word.split(separator: ".")
        guard let major = digits.first.flatMap({ Int($0) }), (1..<100).contains(major) else {
            return nil
        }
        let minor = digits.count > 1 ? Int(digits[1]) ?? 0 : 0
        return major * 10 + min(max(minor, 0), 9)
    }

    /// Whether it takes `thinkingLevel` and demands signatures of calls.
    var isThird: Bool { (version ?? 0) >= 30 }

    var thinking: ModelRules.Thinking {
        if isSpecial { return .unsupported }
        // Names without a version point to the newest models, which take budgets as well.
        guard let version else { return .budget }
        if version >= 30 { return .adaptive }
        return version >= 25 ? .budget : .unsupported
    }

    /// Budgets that are taken, 0 aside.
    ///
    /// Spec: the table of thinking budgets in Google's guide.
    var budgets: ClosedRange<Int> {
        switch line {
        case .pro: 128...32_768
        case .flash: 1...24_576
        case .flashLite: 512...24_576
        }
    }

    /// Whether it can be told not to think.
    var canStopThinking: Bool { line != .pro }
}

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
        guard let model = GeminiModel(plan.model) else { return nil }
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
