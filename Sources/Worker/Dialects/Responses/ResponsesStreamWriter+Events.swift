// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// The events that make up items, each with its members.
extension ResponsesStreamWriter {
    // MARK: Messages

    mutating func beginMessage(_ item: ResponsesStreamItem, to out: ByteBuffer) {
        ResponseItem.beginMessage(item.id, to: item.head)
        beginItemAdded(item, to: out)
        out.append(item.head)
        ResponseItem.endMessage(.inProgress, to: out)
        endEvent(to: out)
    }

    mutating func beginPart(
        _ part: ResponsesStreamItem.MessagePart,
        _ item: inout ResponsesStreamItem,
        to out: ByteBuffer
    ) {
        item.part = part
        item.partCount += 1
        beginEvent("response.content_part.added", to: out)
        appendPlace(item, to: out)
        out.append(",\"part\":")
        append(part, nil, to: out)
        endEvent(to: out)
    }

    mutating func writeDelta(
        _ part: ResponsesStreamItem.MessagePart,
        _ item: ResponsesStreamItem,
        _ text: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        switch part {
        case .text: beginEvent("response.output_text.delta", to: out)
        case .refusal: beginEvent("response.refusal.delta", to: out)
        }
        appendPlace(item, to: out)
        out.append(",\"delta\":\"")
        text.append(from: bytes, to: out)
        switch part {
        case .text: out.append("\",\"logprobs\":[]")
        case .refusal: out.append("\"")
        }
        endEvent(to: out)
    }

    mutating func finishPart(_ item: inout ResponsesStreamItem, to out: ByteBuffer) {
        guard let part = item.part else { return }
        switch part {
        case .text:
            beginEvent("response.output_text.done", to: out)
            appendPlace(item, to: out)
            out.append(",\"text\":\"")
            out.append(item.text)
            out.append("\",\"logprobs\":[]")
        case .refusal:
            beginEvent("response.refusal.done", to: out)
            appendPlace(item, to: out)
            out.append(",\"refusal\":\"")
            out.append(item.text)
            out.append("\"")
        }
        endEvent(to: out)
        beginEvent("response.content_part.done", to: out)
        appendPlace(item, to: out)
        out.append(",\"part\":")
        append(part, item.text, to: out)
        endEvent(to: out)
        if !item.parts.isEmpty { item.parts.append(",") }
        append(part, item.text, to: item.parts)
        item.text.clear()
        item.part = nil
    }

    mutating func finishMessage(
        _ item: ResponsesStreamItem,
        _ status: ResponseItem.Status,
        to out: ByteBuffer
    ) -> ByteBuffer {
        var item = item
        finishPart(&item, to: out)
        let json = item.head
        json.append(item.parts)
        ResponseItem.endMessage(status, to: json)
        writeItemDone(item, json, to: out)
        return json
    }

    private func append(
        _ part: ResponsesStreamItem.MessagePart,
        _ text: ByteBuffer?,
        to out: ByteBuffer
    ) {
        switch part {
        case .text:
            ResponseItem.beginText(to: out)
            if let text { out.append(text) }
            ResponseItem.endText(to: out)
        case .refusal:
            ResponseItem.beginRefusal(to: out)
            if let text { out.append(text) }
            ResponseItem.endRefusal(to: out)
        }
    }

    // MARK: Reasoning

    mutating func beginReasoning(_ item: ResponsesStreamItem, to out: ByteBuffer) {
        ResponseItem.beginReasoning(item.id, to: item.head)
        beginItemAdded(item, to: out)
        out.append(item.head)
        ResponseItem.endReasoning(to: out)
        endEvent(to: out)
    }

    mutating func beginSummary(_ item: ResponsesStreamItem, to out: ByteBuffer) {
        beginEvent("response.reasoning_summary_part.added", to: out)
        appendItem(item, to: out)
        out.append(",\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"\"}")
        endEvent(to: out)
    }

    mutating func writeSummary(
        _ item: ResponsesStreamItem,
        _ text: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        beginEvent("response.reasoning_summary_text.delta", to: out)
        appendItem(item, to: out)
        out.append(",\"summary_index\":0,\"delta\":\"")
        text.append(from: bytes, to: out)
        out.append("\"")
        endEvent(to: out)
    }

