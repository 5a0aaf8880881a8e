// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a whole answer of OpenAI Responses.
enum ResponsesAnswerWriter {
    static func write(
        _ answer: Answer,
        _ identity: AnswerIdentity,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        let object = ResponseObject(identity)
        let status = ResponseObject.Status(answer.finish)
        object.begin(status, to: out)
        var output = ResponsesOutput(identity, scratch, to: out)
        for part in answer.parts { output.write(part, from: bytes) }
        // What was said last is what the limit cut off.
        output.endMessage(status.isIncomplete ? .incomplete : .completed)
        object.end(answer.usage, to: out)
    }
}

/// The items of one whole answer on their way out.
private struct ResponsesOutput {
    private enum Open {
        case nothing
        /// A message, perhaps with a part that goes on.
        case message
        case text
    }

    private let identity: AnswerIdentity
    private let scratch: ConversionScratch
    private let out: ByteBuffer
    private var count = 0
    private var open = Open.nothing

    init(_ identity: AnswerIdentity, _ scratch: ConversionScratch, to out: ByteBuffer) {
        self.identity = identity
        self.scratch = scratch
        self.out = out
    }

    mutating func write(_ part: Part, from bytes: Span<UInt8>) {
        switch part {
        case .text(let block):
            guard !block.text.isEmpty else { return }
            beginText()
            block.text.append(from: bytes, to: out)
        case .refusal(let text):
            beginPart()
            ResponseItem.beginRefusal(to: out)
            text.append(from: bytes, to: out)
            ResponseItem.endRefusal(to: out)
        case .thinking(let thinking): write(thinking, from: bytes)
        case .toolCall(let call): write(call, from: bytes)
        case .media(let media): write(media, from: bytes)
        case .toolResult: break
        }
    }

    // MARK: Messages

    /// Texts in a row are one text: a vendor's borders between them mean nothing here.
    private mutating func beginText() {
        if open == .text { return }
        beginPart()
        ResponseItem.beginText(to: out)
        open = .text
    }

    /// Puts the place right for a part of a message.
    private mutating func beginPart() {
        switch open {
        case .nothing:
            ResponseItem.beginMessage(nextID("msg"), to: out)
        case .text:
            ResponseItem.endText(to: out)
            out.append(",")
        case .message:
            out.append(",")
        }
        open = .message
    }

    mutating func endMessage(_ status: ResponseItem.Status) {
        if open == .text { ResponseItem.endText(to: out) }
        if open != .nothing { ResponseItem.endMessage(status, to: out) }
        open = .nothing
    }

    /// The id of the next item, behind the comma that it needs.
    private mutating func nextID(_ prefix: String) -> String {
        if count > 0 { out.append(",") }
        defer { count += 1 }
        return ResponseItem.id(prefix, identity.unique, count)
    }

    // MARK: Other items

    private mutating func write(_ thinking: Thinking, from bytes: Span<UInt8>) {
        endMessage(.completed)
        ResponseItem.beginReasoning(nextID("rs"), to: out)
        if let text = thinking.text, !text.isEmpty {
            ResponseItem.beginSummary(to: out)
            text.append(from: bytes, to: out)
            ResponseItem.endSummary(to: out)
        }
        if let signature = thinking.signature {
            endReasoning(.signature, signature, from: bytes)
        } else if let encrypted = thinking.encrypted {
            endReasoning(.encrypted, encrypted, from: bytes)
        } else {
            ResponseItem.endReasoning(to: out)
        }
    }

    private func endReasoning(_ mark: ThoughtMark, _ text: JSONText, from bytes: Span<UInt8>) {
        ResponseItem.beginEncrypted(to: out)
        mark.append(text, from: bytes, to: out)
        ResponseItem.endEncrypted(to: out)
    }

    private mutating func write(_ call: ToolCall, from bytes: Span<UInt8>) {
        endMessage(.completed)
        if let signature = call.signature, !signature.isEmpty {
            ResponseItem.beginReasoning(nextID("rs"), to: out)
            endReasoning(.call, signature, from: bytes)
        }
        let id = nextID("fc")
        let callID = ResponseItem.callID(call.id, identity.unique, count - 1)
        ResponseItem.beginCall(id, callID: callID, name: call.name, from: bytes, to: out)
        scratch.appendText(call.input, from: bytes, to: out)
        ResponseItem.endCall(.completed, to: out)
    }

    /// Images are items of their own; of other media there is no item, so its URL is told.
    private mutating func write(_ media: Media, from bytes: Span<UInt8>) {
        switch media.source {
        case .base64(let data):
            guard media.kind == .image else { return }
            endMessage(.completed)
            ResponseItem.appendImage(nextID("ig"), data, from: bytes, .completed, to: out)
        case .url(let text), .plain(let text):
            beginText()
            text.append(from: bytes, to: out)
        case .file: break
        }
    }
}
