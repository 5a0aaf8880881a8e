// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Tools, media and cache marks.
extension MessagesRequestWriter {
    /// Writes the tools; false when there are none.
    mutating func writeTools(_ bytes: Span<UInt8>) throws(ConversionError) -> Bool {
        guard !conversation.tools.isEmpty else {
            if turns.haveCalls { writeDummyTool() }
            return false
        }
        writer.name("tools")
        writer.beginArray()
        for tool in conversation.tools { try writeTool(tool, bytes) }
        writer.endArray()
        return true
    }

    private mutating func writeDummyTool() {
        writer.name("tools")
        writer.beginArray()
        writer.beginObject()
        writer.member("name", Self.dummyTool)
        writer.member("description", "Stands for the tools of earlier turns. Never call it.")
        writer.name("input_schema")
        writer.raw("{\"type\":\"object\",\"properties\":{}}")
        writer.endObject()
        writer.endArray()
    }

    private mutating func writeTool(
        _ tool: Tool,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let limit = plan.rules.claude.toolNameBytesMax
        guard MessagesText.isToolName(tool.name, bytes, bytesMax: limit) else {
            throw .unsupported(
                tool.name,
                "must be 1 to \(limit) letters, digits, _ or - for this model"
            )
        }
        writer.beginObject()
        writer.name("name")
        writer.value(tool.name, from: bytes)
        if let description = tool.description, !description.isEmpty {
            writer.name("description")
            writer.value(description, from: bytes)
        }
        writer.name("input_schema")
        MessagesFormat.writeSchema(tool.schema, bytes, to: &writer)
        writeCache(tool.cache, bytes)
        if let isStrict = tool.isStrict { writeStrict(isStrict) }
        writer.endObject()
    }

    /// Only Anthropic's own clients know what Claude demands of the schema of a strict tool.
    private mutating func writeStrict(_ isStrict: Bool) {
        let takes = plan.rules.claude.takesOutputFormat && !plan.rules.hasClosedMembers
        if takes, conversation.format == .messages {
            writer.member("strict", isStrict)
        } else if isStrict {
            omit(.toolStrict)
        }
    }

    mutating func writeToolChoice(_ hasTools: Bool, _ bytes: Span<UInt8>) {
        guard hasTools else {
            if turns.haveCalls, takes("tool_choice") {
                // Nobody could run the tool that was made up.
                writer.name("tool_choice")
                writer.raw("{\"type\":\"none\"}")
            }
            if let choice = conversation.toolChoice, choice != .auto, choice != .none {
                omit(.toolChoice)
            }
            return
        }
        let isSingle = conversation.parallelToolCalls == false
        guard conversation.toolChoice != nil || isSingle, takes("tool_choice") else { return }
        writer.name("tool_choice")
        writer.beginObject()
        switch conversation.toolChoice {
        case .auto?, nil: writer.member("type", "auto")
        case .required?: writer.member("type", "any")
        case ToolChoice.none?: writer.member("type", "none")
        case .named(let name)?:
            writer.member("type", "tool")
            writer.name("name")
            writer.value(name, from: bytes)
        }
        if isSingle, conversation.toolChoice != ToolChoice.none {
            writer.member("disable_parallel_tool_use", true)
        }
        writer.endObject()
    }

    // MARK: Media

    mutating func writeMedia(_ media: Media, _ bytes: Span<UInt8>) throws(ConversionError) {
        if media.detail != nil { omit(.imageDetail) }
        switch media.kind {
        case .image: try writeImage(media, bytes)
        case .document: try writeDocument(media, bytes)
        case .audio:
            throw .unsupported(
                media.source.text,
                "is a sound: this model takes texts, images and PDF documents"
            )
        }
    }

    private mutating func writeImage(
        _ media: Media,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        writer.beginObject()
        writer.member("type", "image")
        writer.name("source")
        writer.beginObject()
        switch media.source {
        case .base64(let data):
            let type = try MessagesFormat.imageType(media, data, bytes)
            writer.member("type", "base64")
            writer.name("media_type")
            writer.value(type, from: bytes)
            writer.name("data")
            writer.value(data, from: bytes)
        case .url(let url): try writeURL(url, bytes)
        case .file(let id): try writeFile(id, bytes)
        case .plain(let text):
            throw .unsupported(text, "must be an image")
        }
        writer.endObject()
        writeCache(media.cache, bytes)
        writer.endObject()
    }

    private mutating func writeDocument(
        _ media: Media,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        writer.beginObject()
        writer.member("type", "document")
        writer.name("source")
        writer.beginObject()
        switch media.source {
        case .base64(let data):
            if let type = media.mediaType, type.value(from: bytes) != "application/pdf" {
                throw .unsupported(type, "must be application/pdf")
            }
            writer.member("type", "base64")
            writer.member("media_type", "application/pdf")
            writer.name("data")
            writer.value(data, from: bytes)
        case .url(let url): try writeURL(url, bytes)
        case .file(let id): try writeFile(id, bytes)
        case .plain(let text):
            writer.member("type", "text")
            writer.member("media_type", "text/plain")
            writer.name("data")
            writer.value(text, from: bytes)
        }
        writer.endObject()
        if let name = media.name, !name.isEmpty {
            writer.name("title")
            writer.value(name, from: bytes)
        }
        writeCache(media.cache, bytes)
        writer.endObject()
    }

    private mutating func writeURL(
        _ url: JSONText,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard plan.rules.takesMediaURLs else {
            throw .unsupported(url, "must be inline (base64): this upstream fetches no URLs")
        }
        writer.member("type", "url")
        writer.name("url")
        writer.value(url, from: bytes)
    }

    private mutating func writeFile(
        _ id: JSONText,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard conversation.format == .messages, plan.rules.takesMediaURLs else {
            throw .unsupported(id, "must be inline (base64): this upstream does not know the file")
        }
        writer.member("type", "file")
        writer.name("file_id")
        writer.value(id, from: bytes)
    }

    // MARK: Cache marks

    mutating func writeCache(_ cache: JSONFragment?, _ bytes: Span<UInt8>) {
        guard let cache else { return }
        writer.name("cache_control")
        guard plan.rules.hasClosedMembers else {
            writer.value(cache, from: bytes)
            return
        }
        // Bedrock refuses `scope`, so only what it knows is taken over.
        var lasts: JSONFragment?
        if case .slice(let range) = cache,
            let value = MessagesJSON.member("ttl", of: bytes.extracting(range))
        {
            let start = range.lowerBound + value.lowerBound
            lasts = .slice(start..<start + value.count)
        }
        writer.beginObject()
        writer.member("type", "ephemeral")
        if let lasts {
            writer.name("ttl")
            writer.value(lasts, from: bytes)
        }
        writer.endObject()
    }
}

extension Media.Source {
    /// The text of the source, for the place of an error.
    var text: JSONText {
        switch self {
        case .base64(let text), .url(let text), .file(let text), .plain(let text): text
        }
    }
}
