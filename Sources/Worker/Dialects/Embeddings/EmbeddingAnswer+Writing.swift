// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON
package import Metrics

extension EmbeddingAnswer {
    /// Whether every vector has the form that the client wants.
    package func meets(_ wish: EmbeddingWish, _ tape: JSONTape) -> Bool {
        let kind: JSONKind = wish.wantsBase64 ? .string : .array
        return vectors.allSatisfy { tape.kind(of: $0) == kind }
    }

    /// What the upstream has counted; nil without.
    package var usage: TokenUsage? {
        promptTokens.map { TokenUsage(input: UInt64($0), output: 0) }
    }

    /// Appends the client's answer.
    ///
    /// Numbers stay as they were written. An upstream that counts no tokens makes us estimate them:
    /// one for four bytes of the inputs.
    /// - Returns: The usage that the client is told.
    /// - Throws: That a vector is none.
    package func write(
        _ wish: EmbeddingWish,
        model: String,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) throws(ConversionError) -> TokenUsage {
        let tokens = promptTokens ?? wish.estimatedTokens
        var writer = JSONWriter(out)
        writer.beginObject()
        switch wish.client {
        case .openAI:
            writer.member("object", "list")
            writer.name("data")
            writer.beginArray()
            for (index, vector) in vectors.enumerated() {
                writer.beginObject()
                writer.member("object", "embedding")
                writer.member("index", index)
                writer.name("embedding")
                try write(vector, asBase64: wish.wantsBase64, tape, bytes, &writer)
                writer.endObject()
            }
            writer.endArray()
            writer.member("model", model)
            writer.name("usage")
            writer.beginObject()
            writer.member("prompt_tokens", tokens)
            writer.member("total_tokens", tokens)
            writer.endObject()
        case .geminiBatch:
            writer.name("embeddings")
            writer.beginArray()
            for vector in vectors { try writeValues(vector, tape, bytes, &writer) }
            writer.endArray()
        case .gemini:
            writer.name("embedding")
            for vector in vectors.prefix(1) { try writeValues(vector, tape, bytes, &writer) }
        }
        writer.endObject()
        return TokenUsage(input: UInt64(tokens), output: 0)
    }

    private func writeValues(
        _ vector: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) throws(ConversionError) {
        writer.beginObject()
        writer.name("values")
        try write(vector, asBase64: false, tape, bytes, &writer)
        writer.endObject()
    }

    private func write(
        _ vector: JSONNode,
        asBase64: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) throws(ConversionError) {
        let isBase64 = tape.kind(of: vector) == .string
        switch (isBase64, asBase64) {
        case (true, true):
            // Base64 with escaped slashes is Base64 in JSON.
            writer.raw(bytes.extracting(tape.valueRange(of: vector)))
        case (false, false):
            writer.raw(bytes.extracting(tape.valueRange(of: vector)))
        case (true, false):
            let text = ByteBuffer(capacity: tape.contentRange(of: vector).count)
            tape.appendUnescaped(vector, in: bytes, to: text)
            let numbers = ByteBuffer(capacity: text.count * 2)
            do throws(FloatListError) {
                try text.withBytes { text throws(FloatListError) in
                    try FloatList.appendNumbers(ofBase64: text, to: numbers)
                }
            } catch {
                throw .invalid(vector, tape, "must be Base64 of 32-bit numbers")
            }
            numbers.withBytes { writer.raw($0) }
        case (false, true):
            let text = ByteBuffer(capacity: 6 * tape.valueRange(of: vector).count / 8)
            do throws(FloatListError) {
                try FloatList.appendBase64(
                    ofNumbers: vector,
                    tape: tape,
                    bytes: bytes,
                    to: text
                )
            } catch {
                throw .invalid(vector, tape, "must be an array of 32-bit numbers")
            }
            text.withBytes { writer.rawString($0) }
        }
    }
}
