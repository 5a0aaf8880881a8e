// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension ChatRequestWriter {
    /// All system texts as one message: not every server takes several.
    mutating func writeSystem(_ bytes: Span<UInt8>) {
        let blocks = conversation.system
        guard !blocks.isEmpty else { return }
        beginMessage("system")
        let isMarked = blocks.contains { $0.cache != nil }
        if isMarked, isOwn {
            writer.beginArray()
            for block in blocks { writeText(block, bytes) }
            writer.endArray()
        } else {
            if isMarked { omit(.cacheControl) }
            writer.string { out in
                for (index, block) in blocks.enumerated() {
                    if index > 0 { out.append("\\n\\n" as StaticString) }
                    block.text.append(from: bytes, to: out)
                }
            }
        }
        writer.endObject()
    }

    /// Writes the turns in runs of one role, because calls and results must stand together.
    mutating func writeMessages(
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch
    ) throws(ConversionError) {
        let messages = conversation.messages
        var start = 0
        while start < messages.count {
            let role = messages[start].role
            var end = start + 1
            while end < messages.count, messages[end].role == role { end += 1 }
            switch role {
            case .user:
                try writeUserRun(messages[start..<end], bytes)
            case .assistant:
                if end == messages.count, !plan.rules.takesPrefill {
                    omit(.prefill)
                } else {
                    try writeAssistantRun(messages[start..<end], bytes, scratch)
                }
            }
            start = end
        }
    }

    /// Begins a message whose content comes next.
    private mutating func beginMessage(_ role: StaticString) {
        writer.beginObject()
        writer.name("role")
        writer.string { $0.append(role) }
        writer.name("content")
    }

    // MARK: The user

    /// First what tools said, which must follow their calls, then the media among it, which a tool
    /// message cannot hold, then what the user said.
    private mutating func writeUserRun(
        _ run: ArraySlice<Message>,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var hasMedia = false
        for message in run {
            for case .toolResult(let result) in message.parts {
                try writeResult(result, bytes)
                hasMedia = hasMedia || result.content.contains { $0.isMedia }
            }
        }
        if hasMedia { try writeResultMedia(run, bytes) }
        for message in run {
            let said = message.parts.count { !$0.isToolResult }
            if said > 0 || message.parts.isEmpty {
                try writeUser(message, count: said, bytes)
            }
        }
    }

    private mutating func writeUser(
        _ message: Message,
        count: Int,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        beginMessage("user")
        if message.parts.isEmpty {
            writer.value("")
        } else if count == 1, let block = message.parts.loneText, block.cache == nil || !isOwn {
            if block.cache != nil { omit(.cacheControl) }
            writer.value(block.text, from: bytes)
        } else {
            writer.beginArray()
            for part in message.parts where !part.isToolResult { try write(part, bytes) }
            writer.endArray()
        }
        writer.endObject()
    }

    private mutating func write(
        _ part: Part,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch part {
        case .text(let block): writeText(block, bytes)
        case .media(let media): try write(media, bytes)
        case .refusal(let text): writeText(TextBlock(text), bytes)
        case .thinking, .toolCall, .toolResult: break
        }
    }

    mutating func writeText(_ block: TextBlock, _ bytes: Span<UInt8>) {
        writer.beginObject()
        writer.member("type", "text")
        writer.name("text")
        writer.value(block.text, from: bytes)
        writeCache(block.cache, bytes)
        writer.endObject()
    }

    // MARK: Tools

    private mutating func writeResult(
        _ result: ToolResult,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        beginMessage("tool")
        if let cache = result.cache, isOwn {
            writer.beginArray()
            for case .text(let block) in result.content {
                writeText(TextBlock(block.text, cache: cache), bytes)
            }
            writer.endArray()
        } else {
            if result.cache != nil || result.content.contains(where: { $0.isMarked }) {
                omit(.cacheControl)
            }
            writer.string { out in
                if result.isError { out.append("Error: " as StaticString) }
                result.appendContent(from: bytes, to: out)
            }
        }
        writer.name("tool_call_id")
        switch result.callID {
        case let id?: write(callID: id, bytes)
        case nil:
            guard let id = callNames.answer(result.name?.value(from: bytes)) else {
                throw ConversionError(
                    .invalid,
                    .whole,
                    "has the result of a tool that was not called before"
                )
            }
            writer.value(id)
        }
        writer.endObject()
    }

    private mutating func writeResultMedia(
        _ run: ArraySlice<Message>,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        beginMessage("user")
        writer.beginArray()
        for message in run {
            for case .toolResult(let result) in message.parts {
                for case .media(let media) in result.content { try write(media, bytes) }
            }
        }
        writer.endArray()
        writer.endObject()
    }

    // MARK: The assistant

    /// Messages in a row are one if there are calls among them: results follow the last.
    private mutating func writeAssistantRun(
        _ run: ArraySlice<Message>,
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch
    ) throws(ConversionError) {
        var start = run.startIndex
        while start < run.endIndex {
            var end = start + 1
            var calls = run[start].parts.contains { $0.isToolCall }
            while end < run.endIndex {
                let next = run[end].parts.contains { $0.isToolCall }
                guard calls || next else { break }
                calls = next
                end += 1
            }
            try writeAssistant(run[start..<end], bytes, scratch)
            start = end
        }
    }

    private mutating func writeAssistant(
        _ messages: ArraySlice<Message>,
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch
    ) throws(ConversionError) {
        let contents = try assistantContents(messages)
        beginMessage("assistant")
        if contents.hasText {
            writeJoined(messages, bytes) { part in
                if case .text(let block) = part { block.text } else { nil }
            }
        } else if contents.hasCalls || contents.hasRefusal {
            writer.null()
        } else {
            writer.value("")
        }
        if contents.hasRefusal {
            writer.name("refusal")
            writeJoined(messages, bytes) { part in
                if case .refusal(let text) = part { text } else { nil }
            }
        }
        if contents.hasThoughts {
            writer.name("reasoning_content")
            writeJoined(messages, bytes) { part in
                if case .thinking(let thinking) = part { thinking.text } else { nil }
            }
        }
        if contents.hasCalls {
            writer.name("tool_calls")
            writer.beginArray()
            for message in messages {
                for case .toolCall(let call) in message.parts { write(call, bytes, scratch) }
            }
            writer.endArray()
        }
        writer.endObject()
    }

    private struct Contents {
        var hasText = false
        var hasRefusal = false
        var hasThoughts = false
        var hasCalls = false
    }

    /// What a message will have to say, and what of it has to stay behind.
    private mutating func assistantContents(
        _ messages: ArraySlice<Message>
    ) throws(ConversionError) -> Contents {
        var contents = Contents()
        for message in messages {
            for part in message.parts {
                switch part {
                case .text(let block):
                    if !block.text.isEmpty { contents.hasText = true }
                    if block.cache != nil { omit(.cacheControl) }
                case .refusal: contents.hasRefusal = true
                case .toolCall(let call):
                    contents.hasCalls = true
                    if call.cache != nil { omit(.cacheControl) }
                case .thinking(let thinking):
                    if keeps(thinking) {
                        contents.hasThoughts = true
                    } else {
                        omit(.thinkingHistory)
                    }
                case .media(let media):
                    throw .unsupported(
                        media.mediaType,
                        "cannot stand in a turn of the assistant for this model"
                    )
                case .toolResult: break
                }
            }
        }
        return contents
    }

    /// Whether thoughts go back to the model.
    ///
    /// OpenAI takes none. Other servers know their own, which have no signature, and some refuse a
    /// history of calls without them; thoughts with a signature are another vendor's.
    private func keeps(_ thinking: Thinking) -> Bool {
        guard thinking.text != nil else { return false }
        if isOwn { return true }
        switch plan.host {
        case .compatible, .sapOpenSource: return thinking.signature == nil
        case .openAI, .azure, .sapAzure, .anthropic, .gemini, .bedrock, .sapBedrock, .sapVertex,
            .sapOrchestration, .demo:
            return false
        }
    }

    /// Writes the texts that `pick` finds as one string.
    private mutating func writeJoined(
        _ messages: ArraySlice<Message>,
        _ bytes: Span<UInt8>,
        _ pick: (Part) -> JSONText?
    ) {
        writer.string { out in
            for message in messages {
                for part in message.parts { pick(part)?.append(from: bytes, to: out) }
            }
        }
    }

    private mutating func write(
        _ call: ToolCall,
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch
    ) {
        writer.beginObject()
        writer.name("id")
        if let id = call.id {
            write(callID: id, bytes)
        } else {
            writer.value(callNames.add(call.name.value(from: bytes)))
        }
        writer.member("type", "function")
        writer.name("function")
        writer.beginObject()
        writer.name("name")
        writer.value(call.name, from: bytes)
        writer.name("arguments")
        writer.string { call.input.appendArguments(from: bytes, scratch, to: $0) }
        writer.endObject()
        if let signature = call.signature, takesSignatures {
            ChatSignature.write(signature, from: bytes, to: &writer)
        }
        writer.endObject()
    }

    /// Limit: OpenAI's for the ids of calls.
    private static let callIDBytesMax = 40

    /// Writes an id; one that another vendor made too long becomes a short one, always the same.
    private mutating func write(callID id: JSONText, _ bytes: Span<UInt8>) {
        guard !isOwn, id.escapedCount > Self.callIDBytesMax else {
            writer.value(id, from: bytes)
            return
        }
        // FNV-1a.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in id.value(from: bytes).utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        writer.value("call_" + String(hash, radix: 16))
    }

    /// Whether the upstream is Gemini, the only one that knows the signatures.
    private var takesSignatures: Bool {
        isOwn || plan.host == .gemini
            || (plan.host == .compatible && plan.model.contains("gemini"))
    }
}

