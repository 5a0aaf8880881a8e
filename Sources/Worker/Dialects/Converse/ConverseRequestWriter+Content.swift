// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Turns and their blocks.
extension ConverseRequestWriter {
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
                if role == nil { writeUserTurn(MessagesRequestWriter.firstTurn) }
                try writeAssistant(run, isLast, bytes)
            }
            role = runRole
            start = run.upperBound
        }
        if role == nil { writeUserTurn(MessagesRequestWriter.firstTurn) }
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
        writeText(.text(text), Span())
        endTurn()
    }

    private mutating func writeUser(
        _ run: Range<Int>,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        beginTurn("user")
        var hasText = false
        var hasDocument = false
        for index in run {
            for part in conversation.messages[index].parts {
                if case .toolResult(let result) = part { try writeToolResult(result, bytes) }
            }
        }
        for index in run {
            for part in conversation.messages[index].parts {
                switch part {
                case .toolResult: continue
                case .text: hasText = hasText || turns.says(part, bytes)
                case .media(let media): hasDocument = hasDocument || media.kind == .document
                case .toolCall, .thinking, .refusal: break
                }
                try writePart(part, bytes)
            }
        }
        // Bedrock refuses a document that no text goes with.
        if hasDocument, !hasText { writeText(.text(MessagesRequestWriter.firstTurn), Span()) }
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
                    case .text(let block) = parts[position]
                {
                    writeText(MessagesText.trimmed(block.text, bytes), bytes)
                    writeCachePoint(block.cache, bytes)
                } else {
                    try writePart(parts[position], bytes)
                }
            }
        }
        endTurn()
        if isPrefill, !takesPrefill {
            omit(.prefill)
            writeUserTurn(MessagesRequestWriter.nextTurn)
        }
    }

    private mutating func writePart(
        _ part: Part,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch part {
        case .text(let block):
            guard turns.says(part, bytes) else { return }
            writeText(block.text, bytes)
            writeCachePoint(block.cache, bytes)
        case .refusal(let text):
            if turns.says(part, bytes) { writeText(text, bytes) }
        case .media(let media):
            try writeMedia(media, bytes)
            writeCachePoint(media.cache, bytes)
        case .toolCall(let call):
            writeToolCall(call, bytes)
            writeCachePoint(call.cache, bytes)
        case .toolResult(let result): try writeToolResult(result, bytes)
        case .thinking(let thinking): writeThoughts(thinking, bytes)
        }
    }

    private mutating func writeThoughts(_ thinking: Thinking, _ bytes: Span<UInt8>) {
        guard turns.keeps(thinking, bytes) else {
            omit(.thinkingHistory)
            return
        }
        writer.beginObject()
        writer.name("reasoningContent")
        writer.beginObject()
        if let signature = thinking.signature {
            writer.name("reasoningText")
            writer.beginObject()
            writer.name("text")
            writer.value(thinking.text ?? .text(""), from: bytes)
            writer.name("signature")
            writer.value(signature, from: bytes)
            writer.endObject()
        } else if let encrypted = thinking.encrypted {
            writer.name("redactedContent")
            writer.value(encrypted, from: bytes)
        }
        writer.endObject()
        writer.endObject()
    }

    // MARK: Calls

    private mutating func writeToolCall(_ call: ToolCall, _ bytes: Span<UInt8>) {
        writer.beginObject()
        writer.name("toolUse")
        writer.beginObject()
        writer.name("toolUseId")
        if let id = call.id {
            writeID(id, bytes)
        } else {
            writer.value("tooluse_\(callIDs.begin(call.name))")
        }
        writer.name("name")
        writeID(call.name, bytes)
        writer.name("input")
        let scratch = scratch
        writer.document { scratch.appendObject(call.input, from: bytes, to: $0) }
        writer.endObject()
        writer.endObject()
    }

    /// Writes an id or a name of the characters that Bedrock takes, no longer than it takes.
    ///
    /// What is too long ends in a hash, because ids may differ at their ends only.
    private mutating func writeID(_ id: JSONText, _ bytes: Span<UInt8>) {
        writer.string { out in
            let start = out.count
            MessagesText.appendID(id, bytes, to: out)
            guard out.count - start > ModelRules.converseNameBytesMax else { return }
            let hash = out.withBytes { Self.hash($0.extracting(start..<$0.count)) }
            out.truncate(to: start + ModelRules.converseNameBytesMax - Self.hashBytesMax - 1)
            out.append(UInt8(ascii: "_"))
            out.append(hexadecimal: UInt(hash))
        }
    }

    /// Digits of a hash.
    private static let hashBytesMax = 16

    /// FNV-1a.
    private static func hash(_ text: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in text.indices { hash = (hash ^ UInt64(text[index])) &* 0x100_0000_01b3 }
        return hash
    }

    private mutating func writeToolResult(
        _ result: ToolResult,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        writer.beginObject()
        writer.name("toolResult")
        writer.beginObject()
        writer.name("toolUseId")
        if let id = result.callID {
            writeID(id, bytes)
        } else {
            writer.value("tooluse_\(callIDs.answer(result.name, bytes))")
        }
        writer.name("content")
        writer.beginArray()
        var isEmpty = true
        if let value = result.value {
            isEmpty = false
            writer.beginObject()
            writer.name("json")
            writer.value(value, from: bytes)
            writer.endObject()
        }
        for part in result.content where turns.says(part, bytes) {
            isEmpty = false
            switch part {
            case .text(let block): writeText(block.text, bytes)
            case .media(let media): try writeMedia(media, bytes)
            case .toolCall, .toolResult, .thinking, .refusal: break
            }
        }
        // Bedrock refuses an empty list and a blank text.
        if isEmpty { writer.raw("{\"json\":{}}") }
        writer.endArray()
        writer.member("status", result.isError ? "error" : "success")
        writer.endObject()
        writer.endObject()
        // A mark cannot stand inside of a result.
        writeCachePoint(result.cache ?? innerMark(result), bytes)
    }

    private func innerMark(_ result: ToolResult) -> JSONFragment? {
        for part in result.content {
            if case .text(let block) = part, let cache = block.cache { return cache }
            if case .media(let media) = part, let cache = media.cache { return cache }
        }
        return nil
    }
}