    mutating func finishReasoning(
        _ item: ResponsesStreamItem,
        to out: ByteBuffer
    ) -> ByteBuffer {
        let json = item.head
        if item.hasSummary {
            beginEvent("response.reasoning_summary_text.done", to: out)
            appendItem(item, to: out)
            out.append(",\"summary_index\":0,\"text\":\"")
            out.append(item.text)
            out.append("\"")
            endEvent(to: out)
            beginEvent("response.reasoning_summary_part.done", to: out)
            appendItem(item, to: out)
            out.append(",\"summary_index\":0,\"part\":")
            appendSummary(item.text, to: out)
            endEvent(to: out)
            appendSummary(item.text, to: json)
        }
        if let encrypted = item.encrypted {
            ResponseItem.beginEncrypted(to: json)
            json.append(encrypted)
            ResponseItem.endEncrypted(to: json)
        } else {
            ResponseItem.endReasoning(to: json)
        }
        writeItemDone(item, json, to: out)
        return json
    }

    private func appendSummary(_ text: ByteBuffer, to out: ByteBuffer) {
        ResponseItem.beginSummary(to: out)
        out.append(text)
        ResponseItem.endSummary(to: out)
    }

    // MARK: Calls

    /// `item.head` is filled already.
    mutating func beginCall(_ item: ResponsesStreamItem, to out: ByteBuffer) {
        beginItemAdded(item, to: out)
        out.append(item.head)
        ResponseItem.endCall(.inProgress, to: out)
        endEvent(to: out)
    }

    mutating func writeArguments(
        _ item: ResponsesStreamItem,
        to out: ByteBuffer,
        _ fill: (ByteBuffer) -> Void
    ) {
        beginEvent("response.function_call_arguments.delta", to: out)
        appendItem(item, to: out)
        out.append(",\"delta\":\"")
        fill(out)
        out.append("\"")
        endEvent(to: out)
    }

    mutating func finishCall(
        _ item: ResponsesStreamItem,
        _ status: ResponseItem.Status,
        to out: ByteBuffer
    ) -> ByteBuffer {
        if item.text.isEmpty, status == .completed {
            // Clients parse the arguments, also those of a tool without any.
            writeArguments(item, to: out) { $0.append("{}") }
            item.text.append("{}")
        }
        beginEvent("response.function_call_arguments.done", to: out)
        appendItem(item, to: out)
        out.append(",\"arguments\":\"")
        out.append(item.text)
        out.append("\"")
        endEvent(to: out)
        let json = item.head
        json.append(item.text)
        ResponseItem.endCall(status, to: json)
        writeItemDone(item, json, to: out)
        return json
    }

    // MARK: Images

    mutating func writeImage(
        _ item: ResponsesStreamItem,
        _ json: ByteBuffer,
        to out: ByteBuffer
    ) {
        beginItemAdded(item, to: out)
        ResponseItem.appendImage(item.id, nil, from: Span(), .inProgress, to: out)
        endEvent(to: out)
        writeItemDone(item, json, to: out)
    }

    // MARK: Members

    private mutating func beginItemAdded(_ item: ResponsesStreamItem, to out: ByteBuffer) {
        beginEvent("response.output_item.added", to: out)
        out.append(",\"output_index\":")
        out.append(decimal: item.index)
        out.append(",\"item\":")
    }

    private mutating func writeItemDone(
        _ item: ResponsesStreamItem,
        _ json: ByteBuffer,
        to out: ByteBuffer
    ) {
        beginEvent("response.output_item.done", to: out)
        out.append(",\"output_index\":")
        out.append(decimal: item.index)
        out.append(",\"item\":")
        out.append(json)
        endEvent(to: out)
    }

    /// Which item an event belongs to.
    private func appendItem(_ item: ResponsesStreamItem, to out: ByteBuffer) {
        out.append(",\"item_id\":\"")
        out.append(item.id)
        out.append("\",\"output_index\":")
        out.append(decimal: item.index)
    }

    /// Which part of which message an event belongs to.
    private func appendPlace(_ item: ResponsesStreamItem, to out: ByteBuffer) {
        appendItem(item, to: out)
        out.append(",\"content_index\":")
        out.append(decimal: item.partCount - 1)
    }
}
