// SPDX-License-Identifier: Apache-2.0

/// What an upstream speaks that turns texts into vectors.
package enum EmbeddingFormat: CaseIterable, Equatable, Sendable {
    /// OpenAI's interface, and everything that imitates it.
    case openAI
    /// Gemini's `batchEmbedContents`.
    case gemini
    /// Vertex AI's `predict`.
    case vertex
    /// Amazon Titan on Bedrock's `invoke`.
    case titan
    /// Cohere on Bedrock's `invoke`.
    case cohere
    /// OpenAI's interface with NVIDIA's `input_type`, which its models demand.
    case nvidia
    /// The orchestration service of SAP AI Core.
    case orchestration

    /// Whether an OpenAI client's request is right but for a few members.
    package var isOpenAI: Bool {
        switch self {
        case .openAI, .nvidia: true
        case .gemini, .vertex, .titan, .cohere, .orchestration: false
        }
    }

    /// Most inputs that one call to `model` takes; more of them become several calls.
    ///
    /// As the vendors document it: Titan has one text, Gemini on Vertex AI one instance (older
    /// models 250), `batchEmbedContents` 100 requests, Cohere 96 texts.
    package func inputsMax(model: String) -> Int {
        switch self {
        case .titan: 1
        case .vertex: model.contains("gemini") ? 1 : 250
        case .gemini: 100
        case .cohere: 96
        case .openAI, .nvidia, .orchestration: EmbeddingRequest.inputsMax
        }
    }
}
