// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// Writes the events of a client's stream, whatever its format.
package struct StreamWriter {
    private enum Kind {
        case chat(ChatStreamWriter)
        case completions(CompletionsStreamWriter)
        case responses(ResponsesStreamWriter)
        case messages(MessagesStreamWriter)
        case gemini(GeminiStreamWriter)
        /// While a writer is at work, so that its state is not copied.
        case none
    }

    private var kind: Kind

    /// `wantsUsage` says whether a chat client asked for the usage chunk, `framing` how a Gemini
    /// client wants its chunks.
    package init(
        _ format: WireFormat,
        _ identity: AnswerIdentity,
        wantsUsage: Bool,
        framing: GeminiFraming = .events
    ) {
        switch format {
        case .chat: kind = .chat(ChatStreamWriter(identity, wantsUsage: wantsUsage))
        case .completions:
            kind = .completions(CompletionsStreamWriter(identity, wantsUsage: wantsUsage))
        case .responses: kind = .responses(ResponsesStreamWriter(identity))
        case .messages: kind = .messages(MessagesStreamWriter(identity))
        case .gemini: kind = .gemini(GeminiStreamWriter(identity, framing: framing))
        case .converse: preconditionFailure("no client speaks Converse")
        }
    }

    /// Writes whole server-sent events, as many as `event` needs.
    package mutating func write(
        _ event: StreamEvent,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        switch kind {
        case .chat(var writer):
            kind = .none
            writer.write(event, from: bytes, scratch, to: out)
            kind = .chat(writer)
        case .completions(var writer):
            kind = .none
            writer.write(event, from: bytes, scratch, to: out)
            kind = .completions(writer)
        case .responses(var writer):
            kind = .none
            writer.write(event, from: bytes, scratch, to: out)
            kind = .responses(writer)
        case .messages(var writer):
            kind = .none
            writer.write(event, from: bytes, scratch, to: out)
            kind = .messages(writer)
        case .gemini(var writer):
            kind = .none
            writer.write(event, from: bytes, scratch, to: out)
            kind = .gemini(writer)
        case .none: break
        }
    }

    /// Ends the stream with an error, in the form that the format's clients notice.
    package mutating func fail(_ error: APIError, to out: ByteBuffer) {
        switch kind {
        case .chat(var writer):
            kind = .none
            writer.fail(error, to: out)
            kind = .chat(writer)
        case .completions(var writer):
            kind = .none
            writer.fail(error, to: out)
            kind = .completions(writer)
        case .responses(var writer):
            kind = .none
            writer.fail(error, to: out)
            kind = .responses(writer)
        case .messages(var writer):
            kind = .none
            writer.fail(error, to: out)
            kind = .messages(writer)
        case .gemini(var writer):
            kind = .none
            writer.fail(error, to: out)
            kind = .gemini(writer)
        case .none: break
        }
    }

    /// Appends what keeps a quiet stream alive and means nothing to the format's clients.
    package static func appendKeepalive(_ format: WireFormat, to out: ByteBuffer) {
        switch format {
        // OpenAI's SDKs break on events without data, but skip a comment and its blank line.
        case .chat, .completions, .responses: out.append(": ping\n\n")
        case .messages: out.append("event: ping\ndata: {\"type\":\"ping\"}\n\n")
        // Google's SDK takes any line that does not begin with `data:` for JSON, except empty ones.
        case .gemini, .converse: out.append("\n")
        }
    }
}
