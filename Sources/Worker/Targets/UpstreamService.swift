// SPDX-License-Identifier: Apache-2.0
import Config
import Dialects
import Providers

/// The interface of an upstream: which format it speaks for which request, and where.
enum UpstreamService {
    /// OpenAI's interface; `isNative` says whether it has Responses.
    case openAI(ProviderHost, isNative: Bool)
    case azure(apiVersion: String, isNative: Bool)
    case anthropic(version: String)
    case gemini(apiVersion: String)
    case bedrock(BedrockAccess)
    case sap(SAPAccount)
    case demo

    func route(_ question: RouteQuestion, of upstream: Upstream) -> RouteAnswer {
        switch self {
        case .openAI(let host, let isNative):
            Self.openAI(question, upstream, host, isNative: isNative)
        case .azure(let version, let isNative):
            Self.azure(question, upstream, version, isNative: isNative)
        case .anthropic(let version): Self.anthropic(question, upstream, version)
        case .gemini(let version): Self.gemini(question, upstream, version)
        case .bedrock(let access): access.route(question, of: upstream)
        case .sap(let account): account.route(question, of: upstream)
        case .demo: Self.openAI(question, upstream, .demo, isNative: false)
        }
    }

    /// Whether a response with this pin may have been made here.
    func mayHold(_ pin: UInt32, of upstream: Upstream) -> Bool {
        switch self {
        case .openAI, .azure: pin == Pin.of(upstream: upstream.name, deployment: nil)
        case .sap(let account): account.mayHold(pin)
        case .anthropic, .gemini, .bedrock, .demo: false
        }
    }

    /// The format of OpenAI's interface that serves a client best.
    static func openAIFormat(_ question: RouteQuestion, isNative: Bool) -> WireFormat {
        switch question.api {
        case .responses?: return .responses
        case .chat?: return question.client == .completions ? .completions : .chat
        case .messages?, .gemini?, .converse?, .invoke?, nil: break
        }
        switch question.client {
        case .responses: return isNative ? .responses : .chat
        case .completions: return .completions
        case .chat, .messages, .gemini, .converse:
            return isNative && ModelRules.isResponsesOnly(question.model) ? .responses : .chat
        }
    }

    private static func openAI(
        _ question: RouteQuestion,
        _ upstream: Upstream,
        _ host: ProviderHost,
        isNative: Bool
    ) -> RouteAnswer {
        let format: WireFormat
        let path: StaticString
        switch question.operation {
        case .generate:
            format = openAIFormat(question, isNative: isNative)
            switch format {
            case .responses: path = "/responses"
            case .completions: path = "/completions"
            case .chat, .messages, .gemini, .converse: path = "/chat/completions"
            }
        case .compact:
            guard isNative else {
                return .unsupported("has no Responses interface to compact with")
            }
            format = .responses
            path = "/responses/compact"
        case .embed:
            format = .chat
            path = "/embeddings"
        case .countTokens:
            return .estimate
        case .stored(let stored):
            let plan = upstream.plan(.responses, host, question, model: "")
            var route = UpstreamRoute(plan, .made("/responses/" + stored.target))
            route.pin = Pin.of(upstream: upstream.name, deployment: nil)
            return .route(route)
        }
        let plan = upstream.plan(format, host, question, model: question.model)
        var route = UpstreamRoute(plan, .fixed(path))
        if question.operation == .embed { route.shape = .embedding(.openAI) }
        if format == .responses { route.pin = Pin.of(upstream: upstream.name, deployment: nil) }
        return .route(route)
    }

    private static func azure(
        _ question: RouteQuestion,
        _ upstream: Upstream,
        _ version: String,
        isNative: Bool
    ) -> RouteAnswer {
        let format: WireFormat
        let operation: AzurePath.Operation
        switch question.operation {
        case .generate:
            format = openAIFormat(question, isNative: isNative)
            switch format {
            case .responses: operation = .responses
            case .completions: operation = .completions
            case .chat, .messages, .gemini, .converse: operation = .chat
            }
        case .compact:
            guard isNative else {
                return .unsupported("has no Responses interface to compact with")
            }
            format = .responses
            operation = .compact
        case .embed:
            format = .chat
            operation = .embeddings
        case .countTokens:
            return .estimate
        case .stored(let stored):
            format = .responses
            operation = .storedResponse(id: stored.id)
        }
        let plan = upstream.plan(format, .azure, question, model: question.model)
        let path = AzurePath.target(
            deployment: question.model,
            operation,
            .deployment(apiVersion: version)
        )
        var route = UpstreamRoute(plan, .made(path))
        if question.operation == .embed { route.shape = .embedding(.openAI) }
        if format == .responses { route.pin = Pin.of(upstream: upstream.name, deployment: nil) }
        return .route(route)
    }

    private static func anthropic(
        _ question: RouteQuestion,
        _ upstream: Upstream,
        _ version: String
    ) -> RouteAnswer {
        // Its counter takes what a client of Messages writes, and refuses what others have to.
        if question.operation == .countTokens, question.client != .messages { return .estimate }
        let plan = upstream.plan(.messages, .anthropic, question, model: question.model)
        var route: UpstreamRoute
        switch question.operation {
        case .generate:
            route = UpstreamRoute(plan, .fixed("/v1/messages"))
        case .countTokens:
            route = UpstreamRoute(plan, .fixed("/v1/messages/count_tokens"))
            route.shape = .countTokens
        case .compact: return .unsupported("cannot compact responses")
        case .embed: return .unsupported("has no embeddings")
        case .stored: return .unsupported("stores no responses")
        }
        route.version = version
        return .route(route)
    }

    private static func gemini(
        _ question: RouteQuestion,
        _ upstream: Upstream,
        _ version: String
    ) -> RouteAnswer {
        let plan = upstream.plan(.gemini, .gemini, question, model: question.model)
        let operation: GeminiPath.Operation
        switch question.operation {
        case .generate: operation = .generate(isStream: question.isStream)
        case .embed: operation = .batchEmbed
        case .countTokens: return .estimate
        case .compact: return .unsupported("cannot compact responses")
        case .stored: return .unsupported("stores no responses")
        }
        let path = GeminiPath.target(
            model: question.model,
            operation,
            .developer(version: version)
        )
        var route = UpstreamRoute(plan, .made(path))
        if question.operation == .embed { route.shape = .embedding(.gemini) }
        return .route(route)
    }
}

/// Names an upstream, and a deployment there, in the id of a stored response.
enum Pin {
    /// 32 bits of FNV-1a: ids stay short, and a wrong match only costs a 404 from the upstream.
    static func of(upstream: String, deployment: String?) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in "\(upstream)\n\(deployment ?? "")".utf8 {
            hash = (hash ^ UInt32(byte)) &* 16_777_619
        }
        return hash
    }
}
