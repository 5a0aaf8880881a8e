// SPDX-License-Identifier: Apache-2.0
import JSON

extension EmbeddingRequest {
    /// Reads the body of `/v1/embeddings`.
    ///
    /// Spec: OpenAI API reference, "Create embeddings"; `input_type` is an extension of NVIDIA and
    /// Cohere.
    static func readOpenAI(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> EmbeddingRequest {
        var request = EmbeddingRequest(.openAI)
        var input: JSONNode?
        var dimensions: Int?
        var purpose: EmbeddingPurpose?
        for member in tape.members(of: tape.root) where !tape.isNull(member.value) {
            let (name, value) = (member.name, member.value)
            if tape.equals(name, "input", in: bytes) {
                input = value
            } else if tape.equals(name, "dimensions", in: bytes) {
                dimensions = try ChatFields.integer(value, from: 1, tape, bytes)
            } else if tape.equals(name, "encoding_format", in: bytes) {
                request.wantsBase64 = try isBase64(value, tape, bytes)
            } else if tape.equals(name, "user", in: bytes) {
                request.user = try ChatFields.text(value, tape)
            } else if tape.equals(name, "input_type", in: bytes) {
                purpose = try EmbeddingPurpose.read(inputType: value, tape, bytes)
            } else if !tape.equals(name, "model", in: bytes), !ChatFields.isNothing(value, tape) {
                request.omissions.add(tape.string(of: name, in: bytes) ?? "")
            }
        }
        guard let input else {
            throw ChatFields.missing("input", of: tape.root, tape, bytes)
        }
        try request.readInputs(input, tape, bytes)
        for index in request.inputs.indices {
            request.inputs[index].dimensions = dimensions
            request.inputs[index].purpose = purpose
        }
        return request
    }

    private static func isBase64(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(node, "base64", in: bytes) { return true }
        guard tape.equals(node, "float", in: bytes) else {
            throw .invalid(node, tape, "must be 'float' or 'base64'")
        }
        return false
    }

    /// Reads a text, texts, tokens or several lists of tokens.
    private mutating func readInputs(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch tape.kind(of: node) {
        case .string:
            inputs = [Input(.text(try ChatFields.name(node, tape)))]
            return
        case .array:
            break
        case .object, .number, .bool, .null:
            throw .invalid(node, tape, "must be a string or an array")
        }
        guard let first = tape.elements(of: node).first(where: { _ in true }) else {
            throw .invalid(node, tape, "must not be empty")
        }
        if tape.kind(of: first) == .number {
            inputs = [Input(.tokens(try Self.tokens(node, tape, bytes)))]
            return
        }
        let isText = tape.kind(of: first) == .string
        guard isText || tape.kind(of: first) == .array else {
            throw .invalid(first, tape, "must be a string or an array of tokens")
        }
        for element in tape.elements(of: node) {
            guard inputs.count < Self.inputsMax else { throw Self.tooMany(node, tape) }
            let content: Content =
                isText
                ? .text(try ChatFields.name(element, tape))
                : .tokens(try Self.tokens(element, tape, bytes))
            inputs.append(Input(content))
        }
    }

    static func tooMany(_ node: JSONNode, _ tape: JSONTape) -> ConversionError {
        .invalid(node, tape, "must have at most \(inputsMax) items")
    }

    private static func tokens(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Range<Int> {
        var isEmpty = true
        for token in try ChatFields.array(node, tape) {
            _ = try ChatFields.integer(token, from: 0, tape, bytes)
            isEmpty = false
        }
        guard !isEmpty else { throw .invalid(node, tape, "must not be empty") }
        return tape.valueRange(of: node)
    }
}
