// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Tools and media.
extension ConverseRequestWriter {
    mutating func writeTools(_ bytes: Span<UInt8>) throws(ConversionError) {
        var tools = conversation.tools
        var choice = conversation.toolChoice
        if choice == ToolChoice.none {
            // Converse has no word for it, but nobody calls what is not there.
            tools = []
            choice = nil
        }
        guard !tools.isEmpty || turns.haveCalls else {
            if choice != nil, choice != .auto { omit(.toolChoice) }
            return
        }
        writer.name("toolConfig")
        writer.beginObject()
        writer.name("tools")
        writer.beginArray()
        for tool in tools { try writeTool(tool, bytes) }
        if tools.isEmpty {
            writer.raw(
                """
                {"toolSpec":{"name":"unavailable_tool","description":"Stands for the tools of \
                earlier turns. Never call it.","inputSchema":{"json":{"type":"object",\
                "properties":{}}}}}
                """
            )
        }
        writer.endArray()
        if tools.isEmpty {
            if choice != nil, choice != .auto { omit(.toolChoice) }
        } else {
            writeChoice(choice, bytes)
        }
        writer.endObject()
    }

    private mutating func writeChoice(_ choice: ToolChoice?, _ bytes: Span<UInt8>) {
        let isSingle = conversation.parallelToolCalls == false && takesSingleCalls
        if conversation.parallelToolCalls == false, !isSingle { omit(.parallelToolCalls) }
        switch choice {
        case nil, ToolChoice.none?, .auto?:
            if isSingle {
                // The two choices are merged, and refused where both say which tool.
                toolChoice = "{\"type\":\"auto\",\"disable_parallel_tool_use\":true}"
            } else if choice == .auto {
                writer.name("toolChoice")
                writer.raw("{\"auto\":{}}")
            }
            return
        case .required?:
            writer.name("toolChoice")
            writer.raw("{\"any\":{}}")
        case .named(let name)?:
            writer.name("toolChoice")
            writer.beginObject()
            writer.name("tool")
            writer.beginObject()
            writer.name("name")
            writer.value(name, from: bytes)
            writer.endObject()
            writer.endObject()
        }
        if isSingle { toolChoice = "{\"disable_parallel_tool_use\":true}" }
    }

    private var takesSingleCalls: Bool {
        plan.rules.converse.takesSingleCalls && takes("tool_choice")
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
        writer.name("toolSpec")
        writer.beginObject()
        writer.name("name")
        writer.value(tool.name, from: bytes)
        if let description = tool.description, !description.isEmpty {
            writer.name("description")
            writer.value(description, from: bytes)
        }
        writer.name("inputSchema")
        writer.beginObject()
        writer.name("json")
        MessagesFormat.writeSchema(tool.schema, bytes, to: &writer)
        writer.endObject()
        writer.endObject()
        writer.endObject()
        writeCachePoint(tool.cache, bytes)
        if tool.isStrict == true { omit(.toolStrict) }
    }

    // MARK: Media

    mutating func writeMedia(_ media: Media, _ bytes: Span<UInt8>) throws(ConversionError) {
        if media.detail != nil { omit(.imageDetail) }
        switch media.source {
        case .url(let url):
            throw .unsupported(url, "must be inline (base64): this upstream fetches no URLs")
        case .file(let id):
            throw .unsupported(
                id,
                "must be inline (base64): this upstream does not know the file"
            )
        case .base64(let data):
            switch media.kind {
            case .image: try writeImage(media, data, bytes)
            case .document: try writeDocument(media, data, bytes)
            case .audio:
                throw .unsupported(
                    data,
                    "is a sound: this model takes texts, images and documents"
                )
            }
        case .plain(let text):
            beginDocument(media, "txt", bytes)
            let value = ByteBuffer()
            text.appendValue(from: bytes, to: value)
            writer.string { out in value.withBytes { Base64.append(encoding: $0, to: out) } }
            endDocument()
        }
    }

    private mutating func writeImage(
        _ media: Media,
        _ data: JSONText,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let type = try MessagesFormat.imageType(media, data, bytes)
        let name = type.value(from: bytes)
        writer.beginObject()
        writer.name("image")
        writer.beginObject()
        writer.member("format", String(name.dropFirst("image/".utf8.count)))
        writer.name("source")
        writer.beginObject()
        writer.name("bytes")
        writer.value(data, from: bytes)
        writer.endObject()
        writer.endObject()
        writer.endObject()
    }

    private mutating func writeDocument(
        _ media: Media,
        _ data: JSONText,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let type = media.mediaType?.value(from: bytes) ?? "application/pdf"
        guard let format = Self.documentFormat(type) else {
            throw .unsupported(
                media.mediaType,
                "must be a PDF, Word, Excel, CSV, HTML, Markdown or text document"
            )
        }
        beginDocument(media, format, bytes)
        writer.value(data, from: bytes)
        endDocument()
    }

    /// Writes a document up to the value of its bytes.
    private mutating func beginDocument(
        _ media: Media,
        _ format: StaticString,
        _ bytes: Span<UInt8>
    ) {
        documents += 1
        writer.beginObject()
        writer.name("document")
        writer.beginObject()
        writer.name("format")
        writer.string { $0.append(format) }
        writer.member("name", documentName(media.name?.value(from: bytes) ?? ""))
        writer.name("source")
        writer.beginObject()
        writer.name("bytes")
    }

    private mutating func endDocument() {
        writer.endObject()
        writer.endObject()
        writer.endObject()
    }

    /// Longest part of a document's own name, well below Bedrock's 200.
    private static let nameCharactersMax = 100

    /// A name of the characters that Bedrock takes, different for each document.
    private func documentName(_ name: String) -> String {
        var clean = ""
        for character in name.prefix(Self.nameCharactersMax) {
            let isTaken =
                character.isASCII
                && (character.isLetter || character.isNumber || "-()[]".contains(character))
            if isTaken {
                clean.append(character)
            } else if !clean.isEmpty, clean.last != " " {
                clean.append(" ")
            }
        }
        if clean.last == " " { clean.removeLast() }
        return clean.isEmpty ? "document \(documents)" : "\(clean) (\(documents))"
    }

    private static func documentFormat(_ type: String) -> StaticString? {
        // Parameters such as the character set say nothing here.
        let name = type.prefix { $0 != ";" }.lowercased()
        return switch name {
        case "application/pdf": "pdf"
        case "text/csv", "application/csv": "csv"
        case "application/msword": "doc"
        case "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx"
        case "application/vnd.ms-excel": "xls"
        case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx"
        case "text/html", "application/xhtml+xml": "html"
        case "text/markdown", "text/x-markdown": "md"
        case "application/json", "application/xml", "application/yaml": "txt"
        // Source code and what else is to be read.
        case _ where name.hasPrefix("text/"): "txt"
        default: nil
        }
    }
}
