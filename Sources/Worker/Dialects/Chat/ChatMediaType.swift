// SPDX-License-Identifier: Apache-2.0

/// Media types and the shorter names that OpenAI has for some.
enum ChatMediaType {
    /// What a media type is one of; nil for one that does not tell.
    static func kind(_ type: JSONText?, _ bytes: Span<UInt8>) -> Media.Kind? {
        guard let type else { return nil }
        // The usual case without a copy of the text.
        if case .slice(let range) = type, range.count > 5,
            bytes[range.lowerBound] == UInt8(ascii: "i"),
            bytes[range.lowerBound + 1] == UInt8(ascii: "m")
        {
            return .image
        }
        let name = type.value(from: bytes).lowercased()
        if name.hasPrefix("image/") { return .image }
        if name.hasPrefix("audio/") { return .audio }
        if name.hasPrefix("application/") || name.hasPrefix("text/") { return .document }
        return nil
    }

    /// The type of `input_audio` in `format`.
    static func ofAudio(_ format: String) -> String {
        switch format {
        case "mp3": "audio/mpeg"
        default: "audio/" + format
        }
    }

    /// The `format` of `input_audio` for a media type.
    static func audioFormat(_ type: String) -> String {
        switch type.lowercased() {
        case "audio/mpeg", "audio/mp3": "mp3"
        case "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave": "wav"
        case let other where other.hasPrefix("audio/"): String(other.dropFirst(6))
        default: "wav"
        }
    }

    /// The type that a file's name tells.
    static func ofFile(named name: String) -> String? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        switch name[name.index(after: dot)...].lowercased() {
        case "pdf": return "application/pdf"
        case "txt": return "text/plain"
        case "md": return "text/markdown"
        case "csv": return "text/csv"
        case "html", "htm": return "text/html"
        case "json": return "application/json"
        case "png": return "image/png"
        case "jpg", "jpeg": return "image/jpeg"
        case "gif": return "image/gif"
        case "webp": return "image/webp"
        default: return nil
        }
    }
}
