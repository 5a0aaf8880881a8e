// SPDX-License-Identifier: Apache-2.0

/// Who runs the model; the same format has other rules elsewhere.
package enum ProviderHost: UInt8, CaseIterable, Sendable {
    case openAI
    /// Anything else that speaks OpenAI's interface.
    case compatible
    case azure
    case anthropic
    case gemini
    case bedrock
    /// SAP AI Core in front of Azure, Bedrock, Vertex, open models, and its orchestration service.
    case sapAzure, sapBedrock, sapVertex, sapOpenSource, sapOrchestration
    case demo
}

/// How a request has to look for one model at one upstream.
package struct RequestPlan: Equatable {
    /// What the upstream speaks.
    package var format: WireFormat
    package var host: ProviderHost
    /// What the upstream calls the model.
    package var model: String
    package var isStream: Bool
    /// Whether a conversation is to be compacted (`responses/compact`), which gives no stream.
    package var isCompaction = false
    package var rules: ModelRules
    /// Output limit for formats that demand one, from the configuration.
    package var maxTokensDefault: Int?
    /// Members that this upstream has refused and that are left out this time.
    package var refused: [String] = []
    /// Names of the client's `anthropic-beta` header, for hosts that want them in the body.
    package var betas: [String] = []

    package init(
        format: WireFormat,
        host: ProviderHost,
        model: String,
        isStream: Bool,
        maxTokensDefault: Int? = nil,
        rules: ModelRules? = nil
    ) {
        self.format = format
        self.host = host
        self.model = model
        self.isStream = isStream
        self.maxTokensDefault = maxTokensDefault
        self.rules = rules ?? ModelRules(format: format, host: host, model: model)
    }
}

/// What one model at one host takes; a row of the tables that know the models.
package struct ModelRules: Equatable, Sendable {
    package enum Thinking: Equatable, Sendable {
        case unsupported
        /// Anthropic's `budget_tokens`, Gemini's `thinkingBudget`.
        case budget
        /// Anthropic's `adaptive` with an effort; Gemini 3's `thinkingLevel`.
        case adaptive
    }

    /// Whether the body has `model`; elsewhere the path names it.
    package var namesModel = true
    /// Whether the body has `stream`; elsewhere the path says it.
    package var flagsStream = true
    /// Whether unknown members at the top refuse the request, so that they have to be left out.
    package var hasClosedMembers = false
    /// Whether the limit is `max_completion_tokens` (OpenAI's reasoning models).
    package var renamesMaxTokens = false
    /// Whether `temperature`, `top_p`, `top_k`, penalties and logprobs are taken.
    package var takesSampling = true
    /// Whether `temperature` and `top_p` are taken together.
    package var takesTemperatureWithTopP = true
    package var takesStop = true
    /// Most stop texts; 0 for no limit.
    package var stopMax = 0
    package var thinking = Thinking.unsupported
    /// Whether the last turn may be the assistant's.
    package var takesPrefill = true
    /// Whether images and documents may be URLs that the upstream fetches.
    package var takesMediaURLs = true
    /// Output limit where the format demands one and nobody gives one.
    package var maxTokensDefault = 4096
    /// What only Claude's models differ in.
    package var claude = ClaudeRules()
    /// Which of Google's models it is; nil for others.
    package var gemini: GeminiModel?
    /// What only Converse's models differ in.
    package var converse = ConverseRules()

    package init() {}

    package init(format: WireFormat, host: ProviderHost, model: String) {
        switch format {
        case .chat, .completions: self = .chat(host, model)
        case .responses: self = .responses(host, model)
        case .messages: self = .messages(host, model)
        case .gemini: self = .gemini(host, model)
        case .converse: self = .converse(host, model)
        }
    }
}
