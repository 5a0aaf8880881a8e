// SPDX-License-Identifier: Apache-2.0

/// What an upstream that makes vectors speaks.
package enum EmbeddingFormat: UInt8, CaseIterable, Sendable {
    /// OpenAI, Azure, NVIDIA and everything compatible.
    case openAI
    /// Gemini's `:batchEmbedContents`.
    case gemini
    /// Vertex's `:predict`.
    case vertex
    /// Amazon Titan on Bedrock, one text at a time.
    case titan
    /// Cohere on Bedrock.
    case cohere
    /// `/v2/embeddings` of SAP AI Core's orchestration service.
    case sapOrchestration

    /// Most texts that one call of `model` takes; a longer list needs several calls.
    ///
    /// Spec: 100 requests per batch at Google, 250 instances on Vertex but one for Gemini models,
    /// 96 texts at Cohere.
    package func itemsMax(model: String) -> Int {
        switch self {
        case .openAI, .sapOrchestration: EmbeddingRequest.itemsMax
        case .gemini: 100
        case .vertex: model.contains("gemini") ? 1 : 250
        case .titan: 1
        case .cohere: 96
        }
    }

    /// The texts of each call for a list of `count`, in order.
    package func batches(of count: Int, model: String) -> [Range<Int>] {
        let most = itemsMax(model: model)
        return stride(from: 0, to: count, by: most).map { $0..<min($0 + most, count) }
    }
}
