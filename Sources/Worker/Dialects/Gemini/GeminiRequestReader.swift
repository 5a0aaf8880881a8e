// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a request of Gemini's generateContent.
enum GeminiRequestReader {
    static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        try read(tape.root, tape, bytes)
    }

    /// Reads the request that stands at `root`, which may be a part of another one.
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        try GeminiValue.mustBeObject(root, tape)
        var conversation = Conversation(.gemini)
        var contents: JSONNode?
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            let (name, value) = (member.name, member.value)
            if tape.equals(name, "contents", in: bytes) {
                contents = value
            } else if tape.equals(name, "systemInstruction", or: "system_instruction", in: bytes) {
                conversation.system = try readSystem(value, tape, bytes)
            } else if tape.equals(name, "generationConfig", or: "generation_config", in: bytes) {
                try readConfig(value, tape, bytes, into: &conversation)
            } else if tape.equals(name, "tools", in: bytes) {
                try readTools(value, tape, bytes, into: &conversation)
            } else if tape.equals(name, "toolConfig", or: "tool_config", in: bytes) {
                try readToolConfig(value, tape, bytes, into: &conversation)
            } else if tape.equals(name, "model", in: bytes)
                || tape.equals(name, "stream", in: bytes)
            {
                // The path says both.
                continue
            } else {
                conversation.omissions.add(GeminiValue.label(name, tape, bytes))
            }
        }
        guard let contents else {
            throw GeminiValue.missing("contents", of: root, tape, bytes)
        }
        var turns = Turns()
        for content in try GeminiList(contents, tape) {
            try turns.read(content, tape, bytes, into: &conversation)
        }
        guard !conversation.messages.isEmpty else {
            throw .invalid(contents, tape, "must have at least one content with parts")
        }
        return conversation
    }

    private static func readSystem(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> [TextBlock] {
        try GeminiValue.mustBeObject(node, tape)
        guard let parts = tape.member("parts", or: "parts", of: node, in: bytes) else { return [] }
        var blocks: [TextBlock] = []
        for part in try GeminiList(parts, tape) {
            guard let text = tape.member("text", or: "text", of: part, in: bytes) else {
                throw .invalid(part, tape, "must have a text; instructions have nothing else")
            }
            let block = TextBlock(try GeminiValue.text(text, tape))
            if !block.text.isEmpty { blocks.append(block) }
        }
        return blocks
    }
}
