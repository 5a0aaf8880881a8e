// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes `contents`: turns of one role in a row as one, the first one of the user.
struct GeminiTurnWriter {
    /// Gemini 3 refuses the call of another model unless it is told not to look.
    ///
    /// Spec: "thought signatures" in Google's guide.
    private static let anySignature: StaticString = "\"skip_thought_signature_validator\""
    /// What the user says where somebody has to speak first.
    private static let opening: StaticString = #"{"role":"user","parts":[{"text":"."}]}"#

    let conversation: Conversation
    let plan: RequestPlan
    private let needsSignatures: Bool
    /// Whether calls and results keep their ids; AI Core refuses them.
    let takesIDs: Bool
    var calls = GeminiCalls()
    /// The role whose content is open.
    private var role: Message.Role?
    /// Parts of the user that wait for the results before them.
    private var waiting: [Part] = []

    init(_ conversation: Conversation, _ plan: RequestPlan) {
        self.conversation = conversation
        self.plan = plan
        needsSignatures = plan.rules.gemini?.isThird ?? false
        takesIDs = plan.host == .gemini
    }

    mutating func write(
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        writer.name("contents")
        writer.beginArray()
        for (index, message) in conversation.messages.enumerated() {
            let ends =
                index + 1 == conversation.messages.count
                || conversation.messages[index + 1].role != message.role
            switch message.role {
            case .user:
                try writeUser(message, ends: ends, from: bytes, scratch, &omissions, to: &writer)
            case .assistant:
                calls.beginTurn()
                try writeAssistant(message, from: bytes, scratch, &omissions, to: &writer)
            }
        }
        close(to: &writer)
        if conversation.messages.isEmpty { writer.raw(Self.opening) }
        writer.endArray()
    }

    // MARK: Contents

    /// Opens a content of `role` unless one is open.
    private mutating func open(_ role: Message.Role, to writer: inout JSONWriter) {
        guard self.role != role else { return }
        if self.role == nil, role == .assistant { writer.raw(Self.opening) }
        close(to: &writer)
        self.role = role
        writer.beginObject()
        writer.name("role")
        switch role {
        case .user: writer.raw("\"user\"")
        case .assistant: writer.raw("\"model\"")
        }
        writer.name("parts")
        writer.beginArray()
    }

    private func close(to writer: inout JSONWriter) {
        guard role != nil else { return }
        writer.endArray()
        writer.endObject()
    }

    /// Results first, and all of them in one content, as Gemini wants them.
    private mutating func writeUser(
        _ message: Message,
        ends: Bool,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        for part in message.parts {
            guard case .toolResult(let result) = part else {
                waiting.append(part)
                continue
            }
            open(.user, to: &writer)
            try writeResult(result, from: bytes, scratch, &omissions, to: &writer)
            // What a tool shows stands behind what it says, where every Gemini sees it.
            for item in result.content {
                if case .media = item { waiting.append(item) }
            }
        }
        guard ends else { return }
        let parts = waiting
        waiting.removeAll(keepingCapacity: true)
        for part in parts {
            switch part {
            case .text(let block):
                writeText(block, .user, from: bytes, &omissions, to: &writer)
            case .media(let media):
                open(.user, to: &writer)
                try writeMedia(media, from: bytes, &omissions, to: &writer)
            case .refusal(let text):
                writeText(TextBlock(text), .user, from: bytes, &omissions, to: &writer)
            case .toolCall, .toolResult, .thinking: break
            }
        }
    }

    private mutating func writeAssistant(
        _ message: Message,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        var needsSignature = needsSignatures
        for part in message.parts {
            switch part {
            case .text(let block):
                writeText(block, .assistant, from: bytes, &omissions, to: &writer)
            case .thinking(let thinking):
                writeThinking(thinking, from: bytes, &omissions, to: &writer)
            case .toolCall(let call):
                open(.assistant, to: &writer)
                writeCall(call, &needsSignature, from: bytes, scratch, to: &writer)
                if call.cache != nil { omissions.add(.cacheControl, of: conversation.format) }
            case .refusal(let text):
                writeText(TextBlock(text), .assistant, from: bytes, &omissions, to: &writer)
            case .media(let media):
                open(.assistant, to: &writer)
                try writeMedia(media, from: bytes, &omissions, to: &writer)
            case .toolResult: break
            }
        }
    }

    private mutating func writeText(
        _ block: TextBlock,
        _ role: Message.Role,
        from bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) {
        if block.cache != nil { omissions.add(.cacheControl, of: conversation.format) }
        guard !block.text.isEmpty else { return }
        open(role, to: &writer)
        GeminiPartWriter.writeText(block.text, from: bytes, to: &writer)
    }

    // MARK: Parts of the model

    /// Thoughts go back only where the client speaks Gemini's format: of others nobody knows whose
    /// they are.
    private mutating func writeThinking(
        _ thinking: Thinking,
        from bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) {
        guard conversation.format == .gemini, let text = thinking.text else {
            omissions.add(.thinkingHistory, of: conversation.format)
            return
        }
        open(.assistant, to: &writer)
        GeminiPartWriter.writeText(
            text,
            isThought: true,
            signature: thinking.signature,
            from: bytes,
            to: &writer
        )
    }

    private mutating func writeCall(
        _ call: ToolCall,
        _ needsSignature: inout Bool,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) {
        calls.append(call.id, call.name)
        writer.beginObject()
        writer.name("functionCall")
        writer.beginObject()
        if takesIDs, let id = call.id {
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
        if let signature = GeminiSignature.usable(call.signature, bytes) {
            writer.name("thoughtSignature")
            writer.value(signature, from: bytes)
        } else if needsSignature {
            writer.name("thoughtSignature")
            writer.raw(Self.anySignature)
        }
        // Of parallel calls only the first one has a signature.
        needsSignature = false
        writer.endObject()
    }
}
