// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Images, documents and sounds as Gemini has them.
enum GeminiMedia {
    /// Reads `inlineData`.
    static func readInline(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        try GeminiValue.mustBeObject(node, tape)
        guard let type = tape.member("mimeType", or: "mime_type", of: node, in: bytes) else {
            throw GeminiValue.missing("mimeType", of: node, tape, bytes)
        }
        guard let data = tape.member("data", or: "data", of: node, in: bytes) else {
            throw GeminiValue.missing("data", of: node, tape, bytes)
        }
        let typeText = try GeminiValue.name(type, tape)
        guard let base64 = GeminiBase64.standard(data, tape, bytes) else {
            throw .invalid(data, tape, "must be base64")
        }
        var media = Media(kind(type, tape, bytes), typeText, .base64(base64))
        media.name = try displayName(node, tape, bytes)
        return media
    }

    /// Reads `fileData`: what only Google can fetch is a file of the vendor, the rest a URL.
    static func readFile(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        try GeminiValue.mustBeObject(node, tape)
        guard let uri = tape.member("fileUri", or: "file_uri", of: node, in: bytes) else {
            throw GeminiValue.missing("fileUri", of: node, tape, bytes)
        }
        let text = try GeminiValue.name(uri, tape)
        var type: JSONText?
        var kind = Media.Kind.document
        if let node = tape.member("mimeType", or: "mime_type", of: node, in: bytes) {
            type = try GeminiValue.name(node, tape)
            kind = Self.kind(node, tape, bytes)
        } else if let guess = mediaType(of: text.value(from: bytes)) {
            kind = Self.kind(guess.utf8.span)
        }
        let isGoogles = isGooglesFile(text.value(from: bytes))
        var media = Media(kind, type, isGoogles ? .file(text) : .url(text))
        media.name = try displayName(node, tape, bytes)
        return media
    }

    private static func displayName(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONText? {
        guard let name = tape.member("displayName", or: "display_name", of: node, in: bytes) else {
            return nil
        }
        return try GeminiValue.text(name, tape)
    }

    private static func kind(
        _ type: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Media.Kind {
        kind(bytes.extracting(tape.contentRange(of: type)))
    }

    /// Video counts as a document: no other format has it, and none takes it for one.
    private static func kind(_ type: Span<UInt8>) -> Media.Kind {
        // `image/` and `audio/` may be escaped behind the slash only, if at all.
        guard type.count > 5 else { return .document }
        switch String(copying: type.extracting(first: 5)).lowercased() {
        case "image": return .image
        case "audio": return .audio
        default: return .document
        }
    }

    /// Whether only Google can read what is at `uri`.
    static func isGooglesFile(_ uri: String) -> Bool {
        uri.hasPrefix("gs://")
            || (uri.hasPrefix("https://generativelanguage.googleapis.com/")
                && uri.contains("/files/"))
    }

    /// The media type that the end of a file name stands for; nil for unknown ones.
    static func mediaType(of uri: String) -> String? {
        let path = uri.prefix { $0 != "?" && $0 != "#" }
        guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
        return switch path[path.index(after: dot)...].lowercased() {
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "webp": "image/webp"
        case "gif": "image/gif"
        case "heic": "image/heic"
        case "pdf": "application/pdf"
        case "txt": "text/plain"
        case "mp3": "audio/mp3"
        case "wav": "audio/wav"
        case "mp4": "video/mp4"
        default: nil
        }
    }
}
