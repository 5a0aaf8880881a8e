// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// Gemini's `embedContent` and `batchEmbedContents` as clients call them, answered from embeddings
/// of OpenAI's form.
package struct GeminiEmbedding: Equatable {
    package enum Method: Equatable, Sendable {
        /// `embedContent`: one content, one embedding.
        case single
        /// `batchEmbedContents`: a list of requests.
        case batch
    }

    /// Most contents of a batch; Google takes 100, OpenAI 2048.
    package static let textsMax = 2_048

    package let method: Method
    /// The texts in order, none empty.
    package private(set) var texts: [JSONText] = []
    /// Numbers per embedding, where the client says how many.
    package private(set) var dimensions: Int?
    /// Members that embeddings of OpenAI have no place for.
    package private(set) var omissions = Omissions()

    // MARK: Requests

    /// Reads a request.
    ///
    /// - Throws: What is wrong with it, or that it has something else than text.
    package init(
        _ method: Method,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        self.method = method
        let root = tape.root
        try GeminiValue.mustBeObject(root, tape)
        switch method {
        case .single:
            try read(root, path: "", tape, bytes)
        case .batch:
            guard let requests = tape.member("requests", or: "requests", of: root, in: bytes) else {
                throw GeminiValue.missing("requests", of: root, tape, bytes)
            }
            guard tape.kind(of: requests) == .array else {
                throw .invalid(requests, tape, "must be an array")
            }
            for request in tape.elements(of: requests) {
                try GeminiValue.mustBeObject(request, tape)
                guard texts.count < Self.textsMax else {
                    throw .invalid(requests, tape, "must have at most \(Self.textsMax) elements")
                }
                try read(request, path: "requests[].", tape, bytes)
            }
            guard !texts.isEmpty else { throw .invalid(requests, tape, "must not be empty") }
        }
    }

    private mutating func read(
        _ request: JSONNode,
        path: String,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var content: JSONNode?
        for member in tape.members(of: request) where !tape.isNull(member.value) {
            let (name, value) = (member.name, member.value)
            if tape.equals(name, "content", in: bytes) {
                content = value
            } else if tape.equals(
                name,
                "outputDimensionality",
                or: "output_dimensionality",
                in: bytes
            ) {
                let wanted = try GeminiValue.integer(value, tape, bytes, atLeast: 1)
                guard dimensions == nil || dimensions == wanted else {
                    throw .invalid(value, tape, "must be the same in all requests")
                }
                dimensions = wanted
            } else if !tape.equals(name, "model", in: bytes) {
                omissions.add(path + GeminiValue.label(name, tape, bytes))
            }
        }
        guard let content else { throw GeminiValue.missing("content", of: request, tape, bytes) }
        texts.append(try Self.text(of: content, tape, bytes))
    }

    /// The text of a content; several parts are one text, a line each.
    private static func text(
        of content: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONText {
        try GeminiValue.mustBeObject(content, tape)
        guard let parts = tape.member("parts", or: "parts", of: content, in: bytes) else {
            throw GeminiValue.missing("parts", of: content, tape, bytes)
        }
        var texts: [JSONText] = []
        for part in try GeminiList(parts, tape) {
            guard let text = tape.member("text", or: "text", of: part, in: bytes) else {
                throw .invalid(part, tape, "must have a text; only texts can be embedded here")
            }
            texts.append(try GeminiValue.text(text, tape))
        }
        texts.removeAll { $0.isEmpty }
        guard let first = texts.first else { throw .invalid(content, tape, "must have a text") }
        guard texts.count > 1 else { return first }
        return .text(texts.map { $0.value(from: bytes) }.joined(separator: "\n"))
    }

    /// Appends the request that OpenAI's interface takes, with plain numbers in the answer.
    package func appendRequest(model: String, from bytes: Span<UInt8>, to out: ByteBuffer) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("model", model)
        writer.name("input")
        writer.beginArray()
        for text in texts { writer.value(text, from: bytes) }
        writer.endArray()
        writer.member("encoding_format", "float")
        if let dimensions { writer.member("dimensions", dimensions) }
        writer.endObject()
    }

    // MARK: Answers

    /// Appends the client's answer, made of `tape`, an answer of OpenAI's embeddings.
    ///
    /// - Throws: That the answer is none, or has another number of embeddings than there are texts.
    package func appendAnswer(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) throws(ConversionError) {
        let root = tape.root
        guard let data = tape.member("data", of: root, in: bytes) else {
            throw GeminiValue.missing("data", of: root, tape, bytes)
        }
        var embeddings: [JSONNode?] = Array(repeating: nil, count: texts.count)
        var place = 0
        for item in tape.elements(of: data) {
            let index = tape.member("index", of: item, in: bytes)
                .flatMap { tape.integer(of: $0, in: bytes) }
            guard let embedding = tape.member("embedding", of: item, in: bytes),
                tape.kind(of: embedding) == .array
            else { throw .invalid(item, tape, "must have an embedding as a list of numbers") }
            let at = index ?? place
            guard embeddings.indices.contains(at), embeddings[at] == nil else {
                throw .invalid(item, tape, "must be one of \(texts.count) embeddings")
            }
            embeddings[at] = embedding
            place += 1
        }
        guard place == texts.count else {
            throw .invalid(data, tape, "must have \(texts.count) embeddings")
        }
        write(embeddings.compactMap { $0 }, tape, bytes, to: out)
    }

    private func write(
        _ embeddings: [JSONNode],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        var writer = JSONWriter(out)
        writer.beginObject()
        switch method {
        case .single: writer.name("embedding")
        case .batch:
            writer.name("embeddings")
            writer.beginArray()
        }
        for embedding in embeddings {
            writer.beginObject()
            writer.name("values")
            writer.raw(bytes.extracting(tape.valueRange(of: embedding)))
            writer.endObject()
        }
        if method == .batch { writer.endArray() }
        writer.endObject()
    }
}
