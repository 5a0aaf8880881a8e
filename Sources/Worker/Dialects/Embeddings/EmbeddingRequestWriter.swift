// SPDX-License-Identifier: Apache-2.0
package import Bytes
import JSON

/// Writes requests for vectors in the formats of upstreams that do not speak OpenAI's.
package enum EmbeddingRequestWriter {
    /// Writes the call for the texts at `items`, no more than the format takes at once.
    ///
    /// `bytes` is the client's body. OpenAI's own format needs `EmbeddingAdapter` instead, which
    /// keeps what it does not know; here it is written anew.
    /// - Throws: What the upstream cannot do: read tokens, make vectors of another size.
    package static func write(
        _ request: EmbeddingRequest,
        _ items: Range<Int>,
        _ format: EmbeddingFormat,
        model: String,
        from bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        guard case .texts(let all) = request.input else {
            throw request.unsupportedInput(
                "must be texts: the model behind this gateway does not read OpenAI's tokens"
            )
        }
        omissions.add(request.omissions)
        let texts = all[items]
        var writer = JSONWriter(out)
        writer.beginObject()
        switch format {
        case .openAI: writeOpenAI(request, texts, model, bytes, &writer)
        case .gemini: writeGemini(request, texts, model, bytes, &writer)
        case .vertex: writeVertex(request, texts, bytes, &writer)
        case .titan: try writeTitan(request, texts, model, bytes, &writer)
        case .cohere: try writeCohere(request, texts, model, bytes, &writer)
        case .sapOrchestration: writeOrchestration(request, texts, model, bytes, &writer)
        }
        writer.endObject()
        if request.user != nil, format != .openAI { omissions.add("user") }
    }

    private static func writeOpenAI(
        _ request: EmbeddingRequest,
        _ texts: ArraySlice<JSONText>,
        _ model: String,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) {
        writer.member("model", model)
        writer.name("input")
        writeList(texts, bytes, &writer)
        if let dimensions = request.dimensions { writer.member("dimensions", dimensions) }
        switch request.encoding {
        case nil: break
        case .float: writer.member("encoding_format", "float")
        case .base64: writer.member("encoding_format", "base64")
        }
        if let user = request.user {
            writer.name("user")
            writer.value(user, from: bytes)
        }
    }

    /// Spec: `models.batchEmbedContents` of the Gemini API.
    private static func writeGemini(
        _ request: EmbeddingRequest,
        _ texts: ArraySlice<JSONText>,
        _ model: String,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) {
        writer.name("requests")
        writer.beginArray()
        for text in texts {
            writer.beginObject()
            writer.member("model", "models/" + model)
            writer.name("content")
            writer.beginObject()
            writer.name("parts")
            writer.beginArray()
            writer.beginObject()
            writer.name("text")
            writer.value(text, from: bytes)
            writer.endObject()
            writer.endArray()
            writer.endObject()
            if let purpose = request.purpose { writer.member("taskType", taskType(purpose)) }
            if let dimensions = request.dimensions {
                writer.member("outputDimensionality", dimensions)
            }
            writer.endObject()
        }
        writer.endArray()
    }

    /// Spec: the text embeddings API of Vertex AI.
    private static func writeVertex(
        _ request: EmbeddingRequest,
        _ texts: ArraySlice<JSONText>,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) {
        writer.name("instances")
        writer.beginArray()
        for text in texts {
            writer.beginObject()
            writer.name("content")
            writer.value(text, from: bytes)
            if let purpose = request.purpose { writer.member("task_type", taskType(purpose)) }
            writer.endObject()
        }
        writer.endArray()
        guard let dimensions = request.dimensions else { return }
        writer.name("parameters")
        writer.beginObject()
        writer.member("outputDimensionality", dimensions)
        writer.endObject()
    }

    private static func taskType(_ purpose: EmbeddingRequest.Purpose) -> String {
        switch purpose {
        case .document: "RETRIEVAL_DOCUMENT"
        case .query: "RETRIEVAL_QUERY"
        }
    }

    /// Spec: the Titan text embeddings pages of the Bedrock user guide; the first model refuses
    /// every member but the text.
    private static func writeTitan(
        _ request: EmbeddingRequest,
        _ texts: ArraySlice<JSONText>,
        _ model: String,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) throws(ConversionError) {
        precondition(texts.count == 1, "Titan takes one text at a time")
        writer.name("inputText")
        for text in texts { writer.value(text, from: bytes) }
        let isFirst = model.contains("-v1")
        if let dimensions = request.dimensions {
            guard !isFirst else { throw fixedSize() }
            writer.member("dimensions", dimensions)
        }
        if !isFirst { writer.member("normalize", true) }
    }

    /// Spec: the Cohere Embed pages of the Bedrock user guide; models before 4 have one size.
    private static func writeCohere(
        _ request: EmbeddingRequest,
        _ texts: ArraySlice<JSONText>,
        _ model: String,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) throws(ConversionError) {
        writer.name("texts")
        writeList(texts, bytes, &writer)
        writer.member(
            "input_type",
            request.purpose == .query ? "search_query" : "search_document"
        )
        guard let dimensions = request.dimensions else { return }
        guard model.contains("v4") else { throw fixedSize() }
        writer.member("output_dimension", dimensions)
    }

    /// Spec: `POST /v2/embeddings` of SAP's orchestration service.
    private static func writeOrchestration(
        _ request: EmbeddingRequest,
        _ texts: ArraySlice<JSONText>,
        _ model: String,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) {
        writer.name("config")
        writer.beginObject()
        writer.name("modules")
        writer.beginObject()
        writer.name("embeddings")
        writer.beginObject()
        writer.name("model")
        writer.beginObject()
        writer.member("name", model)
        if let dimensions = request.dimensions {
            writer.name("params")
            writer.beginObject()
            writer.member("dimensions", dimensions)
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        writer.endObject()
        writer.endObject()
        writer.name("input")
        writer.beginObject()
        writer.name("text")
        writeList(texts, bytes, &writer)
        if let purpose = request.purpose {
            writer.member("type", purpose == .query ? "query" : "document")
        }
        writer.endObject()
    }

    private static func writeList(
        _ texts: ArraySlice<JSONText>,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) {
        writer.beginArray()
        for text in texts { writer.value(text, from: bytes) }
        writer.endArray()
    }

    private static func fixedSize() -> ConversionError {
        ConversionError(
            .unsupported,
            .path("dimensions"),
            "cannot be chosen: this model has vectors of one size"
        )
    }
}
