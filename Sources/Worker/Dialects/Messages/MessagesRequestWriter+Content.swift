// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Turns and their blocks.
extension MessagesRequestWriter {
    mutating func writeMessages(_ bytes: Span<UInt8>) throws(ConversionError) {
        writer.name("messages")
        writer.beginArray()
        var role: Message.Role?
        var start = 0
        while let run = turns.nextRun(from: start, bytes) {
            let isLast = turns.nextRun(from: run.upperBound, bytes) == nil
            let runRole = conversation.messages[run.lowerBound].role
            switch runRole {
            case .user: try writeUser(run, bytes)
            case .assistant:
                if role == nil { writeUserTurn(Self.firstTurn) }
                try writeAssistant(run, isLast, bytes)
            }
            role = runRole
            start = run.upperBound
        }
        if role == nil { writeUserTurn(Self.firstTurn) }
        writer.endArray()
    }

    private mutating func beginTurn(_ role: StaticString) {
        writer.beginObject()
        writer.name("role")
        writer.string { $0.append(role) }
        writer.name("content")
        writer.beginArray()
    }

    private mutating func endTurn() {
        writer.endArray()
        writer.endObject()
    }

    private mutating func writeUserTurn(_ text: String) {
        beginTurn("user")
        writeText(TextBlock(.text(text)), Span())
        endTurn()
    }

    private mutating func writeUser(
        _ run: Range<Int>,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        beginTurn("user")
        // Claude wants the results before anything else of the turn that follows a call.
        for index in run {
            for part in conversation.messages[index].parts {
                if case .toolResult(let result) = part { try writeToolResult(result, bytes) }
            }
        }
        for index in run {
            for part in conversation.messages[index].parts {
                if case .toolResult = part { continue }
                try writePart(part, bytes)
            }
        }
        endTurn()
    }

    private mutating func writeAssistant(
        _ run: Range<Int>,
        _ isLast: Bool,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let isPrefill = isLast && !turns.endsInCall(run)
        let takesPrefill = plan.rules.takesPrefill && !reasoning.mode.isOn
        let last = isPrefill && takesPrefill ? turns.lastText(run, bytes) : nil
        beginTurn("assistant")
        for index in run {
            let parts = conversation.messages[index].parts
            for position in parts.indices {
                if let last, last.message == index, last.part == position,
                    case .text(var block) = parts[position]
                {
                    block.text = MessagesText.trimmed(block.text, bytes)
                    writeText(block, bytes)
                } else {
                    try writePart(parts[position], bytes)
                }
            }
        }
        endTurn()
        if isPrefill, !takesPrefill {
            omit(.prefill)
            writeUserTurn(Self.nextTurn)
        }
    }

    private mutating func writePart(
        _ part: Part,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch part {
        case .text(let block):
            if !MessagesText.isBlank(block.text, bytes) { writeText(block, bytes) }
        case .refusal(let text):
            if !MessagesText.isBlank(text, bytes) { writeText(TextBlock(text), bytes) }
        case .media(let media): try writeMedia(media, bytes)
        case .toolCall(let call): writeToolCall(call, bytes)
        case .toolResult(let result): try writeToolResult(result, bytes)
        case .thinking(let thinking): writeThinking(thinking, bytes)
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

    private mutating func writeThinking(_ thinking: Thinking, _ bytes: Span<UInt8>) {
        guard turns.keeps(thinking, bytes) else {
            omit(.thinkingHistory)
            return
        }
        writer.beginObject()
        if let signature = thinking.signature {
            writer.member("type", "thinking")
            writer.name("thinking")
            writer.value(thinking.text ?? .text(""), from: bytes)
            writer.name("signature")
            writer.value(signature, from: bytes)
        } else if let encrypted = thinking.encrypted {
            writer.member("type", "redacted_thinking")
            writer.name("data")
            writer.value(encrypted, from: bytes)
        }
        writer.endObject()
    }

    private mutating func writeToolCall(_ call: ToolCall, _ bytes: Span<UInt8>) {
        writer.beginObject()
        writer.member("type", "tool_use")
        writer.name("id")
        if let id = call.id {
            writer.string { MessagesText.appendID(id, bytes, to: $0) }
        } else {
            writer.value("toolu_\(callIDs.begin(call.name))")
        }
        writer.name("name")
        writer.value(call.name, from: bytes)
        writer.name("input")
        let scratch = scratch
        writer.document { scratch.appendObject(call.input, from: bytes, to: $0) }
        writeCache(call.cache, bytes)
        writer.endObject()
    }

    private mutating func writeToolResult(
        _ result: ToolResult,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        writer.beginObject()
        writer.member("type", "tool_result")
        writer.name("tool_use_id")
        if let id = result.callID {
            writer.string { MessagesText.appendID(id, bytes, to: $0) }
        } else {
            writer.value("toolu_\(callIDs.answer(result.name, bytes))")
        }
        if let value = result.value {
            writer.name("content")
            writer.beginArray()
            writer.beginObject()
            writer.member("type", "text")
            writer.name("text")
            writer.string { value.appendEscaped(from: bytes, to: $0) }
            writer.endObject()
            writer.endArray()
        } else if result.content.contains(where: { turns.says($0, bytes) }) {
            writer.name("content")
            writer.beginArray()
            for part in result.content { try writePart(part, bytes) }
            writer.endArray()
        }
        if result.isError { writer.member("is_error", true) }
        writeCache(result.cache, bytes)
        writer.endObject()
    }
}
