// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Metrics

/// How the chunks of a Gemini stream stand behind each other.
package enum GeminiFraming: Sendable {
    /// Server-sent events, what `alt=sse` asks for.
    case events
    /// One JSON array, what Google sends without it.
    case array
}

/// Writes the events of a stream of Gemini's generateContent.
///
/// Each piece of content is a chunk. Calls are whole, so their inputs wait until they end; what
/// finishes the answer waits for the usage, which stands in the same chunk.
struct GeminiStreamWriter {
    /// Bytes of inputs that may wait; a call beyond it is no call that a client could make.
    private static let callBytesMax = 16 << 20

    private enum State {
        case idle, open, ended
    }

    private struct Call {
        let index: Int
        let id: String?
        let name: String
        let signature: String?
        let input = ByteBuffer()
        var hasEnded = false
    }

    private let identity: AnswerIdentity
    private let framing: GeminiFraming
    private var state = State.idle
    /// Calls that are not written, in the order of their beginning.
    private var calls: [Call] = []
    private var callBytes = 0
    private var usage: TokenUsage?
    private var finish: FinishReason?

    init(_ identity: AnswerIdentity, framing: GeminiFraming = .events) {
        self.identity = identity
        self.framing = framing
    }

    mutating func write(
        _ event: StreamEvent,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        guard state != .ended else { return }
        switch event {
        case .start, .encryptedThinking, .error: break
        case .text(let text), .refusal(let text):
            writePart(to: out) {
                GeminiPartWriter.writeText(text, from: bytes, to: &$0)
            }
        case .thinking(let text):
            writePart(to: out) {
                GeminiPartWriter.writeText(text, isThought: true, from: bytes, to: &$0)
            }
        case .signature(let text):
            guard GeminiSignature.usable(text, bytes) != nil else { return }
            writePart(to: out) {
                GeminiPartWriter.writeText(
                    .text(""),
                    isThought: true,
                    signature: text,
                    from: bytes,
                    to: &$0
                )
            }
        case .media(let media):
            writePart(to: out) { GeminiPartWriter.writeMedia(media, from: bytes, to: &$0) }
        case .callStart(let index, let id, let name, let signature):
            calls.append(
                Call(
                    index: index,
                    id: id?.value(from: bytes),
                    name: name.value(from: bytes),
                    signature: GeminiSignature.usable(signature, bytes)?.value(from: bytes)
                )
            )
        case .callInput(let index, let text):
            guard let call = calls.last(where: { $0.index == index }) else { return }
            let before = call.input.count
            text.appendValue(from: bytes, to: call.input)
            count(call.input.count - before, to: out)
        case .callObject(let index, let fragment):
            guard let call = calls.last(where: { $0.index == index }) else { return }
            call.input.clear()
            fragment.append(from: bytes, to: call.input)
            count(call.input.count, to: out)
        case .callEnd(let index):
            guard let place = calls.lastIndex(where: { $0.index == index }) else { return }
            calls[place].hasEnded = true
            writeCalls(all: false, scratch, to: out)
        case .usage(let counts): take(counts)
        case .finish(let reason, _): finish = reason
        case .end:
            writeCalls(all: true, scratch, to: out)
            writeEnd(to: out)
        }
    }

    /// Ends the stream with an error.
    mutating func fail(_ error: APIError, to out: ByteBuffer) {
        guard state != .ended else { return }
        begin(to: out)
        error.append(as: .gemini, to: out)
        end(to: out)
        if framing == .array { out.append("\n]") }
        state = .ended
    }

    // MARK: Chunks

    private mutating func begin(to out: ByteBuffer) {
        switch framing {
        case .events: out.append("data: ")
        case .array: out.append(state == .idle ? "[" : ",\n")
        }
        state = .open
    }

    private func end(to out: ByteBuffer) {
        if framing == .events { out.append("\n\n") }
    }

    /// Writes a chunk with one part.
    private mutating func writePart(to out: ByteBuffer, _ fill: (inout JSONWriter) -> Void) {
        writeChunk(nil, to: out, fill)
    }

    private mutating func writeChunk(
        _ finish: FinishReason?,
        to out: ByteBuffer,
        _ fill: (inout JSONWriter) -> Void
    ) {
        begin(to: out)
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.name("candidates")
        writer.beginArray()
        writer.beginObject()
        writer.name("content")
        writer.beginObject()
        writer.name("parts")
        writer.beginArray()
        fill(&writer)
        writer.endArray()
        writer.member("role", "model")
        writer.endObject()
        if let finish {
            writer.name("finishReason")
            writer.value(GeminiFinish.name(finish).description)
        }
        writer.member("index", 0)
        writer.endObject()
        writer.endArray()
        if finish != nil, let usage {
            writer.name("usageMetadata")
            GeminiUsage.write(usage, to: &writer)
        }
        writer.member("modelVersion", identity.model)
        writer.member("responseId", identity.unique)
        writer.endObject()
        end(to: out)
    }

    private mutating func writeEnd(to out: ByteBuffer) {
        writeChunk(finish ?? .stop, to: out) {
            GeminiPartWriter.writeText(.text(""), from: Span(), to: &$0)
        }
        if framing == .array { out.append("\n]") }
        state = .ended
    }

    /// Writes the calls that have ended, up to the first one that has not, in their order.
    private mutating func writeCalls(
        all: Bool,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        while let call = calls.first, all || call.hasEnded {
            calls.removeFirst()
            callBytes -= call.input.count
            writePart(to: out) { writer in
                writer.beginObject()
                writer.name("functionCall")
                writer.beginObject()
                if let id = call.id { writer.member("id", id) }
                writer.member("name", call.name)
                writer.name("args")
                call.input.withBytes { input in
                    if scratch.isObject(input) { writer.raw(input) } else { writer.raw("{}") }
                }
                writer.endObject()
                if let signature = call.signature { writer.member("thoughtSignature", signature) }
                writer.endObject()
            }
        }
    }

    /// Counts bytes that wait, and gives up where there are too many.
    private mutating func count(_ bytes: Int, to out: ByteBuffer) {
        callBytes += bytes
        guard callBytes > Self.callBytesMax else { return }
        fail(
            APIError(
                502,
                .upstream,
                "upstream_invalid_response",
                "The input of a tool call is larger than \(Self.callBytesMax >> 20) MiB."
            ),
            to: out
        )
    }

    private mutating func take(_ counts: TokenUsage) {
        guard let known = usage else {
            usage = counts
            return
        }
        usage = TokenUsage(
            input: counts.input > 0 ? counts.input : known.input,
            output: counts.output > 0 ? counts.output : known.output,
            cached: counts.cached > 0 ? counts.cached : known.cached,
            reasoning: counts.reasoning > 0 ? counts.reasoning : known.reasoning,
            cacheWrite: counts.cacheWrite > 0 ? counts.cacheWrite : known.cacheWrite
        )
    }
}
