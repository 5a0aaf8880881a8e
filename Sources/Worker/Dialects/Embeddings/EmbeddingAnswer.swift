// SPDX-License-Identifier: Apache-2.0
package import JSON

/// Vectors of an upstream's answer, in the order of the texts.
package struct EmbeddingAnswer: Equatable {
    /// Arrays of numbers, or strings of base64: nodes of the answer's tape.
    package private(set) var vectors: [JSONNode] = []
    /// Tokens of the texts; nil where the upstream does not tell in the body.
    package private(set) var tokens: Int?

    /// Reads the answer to a call for `count` texts.
    ///
    /// - Throws: That it is none, or not one vector per text.
    package init(
        _ format: EmbeddingFormat,
        count: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let root = tape.root
        try ChatFields.object(root, tape)
        switch format {
        case .openAI: try readOpenAI(root, count, tape, bytes)
        case .gemini: try readGemini(root, tape, bytes)
        case .vertex: try readVertex(root, tape, bytes)
        case .titan: try readTitan(root, tape, bytes)
        case .cohere: try readCohere(root, tape, bytes)
        case .sapOrchestration:
            let result = try Self.required("final_result", root, tape, bytes)
            try ChatFields.object(result, tape)
            try readOpenAI(result, count, tape, bytes)
        }
        guard vectors.count == count else {
            throw ConversionError(
                .invalid,
                .whole,
                "has \(vectors.count) vectors for \(count) texts"
            )
        }
    }

    private static func required(
        _ name: StaticString,
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONNode {
        guard let value = ChatFields.member(name, of: node, tape, bytes) else {
            throw ChatFields.missing(name.description, of: node, tape, bytes)
        }
        return value
    }

    private static func tokens(
        _ name: StaticString,
        _ node: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Int? {
        guard let node, let value = tape.member(name, of: node, in: bytes),
            let number = tape.number(of: value, in: bytes), number >= 0
        else { return nil }
        // Vertex writes whole numbers with a fraction.
        return Int(exactly: number.rounded())
    }

    private mutating func append(
        _ vector: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) {
        guard tape.kind(of: vector) == .array else {
            throw .invalid(vector, tape, "must be an array of numbers")
        }
        vectors.append(vector)
    }

    // MARK: Formats

    private mutating func readOpenAI(
        _ root: JSONNode,
        _ count: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let data = try Self.required("data", root, tape, bytes)
        var places: [JSONNode?] = Array(repeating: nil, count: count)
        var position = 0
        for item in try ChatFields.array(data, tape) {
            let vector = try Self.required("embedding", item, tape, bytes)
            guard tape.kind(of: vector) == .array || tape.kind(of: vector) == .string else {
                throw .invalid(vector, tape, "must be an array or base64")
            }
            let index = tape.member("index", of: item, in: bytes)
            let place = index.flatMap { tape.integer(of: $0, in: bytes) } ?? position
            guard places.indices.contains(place), places[place] == nil else {
                throw .invalid(item, tape, "has an index that no text is left for")
            }
            places[place] = vector
            position += 1
        }
        vectors = places.compactMap { $0 }
        let usage = tape.member("usage", of: root, in: bytes)
        tokens =
            Self.tokens("prompt_tokens", usage, tape, bytes)
            ?? Self.tokens("total_tokens", usage, tape, bytes)
    }

    private mutating func readGemini(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        if let single = ChatFields.member("embedding", of: root, tape, bytes) {
            try append(try Self.required("values", single, tape, bytes), tape)
        } else {
            let list = try Self.required("embeddings", root, tape, bytes)
            for item in try ChatFields.array(list, tape) {
                try append(try Self.required("values", item, tape, bytes), tape)
            }
        }
        let usage = tape.member("usageMetadata", of: root, in: bytes)
        tokens = Self.tokens("promptTokenCount", usage, tape, bytes)
    }

    private mutating func readVertex(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let predictions = try Self.required("predictions", root, tape, bytes)
        for item in try ChatFields.array(predictions, tape) {
            let embeddings = try Self.required("embeddings", item, tape, bytes)
            try append(try Self.required("values", embeddings, tape, bytes), tape)
            let statistics = tape.member("statistics", of: embeddings, in: bytes)
            if let count = Self.tokens("token_count", statistics, tape, bytes) {
                tokens = (tokens ?? 0) &+ count
            }
        }
    }

    private mutating func readTitan(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        if let vector = ChatFields.member("embedding", of: root, tape, bytes) {
            try append(vector, tape)
        } else {
            let types = try Self.required("embeddingsByType", root, tape, bytes)
            try append(try Self.required("float", types, tape, bytes), tape)
        }
        tokens = Self.tokens("inputTextTokenCount", root, tape, bytes)
    }

    private mutating func readCohere(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var list = try Self.required("embeddings", root, tape, bytes)
        if tape.kind(of: list) == .object {
            list = try Self.required("float", list, tape, bytes)
        }
        for vector in try ChatFields.array(list, tape) { try append(vector, tape) }
        guard let meta = tape.member("meta", of: root, in: bytes) else { return }
        let billed = tape.member("billed_units", of: meta, in: bytes)
        tokens = Self.tokens("input_tokens", billed, tape, bytes)
    }
}
