// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a whole answer of OpenAI chat completions.
///
/// Spec: the chat completion object of OpenAI's API reference; thoughts stand in
/// `reasoning_content` and images in `images`, where many clients look for them.
enum ChatAnswerWriter {
    static func write(
        _ answer: Answer,
        _ identity: AnswerIdentity,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("id", "chatcmpl-" + identity.unique)
        writer.member("object", "chat.completion")
        writer.member("created", identity.created)
        writer.member("model", identity.model)
        writer.name("choices")
        writer.beginArray()
        writer.beginObject()
        writer.member("index", 0)
        writer.name("message")
        write(answer.parts, identity, bytes, scratch, to: &writer)
        writer.name("logprobs")
        writer.null()
        writer.name("finish_reason")
        writer.string { $0.append(ChatFinish.name(answer.finish)) }
        writer.endObject()
        writer.endArray()
        if let usage = answer.usage {
            writer.name("usage")
            ChatUsage.write(usage, to: &writer)
        }
        writer.endObject()
    }

    private static func write(
        _ parts: [Part],
        _ identity: AnswerIdentity,
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) {
        let found = Found(parts)
        writer.beginObject()
        writer.member("role", "assistant")
        writer.name("content")
        if found.hasText {
            writeJoined(parts, bytes, to: &writer) { part in
                if case .text(let block) = part { block.text } else { nil }
            }
        } else if found.hasCalls || found.hasRefusal {
            writer.null()
        } else {
            writer.value("")
        }
        writer.name("refusal")
        if found.hasRefusal {
            writeJoined(parts, bytes, to: &writer) { part in
                if case .refusal(let text) = part { text } else { nil }
            }
        } else {
            writer.null()
        }
        if found.hasThoughts {
            writer.name("reasoning_content")
            writeJoined(parts, bytes, to: &writer) { part in
                if case .thinking(let thinking) = part { thinking.text } else { nil }
            }
        }
        if found.hasMedia { writeImages(parts, bytes, to: &writer) }
        if found.hasCalls { writeCalls(parts, identity, bytes, scratch, to: &writer) }
        writer.endObject()
    }

    /// What kinds of parts there are.
    private struct Found {
        var hasText = false
        var hasRefusal = false
        var hasThoughts = false
        var hasMedia = false
        var hasCalls = false

        init(_ parts: [Part]) {
            for part in parts {
                switch part {
                case .text: hasText = true
                case .refusal: hasRefusal = true
                case .thinking(let thinking): hasThoughts = hasThoughts || thinking.text != nil
                case .media: hasMedia = true
                case .toolCall: hasCalls = true
                case .toolResult: break
                }
            }
        }
    }

    /// Writes the texts that `pick` finds as one string.
    private static func writeJoined(
        _ parts: [Part],
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter,
        _ pick: (Part) -> JSONText?
    ) {
        writer.string { out in
            for part in parts { pick(part)?.append(from: bytes, to: out) }
        }
    }

    private static func writeImages(
        _ parts: [Part],
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        writer.name("images")
        writer.beginArray()
        for case .media(let media) in parts { ChatImage.write(media, bytes, to: &writer) }
        writer.endArray()
    }

    private static func writeCalls(
        _ parts: [Part],
        _ identity: AnswerIdentity,
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) {
        writer.name("tool_calls")
        writer.beginArray()
        var index = 0
        for case .toolCall(let call) in parts {
            writer.beginObject()
            writer.name("id")
            if let id = call.id {
                writer.value(id, from: bytes)
            } else {
                writer.value("call_\(identity.unique)\(index)")
            }
            writer.member("type", "function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(call.name, from: bytes)
            writer.name("arguments")
            writer.string { call.input.appendArguments(from: bytes, scratch, to: $0) }
            writer.endObject()
            if let signature = call.signature {
                ChatSignature.write(signature, from: bytes, to: &writer)
            }
            writer.endObject()
            index += 1
        }
        writer.endArray()
    }
}

/// An image of an answer as OpenRouter has it, for OpenAI has none.
enum ChatImage {
    static func write(_ media: Media, _ bytes: Span<UInt8>, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("type", "image_url")
        writer.name("image_url")
        writer.beginObject()
        writer.name("url")
        switch media.source {
        case .base64(let data):
            let type = media.mediaType ?? .text("image/png")
            writer.string { out in
                out.append("data:" as StaticString)
                type.append(from: bytes, to: out)
                out.append(";base64," as StaticString)
                data.append(from: bytes, to: out)
            }
        case .url(let url), .file(let url), .plain(let url):
            writer.value(url, from: bytes)
        }
        writer.endObject()
        writer.endObject()
    }
}

extension ToolInput {
    /// Appends the input as the content of OpenAI's `arguments`; clients cannot parse an empty one.
    func appendArguments(
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        if case .text(let text) = self, text.isEmpty {
            out.append("{}" as StaticString)
        } else {
            scratch.appendText(self, from: bytes, to: out)
        }
    }
}
