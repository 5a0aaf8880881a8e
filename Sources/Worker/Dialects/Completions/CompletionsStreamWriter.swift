// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Metrics

/// Writes the events of a stream of OpenAI's text completions.
///
/// Spec: the completion object of OpenAI's API reference, which streams in pieces of itself.
struct CompletionsStreamWriter {
    private enum State {
        case open
        /// The chunk with the finish reason has been written.
        case finished
        /// The terminal event has been written.
        case over
    }

    private var state = State.open
    private let wantsUsage: Bool
    private var usage: TokenUsage?
    /// What stands in each chunk before its `choices`.
    private let head = ByteBuffer()

    init(_ identity: AnswerIdentity, wantsUsage: Bool) {
        self.wantsUsage = wantsUsage
        head.append("data: {\"id\":\"cmpl-" as StaticString)
        head.append(identity.unique)
        head.append("\",\"object\":\"text_completion\",\"created\":" as StaticString)
        head.append(decimal: identity.created)
        head.append(",\"model\":" as StaticString)
        JSONWriter.appendQuoted(identity.model, to: head)
        head.append(",\"choices\":[" as StaticString)
    }

    mutating func write(
        _ event: StreamEvent,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        guard state != .over else { return }
        switch event {
        case .text(let text), .refusal(let text): write(text, bytes, to: out)
        case .usage(let counts): usage = counts
        case .finish(let reason, _): finish(reason, to: out)
        case .end:
            finish(.stop, to: out)
            end(to: out)
        // The format has no place for these; whoever drives the stream calls `fail`.
        case .start, .thinking, .signature, .encryptedThinking, .callStart, .callInput,
            .callObject, .callEnd, .media, .error:
            break
        }
    }

    /// Ends the stream with an error.
    mutating func fail(_ error: APIError, to out: ByteBuffer) {
        guard state != .over else { return }
        state = .over
        out.append("data: " as StaticString)
        error.append(as: .openAI, to: out)
        out.append("\n\n" as StaticString)
    }

    private func write(_ text: JSONText, _ bytes: Span<UInt8>, to out: ByteBuffer) {
        guard state == .open, !text.isEmpty else { return }
        out.append(head)
        out.append("{\"index\":0,\"text\":\"" as StaticString)
        text.append(from: bytes, to: out)
        out.append("\",\"logprobs\":null,\"finish_reason\":null}]" as StaticString)
        endChunk(to: out)
    }

    private func endChunk(to out: ByteBuffer) {
        out.append((wantsUsage ? ",\"usage\":null}\n\n" : "}\n\n") as StaticString)
    }

    private mutating func finish(_ reason: FinishReason, to out: ByteBuffer) {
        guard state == .open else { return }
        state = .finished
        out.append(head)
        out.append(
            "{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"" as StaticString
        )
        out.append(CompletionsAnswerWriter.finishName(reason))
        out.append("\"}]" as StaticString)
        endChunk(to: out)
    }

    private mutating func end(to out: ByteBuffer) {
        state = .over
        if wantsUsage, let usage {
            out.append(head)
            out.append("],\"usage\":" as StaticString)
            var writer = JSONWriter(out)
            ChatUsage.write(usage, to: &writer)
            out.append("}\n\n" as StaticString)
        }
        out.append("data: [DONE]\n\n" as StaticString)
    }
}
