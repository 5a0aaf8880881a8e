// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension ResponsesBody {
    mutating func writeUser(
        _ parts: [Part],
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        var isOpen = false
        for part in parts {
            switch part {
            case .text, .media:
                if !isOpen { beginMessage("user") }
                isOpen = true
                try writeInput(part, from: bytes)
            case .toolResult(let result):
                if isOpen { endMessage() }
                isOpen = false
                try writeResult(result, from: bytes)
            case .toolCall, .thinking, .refusal:
                throw ConversionError(
                    .invalid,
                    .whole,
                    "has a user's turn with an assistant's part"
                )
            }
        }
        if isOpen { endMessage() }
    }

    mutating func writeAssistant(
        _ parts: [Part],
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        var isOpen = false
        for part in parts {
            switch part {
            case .text, .refusal:
                dropSummary()
                if !isOpen { beginMessage("assistant") }
                isOpen = true
                writeOutput(part, from: bytes)
                continue
            case .media(let media):
                throw unsupported(media, "cannot stand in an assistant's turn for this model")
            case .toolCall, .thinking, .toolResult:
                if isOpen { endMessage() }
                isOpen = false
            }
            if case .thinking(let thinking) = part {
                writeThinking(thinking, from: bytes)
                continue
            }
            dropSummary()
            switch part {
            case .toolCall(let call): writeCall(call, from: bytes)
            case .toolResult(let result): try writeResult(result, from: bytes)
            case .text, .refusal, .media, .thinking: break
            }
        }
        if isOpen { endMessage() }
        dropSummary()
    }

    private mutating func beginMessage(_ role: String) {
        writer.beginObject()
        writer.member("type", "message")
        writer.member("role", role)
        writer.name("content")
        writer.beginArray()
    }

    private mutating func endMessage() {
        writer.endArray()
        writer.endObject()
    }

    private mutating func writeOutput(_ part: Part, from bytes: Span<UInt8>) {
        writer.beginObject()
        if case .text(let block) = part {
            writer.member("type", "output_text")
            writer.name("text")
            writer.value(block.text, from: bytes)
            note(block.cache)
        } else if case .refusal(let text) = part {
            writer.member("type", "refusal")
            writer.name("refusal")
            writer.value(text, from: bytes)
        }
        writer.endObject()
    }

    private mutating func writeInput(
        _ part: Part,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch part {
        case .text(let block):
            writer.beginObject()
            writer.member("type", "input_text")
            writer.name("text")
            writer.value(block.text, from: bytes)
            writer.endObject()
            note(block.cache)
        case .media(let media):
            note(media.cache)
            try writeMedia(media, from: bytes)
        case .toolCall, .toolResult, .thinking, .refusal:
            throw ConversionError(.invalid, .whole, "has a part where only text and media can be")
        }
    }

    /// Notes that a cache mark is left out.
    private mutating func note(_ cache: JSONFragment?) {
        if cache != nil { omissions.add(.cacheControl, of: conversation.format) }
    }

    // MARK: Calls

    private mutating func writeCall(_ call: ToolCall, from bytes: Span<UInt8>) {
        note(call.cache)
        writer.beginObject()
        writer.member("type", "function_call")
        writer.name("call_id")
        if let id = call.id {
            writer.value(id, from: bytes)
        } else {
            writer.value(named.add(call.name))
        }
        writer.name("name")
        writer.value(call.name, from: bytes)
        writer.name("arguments")
        let scratch = scratch
        writer.string { scratch.appendText(call.input, from: bytes, to: $0) }
        writer.endObject()
    }

    private mutating func writeResult(
        _ result: ToolResult,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        note(result.cache)
        writer.beginObject()
        writer.member("type", "function_call_output")
        writer.name("call_id")
        if let id = result.callID {
            writer.value(id, from: bytes)
        } else if let id = named.take(result.name, from: bytes) {
            writer.value(id)
        } else {
            throw .unsupported(result.name, "is a result without a call before it")
        }
        writer.name("output")
        try writeContent(of: result, from: bytes)
        writer.endObject()
    }

    /// A text alone stands as a string, which every server of this interface takes.
    private mutating func writeContent(
        of result: ToolResult,
        from bytes: Span<UInt8>
    ) throws(ConversionError) {
        // There is no place for the fact that a tool failed, but the model has to know.
        let failure: StaticString = result.isError ? "Error: " : ""
        if let value = result.value {
            writer.string {
                $0.append(failure)
                value.appendEscaped(from: bytes, to: $0)
            }
            return
        }
        if result.content.isEmpty {
            writer.string { $0.append(failure) }
            return
        }
        if result.content.count == 1, case .text(let block) = result.content[0] {
            note(block.cache)
            writer.string {
                $0.append(failure)
                block.text.append(from: bytes, to: $0)
            }
            return
        }
        writer.beginArray()
        if result.isError {
            writer.raw(#"{"type":"input_text","text":"Error: "}"#)
        }
        for part in result.content { try writeInput(part, from: bytes) }
        writer.endArray()
    }

    // MARK: Thoughts

    /// Only OpenAI's own thoughts can be given back to it; their summary stands before them.
    private mutating func writeThinking(_ thinking: Thinking, from bytes: Span<UInt8>) {
        guard let encrypted = thinking.encrypted,
            ThoughtMark.find(encrypted, in: bytes) == .openAI
        else {
            dropSummary()
            if let text = thinking.text, thinking.signature == nil, thinking.encrypted == nil {
                summary = text
            } else {
                omissions.add(.thinkingHistory, of: conversation.format)
            }
            return
        }
        let text = thinking.text ?? summary
        summary = nil
        writer.beginObject()
        writer.member("type", "reasoning")
        writer.name("summary")
        writer.beginArray()
        if let text, !text.isEmpty {
            writer.beginObject()
            writer.member("type", "summary_text")
            writer.name("text")
            writer.value(text, from: bytes)
            writer.endObject()
        }
        writer.endArray()
        writer.name("encrypted_content")
        writer.value(ThoughtMark.unmarked(encrypted), from: bytes)
        writer.endObject()
    }

    /// Thoughts that nothing of OpenAI's has followed are left out.
    private mutating func dropSummary() {
        if summary != nil { omissions.add(.thinkingHistory, of: conversation.format) }
        summary = nil
    }
}

/// Ids for calls of formats that have none, where only the name tells which call a result is of.
struct ResponsesCallNames {
    /// Most calls that wait for a result; the oldest are forgotten first.
    private static let waitingMax = 1024

    private var waiting: [(name: JSONText, id: String)] = []
    private var count = 0

    /// The id of the next call, of the tool `name`.
    mutating func add(_ name: JSONText) -> String {
        count += 1
        if waiting.count == Self.waitingMax { waiting.removeFirst() }
        waiting.append((name, "call_\(count)"))
        return "call_\(count)"
    }

    /// The id of the first call of `name` that has no result yet.
    mutating func take(_ name: JSONText?, from bytes: Span<UInt8>) -> String? {
        guard let name else { return nil }
        let wanted = name.value(from: bytes)
        let place = waiting.firstIndex { $0.name.value(from: bytes) == wanted }
        return place.map { waiting.remove(at: $0).id }
    }
}
