// SPDX-License-Identifier: Apache-2.0
import Config
import Dialects
import Providers
import System

/// Amazon Bedrock's runtime: which of its interfaces a model has, and the signature of a request.
final class BedrockAccess {
    private var signer: SigV4Signer
    private let host: String

    init(_ config: BedrockConfig, host: String) {
        signer = SigV4Signer(
            region: config.region,
            service: "bedrock",
            accessKeyID: config.accessKeyID.revealed,
            secretAccessKey: config.secretAccessKey,
            sessionToken: config.sessionToken
        )
        self.host = host
    }

    func route(_ question: RouteQuestion, of upstream: Upstream) -> RouteAnswer {
        let model = question.model
        switch question.operation {
        case .countTokens: return .estimate
        case .compact: return .unsupported("cannot compact responses")
        case .stored: return .unsupported("stores no responses")
        case .embed:
            let format: EmbeddingFormat
            switch ModelFamily(executable: .awsBedrock, model: model) {
            case .titanEmbedding: format = .titan
            case .cohere: format = .cohere
            case .gpt, .reasoning, .openaiEmbedding, .whisper, .claude, .nova, .titanText, .bedrock,
                .gemini, .geminiEmbedding, .nvidiaEmbedding, .openSource, .orchestration:
                return .unsupported("has no embeddings of the model '\(model)'")
            }
            let plan = upstream.plan(.chat, .bedrock, question, model: model)
            var route = UpstreamRoute(
                plan,
                .made(BedrockPath.target(model: model, .invoke, isStream: false))
            )
            route.shape = .embedding(format)
            return .route(route)
        case .generate:
            break
        }
        let isInvoke: Bool
        switch question.api {
        case .converse?: isInvoke = false
        case .invoke?, .messages?: isInvoke = true
        case .chat?, .responses?, .gemini?, nil:
            isInvoke = ModelFamily(executable: .awsBedrock, model: model) == .claude
        }
        let format: WireFormat = isInvoke ? .messages : .converse
        let plan = upstream.plan(format, .bedrock, question, model: model)
        let path = BedrockPath.target(
            model: model,
            isInvoke ? .invoke : .converse,
            isStream: question.isStream
        )
        var route = UpstreamRoute(plan, .made(path))
        if question.isStream {
            route.accept = UpstreamRoute.acceptAmazon
            route.framing = isInvoke ? .amazonChunks : .amazonEvents
        }
        return .route(route)
    }

    /// Adds the fields that prove who sends a body with this hash.
    func sign(_ route: inout UpstreamRoute, payload: SHA256.Digest) {
        guard case .made(let target) = route.path else { return }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let request = SigV4Signer.Request(
            method: "POST",
            path: String(parts[0]),
            query: parts.count > 1 ? String(parts[1]) : "",
            fields: [
                SigV4Signer.Field("host", host),
                SigV4Signer.Field("content-type", "application/json"),
            ],
            payload: payload
        )
        route.fields = signer.sign(request, unixSeconds: Int(Syscalls.wallClock().seconds))
    }
}
