// SPDX-License-Identifier: Apache-2.0
import JSON

extension ResponsesItems {
    /// The content of a user's message or of a tool's output.
    func readInput(
        _ content: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> [Part] {
        if tape.kind(of: content) == .string {
            return [.text(TextBlock(JSONText(content, tape)))]
        }
        var parts: [Part] = []
        for element in try elements(of: content) {
            let part = try readPart(element, bytes)
            guard let type = part.type else { continue }
            if isText(type, bytes) {
                parts.append(.text(TextBlock(try text(part.text, "text", of: element, bytes))))
            } else if tape.equals(type, "input_image", in: bytes) {
                parts.append(.media(try ResponsesMedia.image(part, tape, bytes)))
            } else if tape.equals(type, "input_file", in: bytes) {
                parts.append(.media(try ResponsesMedia.file(part, tape, bytes)))
            } else if tape.equals(type, "input_audio", in: bytes) {
                parts.append(.media(try ResponsesMedia.audio(part, tape, bytes)))
            } else {
                throw .invalid(type, tape, "must be input_text, input_image or input_file")
            }
        }
        return parts
    }

    /// The content of an assistant's message.
    func readOutput(
        _ content: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> [Part] {
        if tape.kind(of: content) == .string {
            return [.text(TextBlock(JSONText(content, tape)))]
        }
        var parts: [Part] = []
        for element in try elements(of: content) {
            let part = try readPart(element, bytes)
            guard let type = part.type else { continue }
            if isText(type, bytes) {
                parts.append(.text(TextBlock(try text(part.text, "text", of: element, bytes))))
            } else if tape.equals(type, "refusal", in: bytes) {
                parts.append(.refusal(try text(part.refusal, "refusal", of: element, bytes)))
            } else {
                throw .invalid(type, tape, "must be output_text or refusal")
            }
        }
        return parts
    }

    /// Clients send both names in both directions.
    private func isText(_ type: JSONNode, _ bytes: Span<UInt8>) -> Bool {
        tape.equals(type, "input_text", in: bytes) || tape.equals(type, "output_text", in: bytes)
            || tape.equals(type, "text", in: bytes)
    }

    private func elements(of content: JSONNode) throws(ConversionError) -> JSONElements {
        guard tape.kind(of: content) == .array else {
            throw .invalid(content, tape, "must be a string or an array of parts")
        }
        return tape.elements(of: content)
    }

    private func readPart(
        _ element: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ResponsesPart {
        try ResponsesValue.object(element, tape)
        let part = ResponsesPart(element, tape, bytes)
        guard part.type != nil else {
            throw ResponsesValue.missing("type", of: element, tape, bytes)
        }
        return part
    }

    private func text(
        _ node: JSONNode?,
        _ name: String,
        of part: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONText {
        guard let node else { throw ResponsesValue.missing(name, of: part, tape, bytes) }
        return try ResponsesValue.text(node, tape)
    }
}
