// SPDX-License-Identifier: Apache-2.0
import JSON

extension GeminiTurnWriter {
    /// Writes `inlineData` or `fileData`.
    ///
    /// - Throws: What Google cannot get at.
    func writeMedia(
        _ media: Media,
        from bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        if media.cache != nil { omissions.add(.cacheControl, of: conversation.format) }
        if let detail = media.detail, detail.value(from: bytes) != "auto" {
            omissions.add(.imageDetail, of: conversation.format)
        }
        switch media.source {
        case .base64(let data):
            guard let type = media.mediaType ?? Self.defaultType(media.kind) else {
                throw .unsupported(data, "needs a media type")
            }
            writer.beginObject()
            writer.name("inlineData")
            writer.beginObject()
            writer.name("mimeType")
            writeType(type, from: bytes, to: &writer)
            writer.name("data")
            writer.value(data, from: bytes)
            writer.endObject()
            writer.endObject()
        case .plain(let text):
            writer.beginObject()
            writer.name("text")
            writer.value(text, from: bytes)
            writer.endObject()
        case .url(let url):
            let isOwn = conversation.format == .gemini
            let uri = url.value(from: bytes)
            guard isOwn || canFetch(uri) else {
                throw .unsupported(
                    url,
                    "cannot be fetched by this model; send the data itself in base64"
                )
            }
            writeFile(url, media.mediaType, uri, from: bytes, to: &writer)
        case .file(let id):
            guard conversation.format == .gemini else {
                throw .unsupported(
                    id,
                    "is a file of another vendor; send the data itself in base64"
                )
            }
            writeFile(id, media.mediaType, id.value(from: bytes), from: bytes, to: &writer)
        }
    }

    private func writeFile(
        _ uri: JSONText,
        _ type: JSONText?,
        _ text: String,
        from bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.name("fileData")
        writer.beginObject()
        if let type {
            writer.name("mimeType")
            writeType(type, from: bytes, to: &writer)
        } else if let guess = GeminiMedia.mediaType(of: text), conversation.format != .gemini {
            writer.member("mimeType", guess)
        }
        writer.name("fileUri")
        writer.value(uri, from: bytes)
        writer.endObject()
        writer.endObject()
    }

    /// Google's own files, and what its buckets hold.
    private func canFetch(_ uri: String) -> Bool {
        guard GeminiMedia.isGooglesFile(uri) else { return false }
        return uri.hasPrefix("gs://") || plan.host == .gemini
    }

    /// Types as Google spells them.
    private func writeType(
        _ type: JSONText,
        from bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        switch type.value(from: bytes) {
        case "image/jpg": writer.value("image/jpeg")
        default: writer.value(type, from: bytes)
        }
    }

    private static func defaultType(_ kind: Media.Kind) -> JSONText? {
        switch kind {
        case .document: .text("application/pdf")
        case .image, .audio: nil
        }
    }
}
