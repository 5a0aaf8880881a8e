// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Calls of tools: one block after the other, whatever order they come in.
extension MessagesStreamWriter {
    mutating func startCall(
        _ index: Int,
        _ id: JSONText?,
        _ name: JSONText,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        let head = ByteBuffer()
        head.append("\"id\":\"")
        MessagesAnswerWriter.appendCallID(id, calls, identity, bytes, to: head)
        head.append("\",\"name\":")
        name.appendQuoted(from: bytes, to: head)
        calls += 1
        let call = WaitingCall(index: index, head: head)
        if case .call = block {
            waiting.append(call)
            return
        }
        closeBlock(to: out)
        open(call, to: out)
    }

    private mutating func open(_ call: WaitingCall, to out: ByteBuffer) {
        openBlock(.call(call.index), to: out) { out in
            out.append("\"type\":\"tool_use\",")
            out.append(call.head)
            out.append(",\"input\":{}")
        }
        guard !call.input.isEmpty else { return }
        appendDelta("input_json_delta", "partial_json", to: out) { $0.append(call.input) }
        waitingBytes -= call.input.count
    }

    mutating func writeInput(
        _ index: Int,
        to out: ByteBuffer,
        _ content: (ByteBuffer) -> Void
    ) {
        if block == .call(index) {
            appendDelta("input_json_delta", "partial_json", to: out, content)
            return
        }
        guard let place = waiting.firstIndex(where: { $0.index == index }) else { return }
        let before = waiting[place].input.count
        content(waiting[place].input)
        waitingBytes += waiting[place].input.count - before
        guard waitingBytes <= Self.waitingBytesMax else {
            let error = APIError(
                502,
                .upstream,
                "upstream_error",
                "The model calls too many tools at the same time."
            )
            fail(error, to: out)
            return
        }
    }

    mutating func endCall(_ index: Int, to out: ByteBuffer) {
        if block == .call(index) {
            closeBlock(to: out)
            openWaiting(to: out)
        } else if let place = waiting.firstIndex(where: { $0.index == index }) {
            waiting[place].hasEnded = true
        }
    }

    /// Writes the calls that wait, up to one that goes on.
    private mutating func openWaiting(to out: ByteBuffer) {
        while !waiting.isEmpty {
            let call = waiting.removeFirst()
            open(call, to: out)
            if !call.hasEnded { return }
            closeBlock(to: out)
        }
    }

    /// Writes all calls that wait: something of another kind comes, so none of them goes on.
    mutating func finishCalls(to out: ByteBuffer) {
        guard case .call = block else { return }
        closeBlock(to: out)
        while !waiting.isEmpty {
            open(waiting.removeFirst(), to: out)
            closeBlock(to: out)
        }
    }
}
