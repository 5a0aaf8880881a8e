// SPDX-License-Identifier: Apache-2.0
import JSON

/// Content blocks of Converse's answers: objects with one member, whose name is the type.
enum ConverseBlock {
    /// Appends what a block says; nothing for what no other format has.
    static func read(
        _ block: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into parts: inout [Part]
    ) {
        for member in tape.members(of: block) {
            let value = member.value
            if tape.equals(member.name, "text", in: bytes) {
                if let text = text(value, tape) { parts.append(.text(TextBlock(text))) }
            } else if tape.equals(member.name, "toolUse", in: bytes) {
                if let call = call(value, tape, bytes) { parts.append(.toolCall(call)) }
            } else if tape.equals(member.name, "reasoningContent", in: bytes) {
                if let thinking = thinking(value, tape, bytes) {
                    parts.append(.thinking(thinking))
                }
            } else if tape.equals(member.name, "citationsContent", in: bytes) {
                guard let content = tape.member("content", of: value, in: bytes) else { continue }
                // What was generated stands beside what it was taken from.
                for element in tape.elements(of: content) {
                    read(element, tape, bytes, into: &parts)
                }
            } else if tape.equals(member.name, "image", in: bytes) {
                if let media = image(value, tape, bytes) { parts.append(.media(media)) }
            }
        }
    }

    private static func call(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> ToolCall? {
        guard !isOfServerTool(node, tape, bytes), let name = text("name", of: node, tape, bytes)
        else { return nil }
        var input = ToolInput.object(.json("{}"))
        if let value = tape.member("input", of: node, in: bytes) {
            switch tape.kind(of: value) {
            case .object: input = .object(JSONFragment(value, tape))
            // The text of the object, as streams have it.
            case .string: input = .text(JSONText(value, tape))
            case .array, .number, .bool, .null: break
            }
        }
        return ToolCall(id: text("toolUseId", of: node, tape, bytes), name: name, input: input)
    }

    /// Whether Amazon runs the tool itself; the result stands in the same answer.
    static func isOfServerTool(
        _ toolUse: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let type = tape.member("type", of: toolUse, in: bytes) else { return false }
        return tape.equals(type, "server_tool_use", in: bytes)
    }

    private static func thinking(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Thinking? {
        if let encrypted = text("redactedContent", of: node, tape, bytes) {
            return Thinking(text: nil, encrypted: encrypted)
        }
        guard let inner = tape.member("reasoningText", of: node, in: bytes) else { return nil }
        let signature = text("signature", of: inner, tape, bytes).flatMap { $0.isEmpty ? nil : $0 }
        let text = text("text", of: inner, tape, bytes)
        guard text != nil || signature != nil else { return nil }
        return Thinking(text: text, signature: signature)
    }

    private static func image(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Media? {
        guard let source = tape.member("source", of: node, in: bytes),
            let data = text("bytes", of: source, tape, bytes), !data.isEmpty
        else { return nil }
        let type = tape.member("format", of: node, in: bytes).flatMap { format in
            tape.string(of: format, in: bytes).map { JSONText.text("image/" + $0) }
        }
        return Media(.image, type, .base64(data))
    }

    /// A string; nil for other kinds.
    static func text(_ node: JSONNode, _ tape: JSONTape) -> JSONText? {
        tape.kind(of: node) == .string ? JSONText(node, tape) : nil
    }

    /// The string `name` of `object`; nil for other kinds.
    static func text(
        _ name: StaticString,
        of object: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        tape.member(name, of: object, in: bytes).flatMap { text($0, tape) }
    }
}
