// SPDX-License-Identifier: Apache-2.0

/// The wire format of a request to a target, where rules would choose another.
package enum TargetAPI: String, CaseIterable, Sendable {
    /// OpenAI's chat completions.
    case chat
    /// OpenAI's Responses.
    case responses
    /// Anthropic's Messages.
    case messages
    /// Gemini's `generateContent`.
    case gemini
    /// Bedrock's Converse.
    case converse
    /// Bedrock's InvokeModel.
    case invoke
}

/// How a model's requests are spread over its targets.
package enum Balance: String, CaseIterable, Sendable {
    /// At random, in proportion to the weights.
    case weighted
    /// To the target with the least running requests for its weight.
    case leastBusy = "least-busy"
    /// To the first target, to the next when it fails.
    case ordered
}

/// One entry of `models`: a name or pattern that clients ask for, and who answers.
package struct ModelEntry: Equatable, Sendable {
    /// Who may answer.
    package struct Target: Equatable, Sendable {
        /// Index in `Config.upstreams`.
        package var upstream: Int
        /// What the upstream calls the model; nil passes the client's name on.
        package var model: String?
        /// Share of the requests, from 1 to 1000.
        package var weight = 1
        /// Nil leaves the wire format to the rules.
        package var api: TargetAPI?

        package init(
            upstream: Int,
            model: String? = nil,
            weight: Int = 1,
            api: TargetAPI? = nil
        ) {
            self.upstream = upstream
            self.model = model
            self.weight = weight
            self.api = api
        }
    }

    package var pattern: NamePattern
    /// 1 to 16, in the order of the file.
    package var targets: [Target]
    package var balance = Balance.weighted
    /// Models to try when no target could answer, in order; the table has an answer for each, and
    /// none leads back here.
    package var fallbacks: [String] = []
    /// Whether a request is refused that the target's interface cannot express in full.
    package var isStrict = false
    /// Output limit for interfaces that require one when the client names none.
    package var maxTokens: Int?

    package init(pattern: NamePattern, targets: [Target]) {
        precondition(!targets.isEmpty, "a model without targets")
        self.pattern = pattern
        self.targets = targets
    }
}
