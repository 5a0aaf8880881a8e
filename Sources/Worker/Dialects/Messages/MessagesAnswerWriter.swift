// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a whole answer of Anthropic Messages.
enum MessagesAnswerWriter {
    static func write(
        _ answer: Answer,
        _ identity: AnswerIdentity,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("id", "msg_" + identity.unique)
        writer.member("type", "message")
        writer.member("role", "assistant")
        writer.member("model", identity.model)
        writer.name("content")
        writer.beginArray()
        var calls = 0
        for part in answer.parts {
            write(part, &calls, identity, bytes, scratch, to: &writer)
        }
        writer.endArray()
        writer.name("stop_reason")
        writer.string { $0.append(MessagesFinish.name(answer.finish, hasCalls: calls > 0)) }
        writer.name("stop_sequence")
        writeStopSequence(answer.stopSequence, bytes, to: &writer)
        writer.name("usage")
        MessagesUsage(answer.usage).write(to: &writer)
        writer.endObject()
    }

    static func writeStopSequence(
        _ text: JSONText?,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        if let text {
            writer.value(text, from: bytes)
        } else {
            writer.null()
        }
    }

    private static func write(
        _ part: Part,
        _ calls: inout Int,
        _ identity: AnswerIdentity,
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) {
        switch part {
        case .text(let block): writeText(block.text, bytes, to: &writer)
        case .refusal(let text): writeText(text, bytes, to: &writer)
        case .media(let media):
            writer.beginObject()
            writer.member("type", "text")
            writer.name("text")
            writer.string { appendNote(media, bytes, to: $0) }
            writer.endObject()
        case .thinking(let thinking): writeThinking(thinking, bytes, to: &writer)
        case .toolCall(let call):
            writer.beginObject()
            writer.member("type", "tool_use")
            writer.name("id")
            writer.string { appendCallID(call.id, calls, identity, bytes, to: $0) }
            writer.name("name")
            writer.value(call.name, from: bytes)
            writer.name("input")
            writer.document { scratch.appendObject(call.input, from: bytes, to: $0) }
            writer.endObject()
            calls += 1
        case .toolResult: break
        }
    }

    private static func writeText(
        _ text: JSONText,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard !text.isEmpty else { return }
        writer.beginObject()
        writer.member("type", "text")
        writer.name("text")
        writer.value(text, from: bytes)
        writer.endObject()
    }

    /// Thoughts without a signature have an empty one: the member has to be there, and who sends
    /// them back to this gateway finds them left out again.
    private static func writeThinking(
        _ thinking: Thinking,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        if let encrypted = thinking.encrypted, thinking.text == nil, thinking.signature == nil {
            writer.beginObject()
            writer.member("type", "redacted_thinking")
            writer.name("data")
            writer.value(encrypted, from: bytes)
            writer.endObject()
            return
        }
        guard thinking.text != nil || thinking.signature != nil else { return }
        writer.beginObject()
        writer.member("type", "thinking")
        writer.name("thinking")
        writer.value(thinking.text ?? .text(""), from: bytes)
        writer.name("signature")
        writer.value(thinking.signature ?? .text(""), from: bytes)
        writer.endObject()
    }

    /// Appends the upstream's id of a call, or one of ours, between the quotes of a string.
    static func appendCallID(
        _ id: JSONText?,
        _ number: Int,
        _ identity: AnswerIdentity,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        if let id, !id.isEmpty {
            id.append(from: bytes, to: out)
            return
        }
        out.append("toolu_")
        out.append(identity.unique)
        out.append(decimal: number)
    }

    /// Appends a text that stands for what an answer of Messages cannot carry.
    static func appendNote(_ media: Media, _ bytes: Span<UInt8>, to out: ByteBuffer) {
        switch media.kind {
        case .image: out.append("[image")
        case .document: out.append("[document")
        case .audio: out.append("[audio")
        }
        if let type = media.mediaType {
            out.append(": ")
            type.append(from: bytes, to: out)
        }
        if case .url(let url) = media.source {
            out.append(" ")
            url.append(from: bytes, to: out)
        }
        out.append("]")
    }
}
