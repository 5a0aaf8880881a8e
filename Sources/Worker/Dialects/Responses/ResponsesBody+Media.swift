// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension ResponsesBody {
    mutating func writeMedia(
        _ media: Media,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch media.kind {
        case .image: try writeImage(media, from: bytes)
        case .document: try writeFile(media, from: bytes)
        case .audio: try writeAudio(media, from: bytes)
        }
    }

    private mutating func writeImage(
        _ media: Media,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        writer.beginObject()
        writer.member("type", "input_image")
        switch media.source {
        case .base64(let data):
            writer.name("image_url")
            try writeDataURL(media, data, from: bytes)
        case .url(let url):
            try checkURL(media)
            writer.name("image_url")
            writer.value(url, from: bytes)
        case .file(let id):
            try checkFile(media)
            writer.name("file_id")
            writer.value(id, from: bytes)
        case .plain:
            throw unsupported(media, "must not be an image made of text")
        }
        if let detail = media.detail {
            writer.name("detail")
            writer.value(detail, from: bytes)
        }
        writer.endObject()
    }

    private mutating func writeFile(
        _ media: Media,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        if case .plain(let text) = media.source {
            // Files are Base64 here, and a text is one without being encoded.
            writer.beginObject()
            writer.member("type", "input_text")
            writer.name("text")
            writer.value(text, from: bytes)
            writer.endObject()
            return
        }
        writer.beginObject()
        writer.member("type", "input_file")
        switch media.source {
        case .base64(let data):
            writer.name("filename")
            if let name = media.name {
                writer.value(name, from: bytes)
            } else {
                // Data without a name is refused.
                writer.value("file")
            }
            writer.name("file_data")
            try writeDataURL(media, data, from: bytes)
        case .url(let url):
            try checkURL(media)
            writer.name("file_url")
            writer.value(url, from: bytes)
            writeName(media, from: bytes)
        case .file(let id):
            try checkFile(media)
            writer.name("file_id")
            writer.value(id, from: bytes)
            writeName(media, from: bytes)
        case .plain: break
        }
        writer.endObject()
    }

    private mutating func writeName(_ media: Media, from bytes: Span<UInt8>) {
        guard let name = media.name else { return }
        writer.name("filename")
        writer.value(name, from: bytes)
    }

    private mutating func writeAudio(
        _ media: Media,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        let format: String
        switch media.mediaType?.value(from: bytes) {
        case "audio/wav", "audio/x-wav", "audio/wave": format = "wav"
        case "audio/mp3", "audio/mpeg": format = "mp3"
        default: throw unsupported(media, "must be sound in WAV or MP3 for this model")
        }
        guard case .base64(let data) = media.source else {
            throw unsupported(media, "must be sound as Base64 for this model")
        }
        writer.beginObject()
        writer.member("type", "input_audio")
        writer.name("input_audio")
        writer.beginObject()
        writer.name("data")
        writer.value(data, from: bytes)
        writer.member("format", format)
        writer.endObject()
        writer.endObject()
    }

    private mutating func writeDataURL(
        _ media: Media,
        _ data: JSONText,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard let mediaType = media.mediaType, !mediaType.isEmpty else {
            throw unsupported(media, "needs a media type for this model")
        }
        writer.string {
            $0.append("data:")
            mediaType.append(from: bytes, to: $0)
            $0.append(";base64,")
            data.append(from: bytes, to: $0)
        }
    }

    private func checkURL(_ media: Media) throws(ConversionError) {
        guard plan.rules.takesMediaURLs else {
            throw unsupported(media, "must be a data URL: this model fetches nothing")
        }
    }

    /// Ids of files are OpenAI's only in formats of OpenAI.
    private func checkFile(_ media: Media) throws(ConversionError) {
        switch conversation.format {
        case .responses, .chat, .completions: return
        case .messages, .gemini, .converse:
            throw unsupported(media, "is a file of another provider; send the data itself")
        }
    }

    func unsupported(_ media: Media, _ message: String) -> ConversionError {
        switch media.source {
        case .base64(let text), .url(let text), .file(let text), .plain(let text):
            .unsupported(text, message)
        }
    }
}
