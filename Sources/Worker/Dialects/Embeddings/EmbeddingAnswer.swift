// SPDX-License-Identifier: Apache-2.0
package import JSON

/// The vectors that an upstream has made, in the order of the inputs.
///
/// Nodes of the tape of the upstream's body, so it is valid as long as that.
package struct EmbeddingAnswer: Equatable {
    /// Arrays of numbers, or texts in Base64.
    package private(set) var vectors: [JSONNode] = []
    /// Tokens of all inputs, where every call tells.
    package private(set) var promptTokens: Int?

    /// Reads the answer of one call, or an array with the answers of all calls in order.
    ///
    /// - Throws: That it is no such answer, or one with too many or too few vectors.
    package static func read(
        _ format: EmbeddingFormat,
        _ wish: EmbeddingWish,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> EmbeddingAnswer {
        var answer = EmbeddingAnswer()
        guard wish.calls > 1 else {
            answer.promptTokens = try answer.append(format, tape.root, wish.inputs, tape, bytes)
            return answer
        }
        var rest = wish.inputs ?? 0
        var tokens: Int? = 0
        for body in tape.elements(of: tape.root) {
            let count = min(rest, wish.inputsPerCall)
            guard count > 0 else { throw .invalid(body, tape, "is one too many") }
            let own = try answer.append(format, body, count, tape, bytes)
            tokens = tokens.flatMap { all in own.map { all &+ $0 } }
            rest -= count
        }
        guard rest == 0 else { throw .invalid(tape.root, tape, "has too few answers") }
        answer.promptTokens = tokens
        return answer
    }

    /// Reads the answer of one call.
    ///
    /// - Returns: Its tokens.
    private mutating func append(
        _ format: EmbeddingFormat,
        _ root: JSONNode,
        _ count: Int?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Int? {
        let before = vectors.count
        let reader = EmbeddingAnswerReader(tape)
        let tokens: Int?
        switch format {
        case .openAI, .nvidia: tokens = try reader.openAI(root, bytes, into: &vectors)
        case .orchestration: tokens = try reader.orchestration(root, bytes, into: &vectors)
        case .gemini: tokens = try reader.gemini(root, bytes, into: &vectors)
        case .vertex: tokens = try reader.vertex(root, bytes, into: &vectors)
        case .titan: tokens = try reader.titan(root, bytes, into: &vectors)
        case .cohere: tokens = try reader.cohere(root, bytes, into: &vectors)
        }
        let found = vectors.count - before
        guard found == count ?? found, found > 0 else {
            throw .invalid(root, tape, "has \(found) vectors where \(count ?? 1) were asked for")
        }
        return tokens
    }
}
