// SPDX-License-Identifier: Apache-2.0
package import Metrics

/// A whole answer of a model, in no vendor's shape.
///
/// Texts are ranges of the upstream's body.
package struct Answer: Equatable {
    /// The upstream's id of the answer.
    package var id: JSONText?
    /// In order: thoughts, texts, refusals, media, tool calls.
    package var parts: [Part] = []
    package var finish = FinishReason.stop
    /// The stop text that ended the answer, where the format tells.
    package var stopSequence: JSONText?
    package var usage: TokenUsage?

    package init() {}
}

/// Why a model stopped.
package enum FinishReason: UInt8, CaseIterable, Sendable {
    /// It was done.
    case stop
    /// One of the client's stop texts came.
    case stopSequence
    /// The token limit or the context window was reached.
    case length
    /// It waits for tool results.
    case toolCalls
    /// The model or a filter in front of it refused.
    case contentFilter
    /// Anthropic's pause of a long turn: send the answer back to go on.
    case pause
}

/// What answers carry that no upstream decides.
package struct AnswerIdentity: Equatable, Sendable {
    /// Unique per request, letters and digits only; ids are made of it.
    package let unique: String
    /// Unix time in seconds.
    package let created: Int
    /// The model as the client called it.
    package let model: String

    package init(unique: String, created: Int, model: String) {
        self.unique = unique
        self.created = created
        self.model = model
    }
}
