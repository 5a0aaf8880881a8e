// SPDX-License-Identifier: Apache-2.0
package import Metrics

/// One step of a streamed answer, in no vendor's shape.
///
/// Texts are ranges of the event that the step was read from. Order: `start` first, then content
/// and usage, `finish` once, `end` last. Blocks do not nest: a text, thoughts or a call go on until
/// something of another kind comes, except that fragments of several calls may mix.
package enum StreamEvent: Equatable {
    /// The upstream has begun, perhaps with its id of the answer.
    case start(id: JSONText?)
    case text(JSONText)
    case thinking(JSONText)
    /// The signature of the thoughts so far.
    case signature(JSONText)
    /// Encrypted thoughts, whole.
    case encryptedThinking(JSONText)
    case refusal(JSONText)
    /// A call begins; `index` counts calls from 0.
    case callStart(index: Int, id: JSONText?, name: JSONText, signature: JSONText?)
    /// The next piece of the JSON text of a call's input.
    case callInput(index: Int, JSONText)
    /// The whole input of a call as a JSON value; no `callInput` of that call comes.
    case callObject(index: Int, JSONFragment)
    case callEnd(index: Int)
    case media(Media)
    /// Replaces counts that came before, as far as it has them.
    case usage(TokenUsage)
    case finish(FinishReason, stopSequence: JSONText?)
    /// The upstream says that nothing follows.
    case end
    /// The upstream reports an error instead of going on.
    case error(UpstreamComplaint)

    /// Whether the event brings what a client waits for, so that nothing can be tried anew after it.
    package var isContent: Bool {
        switch self {
        case .text, .thinking, .signature, .encryptedThinking, .refusal, .callStart, .callInput,
            .callObject, .callEnd, .media, .finish:
            true
        case .start, .usage, .end, .error: false
        }
    }
}

/// What an upstream says about its failure, whatever its shape.
package struct UpstreamComplaint: Error, Equatable, Sendable {
    /// The HTTP status that it had or stands for; nil where nothing tells.
    package var status: Int?
    /// The upstream's own type and code, as text.
    package var type: String?
    package var code: String?
    /// The member of the upstream's request that it names as the culprit.
    package var param: String?
    package var message: String
    /// Milliseconds after which it may be asked again.
    package var retryAfterMilliseconds: Int?

    package init(
        status: Int? = nil,
        type: String? = nil,
        code: String? = nil,
        message: String
    ) {
        self.status = status
        self.type = type
        self.code = code
        self.message = message
    }
}
