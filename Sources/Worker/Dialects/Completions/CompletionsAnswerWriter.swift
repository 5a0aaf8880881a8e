// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a whole answer of OpenAI's text completions.
///
/// Spec: the completion object of OpenAI's API reference. It has text and nothing else: thoughts
/// stay behind, and calls cannot come, for the format has no tools.
enum CompletionsAnswerWriter {
    static func write(
        _ answer: Answer,
        _ identity: AnswerIdentity,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("id", "cmpl-" + identity.unique)
        writer.member("object", "text_completion")
        writer.member("created", identity.created)
        writer.member("model", identity.model)
        writer.name("choices")
        writer.beginArray()
        writer.beginObject()
        writer.member("index", 0)
        writer.name("text")
        writer.string { out in
            for part in answer.parts {
                switch part {
                case .text(let block): block.text.append(from: bytes, to: out)
                case .refusal(let text): text.append(from: bytes, to: out)
                case .media, .toolCall, .toolResult, .thinking: break
                }
            }
        }
        writer.name("logprobs")
        writer.null()
        writer.name("finish_reason")
        writer.string { $0.append(finishName(answer.finish)) }
        writer.endObject()
        writer.endArray()
        if let usage = answer.usage {
            writer.name("usage")
            ChatUsage.write(usage, to: &writer)
        }
        writer.endObject()
    }

    static func finishName(_ reason: FinishReason) -> StaticString {
        switch reason {
        case .stop, .stopSequence, .pause, .toolCalls: "stop"
        case .length: "length"
        case .contentFilter: "content_filter"
        }
    }
}
