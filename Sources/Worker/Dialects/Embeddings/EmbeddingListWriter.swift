// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// Writes the list of vectors that an OpenAI client gets, from as many answers as it took.
///
/// Spec: the response of `POST /v1/embeddings` in OpenAI's API reference.
package struct EmbeddingListWriter {
    private var writer: JSONWriter
    private let encoding: EmbeddingRequest.Encoding
    private let model: String
    private var index = 0
    /// Tokens of all answers, for the usage of the list.
    package private(set) var tokens = 0

    /// `model` is the model as the client called it.
    package init(
        model: String,
        _ encoding: EmbeddingRequest.Encoding?,
        to out: ByteBuffer
    ) {
        self.model = model
        self.encoding = encoding ?? .float
        writer = JSONWriter(out)
        writer.beginObject()
        writer.member("object", "list")
        writer.name("data")
        writer.beginArray()
    }

    /// Writes the vectors of the next answer, whose nodes are of `tape`.
    ///
    /// - Throws: That a vector holds something else than numbers; what was written is no list then.
    package mutating func append(
        _ answer: EmbeddingAnswer,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        for vector in answer.vectors {
            writer.beginObject()
            writer.member("object", "embedding")
            writer.member("index", index)
            writer.name("embedding")
            do throws(FloatListError) {
                try write(vector, tape, bytes)
            } catch {
                throw .invalid(vector, tape, "must be numbers of 32 bits")
            }
            writer.endObject()
            index += 1
        }
        tokens = tokens &+ (answer.tokens ?? 0)
    }

    private mutating func write(
        _ vector: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(FloatListError) {
        let isText = tape.kind(of: vector) == .string
        switch encoding {
        case .float where !isText:
            writer.raw(bytes.extracting(tape.valueRange(of: vector)))
        case .float:
            let numbers = ByteBuffer()
            if tape.hasEscapes(vector) {
                let text = ByteBuffer()
                tape.appendUnescaped(vector, in: bytes, to: text)
                try text.withBytes { text throws(FloatListError) in
                    try FloatList.appendNumbers(ofBase64: text, to: numbers)
                }
            } else {
                let content = bytes.extracting(tape.contentRange(of: vector))
                try FloatList.appendNumbers(ofBase64: content, to: numbers)
            }
            numbers.withBytes { writer.raw($0) }
        case .base64 where isText:
            writer.rawString(bytes.extracting(tape.contentRange(of: vector)))
        case .base64:
            let text = ByteBuffer()
            try FloatList.appendBase64(ofNumbers: vector, tape: tape, bytes: bytes, to: text)
            text.withBytes { writer.rawString($0) }
        }
    }

    /// Ends the list.
    package mutating func finish() {
        writer.endArray()
        writer.member("model", model)
        writer.name("usage")
        writer.beginObject()
        writer.member("prompt_tokens", tokens)
        writer.member("total_tokens", tokens)
        writer.endObject()
        writer.endObject()
    }
}
