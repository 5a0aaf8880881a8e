// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Metrics

/// Writes the events of a stream of OpenAI chat completions.
///
/// Spec: the chat completion chunk object of OpenAI's API reference. Only `data:` lines: official
/// clients break on events with other fields and no data.
struct ChatStreamWriter {
    private enum State {
        case waiting
        /// The chunk with the role has been written.
        case open
        /// The chunk with the finish reason has been written.
        case finished
        /// The terminal event has been written.
        case over
    }

    private var state = State.waiting
    private let wantsUsage: Bool
    private var usage: TokenUsage?
    /// What stands in each chunk before its `choices`.
    private let head = ByteBuffer()
    private let unique: String
    /// Per call, whether a piece of its input has come.
    private var hasInput: [Bool] = []

    init(_ identity: AnswerIdentity, wantsUsage: Bool) {
        self.wantsUsage = wantsUsage
        unique = identity.unique
        head.append("data: {\"id\":\"chatcmpl-" as StaticString)
        head.append(identity.unique)
        head.append("\",\"object\":\"chat.completion.chunk\",\"created\":" as StaticString)
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
        switch state {
        case .waiting, .open: break
        case .finished:
            // Only the usage and the end come behind the finish reason.
            switch event {
            case .usage(let counts): usage = counts
            case .end: end(to: out)
            case .start, .text, .thinking, .signature, .encryptedThinking, .refusal, .callStart,
                .callInput, .callObject, .callEnd, .media, .finish, .error:
                break
            }
            return
        case .over: return
        }
        switch event {
        case .start: open(to: out)
        case .text(let text): write("\"content\":\"", text, bytes, to: out)
        case .thinking(let text): write("\"reasoning_content\":\"", text, bytes, to: out)
        case .refusal(let text): write("\"refusal\":\"", text, bytes, to: out)
        // Chat completions have no place for proofs of thoughts.
        case .signature, .encryptedThinking: break
        case .callStart(let index, let id, let name, let signature):
            begin(call: index, id, name, signature, bytes, to: out)
        case .callInput(let index, let text):
            guard !text.isEmpty else { break }
            writeInput(index, to: out) { text.append(from: bytes, to: $0) }
        case .callObject(let index, let object):
            writeInput(index, to: out) { object.appendEscaped(from: bytes, to: $0) }
        case .callEnd(let index): complete(call: index, to: out)
        case .media(let media): write(media, bytes, to: out)
        case .usage(let counts): usage = counts
        case .finish(let reason, _): finish(reason, to: out)
        case .end:
            finish(hasInput.isEmpty ? .stop : .toolCalls, to: out)
            end(to: out)
        // Whoever drives the stream decides what the client is told, and calls `fail`.
        case .error: break
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

    // MARK: Chunks

    private mutating func open(to out: ByteBuffer) {
        guard state == .waiting else { return }
        state = .open
        beginChunk(to: out)
        out.append("\"role\":\"assistant\",\"content\":\"\"" as StaticString)
        endChunk(to: out)
    }

    private func beginChunk(to out: ByteBuffer) {
        out.append(head)
        out.append("{\"index\":0,\"delta\":{" as StaticString)
    }

    private func endChunk(to out: ByteBuffer) {
        // With usage asked for, OpenAI has the member in every chunk.
        if wantsUsage {
            out.append("},\"finish_reason\":null}],\"usage\":null}\n\n" as StaticString)
        } else {
            out.append("},\"finish_reason\":null}]}\n\n" as StaticString)
        }
    }

    /// A delta with one string, whose name and opening quote are in `name`.
    private mutating func write(
        _ name: StaticString,
        _ text: JSONText,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        open(to: out)
        beginChunk(to: out)
        out.append(name)
        text.append(from: bytes, to: out)
        out.append(UInt8(ascii: "\""))
        endChunk(to: out)
    }

    private mutating func write(_ media: Media, _ bytes: Span<UInt8>, to out: ByteBuffer) {
        open(to: out)
        beginChunk(to: out)
        out.append("\"images\":[" as StaticString)
        var writer = JSONWriter(out)
        ChatImage.write(media, bytes, to: &writer)
        out.append(UInt8(ascii: "]"))
        endChunk(to: out)
    }

    // MARK: Calls

    private mutating func begin(
        call index: Int,
        _ id: JSONText?,
        _ name: JSONText,
        _ signature: JSONText?,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        open(to: out)
        while hasInput.count <= index { hasInput.append(false) }
        beginChunk(to: out)
        out.append("\"tool_calls\":[" as StaticString)
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("index", index)
        writer.name("id")
        if let id {
            writer.value(id, from: bytes)
        } else {
            writer.value("call_\(unique)\(index)")
        }
        writer.member("type", "function")
        writer.name("function")
        writer.beginObject()
        writer.name("name")
        writer.value(name, from: bytes)
        writer.member("arguments", "")
        writer.endObject()
        if let signature { ChatSignature.write(signature, from: bytes, to: &writer) }
        writer.endObject()
        out.append(UInt8(ascii: "]"))
        endChunk(to: out)
    }

    private mutating func writeInput(
        _ index: Int,
        to out: ByteBuffer,
        _ append: (ByteBuffer) -> Void
    ) {
        if index < hasInput.count { hasInput[index] = true }
        beginChunk(to: out)
        out.append("\"tool_calls\":[{\"index\":" as StaticString)
        out.append(decimal: index)
        out.append(",\"function\":{\"arguments\":\"" as StaticString)
        append(out)
        out.append("\"}}]" as StaticString)
        endChunk(to: out)
    }

    /// Gives a call without input an empty object: clients parse what they have put together.
    private mutating func complete(call index: Int, to out: ByteBuffer) {
        guard index < hasInput.count, !hasInput[index] else { return }
        writeInput(index, to: out) { $0.append("{}" as StaticString) }
    }

    // MARK: The end

    private mutating func finish(_ reason: FinishReason, to out: ByteBuffer) {
        open(to: out)
        for index in hasInput.indices { complete(call: index, to: out) }
        state = .finished
        beginChunk(to: out)
        out.append("},\"finish_reason\":\"" as StaticString)
        out.append(ChatFinish.name(reason))
        out.append((wantsUsage ? "\"}],\"usage\":null}\n\n" : "\"}]}\n\n") as StaticString)
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
