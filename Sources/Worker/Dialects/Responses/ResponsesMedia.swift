// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads images, files and sounds of a content.
enum ResponsesMedia {
    static func image(
        _ part: ResponsesPart,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        var media: Media
        if let url = part.imageURL {
            media = try fetched(url, .image, tape, bytes)
        } else if let id = part.fileID {
            media = Media(.image, nil, .file(try ResponsesValue.text(id, tape)))
        } else {
            throw ResponsesValue.missing("image_url", of: part.node, tape, bytes)
        }
        if let detail = part.detail { media.detail = try ResponsesValue.text(detail, tape) }
        return media
    }

    static func file(
        _ part: ResponsesPart,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        var media: Media
        if let data = part.fileData {
            media = try inline(data, .document, tape, bytes)
        } else if let url = part.fileURL {
            media = try fetched(url, .document, tape, bytes)
        } else if let id = part.fileID {
            media = Media(.document, nil, .file(try ResponsesValue.text(id, tape)))
        } else {
            throw ResponsesValue.missing("file_data", of: part.node, tape, bytes)
        }
        if let name = part.filename { media.name = try ResponsesValue.text(name, tape) }
        return media
    }

    static func audio(
        _ part: ResponsesPart,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        guard let audio = part.audio else {
            throw ResponsesValue.missing("input_audio", of: part.node, tape, bytes)
        }
        try ResponsesValue.object(audio, tape)
        guard let data = tape.member("data", of: audio, in: bytes) else {
            throw ResponsesValue.missing("data", of: audio, tape, bytes)
        }
        guard let format = tape.member("format", of: audio, in: bytes) else {
            throw ResponsesValue.missing("format", of: audio, tape, bytes)
        }
        let isMP3 = tape.equals(format, "mp3", in: bytes)
        guard isMP3 || tape.equals(format, "wav", in: bytes) else {
            throw .invalid(format, tape, "must be wav or mp3")
        }
        let text = try base64(data, tape, bytes)
        return Media(.audio, .text(isMP3 ? "audio/mpeg" : "audio/wav"), .base64(text))
    }

    /// What stands behind a URL, or in it.
    private static func fetched(
        _ node: JSONNode,
        _ kind: Media.Kind,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        let text = try ResponsesValue.text(node, tape)
        if begins(node, with: "data:", tape, bytes) { return try inline(node, kind, tape, bytes) }
        guard hasScheme(node, tape, bytes) else {
            throw .invalid(node, tape, "must be an https or data URL")
        }
        return Media(kind, nil, .url(text))
    }

    /// A data URL, or Base64 alone, which is how OpenAI takes a PDF as well.
    private static func inline(
        _ node: JSONNode,
        _ kind: Media.Kind,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        _ = try ResponsesValue.text(node, tape)
        guard begins(node, with: "data:", tape, bytes) else {
            return Media(kind, .text("application/pdf"), .base64(try base64(node, tape, bytes)))
        }
        let url: ResponsesDataURL?
        let text: (Range<Int>) -> JSONText
        if tape.hasEscapes(node) {
            // Some serializers escape slashes, in media types and in Base64.
            let plain = Array((tape.string(of: node, in: bytes) ?? "").utf8)
            url = ResponsesDataURL(plain.span, 0..<plain.count)
            text = { .text(String(decoding: plain[$0], as: UTF8.self)) }
        } else {
            url = ResponsesDataURL(bytes, tape.contentRange(of: node))
            text = { .slice($0) }
        }
        guard let url else {
            throw .invalid(node, tape, "must be a data URL with a media type and valid Base64")
        }
        let actual: Media.Kind
        switch url.family {
        case .image: actual = .image
        case .audio: actual = .audio
        case .other: actual = .document
        }
        return Media(actual, text(url.mediaType), .base64(text(url.data)))
    }

    private static func base64(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONText {
        let text = try ResponsesValue.text(node, tape)
        let isValid: Bool
        var plain = text
        if tape.hasEscapes(node) {
            let value = text.value(from: bytes)
            isValid = ResponsesDataURL.isBase64(value.utf8.span, 0..<value.utf8.count)
            plain = .text(value)
        } else {
            isValid = ResponsesDataURL.isBase64(bytes, tape.contentRange(of: node))
        }
        guard isValid else { throw .invalid(node, tape, "must be valid Base64") }
        return plain
    }

    /// Whether a string begins with `text`.
    private static func begins(
        _ node: JSONNode,
        with text: StaticString,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard tape.hasEscapes(node) else {
            return bytes.begins(tape.contentRange(of: node), with: text)
        }
        return tape.string(of: node, in: bytes)?.hasPrefix(text.description) ?? false
    }

    /// Whether a string begins like a URL, `https://` or `gs://` for example.
    private static func hasScheme(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard tape.hasEscapes(node) else {
            return hasScheme(tape.contentRange(of: node), bytes)
        }
        let plain = tape.string(of: node, in: bytes) ?? ""
        return hasScheme(0..<plain.utf8.count, plain.utf8.span)
    }

    private static func hasScheme(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        var at = range.lowerBound
        while at < range.upperBound, isLetter(bytes[at]) { at += 1 }
        return at > range.lowerBound && bytes.begins(at..<range.upperBound, with: "://")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}

/// A `data:` URL with Base64 in it.
private struct ResponsesDataURL {
    enum Family {
        case image, audio, other
    }

    let mediaType: Range<Int>
    let data: Range<Int>
    let family: Family

    /// Longest media type with parameters; the data begins within reach.
    private static let headBytesMax = 256

    /// Nil for what is none; `range` begins with `data:`.
    init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let start = range.lowerBound + 5
        var typeEnd: Int?
        var at = start
        while at < range.upperBound, at < start + Self.headBytesMax,
            bytes[at] != UInt8(ascii: ",")
        {
            if bytes[at] == UInt8(ascii: ";"), typeEnd == nil { typeEnd = at }
            at += 1
        }
        guard at < range.upperBound, bytes[at] == UInt8(ascii: ","), let typeEnd,
            typeEnd > start, bytes.begins(at - 7..<at, with: ";base64"),
            Self.isBase64(bytes, at + 1..<range.upperBound)
        else { return nil }
        mediaType = start..<typeEnd
        data = at + 1..<range.upperBound
        if bytes.begins(mediaType, with: "image/") {
            family = .image
        } else if bytes.begins(mediaType, with: "audio/") {
            family = .audio
        } else {
            family = .other
        }
    }

    /// Whether `range` is Base64 of at least one byte, by its letters and its length.
    static func isBase64(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var end = range.upperBound
        while end > range.lowerBound, range.upperBound - end < 2,
            bytes[end - 1] == UInt8(ascii: "=")
        {
            end -= 1
        }
        let isPadded = end < range.upperBound
        let count = end - range.lowerBound
        guard count > 0, count % 4 != 1, !isPadded || range.count % 4 == 0 else { return false }
        for index in range.lowerBound..<end {
            switch bytes[index] {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                continue
            default:
                return false
            }
        }
        return true
    }
}
