// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes parts of an answer for a client of Gemini.
enum GeminiPartWriter {
    static func writeText(
        _ text: JSONText,
        isThought: Bool = false,
        signature: JSONText? = nil,
        from bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.name("text")
        writer.value(text, from: bytes)
        if isThought { writer.member("thought", true) }
        writeSignature(signature, from: bytes, to: &writer)
        writer.endObject()
    }

    static func writeSignature(
        _ signature: JSONText?,
        from bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard let signature = GeminiSignature.usable(signature, bytes) else { return }
        writer.name("thoughtSignature")
        writer.value(signature, from: bytes)
    }

    static func writeMedia(
        _ media: Media,
        from bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        switch media.source {
        case .base64(let data):
            writer.beginObject()
            writer.name("inlineData")
            writer.beginObject()
            writer.name("mimeType")
            writer.value(media.mediaType ?? .text("application/octet-stream"), from: bytes)
            writer.name("data")
            writer.value(data, from: bytes)
            writer.endObject()
            writer.endObject()
        case .url(let uri), .file(let uri):
            writer.beginObject()
            writer.name("fileData")
            writer.beginObject()
            if let type = media.mediaType {
                writer.name("mimeType")
                writer.value(type, from: bytes)
            }
            writer.name("fileUri")
            writer.value(uri, from: bytes)
            writer.endObject()
            writer.endObject()
        case .plain(let text):
            writeText(text, from: bytes, to: &writer)
        }
    }
}
