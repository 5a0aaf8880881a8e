// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension ChatRequestWriter {
    mutating func write(
        _ media: Media,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch media.kind {
        case .image: try writeImage(media, bytes)
        case .document: try writeDocument(media, bytes)
        case .audio: try writeAudio(media, bytes)
        }
    }

    private mutating func writeImage(
        _ media: Media,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        begin("image_url")
        writer.name("url")
        switch media.source {
        case .base64(let data):
            writeDataURL(media.mediaType ?? .text("image/png"), data, bytes)
        case .url(let url):
            guard plan.rules.takesMediaURLs else { throw .urlNotFetched(url) }
            writer.value(url, from: bytes)
        case .file(let id):
            throw .unsupported(id, "must be base64 data or a URL: this model knows no such file")
        case .plain(let text):
            throw .unsupported(text, "must be base64 data or a URL")
        }
        if let detail = media.detail {
            writer.name("detail")
            writer.value(detail, from: bytes)
        }
        end(media, bytes)
    }

    private mutating func writeDocument(
        _ media: Media,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch media.source {
        case .plain(let text):
            writePlain(text, media, bytes)
            return
        case .url(let url):
            throw .unsupported(url, "must be base64 data: this model fetches no documents")
        case .base64(let data):
            begin("file")
            writer.name("filename")
            writer.value(media.name ?? .text("document.pdf"), from: bytes)
            writer.name("file_data")
            writeDataURL(media.mediaType ?? .text("application/pdf"), data, bytes)
        case .file(let id):
            guard knowsFiles else {
                throw .unsupported(id, "must be base64 data: this model knows no such file")
            }
            begin("file")
            writer.name("file_id")
            writer.value(id, from: bytes)
            if let name = media.name, isOwn {
                writer.name("filename")
                writer.value(name, from: bytes)
            }
        }
        end(media, bytes)
    }

    /// A document of text, as text below its title.
    private mutating func writePlain(_ text: JSONText, _ media: Media, _ bytes: Span<UInt8>) {
        writer.beginObject()
        writer.member("type", "text")
        writer.name("text")
        writer.string { out in
            if let name = media.name {
                name.append(from: bytes, to: out)
                out.append("\\n\\n" as StaticString)
            }
            text.append(from: bytes, to: out)
        }
        writeCache(media.cache, bytes)
        writer.endObject()
    }

    private mutating func writeAudio(
        _ media: Media,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch media.source {
        case .base64(let data):
            begin("input_audio")
            writer.name("data")
            writer.value(data, from: bytes)
        case .url(let other), .file(let other), .plain(let other):
            throw .unsupported(other, "must be base64 data: this model fetches no sounds")
        }
        let type = media.mediaType?.value(from: bytes) ?? "audio/wav"
        writer.member("format", ChatMediaType.audioFormat(type))
        end(media, bytes)
    }

    // MARK: Pieces

    /// Begins a part of `type`, whose members are in one that has the name of the type.
    private mutating func begin(_ type: StaticString) {
        writer.beginObject()
        writer.name("type")
        writer.string { $0.append(type) }
        writer.name(type)
        writer.beginObject()
    }

    private mutating func end(_ media: Media, _ bytes: Span<UInt8>) {
        writer.endObject()
        writeCache(media.cache, bytes)
        writer.endObject()
    }

    private mutating func writeDataURL(
        _ type: JSONText,
        _ data: JSONText,
        _ bytes: Span<UInt8>
    ) {
        writer.string { out in
            out.append("data:" as StaticString)
            type.append(from: bytes, to: out)
            out.append(";base64," as StaticString)
            data.append(from: bytes, to: out)
        }
    }

    /// Whether an id of a file that the client has is one of the upstream's.
    private var knowsFiles: Bool {
        switch conversation.format {
        case .chat, .completions, .responses: break
        case .messages, .gemini, .converse: return false
        }
        switch plan.host {
        case .openAI, .compatible, .azure, .sapAzure: return true
        case .anthropic, .gemini, .bedrock, .sapBedrock, .sapVertex, .sapOpenSource,
            .sapOrchestration, .demo:
            return false
        }
    }
}

extension ConversionError {
    fileprivate static func urlNotFetched(_ url: JSONText) -> ConversionError {
        .unsupported(url, "must be base64 data: this model fetches no URLs")
    }
}
