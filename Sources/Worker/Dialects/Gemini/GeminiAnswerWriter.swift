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
        for part in answer.parts { write(part, from: bytes, scratch, to: &writer) }
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
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) {
        switch part {
        case .text(let block):
            GeminiPartWriter.writeText(block.text, from: bytes, to: &writer)
        case .refusal(let text):
            GeminiPartWriter.writeText(text, from: bytes, to: &writer)
        case .thinking(let thinking):
            // Encrypted thoughts have no place.
            guard thinking.text != nil || thinking.signature != nil else { return }
            GeminiPartWriter.writeText(
                thinking.text ?? .text(""),
                isThought: true,
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
