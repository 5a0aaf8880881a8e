// SPDX-License-Identifier: Apache-2.0
import JSON

/// Images, documents and search results.
extension MessagesRequestReader {
    /// Reads a block of these types; false for others.
    mutating func readMedia(
        _ node: JSONNode,
        _ type: JSONNode,
        into parts: inout [Part],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(type, "image", in: bytes) {
            try readMedia(.image, node, into: &parts, tape, bytes)
        } else if tape.equals(type, "document", in: bytes) {
            try readMedia(.document, node, into: &parts, tape, bytes)
        } else if tape.equals(type, "search_result", in: bytes) {
            try readSearchResult(node, into: &parts, tape, bytes)
        } else {
            return false
        }
        return true
    }

    private mutating func readMedia(
        _ kind: Media.Kind,
        _ node: JSONNode,
        into parts: inout [Part],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var source: JSONNode?
        var name: JSONText?
        var cache: JSONFragment?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let value = member.value
            if tape.equals(member.name, "source", in: bytes) {
                try MessagesValue.mustBeObject(value, tape)
                source = value
            } else if tape.equals(member.name, "title", in: bytes) {
                name = try MessagesValue.string(value, tape)
            } else if tape.equals(member.name, "cache_control", in: bytes) {
                cache = try MessagesValue.object(value, tape)
            } else if !tape.equals(member.name, "type", in: bytes) {
                omit("messages[].content[].", member.name, tape, bytes)
            }
        }
        guard let source else { throw MessagesValue.missing("source", of: node, tape, bytes) }
        guard let type = MessagesValue.member("type", of: source, tape, bytes) else {
            throw MessagesValue.missing("type", of: source, tape, bytes)
        }
        if tape.equals(type, "content", in: bytes), kind == .document {
            return try readDocumentContent(source, into: &parts, tape, bytes)
        }
        var media = try readSource(source, type, kind, tape, bytes)
        media.name = name
        media.cache = cache
        parts.append(.media(media))
    }

    private func readSource(
        _ node: JSONNode,
        _ type: JSONNode,
        _ kind: Media.Kind,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Media {
        var mediaType: JSONText?
        if let named = MessagesValue.member("media_type", of: node, tape, bytes) {
            mediaType = try MessagesValue.name(named, tape)
        }
        func value(_ name: StaticString) throws(ConversionError) -> JSONNode {
            guard let value = MessagesValue.member(name, of: node, tape, bytes) else {
                throw MessagesValue.missing(name.description, of: node, tape, bytes)
            }
            _ = try MessagesValue.string(value, tape)
            return value
        }
        if tape.equals(type, "base64", in: bytes) {
            let data = try value("data")
            guard MessagesBase64.isValid(bytes.extracting(tape.contentRange(of: data))) else {
                throw .invalid(data, tape, "must be base64")
            }
            guard mediaType != nil else {
                throw MessagesValue.missing("media_type", of: node, tape, bytes)
            }
            return Media(kind, mediaType, .base64(JSONText(data, tape)))
        }
        if tape.equals(type, "url", in: bytes) {
            return Media(kind, mediaType, .url(try MessagesValue.name(value("url"), tape)))
        }
        if tape.equals(type, "file", in: bytes) {
            return Media(kind, mediaType, .file(try MessagesValue.name(value("file_id"), tape)))
        }
        if tape.equals(type, "text", in: bytes), kind == .document {
            return Media(kind, mediaType, .plain(JSONText(try value("data"), tape)))
        }
        let kinds =
            kind == .document
            ? "\"base64\", \"url\", \"text\", \"content\" or \"file\""
            : "\"base64\", \"url\" or \"file\""
        throw .invalid(type, tape, "must be \(kinds)")
    }

    /// A document that is a list of blocks, or one text: its parts stand for themselves.
    private mutating func readDocumentContent(
        _ source: JSONNode,
        into parts: inout [Part],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard let content = MessagesValue.member("content", of: source, tape, bytes) else {
            throw MessagesValue.missing("content", of: source, tape, bytes)
        }
        try readTexts(content, into: &parts, tape, bytes)
    }

    private mutating func readSearchResult(
        _ node: JSONNode,
        into parts: inout [Part],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var content: JSONNode?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let value = member.value
            if tape.equals(member.name, "content", in: bytes) {
                content = value
            } else if tape.equals(member.name, "source", in: bytes)
                || tape.equals(member.name, "title", in: bytes)
            {
                // Where a text comes from matters as much as what it says.
                let text = try MessagesValue.string(value, tape)
                if !text.isEmpty { parts.append(.text(TextBlock(text))) }
            } else if !tape.equals(member.name, "type", in: bytes) {
                omit("messages[].content[].", member.name, tape, bytes)
            }
        }
        guard let content else { throw MessagesValue.missing("content", of: node, tape, bytes) }
        try readTexts(content, into: &parts, tape, bytes)
    }

    /// A string, or a list of texts and images.
    private mutating func readTexts(
        _ content: JSONNode,
        into parts: inout [Part],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch tape.kind(of: content) {
        case .string:
            parts.append(.text(TextBlock(JSONText(content, tape))))
        case .array:
            for block in tape.elements(of: content) {
                try MessagesValue.mustBeObject(block, tape)
                guard let type = MessagesValue.member("type", of: block, tape, bytes) else {
                    throw MessagesValue.missing("type", of: block, tape, bytes)
                }
                if tape.equals(type, "text", in: bytes) {
                    parts.append(.text(try readText(block, tape, bytes)))
                } else if tape.equals(type, "image", in: bytes) {
                    try readMedia(.image, block, into: &parts, tape, bytes)
                } else {
                    throw .invalid(type, tape, "must be \"text\" or \"image\"")
                }
            }
        case .object, .number, .bool, .null:
            throw .invalid(content, tape, "must be a string or an array of blocks")
        }
    }
}
