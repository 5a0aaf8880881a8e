// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension GeminiTurnWriter {
    /// Writes `functionResponse`; its name is that of the call.
    mutating func writeResult(
        _ result: ToolResult,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        if result.cache != nil { omissions.add(.cacheControl, of: conversation.format) }
        let call = result.callID.flatMap { calls.find(id: $0, in: bytes) }
        guard let name = result.name ?? call?.name else {
            throw .unsupported(result.callID, "answers no tool call that came before")
        }
        writer.beginObject()
        writer.name("functionResponse")
        writer.beginObject()
        if takesIDs, let id = result.callID {
            writer.name("id")
            writer.value(id, from: bytes)
        }
        writer.name("name")
        writer.value(name, from: bytes)
        writer.name("response")
        writeResponse(result, from: bytes, scratch, to: &writer)
        writer.endObject()
        writer.endObject()
    }

    /// The object that Gemini wants: what is none becomes `result` or `error`.
    private func writeResponse(
        _ result: ToolResult,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to writer: inout JSONWriter
    ) {
        if let value = result.value, first(of: value, bytes) == UInt8(ascii: "{") {
            writer.value(value, from: bytes)
            return
        }
        let only = onlyText(of: result)
        if let only, !result.isError, mayBeObject(only, bytes),
            scratch.appendIfObject(only, from: bytes, to: writer.buffer)
        {
            // Nothing, so that the writer knows of the value.
            writer.raw(Span())
            return
        }
        writer.beginObject()
        if result.isError { writer.name("error") } else { writer.name("result") }
        if let value = result.value {
            writer.value(value, from: bytes)
        } else if let only {
            writer.value(only, from: bytes)
        } else {
            writeTexts(of: result, from: bytes, to: &writer)
        }
        writer.endObject()
    }

    /// All texts of a result as one, a line each.
    private func writeTexts(
        of result: ToolResult,
        from bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        writer.string { out in
            var isFirst = true
            for part in result.content {
                guard case .text(let block) = part else { continue }
                if !isFirst { out.append("\\n") }
                isFirst = false
                block.text.append(from: bytes, to: out)
            }
        }
    }

    /// The text of a result that has exactly one.
    private func onlyText(of result: ToolResult) -> JSONText? {
        var text: JSONText?
        for part in result.content {
            guard case .text(let block) = part else { continue }
            if text != nil { return nil }
            text = block.text
        }
        return text
    }

    private func first(of value: JSONFragment, _ bytes: Span<UInt8>) -> UInt8? {
        switch value {
        case .slice(let range): range.isEmpty ? nil : bytes[range.lowerBound]
        case .json(let text): text.utf8.first
        }
    }

    /// Whether a text begins like an object, so that it is worth a scan.
    private func mayBeObject(_ text: JSONText, _ bytes: Span<UInt8>) -> Bool {
        switch text {
        case .text(let text):
            return text.utf8.first { $0 > UInt8(ascii: " ") } == UInt8(ascii: "{")
        case .slice(let range):
            var at = range.lowerBound
            while at < range.upperBound, bytes[at] == UInt8(ascii: " ") { at += 1 }
            guard at < range.upperBound else { return false }
            // White space in front may be escaped.
            return bytes[at] == UInt8(ascii: "{") || bytes[at] == UInt8(ascii: "\\")
        }
    }
}
