// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// What the content of a message may consist of.
enum ChatPartKinds: Equatable {
    /// System messages.
    case textOnly
    case user
    /// Texts and refusals.
    case assistant
    /// Texts, and images where a client sends them.
    case tool
}

extension ChatRequestReader {
    /// The members of a part, found in one pass; none is null.
    private struct PartFields {
        let node: JSONNode
        var type: JSONNode?
        /// The member that has the name of a known type.
        var text: JSONNode?
        var imageURL: JSONNode?
        var inputAudio: JSONNode?
        var file: JSONNode?
        var refusal: JSONNode?
        var cache: JSONNode?
    }

    mutating func part(
        _ node: JSONNode,
        _ kinds: ChatPartKinds,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Part {
        let fields = try partFields(node, bytes)
        let cache = fields.cache.map { JSONFragment($0, tape) }
        guard let type = fields.type else {
            throw ChatFields.missing("type", of: node, tape, bytes)
        }
        if tape.equals(type, "text", in: bytes) {
            let text = try required(fields.text, "text", node, bytes)
            return .text(TextBlock(try ChatFields.text(text, tape), cache: cache))
        }
        let takesMedia = kinds == .user || kinds == .tool
        if takesMedia, tape.equals(type, "image_url", in: bytes) {
            let image = try required(fields.imageURL, "image_url", node, bytes)
            return .media(try imageURL(image, cache, bytes))
        }
        if takesMedia, tape.equals(type, "file", in: bytes) {
            let file = try required(fields.file, "file", node, bytes)
            return .media(try self.file(file, cache, bytes))
        }
        if kinds == .user, tape.equals(type, "input_audio", in: bytes) {
            let audio = try required(fields.inputAudio, "input_audio", node, bytes)
            return .media(try inputAudio(audio, cache, bytes))
        }
        if kinds == .assistant, tape.equals(type, "refusal", in: bytes) {
            let refusal = try required(fields.refusal, "refusal", node, bytes)
            return .refusal(try ChatFields.text(refusal, tape))
        }
        throw .invalid(type, tape, Self.expectation(kinds))
    }

    private static func expectation(_ kinds: ChatPartKinds) -> String {
        switch kinds {
        case .textOnly: "must be \"text\" in this role"
        case .user: "must be \"text\", \"image_url\", \"input_audio\" or \"file\""
        case .assistant: "must be \"text\" or \"refusal\" in this role"
        case .tool: "must be \"text\", \"image_url\" or \"file\" in this role"
        }
    }

    private func required(
        _ value: JSONNode?,
        _ name: String,
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONNode {
        guard let value else { throw ChatFields.missing(name, of: node, tape, bytes) }
        return value
    }

    private mutating func partFields(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> PartFields {
        try ChatFields.object(node, tape)
        var fields = PartFields(node: node)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let name = member.name
            let value = member.value
            if tape.equals(name, "type", in: bytes) {
                fields.type = value
            } else if tape.equals(name, "text", in: bytes) {
                fields.text = value
            } else if tape.equals(name, "image_url", in: bytes) {
                fields.imageURL = value
            } else if tape.equals(name, "input_audio", in: bytes) {
                fields.inputAudio = value
            } else if tape.equals(name, "file", in: bytes) {
                fields.file = value
            } else if tape.equals(name, "refusal", in: bytes) {
                fields.refusal = value
            } else if tape.equals(name, "cache_control", in: bytes) {
                fields.cache = value
            } else if !ChatFields.isNothing(value, tape) {
                omit("messages[].content[].", name, bytes)
            }
        }
        return fields
    }

    // MARK: Media

    private mutating func imageURL(
        _ node: JSONNode,
        _ cache: JSONFragment?,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        // A bare string instead of the object is what Responses has and clients mix up.
        if tape.kind(of: node) == .string {
            var media = try media(node, .image, bytes)
            media.cache = cache
            return media
        }
        try ChatFields.object(node, tape)
        var url: JSONNode?
        var detail: JSONText?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "url", in: bytes) {
                url = member.value
            } else if tape.equals(member.name, "detail", in: bytes) {
                detail = try ChatFields.text(member.value, tape)
            } else {
                omit("messages[].content[].image_url.", member.name, bytes)
            }
        }
        var media = try media(try required(url, "url", node, bytes), .image, bytes)
        media.detail = detail
        media.cache = cache
        return media
    }

    /// What a URL names or holds.
    private func media(
        _ node: JSONNode,
        _ kind: Media.Kind,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        let text = try ChatFields.name(node, tape)
        guard DataURL.isOne(node, tape, bytes) else { return Media(kind, nil, .url(text)) }
        let url = try DataURL(node, tape, bytes)
        return Media(
            ChatMediaType.kind(url.mediaType, bytes) ?? kind,
            url.mediaType,
            .base64(url.data)
        )
    }

    private mutating func inputAudio(
        _ node: JSONNode,
        _ cache: JSONFragment?,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        try ChatFields.object(node, tape)
        var data: JSONNode?
        var format: JSONNode?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "data", in: bytes) {
                data = member.value
            } else if tape.equals(member.name, "format", in: bytes) {
                format = member.value
            } else {
                omit("messages[].content[].input_audio.", member.name, bytes)
            }
        }
        let content = try base64(try required(data, "data", node, bytes), bytes)
        let name = try required(format, "format", node, bytes)
        guard let word = tape.string(of: name, in: bytes), !word.isEmpty else {
            throw .invalid(name, tape, "must be \"wav\" or \"mp3\"")
        }
        var media = Media(.audio, .text(ChatMediaType.ofAudio(word)), .base64(content))
        media.cache = cache
        return media
    }

    private mutating func file(
        _ node: JSONNode,
        _ cache: JSONFragment?,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        try ChatFields.object(node, tape)
        var data: JSONNode?
        var id: JSONNode?
        var name: JSONNode?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "file_data", in: bytes) {
                data = member.value
            } else if tape.equals(member.name, "file_id", in: bytes) {
                id = member.value
            } else if tape.equals(member.name, "filename", in: bytes) {
                name = member.value
            } else {
                omit("messages[].content[].file.", member.name, bytes)
            }
        }
        var media: Media
        if let data {
            media = try fileData(data, name, bytes)
        } else if let id {
            media = Media(.document, nil, .file(try ChatFields.name(id, tape)))
        } else {
            throw ChatFields.missing("file_data", of: node, tape, bytes)
        }
        if let name { media.name = try ChatFields.text(name, tape) }
        media.cache = cache
        return media
    }

    private func fileData(
        _ node: JSONNode,
        _ name: JSONNode?,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        let text = try ChatFields.name(node, tape)
        if DataURL.isOne(node, tape, bytes) { return try media(node, .document, bytes) }
        let content = bytes.extracting(tape.contentRange(of: node))
        if content.count > 4, String(copying: content.extracting(0..<4)) == "http" {
            return Media(.document, nil, .url(text))
        }
        var type: JSONText?
        if let name, let file = tape.string(of: name, in: bytes) {
            type = ChatMediaType.ofFile(named: file).map { .text($0) }
        }
        let kind = ChatMediaType.kind(type, bytes) ?? .document
        return Media(kind, type, .base64(try base64(node, bytes)))
    }

    private func base64(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONText {
        let text = try ChatFields.text(node, tape)
        switch Base64Text.check(bytes.extracting(tape.contentRange(of: node))) {
        case .valid: return text
        case .escaped:
            let value = text.value(from: bytes)
            if Base64Text.check(value.utf8.span) == .valid { return .text(value) }
        case .broken: break
        }
        throw .invalid(node, tape, "must be valid base64")
    }
}
