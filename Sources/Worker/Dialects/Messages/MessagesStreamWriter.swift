// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Metrics

/// Writes the events of a stream of Anthropic Messages.
///
/// `message_start` waits for the first content, so that it has the counts of an upstream that
/// tells them early. One block is open at a time: calls that mix with the open one wait for its
/// end.
struct MessagesStreamWriter {
    enum Block: Equatable {
        case none
        case text
        case thinking(isSigned: Bool)
        case call(Int)
    }

    /// A call whose block cannot be open yet.
    struct WaitingCall {
        let index: Int
        /// The members `id` and `name` of its block, as JSON.
        let head: ByteBuffer
        /// Its input so far, as the content of a string.
        let input = ByteBuffer()
        var hasEnded = false
    }

    /// Bytes of inputs that wait: as many as one event of a stream may have.
    static let waitingBytesMax = 4 << 20

    let identity: AnswerIdentity
    var hasStarted = false
    var hasEnded = false
    var block = Block.none
    /// Number of blocks that were opened.
    var blocks = 0
    var calls = 0
    var waiting: [WaitingCall] = []
    var waitingBytes = 0
    var usage: TokenUsage?
    var finish = FinishReason.stop
    /// The stop text, kept beyond its event; nil for none.
    var stopSequence: ByteBuffer?

    init(_ identity: AnswerIdentity) {
        self.identity = identity
    }

    mutating func write(
        _ event: StreamEvent,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        guard !hasEnded else { return }
        switch event {
        case .start: break
        case .text(let text), .refusal(let text): writeText(text, bytes, to: out)
        case .thinking(let text): writeThinking(text, bytes, to: out)
        case .signature(let text): writeSignature(text, bytes, to: out)
        case .encryptedThinking(let data): writeEncrypted(data, bytes, to: out)
        case .callStart(let index, let id, let name, _):
            startCall(index, id, name, bytes, to: out)
        case .callInput(let index, let piece):
            writeInput(index, to: out) { piece.append(from: bytes, to: $0) }
        case .callObject(let index, let object):
            writeInput(index, to: out) { object.appendEscaped(from: bytes, to: $0) }
        case .callEnd(let index): endCall(index, to: out)
        case .media(let media):
            openText(to: out)
            appendDelta("text_delta", "text", to: out) {
                MessagesAnswerWriter.appendNote(media, bytes, to: $0)
            }
        case .usage(let usage): self.usage = usage
        case .finish(let reason, let stop):
            finish = reason
            if let stop {
                let buffer = ByteBuffer()
                stop.append(from: bytes, to: buffer)
                stopSequence = buffer
            }
        case .end: end(to: out)
        // Whoever relays the stream decides what its client is told, and calls `fail`.
        case .error: break
        }
    }

    /// Ends the stream with an error.
    mutating func fail(_ error: APIError, to out: ByteBuffer) {
        guard !hasEnded else { return }
        hasEnded = true
        out.append("event: error\ndata: ")
        error.append(as: .anthropic, to: out)
        out.append("\n\n")
    }

    // MARK: Begin and end

    mutating func start(to out: ByteBuffer) {
        guard !hasStarted else { return }
        hasStarted = true
        out.append("event: message_start\ndata: {\"type\":\"message_start\",\"message\":")
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("id", "msg_" + identity.unique)
        writer.member("type", "message")
        writer.member("role", "assistant")
        writer.member("model", identity.model)
        writer.name("content")
        writer.raw("[]")
        writer.name("stop_reason")
        writer.null()
        writer.name("stop_sequence")
        writer.null()
        writer.name("usage")
        MessagesUsage(usage).write(to: &writer)
        writer.endObject()
        out.append("}\n\n")
    }

    private mutating func end(to out: ByteBuffer) {
        finishCalls(to: out)
        closeBlock(to: out)
        start(to: out)
        guard !hasEnded else { return }
        hasEnded = true
        out.append("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":")
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.name("stop_reason")
        writer.string { $0.append(MessagesFinish.name(finish, hasCalls: calls > 0)) }
        writer.name("stop_sequence")
        if let stopSequence {
            writer.string { $0.append(stopSequence) }
        } else {
            writer.null()
        }
        writer.endObject()
        out.append(",\"usage\":")
        writer = JSONWriter(out)
        MessagesUsage(usage).write(to: &writer)
        out.append("}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
    }
}
