// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a whole answer of Bedrock Converse.
enum ConverseAnswerReader {
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        try MessagesValue.mustBeObject(root, tape)
        guard let output = MessagesValue.member("output", of: root, tape, bytes) else {
            throw MessagesValue.missing("output", of: root, tape, bytes)
        }
        guard let message = MessagesValue.member("message", of: output, tape, bytes) else {
            throw MessagesValue.missing("message", of: output, tape, bytes)
        }
        guard let content = MessagesValue.member("content", of: message, tape, bytes),
            tape.kind(of: content) == .array
        else { throw MessagesValue.missing("content", of: message, tape, bytes) }
        var answer = Answer()
        for block in tape.elements(of: content) {
            for member in tape.members(of: block) {
                if let part = part(member.name, member.value, tape, bytes) {
                    answer.parts.append(part)
                }
            }
        }
        let reason = tape.member("stopReason", of: root, in: bytes)
        answer.finish = ConverseUsage.reason(reason, tape, bytes)
        answer.usage = tape.member("usage", of: root, in: bytes).flatMap {
            ConverseUsage.read($0, tape, bytes)
        }
        return answer
    }

    private static func part(
        _ name: JSONNode,
        _ value: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Part? {
        if tape.equals(name, "text", in: bytes) {
            guard tape.kind(of: value) == .string else { return nil }
            return .text(TextBlock(JSONText(value, tape)))
        }
        func text(_ name: StaticString, of node: JSONNode) -> JSONText? {
            guard let node = tape.member(name, of: node, in: bytes),
                tape.kind(of: node) == .string
            else { return nil }
            return JSONText(node, tape)
        }
        if tape.equals(name, "toolUse", in: bytes) {
            guard let name = text("name", of: value) else { return nil }
            var input = JSONFragment.json("{}")
            if let node = tape.member("input", of: value, in: bytes), tape.kind(of: node) == .object
            {
                input = JSONFragment(node, tape)
            }
            let id = text("toolUseId", of: value)
            return .toolCall(ToolCall(id: id, name: name, input: .object(input)))
        }
        if tape.equals(name, "reasoningContent", in: bytes) {
            if let thoughts = tape.member("reasoningText", of: value, in: bytes) {
                let signature = text("signature", of: thoughts).flatMap { $0.isEmpty ? nil : $0 }
                return .thinking(
                    Thinking(text: text("text", of: thoughts), signature: signature)
                )
            }
            return text("redactedContent", of: value).map {
                .thinking(Thinking(text: nil, encrypted: $0))
            }
        }
        return nil
    }
}
