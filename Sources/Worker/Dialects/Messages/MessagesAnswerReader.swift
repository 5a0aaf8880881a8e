// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a whole answer of Anthropic Messages.
enum MessagesAnswerReader {
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        try MessagesValue.mustBeObject(root, tape)
        var answer = Answer()
        var content: JSONNode?
        var stop: JSONNode?
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            let value = member.value
            if tape.equals(member.name, "content", in: bytes) {
                content = value
            } else if tape.equals(member.name, "stop_reason", in: bytes) {
                stop = value
            } else if tape.equals(member.name, "stop_sequence", in: bytes) {
                if tape.kind(of: value) == .string { answer.stopSequence = JSONText(value, tape) }
            } else if tape.equals(member.name, "usage", in: bytes) {
                var usage = MessagesUsage()
                usage.update(value, tape, bytes)
                if tape.kind(of: value) == .object { answer.usage = usage.tokens }
            } else if tape.equals(member.name, "id", in: bytes) {
                if tape.kind(of: value) == .string { answer.id = JSONText(value, tape) }
            }
        }
        guard let content, tape.kind(of: content) == .array else {
            throw MessagesValue.missing("content", of: root, tape, bytes)
        }
        for block in tape.elements(of: content) {
            if let part = part(block, tape, bytes) { answer.parts.append(part) }
        }
        answer.finish = MessagesFinish.reason(stop, tape, bytes)
        return answer
    }

    /// The part that a block is; nil for what no other format has, such as a search of the web.
    private static func part(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Part? {
        guard let type = tape.member("type", of: node, in: bytes) else { return nil }
        func text(_ name: StaticString) -> JSONText? {
            guard let value = tape.member(name, of: node, in: bytes),
                tape.kind(of: value) == .string
            else { return nil }
            return JSONText(value, tape)
        }
        if tape.equals(type, "text", in: bytes) {
            return text("text").map { .text(TextBlock($0)) }
        }
        if tape.equals(type, "tool_use", in: bytes) {
            guard let name = text("name") else { return nil }
            var input = JSONFragment.json("{}")
            if let node = tape.member("input", of: node, in: bytes), tape.kind(of: node) == .object
            {
                input = JSONFragment(node, tape)
            }
            return .toolCall(ToolCall(id: text("id"), name: name, input: .object(input)))
        }
        if tape.equals(type, "thinking", in: bytes) {
            let signature = text("signature").flatMap { $0.isEmpty ? nil : $0 }
            return .thinking(Thinking(text: text("thinking"), signature: signature))
        }
        if tape.equals(type, "redacted_thinking", in: bytes) {
            return text("data").map { .thinking(Thinking(text: nil, encrypted: $0)) }
        }
        return nil
    }
}