/// The ids of calls that came without one, for results that name only the tool.
struct ChatCallNames {
    private var count = 0
    private var open: [(name: String, id: String)] = []

    /// A new id for a call of `name`.
    mutating func add(_ name: String) -> String {
        let id = "call_\(count)"
        count += 1
        open.append((name, id))
        return id
    }

    /// The id of the first call of `name`, or of any tool, that has no result yet.
    mutating func answer(_ name: String?) -> String? {
        guard let index = open.firstIndex(where: { name == nil || $0.name == name }) else {
            return nil
        }
        return open.remove(at: index).id
    }
}

extension Part {
    fileprivate var isToolResult: Bool {
        if case .toolResult = self { true } else { false }
    }

    fileprivate var isToolCall: Bool {
        if case .toolCall = self { true } else { false }
    }

    fileprivate var isMedia: Bool {
        if case .media = self { true } else { false }
    }

    fileprivate var isMarked: Bool {
        switch self {
        case .text(let block): block.cache != nil
        case .media(let media): media.cache != nil
        case .toolCall, .toolResult, .thinking, .refusal: false
        }
    }
}

extension JSONText {
    /// Bytes that the text takes, at least as many as its value has.
    fileprivate var escapedCount: Int {
        switch self {
        case .slice(let range): range.count
        case .text(let text): text.utf8.count
        }
    }
}

extension [Part] {
    /// The text of a message that has one text and perhaps tool results.
    fileprivate var loneText: TextBlock? {
        for case .text(let block) in self { return block }
        return nil
    }
}

extension ToolResult {
    /// Appends what the tool said as what belongs between the quotes of a string.
    fileprivate func appendContent(from bytes: Span<UInt8>, to out: ByteBuffer) {
        if let value {
            value.appendEscaped(from: bytes, to: out)
            return
        }
        var isFirst = true
        for case .text(let block) in content {
            if !isFirst { out.append("\\n" as StaticString) }
            isFirst = false
            block.text.append(from: bytes, to: out)
        }
        if isFirst, !content.isEmpty {
            out.append("The result follows as an attachment." as StaticString)
        }
    }
}
