// SPDX-License-Identifier: Apache-2.0
import JSON

/// What a vector is for: some models make another one of a question than of its answer.
package enum EmbeddingPurpose: CaseIterable, Equatable, Sendable {
    case query
    case document
    case similarity
    case classification
    case clustering
    case questionAnswering
    case factVerification
    case codeQuery
    /// A task type that only its own vendor knows.
    case other

    // MARK: Names

    /// Gemini's task type; Vertex AI has the same.
    package var taskType: StaticString? {
        switch self {
        case .query: "RETRIEVAL_QUERY"
        case .document: "RETRIEVAL_DOCUMENT"
        case .similarity: "SEMANTIC_SIMILARITY"
        case .classification: "CLASSIFICATION"
        case .clustering: "CLUSTERING"
        case .questionAnswering: "QUESTION_ANSWERING"
        case .factVerification: "FACT_VERIFICATION"
        case .codeQuery: "CODE_RETRIEVAL_QUERY"
        case .other: nil
        }
    }

    /// Whether the text is the question of a search, whatever is searched.
    private var isQuery: Bool {
        switch self {
        case .query, .questionAnswering, .factVerification, .codeQuery: true
        case .document, .similarity, .classification, .clustering, .other: false
        }
    }

    /// NVIDIA's `input_type`, which has two values.
    var nvidiaType: StaticString? {
        if isQuery { return "query" }
        return self == .document ? "passage" : nil
    }

    /// Cohere's `input_type`.
    var cohereType: StaticString? {
        if isQuery { return "search_query" }
        switch self {
        case .document: return "search_document"
        case .classification: return "classification"
        case .clustering: return "clustering"
        case .query, .similarity, .questionAnswering, .factVerification, .codeQuery, .other:
            return nil
        }
    }

    /// The `type` of SAP's orchestration service.
    var orchestrationType: StaticString? {
        if isQuery { return "query" }
        return self == .document ? "document" : nil
    }

    // MARK: Reading

    /// The values of `input_type` that an OpenAI client may send: NVIDIA's, Cohere's and SAP's.
    private static let inputTypes: [(name: StaticString, purpose: EmbeddingPurpose)] = [
        ("query", .query), ("passage", .document), ("document", .document),
        ("search_query", .query), ("search_document", .document),
        ("classification", .classification), ("clustering", .clustering),
        ("similarity", .similarity), ("semantic_similarity", .similarity),
    ]

    /// The purpose that a client's `input_type` names; nil for `text`, which is no special one.
    static func read(
        inputType node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> EmbeddingPurpose? {
        guard tape.kind(of: node) == .string else {
            throw .invalid(node, tape, "must be a string")
        }
        if tape.equals(node, "text", in: bytes) { return nil }
        guard let purpose = known(inputType: node, tape, bytes) else {
            throw .invalid(
                node,
                tape,
                "must be 'query', 'passage', 'search_query', 'search_document', 'classification', "
                    + "'clustering', 'similarity' or 'text'"
            )
        }
        return purpose
    }

    /// As above, nil for everything else.
    static func known(
        inputType node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> EmbeddingPurpose? {
        inputTypes.first { tape.equals(node, $0.name, in: bytes) }?.purpose
    }

    /// The purpose that a Gemini client's task type names; nil for "unspecified".
    static func read(
        taskType node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> EmbeddingPurpose? {
        guard tape.kind(of: node) == .string else {
            throw .invalid(node, tape, "must be a string")
        }
        if tape.equals(node, "TASK_TYPE_UNSPECIFIED", in: bytes) { return nil }
        for purpose in allCases {
            if let name = purpose.taskType, tape.equals(node, name, in: bytes) { return purpose }
        }
        return .other
    }
}
