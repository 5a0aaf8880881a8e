// SPDX-License-Identifier: Apache-2.0
import Dialects
import HTTP
import Metrics

/// What a request path asks for.
enum Endpoint: Equatable {
    enum GeminiAction: Equatable {
        case generate, stream, countTokens, embed, batchEmbed
    }

    case chatCompletions
    /// `/chat/stream`: a few members of a chat request, always streamed.
    case plainChat
    case completions
    case embeddings
    case responses
    case responsesCompact
    /// One stored response; the path names its id.
    case response
    case messages
    case countTokens
    /// The path names the model.
    case gemini(GeminiAction)
    case models
    /// One model; the path names it.
    case model
    /// The same in Gemini's shape.
    case geminiModels
    case geminiModel
    case health

    var route: Route {
        switch self {
        case .chatCompletions, .plainChat: .chatCompletions
        case .completions: .completions
        case .embeddings: .embeddings
        case .responses, .responsesCompact, .response: .responses
        case .messages: .messages
        case .countTokens: .countTokens
        case .gemini(let action):
            switch action {
            case .generate, .stream: .generateContent
            case .countTokens: .countTokens
            case .embed, .batchEmbed: .embeddings
            }
        case .models, .model, .geminiModels, .geminiModel: .models
        case .health: .health
        }
    }

    /// The format of its bodies and errors.
    var format: WireFormat {
        switch self {
        case .chatCompletions, .plainChat, .embeddings, .models, .model, .health: .chat
        case .completions: .completions
        case .responses, .responsesCompact, .response: .responses
        case .messages, .countTokens: .messages
        case .gemini, .geminiModels, .geminiModel: .gemini
        }
    }

    /// The same of a client that names itself with Google's key field: models in its shape.
    var inGoogleForm: Endpoint {
        switch self {
        case .models: .geminiModels
        case .model: .geminiModel
        case .chatCompletions, .plainChat, .completions, .embeddings, .responses,
            .responsesCompact, .response, .messages, .countTokens, .gemini, .geminiModels,
            .geminiModel, .health:
            self
        }
    }

    private enum Methods {
        case post, get, getAndDelete
    }

    private var methods: Methods {
        switch self {
        case .chatCompletions, .plainChat, .completions, .embeddings, .responses,
            .responsesCompact, .messages, .countTokens, .gemini:
            .post
        case .models, .model, .geminiModels, .geminiModel, .health: .get
        case .response: .getAndDelete
        }
    }

    /// The methods it has, as an Allow field lists them.
    var allow: StaticString {
        switch methods {
        case .post: "POST, OPTIONS"
        case .get: "GET, HEAD, OPTIONS"
        case .getAndDelete: "GET, DELETE, OPTIONS"
        }
    }

    func allows(_ method: HTTPMethod) -> Bool {
        switch methods {
        case .post: method == .post
        case .get: method == .get || method == .head
        case .getAndDelete: method == .get || method == .delete
        }
    }

    /// Whether a client key is asked for.
    var needsKey: Bool { self != .health }
}
