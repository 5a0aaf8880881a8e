// SPDX-License-Identifier: Apache-2.0
import JSON

/// Finds the vectors in the answers of each vendor.
///
/// Every function appends them in the order of the inputs, and returns the tokens where the answer
/// counts them.
struct EmbeddingAnswerReader {
    let tape: JSONTape

    init(_ tape: JSONTape) {
        self.tape = tape
    }

    /// `{"data":[{"index":0,"embedding":[...]}],"usage":{"prompt_tokens":n}}`, in any order.
    func openAI(
        _ root: JSONNode,
        _ bytes: Span<UInt8>,
        into vectors: inout [JSONNode]
    ) throws(ConversionError) -> Int? {
        let data = try array("data", of: root, bytes)
        var found: [(index: Int, vector: JSONNode)] = []
        for item in tape.elements(of: data) {
            let vector = try vector(try needed("embedding", of: item, bytes))
            var index = found.count
            if let node = tape.member("index", of: item, in: bytes), !tape.isNull(node) {
                guard let given = tape.integer(of: node, in: bytes) else {
                    throw .invalid(node, tape, "must be an integer")
                }
                index = given
            }
            found.append((index, vector))
        }
        // Some servers call every vector the first one: their order is all there is.
        if found.contains(where: { $0.index != found[0].index }) {
            found.sort { $0.index < $1.index }
            for (place, item) in found.enumerated() where item.index != place {
                throw .invalid(data, tape, "has no vector with the index \(place), or two of them")
            }
        }
        for item in found { vectors.append(item.vector) }
        return tokens("usage", ["prompt_tokens", "total_tokens"], of: root, bytes)
    }

    /// OpenAI's answer as `final_result`.
    func orchestration(
        _ root: JSONNode,
        _ bytes: Span<UInt8>,
        into vectors: inout [JSONNode]
    ) throws(ConversionError) -> Int? {
        try openAI(try needed("final_result", of: root, bytes), bytes, into: &vectors)
    }

    /// `{"embeddings":[{"values":[...]}]}`, or `{"embedding":{"values":[...]}}`.
    func gemini(
        _ root: JSONNode,
        _ bytes: Span<UInt8>,
        into vectors: inout [JSONNode]
    ) throws(ConversionError) -> Int? {
        if let single = tape.member("embedding", of: root, in: bytes) {
            vectors.append(try vector(try needed("values", of: single, bytes)))
        } else {
            for item in tape.elements(of: try array("embeddings", of: root, bytes)) {
                vectors.append(try vector(try needed("values", of: item, bytes)))
            }
        }
        return tokens("usageMetadata", ["promptTokenCount", "totalTokenCount"], of: root, bytes)
    }

    /// `{"predictions":[{"embeddings":{"values":[...],"statistics":{"token_count":n}}}]}`.
    func vertex(
        _ root: JSONNode,
        _ bytes: Span<UInt8>,
        into vectors: inout [JSONNode]
    ) throws(ConversionError) -> Int? {
        var tokens: Int? = 0
        for item in tape.elements(of: try array("predictions", of: root, bytes)) {
            let embedding = try needed("embeddings", of: item, bytes)
            vectors.append(try vector(try needed("values", of: embedding, bytes)))
            let own = self.tokens("statistics", ["token_count"], of: embedding, bytes)
            tokens = tokens.flatMap { all in own.map { all &+ $0 } }
        }
        return tokens
    }

    /// `{"embedding":[...],"inputTextTokenCount":n}`; the second model may have `embeddingsByType`
    /// alone.
    func titan(
        _ root: JSONNode,
        _ bytes: Span<UInt8>,
        into vectors: inout [JSONNode]
    ) throws(ConversionError) -> Int? {
        if let types = tape.member("embeddingsByType", of: root, in: bytes),
            tape.member("embedding", of: root, in: bytes) == nil
        {
            vectors.append(try vector(try needed("float", of: types, bytes)))
        } else {
            vectors.append(try vector(try needed("embedding", of: root, bytes)))
        }
        return tape.member("inputTextTokenCount", of: root, in: bytes).flatMap { count($0, bytes) }
    }

    /// `{"embeddings":[[...]]}`, or by type: `{"embeddings":{"float":[[...]]}}`.
    func cohere(
        _ root: JSONNode,
        _ bytes: Span<UInt8>,
        into vectors: inout [JSONNode]
    ) throws(ConversionError) -> Int? {
        var list = try needed("embeddings", of: root, bytes)
        if tape.kind(of: list) == .object { list = try needed("float", of: list, bytes) }
        guard tape.kind(of: list) == .array else { throw .invalid(list, tape, "must be an array") }
        for item in tape.elements(of: list) { vectors.append(try vector(item)) }
        guard let meta = tape.member("meta", of: root, in: bytes) else { return nil }
        return tokens("billed_units", ["input_tokens"], of: meta, bytes)
    }

    // MARK: Parts

    private func needed(
        _ name: StaticString,
        of node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONNode {
        guard let value = tape.member(name, of: node, in: bytes) else {
            throw .invalid(node, tape, "has no '\(name)'")
        }
        return value
    }

    private func array(
        _ name: StaticString,
        of node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONNode {
        let value = try needed(name, of: node, bytes)
        guard tape.kind(of: value) == .array else {
            throw .invalid(value, tape, "must be an array")
        }
        return value
    }

    /// `node` if it can be a vector.
    private func vector(_ node: JSONNode) throws(ConversionError) -> JSONNode {
        switch tape.kind(of: node) {
        case .array, .string: return node
        case .object, .number, .bool, .null:
            throw .invalid(node, tape, "must be an array of numbers or Base64")
        }
    }

    /// The first of `names` that the member `place` has as a count.
    private func tokens(
        _ place: StaticString,
        _ names: [StaticString],
        of node: JSONNode,
        _ bytes: Span<UInt8>
    ) -> Int? {
        guard let usage = tape.member(place, of: node, in: bytes) else { return nil }
        for name in names {
            if let node = tape.member(name, of: usage, in: bytes), let count = count(node, bytes) {
                return count
            }
        }
        return nil
    }

    /// A count, which Google also writes as `4.0` and as a text.
    private func count(_ node: JSONNode, _ bytes: Span<UInt8>) -> Int? {
        tape.lenientInteger(of: node, in: bytes).flatMap { $0 < 0 ? nil : $0 }
    }
}
