// SPDX-License-Identifier: Apache-2.0

/// Request targets of SAP AI Core.
package enum SAPPath {
    /// What is asked of a deployment.
    package enum Operation: Equatable, Sendable {
        case chat
        case responses
        case compact
        /// A response that was made before, to read or to delete it.
        case storedResponse(id: String)
        case embeddings
        case transcription
        /// A body in the model's own format, of Claude, Nova or Titan.
        case invoke
        case converse
        /// A body in Gemini's format.
        case generate
    }

    /// How a Gemini deployment is asked for embeddings; the service's documents leave it open.
    package enum GeminiEmbedding: String, CaseIterable, Sendable {
        case predict
        case embedContent
    }

    /// One deployment, as far as its paths need it.
    package struct Deployment: Equatable, Sendable {
        package var id: String
        package var family: ModelFamily
        /// The model's name, which Gemini wants in the path.
        package var model: String
        /// Nil for the default of the operation; empty for none.
        package var apiVersion: String?
        package var geminiEmbedding: GeminiEmbedding

        package init(
            id: String,
            family: ModelFamily,
            model: String,
            apiVersion: String? = nil,
            geminiEmbedding: GeminiEmbedding = .predict
        ) {
            self.id = id
            self.family = family
            self.model = model
            self.apiVersion = apiVersion
            self.geminiEmbedding = geminiEmbedding
        }
    }

    /// The first version with tools, `stream_options` and structured output for reasoning models.
    package static let chatVersion = "2024-12-01-preview"
    /// The first version with the Responses API.
    package static let responsesVersion = "2025-03-01-preview"

    /// The path that all others start with: that of the API's address, with `/v2` at its end.
    ///
    /// `https://host`, `https://host/` and `https://host/v2/` all give `/v2`.
    package static func base(ofURL url: String) -> String {
        let end = url.firstIndex { $0 == "?" || $0 == "#" } ?? url.endIndex
        var rest = url[..<end]
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        var path = rest[(rest.firstIndex(of: "/") ?? rest.endIndex)...]
        while path.hasSuffix("/") { path.removeLast() }
        return path.hasSuffix("/v2") ? String(path) : path + "/v2"
    }

    /// Where the list of deployments is, with as many as one answer may hold.
    package static func deployments(base: String = "/v2") -> String {
        "\(base)/lm/deployments?status=RUNNING&$top=\(SAPDeployment.deploymentsMax)"
    }

    package static func configuration(_ id: String, base: String = "/v2") -> String {
        "\(base)/lm/configurations/\(PercentEncoding.encode(id))"
    }

    /// The target of a request; nil when the family does not know the operation.
    package static func target(
        _ deployment: Deployment,
        _ operation: Operation,
        isStream: Bool,
        base: String = "/v2"
    ) -> String? {
        guard let suffix = suffix(deployment, operation, isStream: isStream) else { return nil }
        return "\(base)/inference/deployments/\(PercentEncoding.encode(deployment.id))\(suffix)"
    }

    private static func suffix(
        _ deployment: Deployment,
        _ operation: Operation,
        isStream: Bool
    ) -> String? {
        let version = deployment.apiVersion
        switch (operation, deployment.family) {
        case (.chat, .gpt), (.chat, .reasoning):
            return "/chat/completions" + query(version, default: chatVersion)
        case (.chat, .openSource): return "/chat/completions"
        case (.chat, .cohere): return "/chat"
        case (.chat, .orchestration): return "/v2/completion"
        case (.responses, .gpt), (.responses, .reasoning):
            return "/responses" + query(version, default: responsesVersion)
        case (.compact, .gpt), (.compact, .reasoning):
            return "/responses/compact" + query(version, default: responsesVersion)
        case (.storedResponse(let id), .gpt), (.storedResponse(let id), .reasoning):
            return "/responses/\(PercentEncoding.encode(id))"
                + query(version, default: responsesVersion)
        case (.embeddings, .openaiEmbedding):
            return "/embeddings" + query(version, default: chatVersion)
        case (.embeddings, .nvidiaEmbedding): return "/embeddings"
        case (.embeddings, .titanEmbedding): return "/invoke"
        case (.embeddings, .geminiEmbedding):
            let model = PercentEncoding.encode(geminiEmbeddingModel(deployment.model))
            return "/models/\(model):\(deployment.geminiEmbedding.rawValue)"
        case (.embeddings, .orchestration): return "/v2/embeddings"
        case (.transcription, .whisper):
            return "/audio/transcriptions" + query(version, default: chatVersion)
        case (.invoke, .claude), (.invoke, .nova), (.invoke, .titanText), (.invoke, .bedrock):
            return isStream ? "/invoke-with-response-stream" : "/invoke"
        case (.invoke, .titanEmbedding): return isStream ? nil : "/invoke"
        case (.converse, .claude), (.converse, .nova), (.converse, .titanText),
            (.converse, .bedrock):
            return isStream ? "/converse-stream" : "/converse"
        case (.generate, .gemini):
            let model = PercentEncoding.encode(deployment.model)
            return isStream
                ? "/models/\(model):streamGenerateContent?alt=sse"
                : "/models/\(model):generateContent"
        case (.chat, _), (.responses, _), (.compact, _), (.storedResponse, _), (.embeddings, _),
            (.transcription, _), (.invoke, _), (.converse, _), (.generate, _):
            return nil
        }
    }

    private static func query(_ version: String?, default fallback: String) -> String {
        let version = version ?? fallback
        return version.isEmpty ? "" : "?api-version=" + PercentEncoding.encode(version)
    }

    /// Deployments are called `gemini-embedding`, the model behind them has a number.
    private static func geminiEmbeddingModel(_ name: String) -> String {
        name == "gemini-embedding" ? "gemini-embedding-001" : name
    }
}
