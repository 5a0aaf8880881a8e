// SPDX-License-Identifier: Apache-2.0

/// The models that one protocol with one set of rules reaches.
package enum ModelFamily: String, CaseIterable, Sendable {
    /// OpenAI's chat models without reasoning.
    case gpt
    /// OpenAI's o-series, gpt-5 and later: other limits and parameters.
    case reasoning
    case openaiEmbedding
    case whisper
    case claude
    case nova
    case titanText
    case titanEmbedding
    /// Other models of Bedrock, which the Converse protocol reaches.
    case bedrock
    case gemini
    case geminiEmbedding
    /// Cohere's chat models.
    case cohere
    case nvidiaEmbedding
    /// Models behind a server that speaks OpenAI's protocol, such as Mistral, Llama and Perplexity.
    case openSource
    /// SAP's service in front of all models.
    case orchestration

    /// The family of a deployment.
    ///
    /// What runs it says more than its name: a name decides alone only when nothing else is known.
    package init(executable: SAPExecutable, model: String) {
        let identity = ModelIdentity(model)
        self =
            switch executable {
            case .azureOpenAI: Self.openAI(identity)
            case .awsBedrock: Self.bedrock(identity)
            case .gcpVertexAI:
                identity.family == "claude" ? .claude : Self.google(identity)
            case .cohere: .cohere
            case .nvidia: Self.isEmbedding(identity) ? .nvidiaEmbedding : .openSource
            case .openSource, .mistralAI, .ibm, .sap, .perplexity: .openSource
            case .orchestration: .orchestration
            case .unknown: Self.named(identity)
            }
    }

    /// The family of a model that nothing but its name is known of.
    package init(model: String) {
        self.init(executable: .unknown, model: model)
    }

    private static func named(_ identity: ModelIdentity) -> ModelFamily {
        switch identity.family {
        case "claude": .claude
        case "gemini": google(identity)
        case "nova", "titan": bedrock(identity)
        case "gpt" where identity.variants.contains("oss"): .openSource
        case "gpt", "o", "chatgpt", "codex", "davinci", "whisper": openAI(identity)
        case "text" where identity.variants.contains("embedding"): .openaiEmbedding
        case "command" where identity.vendor == "cohere" || identity.vendor == nil: .cohere
        default:
            identity.vendor == "nvidia" && isEmbedding(identity) ? .nvidiaEmbedding : .openSource
        }
    }

    private static func openAI(_ identity: ModelIdentity) -> ModelFamily {
        if isEmbedding(identity) { return .openaiEmbedding }
        switch identity.family {
        case "whisper": return .whisper
        case "o", "codex": return .reasoning
        case "gpt":
            // `gpt-5-chat` is the one of its generation that does not reason.
            let generation = identity.version.first ?? 0
            return generation >= 5 && !identity.variants.contains("chat") ? .reasoning : .gpt
        default: return .gpt
        }
    }

    private static func bedrock(_ identity: ModelIdentity) -> ModelFamily {
        switch identity.family {
        case "claude": .claude
        case "nova": .nova
        case "titan": isEmbedding(identity) ? .titanEmbedding : .titanText
        default: .bedrock
        }
    }

    private static func google(_ identity: ModelIdentity) -> ModelFamily {
        isEmbedding(identity) ? .geminiEmbedding : .gemini
    }

    private static let embeddingWords: Set<String> = ["embed", "embedding", "embedqa"]

    private static func isEmbedding(_ identity: ModelIdentity) -> Bool {
        identity.variants.contains { embeddingWords.contains($0) } || identity.family == "embed"
    }
}
