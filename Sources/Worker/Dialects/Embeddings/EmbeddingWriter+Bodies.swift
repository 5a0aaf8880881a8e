// SPDX-License-Identifier: Apache-2.0
package import Bytes
import JSON

extension EmbeddingWriter {
    /// Appends the body of a call; `bytes` is the client's.
    package func write(call index: Int, from bytes: Span<UInt8>, to out: ByteBuffer) {
        let inputs = request.inputs[inputs(ofCall: index)]
        var writer = JSONWriter(out)
        writer.beginObject()
        switch format {
        case .openAI, .nvidia: writeOpenAI(inputs, bytes, &writer)
        case .gemini: writeGemini(inputs, bytes, &writer)
        case .vertex: writeVertex(inputs, bytes, &writer)
        case .titan: writeTitan(inputs, bytes, &writer)
        case .cohere: writeCohere(inputs, bytes, &writer)
        case .orchestration: writeOrchestration(inputs, bytes, &writer)
        }
        writer.endObject()
    }

    private typealias Inputs = ArraySlice<EmbeddingRequest.Input>

    // MARK: Formats

    private func writeOpenAI(_ inputs: Inputs, _ bytes: Span<UInt8>, _ writer: inout JSONWriter) {
        if namesModel { writer.member("model", model) }
        writer.name("input")
        write(inputs, bytes, &writer)
        if let dimensions { writer.member("dimensions", dimensions) }
        if request.wantsBase64, !refused.contains("encoding_format") {
            writer.member("encoding_format", "base64")
        }
        if sendsUser, let user = request.user {
            writer.name("user")
            writer.value(user, from: bytes)
        }
        write("input_type", purpose, &writer)
    }

    /// Spec: Gemini API reference, `models.batchEmbedContents`.
    private func writeGemini(_ inputs: Inputs, _ bytes: Span<UInt8>, _ writer: inout JSONWriter) {
        writer.name("requests")
        writer.beginArray()
        for input in inputs {
            writer.beginObject()
            writer.member("model", model.hasPrefix("models/") ? model : "models/\(model)")
            if request.client == .openAI {
                writer.name("content")
                writer.beginObject()
                writer.name("parts")
                writer.beginArray()
                writer.beginObject()
                writer.name("text")
                write(input, bytes, &writer)
                writer.endObject()
                writer.endArray()
                writer.endObject()
                write("taskType", input.purpose?.taskType, &writer)
                if let dimensions { writer.member("outputDimensionality", dimensions) }
            } else {
                for member in input.members {
                    writer.buffer.append(UInt8(ascii: ","))
                    writer.buffer.append(bytes.extracting(member))
                }
            }
            writer.endObject()
        }
        writer.endArray()
    }

    /// Spec: Vertex AI reference, "Text embeddings API".
    private func writeVertex(_ inputs: Inputs, _ bytes: Span<UInt8>, _ writer: inout JSONWriter) {
        writer.name("instances")
        writer.beginArray()
        for input in inputs {
            writer.beginObject()
            writer.name("content")
            write(input, bytes, &writer)
            write("task_type", input.purpose?.taskType, &writer)
            if let title = input.title {
                writer.name("title")
                writer.value(title, from: bytes)
            }
            writer.endObject()
        }
        writer.endArray()
        guard let dimensions else { return }
        writer.name("parameters")
        writer.beginObject()
        writer.member("outputDimensionality", dimensions)
        writer.endObject()
    }

    /// Spec: Amazon Bedrock user guide, "Amazon Titan Embeddings Text".
    private func writeTitan(_ inputs: Inputs, _ bytes: Span<UInt8>, _ writer: inout JSONWriter) {
        for input in inputs {
            writer.name("inputText")
            write(input, bytes, &writer)
        }
        if EmbeddingModel.isTitanImage(model) {
            guard let dimensions else { return }
            writer.name("embeddingConfig")
            writer.beginObject()
            writer.member("outputEmbeddingLength", dimensions)
            writer.endObject()
            return
        }
        if let dimensions { writer.member("dimensions", dimensions) }
        if !EmbeddingModel.isFirstTitan(model), !refused.contains("normalize") {
            writer.member("normalize", true)
        }
    }

    /// Spec: Amazon Bedrock user guide, "Cohere Embed models".
    private func writeCohere(_ inputs: Inputs, _ bytes: Span<UInt8>, _ writer: inout JSONWriter) {
        writer.name("texts")
        write(inputs, bytes, &writer)
        write("input_type", purpose, &writer)
        if let dimensions { writer.member("output_dimension", dimensions) }
    }

    private func writeOrchestration(
        _ inputs: Inputs,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) {
        for name: StaticString in ["config", "modules", "embeddings", "model"] {
            writer.name(name)
            writer.beginObject()
        }
        writer.member("name", model)
        if let dimensions {
            writer.name("params")
            writer.beginObject()
            writer.member("dimensions", dimensions)
            writer.endObject()
        }
        for _ in 0..<4 { writer.endObject() }
        writer.name("input")
        writer.beginObject()
        writer.name("text")
        write(inputs, bytes, &writer)
        write("type", purpose, &writer)
        writer.endObject()
    }

    // MARK: Parts

    private func write(_ name: StaticString, _ word: StaticString?, _ writer: inout JSONWriter) {
        guard let word else { return }
        writer.name(name)
        writer.string { $0.append(word) }
    }

    private func write(_ inputs: Inputs, _ bytes: Span<UInt8>, _ writer: inout JSONWriter) {
        writer.beginArray()
        for input in inputs { write(input, bytes, &writer) }
        writer.endArray()
    }

    private func write(
        _ input: EmbeddingRequest.Input,
        _ bytes: Span<UInt8>,
        _ writer: inout JSONWriter
    ) {
        switch input.content {
        case .text(let text):
            writer.value(text, from: bytes)
        case .lines(let lines):
            writer.string { out in
                for (index, line) in lines.enumerated() {
                    if index > 0 { out.append("\\n" as StaticString) }
                    line.append(from: bytes, to: out)
                }
            }
        case .tokens(let range), .media(let range):
            writer.raw(bytes.extracting(range))
        }
    }
}
