// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// Requests and whole answers from one format to another: N readers and N writers.
package enum Conversion {
    /// Reads a client's request.
    ///
    /// - Throws: What is wrong with it; it has to be a JSON object.
    package static func readRequest(
        _ format: WireFormat,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        switch format {
        case .chat: try ChatRequestReader.read(tape, bytes)
        case .completions: try CompletionsRequestReader.read(tape, bytes)
        case .responses: try ResponsesRequestReader.read(tape, bytes)
        case .messages: try MessagesRequestReader.read(tape, bytes)
        case .gemini: try GeminiRequestReader.read(tape, bytes)
        case .converse: throw ConversionError(.unsupported, .whole, "cannot be read in this format")
        }
    }

    /// Writes a request for an upstream.
    ///
    /// `bytes` is the client's body that the conversation was read from, and `omissions` gets the
    /// names of what the upstream's format cannot say.
    /// - Throws: What must not be left out silently, an image for a model without eyes for example.
    package static func writeRequest(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        guard !plan.isCompaction else {
            throw ConversionError(
                .unsupported,
                .whole,
                "cannot be compacted by this model; compact the conversation with a summary of it"
            )
        }
        omissions.add(conversation.omissions)
        switch plan.format {
        case .chat:
            try ChatRequestWriter.write(
                conversation,
                plan,
                from: bytes,
                scratch,
                &omissions,
                to: out
            )
        case .responses:
            try ResponsesRequestWriter.write(
                conversation,
                plan,
                from: bytes,
                scratch,
                &omissions,
                to: out
            )
        case .messages:
            try MessagesRequestWriter.write(
                conversation,
                plan,
                from: bytes,
                scratch,
                &omissions,
                to: out
            )
        case .gemini:
            try GeminiRequestWriter.write(
                conversation,
                plan,
                from: bytes,
                scratch,
                &omissions,
                to: out
            )
        case .converse:
            try ConverseRequestWriter.write(
                conversation,
                plan,
                from: bytes,
                scratch,
                &omissions,
                to: out
            )
        case .completions:
            throw ConversionError(.unsupported, .whole, "no upstream speaks this format")
        }
    }

    /// Notes in `splice` what has to change in a request whose upstream speaks the client's format.
    package static func adaptRequest(
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) throws(ConversionError) {
        switch plan.format {
        case .chat, .completions:
            try ChatAdapter.adapt(plan, tape, bytes, &omissions, into: &splice)
        case .responses:
            try ResponsesAdapter.adapt(plan, tape, bytes, &omissions, into: &splice)
        case .messages:
            try MessagesAdapter.adapt(plan, tape, bytes, &omissions, into: &splice)
        case .gemini:
            try GeminiAdapter.adapt(plan, tape, bytes, &omissions, into: &splice)
        case .converse:
            throw ConversionError(.unsupported, .whole, "no client speaks this format")
        }
    }

    /// Reads an upstream's whole answer, which stands at `root`.
    ///
    /// - Throws: That it is none.
    package static func readAnswer(
        _ format: WireFormat,
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        switch format {
        case .chat: try ChatAnswerReader.read(root, tape, bytes)
        case .responses: try ResponsesAnswerReader.read(root, tape, bytes)
        case .messages: try MessagesAnswerReader.read(root, tape, bytes)
        case .gemini: try GeminiAnswerReader.read(root, tape, bytes)
        case .converse: try ConverseAnswerReader.read(root, tape, bytes)
        case .completions:
            throw ConversionError(.unsupported, .whole, "cannot be read in this format")
        }
    }

    /// Writes a whole answer for a client.
    package static func writeAnswer(
        _ answer: Answer,
        _ format: WireFormat,
        _ identity: AnswerIdentity,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        switch format {
        case .chat:
            ChatAnswerWriter.write(answer, identity, from: bytes, scratch, to: out)
        case .completions:
            CompletionsAnswerWriter.write(answer, identity, from: bytes, scratch, to: out)
        case .responses:
            ResponsesAnswerWriter.write(answer, identity, from: bytes, scratch, to: out)
        case .messages:
            MessagesAnswerWriter.write(answer, identity, from: bytes, scratch, to: out)
        case .gemini:
            GeminiAnswerWriter.write(answer, identity, from: bytes, scratch, to: out)
        case .converse: preconditionFailure("no client speaks Converse")
        }
    }
}
