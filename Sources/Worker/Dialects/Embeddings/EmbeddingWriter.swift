// SPDX-License-Identifier: Apache-2.0

/// Writes the bodies of the calls that one request for embeddings takes.
///
/// Everything that can be wrong is found at the start: a call in the middle of a batch cannot fail
/// any more.
package struct EmbeddingWriter {
    /// What the answer has to be.
    package let wish: EmbeddingWish

    let request: EmbeddingRequest
    let format: EmbeddingFormat
    let model: String
    /// Nil where the model has no choice.
    let dimensions: Int?
    /// The purpose in the upstream's words, where it is one for the whole call.
    let purpose: StaticString?
    let namesModel: Bool
    let sendsUser: Bool
    /// Members at the top that this upstream has refused.
    let refused: [String]

    /// - Throws: What `format` has no words for.
    package init(
        _ request: EmbeddingRequest,
        _ format: EmbeddingFormat,
        _ plan: RequestPlan,
        _ omissions: inout Omissions
    ) throws(ConversionError) {
        self.request = request
        self.format = format
        model = plan.model
        namesModel = plan.rules.namesModel
        refused = plan.refused
        wish = request.wish(inputsPerCall: format.inputsMax(model: plan.model))
        sendsUser = request.user != nil && format.isOpenAI && !refused.contains("user")
        if request.user != nil, !sendsUser { omissions.add(request.name(of: .user)) }
        if format == .gemini, request.client != .openAI {
            // Each request goes on as it is.
            dimensions = nil
            purpose = nil
            return
        }
        omissions.add(request.omissions)
        try Self.check(request.inputs, format)
        dimensions = try Self.dimensions(request, format, plan, &omissions)
        purpose = try Self.purpose(request, format, plan, &omissions)
        let takesTitle = format == .gemini || format == .vertex
        if !takesTitle, request.inputs.contains(where: { $0.title != nil }) {
            omissions.add(request.name(of: .title))
        }
    }

    /// Upstream calls that the request takes.
    package var calls: Int { wish.calls }

    /// The inputs of one of them.
    package func inputs(ofCall index: Int) -> Range<Int> {
        let start = index * wish.inputsPerCall
        return start..<min(start + wish.inputsPerCall, request.inputs.count)
    }

    // MARK: What a format has no words for

    private static func check(
        _ inputs: [EmbeddingRequest.Input],
        _ format: EmbeddingFormat
    ) throws(ConversionError) {
        for input in inputs {
            switch input.content {
            case .text, .lines:
                break
            case .tokens(let range):
                guard !format.isOpenAI else { break }
                throw ConversionError(
                    .unsupported,
                    .offset(range.lowerBound),
                    "must be a text: this model has other tokens than OpenAI's"
                )
            case .media(let range):
                throw ConversionError(
                    .unsupported,
                    .offset(range.lowerBound),
                    "must be a text: this model embeds nothing else"
                )
            }
        }
    }

    /// The one size of all vectors; only Gemini has one for each.
    private static func dimensions(
        _ request: EmbeddingRequest,
        _ format: EmbeddingFormat,
        _ plan: RequestPlan,
        _ omissions: inout Omissions
    ) throws(ConversionError) -> Int? {
        let wanted = request.inputs.first?.dimensions
        for (index, input) in request.inputs.enumerated() where input.dimensions != wanted {
            throw ConversionError(
                .unsupported,
                .path("requests[\(index)].outputDimensionality"),
                "must be the same in all requests to this model"
            )
        }
        guard let wanted else { return nil }
        guard EmbeddingModel.takesDimensions(format, plan) else {
            omissions.add(request.name(of: .dimensions))
            return nil
        }
        return wanted
    }

    /// The purpose of all inputs in the upstream's words.
    private static func purpose(
        _ request: EmbeddingRequest,
        _ format: EmbeddingFormat,
        _ plan: RequestPlan,
        _ omissions: inout Omissions
    ) throws(ConversionError) -> StaticString? {
        var word: StaticString?
        for (index, input) in request.inputs.enumerated() {
            let own = input.purpose.flatMap { Self.word(for: $0, format) }
            if own == nil, input.purpose != nil { omissions.add(request.name(of: .purpose)) }
            // Each of Google's requests has its own.
            if format == .gemini || format == .vertex { continue }
            if index == 0 { word = own }
            guard own?.description == word?.description else {
                throw ConversionError(
                    .unsupported,
                    .path("requests[\(index)].taskType"),
                    "must be the same in all requests to this model"
                )
            }
        }
        if plan.refused.contains("input_type") {
            if word != nil { omissions.add(request.name(of: .purpose)) }
            return nil
        }
        switch format {
        case .nvidia: return word ?? "passage"
        case .cohere: return word ?? "search_document"
        case .openAI, .gemini, .vertex, .titan, .orchestration: return word
        }
    }

    private static func word(
        for purpose: EmbeddingPurpose,
        _ format: EmbeddingFormat
    ) -> StaticString? {
        switch format {
        case .gemini, .vertex: purpose.taskType
        case .nvidia: purpose.nvidiaType
        case .cohere: purpose.cohereType
        case .orchestration: purpose.orchestrationType
        case .openAI, .titan: nil
        }
    }
}

/// What names of models say about their embeddings.
enum EmbeddingModel {
    /// Whether the size of the vectors can be chosen.
    static func takesDimensions(_ format: EmbeddingFormat, _ plan: RequestPlan) -> Bool {
        let model = plan.model
        switch format {
        case .openAI:
            if plan.refused.contains("dimensions") || isAda(model) { return false }
            return plan.host != .sapAzure || model.contains("text-embedding-3-")
        case .nvidia: return !plan.refused.contains("dimensions")
        case .titan: return !isFirstTitan(model) && !plan.refused.contains("dimensions")
        // The models before the fourth have one size.
        case .cohere: return model.contains("embed-v4")
        case .gemini, .vertex: return true
        case .orchestration: return !isAda(model)
        }
    }

    private static func isAda(_ model: String) -> Bool {
        model.contains("text-embedding-ada-002")
    }

    /// Titan's first text model, which refuses every member but the text.
    static func isFirstTitan(_ model: String) -> Bool {
        model.contains("titan-embed-text-v1") || model.contains("titan-embed-g1")
    }

    /// Titan's model for images and texts, which has another member for the size.
    static func isTitanImage(_ model: String) -> Bool {
        model.contains("titan-embed-image")
    }
}
