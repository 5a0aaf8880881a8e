// SPDX-License-Identifier: Apache-2.0
package import JSON

/// A client's request for the vectors of some texts, in no vendor's shape.
///
/// Texts are ranges of the client's body, so that the bodies of many calls can be written one after
/// another without reading it again.
package struct EmbeddingRequest: Equatable {
    /// The request's shape, which is the answer's as well.
    package enum Client: CaseIterable, Equatable, Sendable {
        /// `/v1/embeddings`.
        case openAI
        /// `:embedContent`, with one content.
        case gemini
        /// `:batchEmbedContents`.
        case geminiBatch
    }

    /// What a vector is made of.
    package enum Content: Equatable {
        case text(JSONText)
        /// The parts of one content.
        case lines([JSONText])
        /// Tokens of OpenAI's, an array of numbers.
        case tokens(Range<Int>)
        /// Where something else than a text stands.
        case media(Range<Int>)
    }

    package struct Input: Equatable {
        package var content: Content
        package var title: JSONText?
        package var purpose: EmbeddingPurpose?
        package var dimensions: Int?
        /// Where the members of a Gemini client's request stand, but for the model's name.
        package var members: [Range<Int>] = []

        package init(_ content: Content) {
            self.content = content
        }

        /// Bytes that are embedded.
        var bytes: Int {
            switch content {
            case .text(let text): text.bytes
            case .lines(let lines): lines.reduce(0) { $0 + $1.bytes }
            case .tokens(let range), .media(let range): range.count
            }
        }
    }

    /// Most inputs of one request, OpenAI's limit.
    package static let inputsMax = 2048

    package var client: Client
    package var inputs: [Input] = []
    /// Whether an OpenAI client wants vectors as Base64 of 32-bit numbers.
    package var wantsBase64 = false
    package var user: JSONText?
    /// Members that no other format has.
    package var omissions = Omissions()

    package init(_ client: Client) {
        self.client = client
    }

    package static func read(
        _ client: Client,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> EmbeddingRequest {
        guard tape.kind(of: tape.root) == .object else {
            throw .invalid(tape.root, tape, "must be a JSON object")
        }
        switch client {
        case .openAI: return try readOpenAI(tape, bytes)
        case .gemini, .geminiBatch: return try readGemini(client, tape, bytes)
        }
    }

    /// What its answer has to be, when it takes calls of `inputsPerCall` inputs.
    package func wish(inputsPerCall: Int) -> EmbeddingWish {
        EmbeddingWish(
            client: client,
            wantsBase64: wantsBase64,
            inputs: inputs.count,
            inputsPerCall: inputsPerCall,
            inputBytes: inputs.reduce(0) { $0 + $1.bytes }
        )
    }

    // MARK: Names for the client

    enum Field {
        case dimensions, purpose, title, user
    }

    /// What the client calls a member.
    func name(of field: Field) -> String {
        switch (field, client) {
        case (.dimensions, .openAI): "dimensions"
        case (.dimensions, .gemini): "outputDimensionality"
        case (.dimensions, .geminiBatch): "requests[].outputDimensionality"
        case (.purpose, .openAI): "input_type"
        case (.purpose, .gemini): "taskType"
        case (.purpose, .geminiBatch): "requests[].taskType"
        case (.title, .openAI), (.title, .gemini): "title"
        case (.title, .geminiBatch): "requests[].title"
        case (.user, _): "user"
        }
    }
}

extension JSONText {
    /// Bytes between the quotes.
    fileprivate var bytes: Int {
        switch self {
        case .slice(let range): range.count
        case .text(let text): text.utf8.count
        }
    }
}
