// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a whole answer of Gemini's generateContent.
enum GeminiAnswerWriter {
    static func write(
        _ answer: Answer,
        _ identity: AnswerIdentity,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.name("candidates")
        writer.beginArray()
        writer.beginObject()
        writer.name("content")
        writer.beginObject()
        writer.name("parts")
        writer.beginArray()
        for (index, part) in answer.parts.enumerated() {
            let next = index + 1 < answer.parts.count ? answer.parts[index + 1] : nil
            let previous = index > 0 ? answer.parts[index - 1] : nil
            write(part, after: previous, before: next, from: bytes, scratch, to: &writer)
        }
        writer.endArray()
        writer.member("role", "model")
        writer.endObject()
        writer.name("finishReason")
        writer.value(GeminiFinish.name(answer.finish).description)
        writer.member("index", 0)
        writer.endObject()
        writer.endArray()
        if let usage = answer.usage {
            writer.name("usageMetadata")
            GeminiUsage.write(usage, to: &writer)
        }
        writer.member("modelVersion", identity.model)
        writer.member("responseId", identity.unique)
        writer.endObject()
    }

    private static func write(
        _ part: Part,
        after previous: Part?,
        before next: Part?,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) {
        switch part {
        case .text(let block):
            // A signature without thoughts of its own is that of the text before it.
            var signature: JSONText?
            if case .thinking(let thinking)? = next, thinking.text == nil {
                signature = thinking.signature
            }
            GeminiPartWriter.writeText(block.text, signature: signature, from: bytes, to: &writer)
        case .refusal(let text):
            GeminiPartWriter.writeText(text, from: bytes, to: &writer)
        case .thinking(let thinking):
            if thinking.text == nil {
                if case .text? = previous { return }
                guard thinking.signature != nil else { return }
            }
            GeminiPartWriter.writeText(
                thinking.text ?? .text(""),
                isThought: thinking.text != nil,
                signature: thinking.signature,
                from: bytes,
                to: &writer
            )
        case .media(let media):
            GeminiPartWriter.writeMedia(media, from: bytes, to: &writer)
        case .toolCall(let call):
            writer.beginObject()
            writer.name("functionCall")
            writer.beginObject()
            if let id = call.id {
                writer.name("id")
                writer.value(id, from: bytes)
            }
            writer.name("name")
            writer.value(call.name, from: bytes)
            writer.name("args")
            // Nothing, so that the writer knows of the value that follows.
            writer.raw(Span())
            scratch.appendObject(call.input, from: bytes, to: writer.buffer)
            writer.endObject()
            GeminiPartWriter.writeSignature(call.signature, from: bytes, to: &writer)
            writer.endObject()
        case .toolResult: break
        }
    }
}
