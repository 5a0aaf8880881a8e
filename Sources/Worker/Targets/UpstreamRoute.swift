// SPDX-License-Identifier: Apache-2.0
import Config
import Dialects
import Providers

/// What a client wants a model to do.
enum ModelOperation: Equatable {
    case generate
    /// OpenAI's compaction of a long input.
    case compact
    case embed
    case countTokens
    case stored(StoredResponse)
}

/// Asks an upstream where a request goes.
struct RouteQuestion {
    var operation: ModelOperation
    /// What the client speaks.
    var client: WireFormat
    /// The model as the target calls it.
    var model: String
    var isStream: Bool
    /// The format that the configuration asks for.
    var api: TargetAPI?
    var maxTokensDefault: Int?
    /// The deployment that has to answer, by its pin.
    var pin: UInt32?

    var stored: StoredResponse? {
        if case .stored(let stored) = operation { stored } else { nil }
    }
}

/// Where a request goes, and what it has to look like there.
struct UpstreamRoute {
    enum Path {
        case fixed(StaticString)
        case made(String)
    }

    /// What goes over the wire besides conversations.
    enum Shape {
        case conversation
        case embedding(EmbeddingFormat)
        case countTokens
    }

    static let acceptAny: StaticString = "accept: application/json, text/event-stream\r\n"
    static let acceptAmazon: StaticString = "accept: application/vnd.amazon.eventstream\r\n"

    var plan: RequestPlan
    var path: Path
    var shape = Shape.conversation
    var accept = Self.acceptAny
    var framing = StreamFraming.Kind.events
    /// Fields of this request alone, a token among them.
    var fields: [OutgoingField] = []
    /// `anthropic-version` of a client that names none.
    var version: String?
    /// Names upstream and deployment in ids of stored responses.
    var pin: UInt32?
    /// The deployment of SAP AI Core that answers, and the token that was used.
    var deployment: String?
    var token: Secret?
    var isOrchestration = false
    /// Whether the call is one of several for one request of the client's.
    var isPart = false

    init(_ plan: RequestPlan, _ path: Path) {
        self.plan = plan
        self.path = path
    }
}

/// What an upstream says to a question.
enum RouteAnswer {
    case route(UpstreamRoute)
    /// The gateway counts by itself.
    case estimate
    /// It cannot do this; the text ends "The upstream 'x' ".
    case unsupported(String)
    case unknownModel
    /// Something has to be fetched first; the upstream calls back.
    case waiting
    case failed(String, retryAfterMilliseconds: UInt32?)
}
