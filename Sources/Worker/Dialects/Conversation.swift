// SPDX-License-Identifier: Apache-2.0

/// A request for the next turn of a conversation, in no vendor's shape.
///
/// What a reader makes of a client's body and a writer turns into an upstream's. Texts and JSON
/// values are ranges of that body, which has to stay until the writer is done.
package struct Conversation: Equatable {
    /// The format that the client wrote, for the names of what is left out.
    package var format: WireFormat
    /// Instructions that stand above the turns.
    package var system: [TextBlock] = []
    /// Turns in order; roles may repeat.
    package var messages: [Message] = []
    package var tools: [Tool] = []
    package var toolChoice: ToolChoice?
    package var parallelToolCalls: Bool?
    /// Most tokens to generate.
    package var maxTokens: Int?
    package var temperature: Double?
    package var topP: Double?
    package var topK: Int?
    package var seed: Int?
    package var presencePenalty: Double?
    package var frequencyPenalty: Double?
    /// Texts that end the answer, none empty.
    package var stop: [JSONText] = []
    /// Number of answers to make.
    package var candidates: Int?
    package var logprobs: Bool?
    package var topLogprobs: Int?
    package var reasoning: Reasoning?
    package var responseFormat: ResponseFormat?
    /// The client's own user.
    package var user: JSONText?
    package var isStream = false
    /// Whether a chat client asked for the usage of a stream.
    package var wantsUsage = false
    /// Members that no other format has; whoever writes another format leaves them out.
    package var omissions = Omissions()

    package init(_ format: WireFormat) {
        self.format = format
    }
}

/// One turn, or a part of one.
package struct Message: Equatable {
    package enum Role: Equatable, Sendable {
        case user
        case assistant
    }

    package var role: Role
    package var parts: [Part]

    package init(_ role: Role, _ parts: [Part]) {
        self.role = role
        self.parts = parts
    }
}

/// A text with an optional cache mark.
package struct TextBlock: Equatable {
    package var text: JSONText
    /// Anthropic's `cache_control` object.
    package var cache: JSONFragment?

    package init(_ text: JSONText, cache: JSONFragment? = nil) {
        self.text = text
        self.cache = cache
    }
}

/// A piece of what somebody said.
package enum Part: Equatable {
    case text(TextBlock)
    case media(Media)
    /// The assistant asks for a tool; only in the assistant's turns and in answers.
    case toolCall(ToolCall)
    /// What a tool said; only in the user's turns.
    case toolResult(ToolResult)
    /// What the model thought; only in the assistant's turns and in answers.
    case thinking(Thinking)
    /// The assistant says that it will not answer.
    case refusal(JSONText)
}

/// An image, document or sound.
package struct Media: Equatable {
    package enum Kind: Equatable, Sendable {
        case image
        case document
        case audio
    }

    package enum Source: Equatable {
        /// Base64 without a `data:` prefix.
        case base64(JSONText)
        case url(JSONText)
        /// Id of a file that one vendor keeps.
        case file(JSONText)
        /// A document that is text.
        case plain(JSONText)
    }

    package var kind: Kind
    /// For example `image/png`; nil where only the URL would tell.
    package var mediaType: JSONText?
    package var source: Source
    /// File name or title.
    package var name: JSONText?
    /// OpenAI's `detail` of an image.
    package var detail: JSONText?
    package var cache: JSONFragment?

    package init(_ kind: Kind, _ mediaType: JSONText?, _ source: Source) {
        self.kind = kind
        self.mediaType = mediaType
        self.source = source
    }
}

package struct ToolCall: Equatable {
    /// Nil where the format has none (Gemini).
    package var id: JSONText?
    package var name: JSONText
    package var input: ToolInput
    /// Gemini's signature of the thoughts that led to the call.
    package var signature: JSONText?
    package var cache: JSONFragment?

    package init(id: JSONText?, name: JSONText, input: ToolInput) {
        self.id = id
        self.name = name
        self.input = input
    }
}

/// What a tool is called with.
package enum ToolInput: Equatable {
    /// A JSON object, as Anthropic and Gemini have it.
    case object(JSONFragment)
    /// The JSON text of an object inside of a string, as OpenAI has it; may be broken.
    case text(JSONText)
}

package struct ToolResult: Equatable {
    /// The call that is answered; nil where the format has only names (Gemini).
    package var callID: JSONText?
    package var name: JSONText?
    /// Texts and media; empty for a tool that said nothing.
    package var content: [Part]
    /// The result as a JSON value where the format has one (Gemini's `response`); `content` is
    /// empty then.
    package var value: JSONFragment?
    package var isError = false
    package var cache: JSONFragment?

    package init(callID: JSONText?, name: JSONText?, content: [Part]) {
        self.callID = callID
        self.name = name
        self.content = content
    }
}

package struct Thinking: Equatable {
    /// Nil for thoughts that came encrypted.
    package var text: JSONText?
    /// What proves to the vendor that the thoughts are its own; has to come back byte by byte.
    package var signature: JSONText?
    /// Encrypted thoughts (`redacted_thinking`, `encrypted_content`).
    package var encrypted: JSONText?

    package init(text: JSONText?, signature: JSONText? = nil, encrypted: JSONText? = nil) {
        self.text = text
        self.signature = signature
        self.encrypted = encrypted
    }
}

package struct Tool: Equatable {
    package var name: JSONText
    package var description: JSONText?
    /// JSON Schema of the input, an object; nil for a tool without input.
    package var schema: JSONFragment?
    package var isStrict: Bool?
    package var cache: JSONFragment?

    package init(name: JSONText, description: JSONText?, schema: JSONFragment?) {
        self.name = name
        self.description = description
        self.schema = schema
    }
}

package enum ToolChoice: Equatable {
    case auto
    case none
    /// Some tool, whichever.
    case required
    case named(JSONText)
}

/// How much a model should think before it answers.
package struct Reasoning: Equatable {
    package enum Effort: String, Equatable, Sendable, CaseIterable {
        case none, minimal, low, medium, high, xhigh
    }

    package var effort: Effort?
    /// Most tokens to think with; -1 leaves it to the model.
    package var budget: Int?
    /// Whether the model decides by itself how much it thinks (Anthropic's `adaptive`).
    package var isAdaptive = false
    /// Whether the client wants to see the thoughts.
    package var showsThoughts: Bool?

    package init(effort: Effort? = nil, budget: Int? = nil) {
        self.effort = effort
        self.budget = budget
    }
}

package enum ResponseFormat: Equatable {
    case text
    case jsonObject
    case jsonSchema(JSONSchemaFormat)
}

package struct JSONSchemaFormat: Equatable {
    package var name: JSONText?
    package var description: JSONText?
    package var schema: JSONFragment
    package var isStrict: Bool?

    package init(name: JSONText?, schema: JSONFragment, isStrict: Bool?) {
        self.name = name
        self.schema = schema
        self.isStrict = isStrict
    }
}
