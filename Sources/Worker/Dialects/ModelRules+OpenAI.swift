// SPDX-License-Identifier: Apache-2.0

extension ModelRules {
    /// Most stop texts of OpenAI's chat completions.
    private static let openAIStopMax = 4

    static func chat(_ host: ProviderHost, _ model: String) -> ModelRules {
        var rules = ModelRules()
        switch host {
        case .openAI, .azure, .sapAzure:
            rules.apply(OpenAIModel(model))
            rules.stopMax = openAIStopMax
            rules.hasClosedMembers = host == .sapAzure
        case .sapOrchestration:
            // The service speaks chat for every model, and hands a GPT what it gets.
            let known = OpenAIModel(model)
            if known.family != .other { rules.apply(known) } else { rules.thinking = .adaptive }
            rules.stopMax = openAIStopMax
        case .compatible, .anthropic, .gemini, .bedrock, .sapBedrock, .sapVertex, .sapOpenSource,
            .demo:
            // Whoever imitates OpenAI's interface has rules of its own, which nobody wrote down:
            // what the client asks for is passed on.
            rules.thinking = .adaptive
        }
        return rules
    }

    static func responses(_ host: ProviderHost, _ model: String) -> ModelRules {
        var rules = ModelRules()
        // The interface has no stop texts at all.
        rules.takesStop = false
        switch host {
        case .openAI, .azure, .sapAzure:
            rules.apply(OpenAIModel(model))
            rules.takesStop = false
            rules.hasClosedMembers = host == .sapAzure
        case .compatible, .anthropic, .gemini, .bedrock, .sapBedrock, .sapVertex, .sapOpenSource,
            .sapOrchestration, .demo:
            rules.thinking = .adaptive
        }
        return rules
    }

    /// Whether a model answers in Responses only, not in chat completions.
    ///
    /// Spec: OpenAI's model pages: the Codex, `-pro` and `-deep-research` models, and computer use.
    package static func isResponsesOnly(_ model: String) -> Bool {
        let tokens = model.split(whereSeparator: { $0 == "-" || $0 == ":" || $0 == "/" })
        if tokens.contains("codex") { return true }
        let known = OpenAIModel(model)
        if known.isReasoning, tokens.contains("pro") || tokens.contains("research") { return true }
        return tokens.prefix(3).elementsEqual(["computer", "use", "preview"])
    }

    private mutating func apply(_ model: OpenAIModel) {
        guard model.family != .other else { return }
        renamesMaxTokens = true
        guard model.isReasoning else { return }
        takesSampling = false
        takesStop = false
        thinking = .adaptive
    }
}

/// What a name says about a model of OpenAI.
///
/// The name is split into tokens, and only whole tokens count: `o1` and `gpt-5.4-2026-02-01` are
/// reasoning models, `gpt-4o1` and `gpt-oss-120b` are not.
struct OpenAIModel: Equatable, Sendable {
    enum Family: Equatable, Sendable {
        /// `o1`, `o3-mini` and the like.
        case oSeries
        /// `gpt-5` and later, with its version.
        case gpt(major: Int, minor: Int)
        /// Everything else, among them the models before GPT-5 that have no special rules.
        case other
    }

    /// Those after GPT-4 and its kin; Azure's name of GPT-3.5 is `gpt-35-turbo`.
    private static let generations = 5..<30

    let family: Family
    /// Whether it is the variant without reasoning (`gpt-5-chat-latest`).
    let isChat: Bool

    var isReasoning: Bool { family != .other && !isChat }

    init(_ name: String) {
        var name = name[...]
        if name.hasPrefix("ft:") { name = name.dropFirst(3) }
        if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
        let tokens = name.split(whereSeparator: { $0 == "-" || $0 == ":" || $0 == "_" })
        isChat = tokens.contains("chat")
        guard let first = tokens.first else {
            family = .other
            return
        }
        if first.first == "o", Self.version(first.dropFirst()) != nil {
            family = .oSeries
        } else if first == "gpt", tokens.count > 1, let version = Self.version(tokens[1]),
            Self.generations.contains(version.major)
        {
            family = .gpt(major: version.major, minor: version.minor)
        } else {
            family = .other
        }
    }

    /// `5` and `5.4`, nothing else.
    private static func version(_ token: Substring) -> (major: Int, minor: Int)? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let major = number(parts[0]) else { return nil }
        guard parts.count == 2 else { return (major, 0) }
        guard let minor = number(parts[1]) else { return nil }
        return (major, minor)
    }

    private static func number(_ digits: Substring) -> Int? {
        // Longer numbers are dates and sizes.
        guard (1...2).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(digits)
    }

    /// The effort closest to `effort` that the model has.
    ///
    /// Spec: OpenAI's model pages. The o-series knows low to high, GPT-5 begins at minimal, and its
    /// successors can do without, the later ones with more.
    func nearest(_ effort: Reasoning.Effort) -> Reasoning.Effort {
        switch family {
        case .other: return effort
        case .oSeries:
            switch effort {
            case .none, .minimal, .low: return .low
            case .medium: return .medium
            case .high, .xhigh: return .high
            }
        case .gpt(let major, let minor):
            let isFirst = major == 5 && minor == 0
            switch effort {
            case .none: return isFirst ? .minimal : .none
            case .minimal: return isFirst ? .minimal : .low
            case .low, .medium, .high: return effort
            case .xhigh: return major == 5 && minor < 2 ? .high : .xhigh
            }
        }
    }
}
