// SPDX-License-Identifier: Apache-2.0
import Config
import Dialects
import Providers

/// The interface of a deployment of SAP AI Core that serves a request best.
struct SAPInterface {
    let format: WireFormat
    let host: ProviderHost
    let operation: SAPPath.Operation
    var embedding: EmbeddingFormat?

    private init(
        _ format: WireFormat,
        _ host: ProviderHost,
        _ operation: SAPPath.Operation,
        embedding: EmbeddingFormat? = nil
    ) {
        self.format = format
        self.host = host
        self.operation = operation
        self.embedding = embedding
    }

    /// Nil where a model of this family cannot do what is asked.
    init?(_ question: RouteQuestion, _ family: ModelFamily, _ model: String) {
        switch question.operation {
        case .embed:
            guard let found = Self.embeddings(family) else { return nil }
            self = found
        case .compact:
            guard family == .gpt || family == .reasoning else { return nil }
            self.init(.responses, .sapAzure, .compact)
        case .stored(let stored):
            guard family == .gpt || family == .reasoning else { return nil }
            self.init(.responses, .sapAzure, .storedResponse(id: stored.id))
        case .countTokens:
            return nil
        case .generate:
            guard let found = Self.generation(question, family, model) else { return nil }
            self = found
        }
    }

    private static func embeddings(_ family: ModelFamily) -> SAPInterface? {
        switch family {
        case .openaiEmbedding:
            SAPInterface(.chat, .sapAzure, .embeddings, embedding: .openAI)
        case .nvidiaEmbedding:
            SAPInterface(.chat, .sapOpenSource, .embeddings, embedding: .nvidia)
        case .titanEmbedding:
            SAPInterface(.chat, .sapBedrock, .embeddings, embedding: .titan)
        case .geminiEmbedding:
            SAPInterface(.chat, .sapVertex, .embeddings, embedding: .vertex)
        case .orchestration:
            SAPInterface(.chat, .sapOrchestration, .embeddings, embedding: .orchestration)
        case .gpt, .reasoning, .whisper, .claude, .nova, .titanText, .bedrock, .gemini, .cohere,
            .openSource:
            nil
        }
    }

    private static func generation(
        _ question: RouteQuestion,
        _ family: ModelFamily,
        _ model: String
    ) -> SAPInterface? {
        switch family {
        case .gpt, .reasoning:
            let isResponses =
                question.api == .responses
                || (question.api == nil
                    && (question.client == .responses || ModelRules.isResponsesOnly(model)))
            return isResponses
                ? SAPInterface(.responses, .sapAzure, .responses)
                : SAPInterface(.chat, .sapAzure, .chat)
        case .claude:
            return question.api == .converse
                ? SAPInterface(.converse, .sapBedrock, .converse)
                : SAPInterface(.messages, .sapBedrock, .invoke)
        case .nova, .titanText, .bedrock:
            return SAPInterface(.converse, .sapBedrock, .converse)
        case .gemini:
            return SAPInterface(.gemini, .sapVertex, .generate)
        case .openSource:
            return SAPInterface(.chat, .sapOpenSource, .chat)
        case .orchestration:
            return SAPInterface(.chat, .sapOrchestration, .chat)
        case .openaiEmbedding, .whisper, .titanEmbedding, .geminiEmbedding, .nvidiaEmbedding,
            .cohere:
            return nil
        }
    }
}
