// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Texts and thoughts, a block each.
extension MessagesStreamWriter {
    mutating func openBlock(
        _ block: Block,
        to out: ByteBuffer,
        _ content: (ByteBuffer) -> Void
    ) {
        start(to: out)
        out.append("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":")
        out.append(decimal: blocks)
        out.append(",\"content_block\":{")
        content(out)
        out.append("}}\n\n")
        blocks += 1
        self.block = block
    }

    mutating func closeBlock(to out: ByteBuffer) {
        guard block != .none else { return }
        out.append("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":")
        out.append(decimal: blocks - 1)
        out.append("}\n\n")
        block = .none
    }

    /// A delta of the open block whose member `name` is the string that `content` appends.
    func appendDelta(
        _ type: StaticString,
        _ name: StaticString,
        to out: ByteBuffer,
        _ content: (ByteBuffer) -> Void
    ) {
        out.append("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":")
        out.append(decimal: blocks - 1)
        out.append(",\"delta\":{\"type\":\"")
        out.append(type)
        out.append("\",\"")
        out.append(name)
        out.append("\":\"")
        content(out)
        out.append("\"}}\n\n")
    }

    mutating func openText(to out: ByteBuffer) {
        guard block != .text else { return }
        finishCalls(to: out)
        closeBlock(to: out)
        openBlock(.text, to: out) { $0.append("\"type\":\"text\",\"text\":\"\"") }
    }

    mutating func writeText(_ text: JSONText, _ bytes: Span<UInt8>, to out: ByteBuffer) {
        guard !text.isEmpty else { return }
        openText(to: out)
        appendDelta("text_delta", "text", to: out) { text.append(from: bytes, to: $0) }
    }

    private mutating func openThinking(to out: ByteBuffer) {
        // A signature is the end of its block.
        guard block != .thinking(isSigned: false) else { return }
        finishCalls(to: out)
        closeBlock(to: out)
        openBlock(.thinking(isSigned: false), to: out) {
            $0.append("\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
        }
    }

    mutating func writeThinking(
        _ text: JSONText,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        openThinking(to: out)
        appendDelta("thinking_delta", "thinking", to: out) { text.append(from: bytes, to: $0) }
    }

    mutating func writeSignature(
        _ text: JSONText,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !text.isEmpty else { return }
        openThinking(to: out)
        appendDelta("signature_delta", "signature", to: out) { text.append(from: bytes, to: $0) }
        block = .thinking(isSigned: true)
    }

    mutating func writeEncrypted(
        _ data: JSONText,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        finishCalls(to: out)
        closeBlock(to: out)
        openBlock(.thinking(isSigned: true), to: out) { out in
            out.append("\"type\":\"redacted_thinking\",\"data\":")
            data.appendQuoted(from: bytes, to: out)
        }
        closeBlock(to: out)
    }
}
