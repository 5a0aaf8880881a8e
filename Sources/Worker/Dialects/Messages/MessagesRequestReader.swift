// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a request of Anthropic Messages.
///
/// A missing `max_tokens` is let through, because `count_tokens` has none and every writer knows
/// what to do.
struct MessagesRequestReader {
    var conversation = Conversation(.messages)
    /// Where the ids of the calls so far stand, to find results without a call.
    var callIDs: [Range<Int>] = []

    private init() {}

    static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        var reader = MessagesRequestReader()
        try reader.readBody(tape.root, tape, bytes)
        return reader.conversation
    }

    private mutating func readBody(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeObject(root, tape)
        var messages: JSONNode?
        var choice: JSONNode?
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            let (name, value) = (member.name, member.value)
            if tape.equals(name, "messages", in: bytes) {
                messages = value
            } else if tape.equals(name, "tool_choice", in: bytes) {
                choice = value
            } else if try !readSetting(name, value, tape, bytes) {
                conversation.omissions.add(MessagesValue.label(name, tape, bytes))
            }
        }
        guard let messages else { throw MessagesValue.missing("messages", of: root, tape, bytes) }
        try MessagesValue.mustBeArray(messages, tape)
        for message in tape.elements(of: messages) { try readMessage(message, tape, bytes) }
        guard !conversation.messages.isEmpty else {
            throw .invalid(messages, tape, "must have at least one turn")
        }
        // A choice may name a tool that stands behind it.
        if let choice { try readToolChoice(choice, tape, bytes) }
    }

    /// Reads a member at the top; false when nothing else has it.
    private mutating func readSetting(
        _ name: JSONNode,
        _ value: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "model", in: bytes) {
            _ = try MessagesValue.name(value, tape)
        } else if tape.equals(name, "max_tokens", in: bytes) {
            conversation.maxTokens = try MessagesValue.integer(value, tape, bytes, atLeast: 1)
        } else if tape.equals(name, "system", in: bytes) {
            try readSystem(value, tape, bytes)
        } else if tape.equals(name, "tools", in: bytes) {
            try readTools(value, tape, bytes)
        } else if tape.equals(name, "stream", in: bytes) {
            conversation.isStream = try MessagesValue.bool(value, tape)
        } else if tape.equals(name, "temperature", in: bytes) {
            conversation.temperature = try MessagesValue.fraction(value, tape, bytes)
        } else if tape.equals(name, "thinking", in: bytes) {
            try readThinking(value, tape, bytes)
        } else if tape.equals(name, "metadata", in: bytes) {
            try readMetadata(value, tape, bytes)
        } else if tape.equals(name, "stop_sequences", in: bytes) {
            try readStop(value, tape)
        } else if tape.equals(name, "top_p", in: bytes) {
            conversation.topP = try MessagesValue.fraction(value, tape, bytes)
        } else if tape.equals(name, "top_k", in: bytes) {
            conversation.topK = try MessagesValue.integer(value, tape, bytes, atLeast: 0)
        } else if tape.equals(name, "output_config", in: bytes) {
            try readOutput(value, tape, bytes)
        } else if tape.equals(name, "output_format", in: bytes) {
            // The name that the member had while it was a beta.
            try readOutputFormat(value, tape, bytes)
        } else {
            return false
        }
        return true
    }

    private mutating func readSystem(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        // Turns with the role `system` may have come before; these here stand above all.
        let lifted = conversation.system
        conversation.system = []
        try appendSystem(node, tape, bytes)
        conversation.system += lifted
    }

    /// Appends the texts of `content`, of `system` or of a turn with that role.
    mutating func appendSystem(
        _ content: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        switch tape.kind(of: content) {
        case .string:
            conversation.system.append(TextBlock(JSONText(content, tape)))
        case .array:
            for block in tape.elements(of: content) {
                try MessagesValue.mustBeObject(block, tape)
                guard let type = MessagesValue.member("type", of: block, tape, bytes) else {
                    throw MessagesValue.missing("type", of: block, tape, bytes)
                }
                guard tape.equals(type, "text", in: bytes) else {
                    throw .invalid(type, tape, "must be \"text\"")
                }
                conversation.system.append(try readText(block, tape, bytes))
            }
        case .object, .number, .bool, .null:
            throw .invalid(content, tape, "must be a string or an array of text blocks")
        }
    }

    private mutating func readMetadata(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeObject(node, tape)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "user_id", in: bytes) {
                conversation.user = try MessagesValue.string(member.value, tape)
            } else {
                omit("metadata.", member.name, tape, bytes)
            }
        }
    }

    private mutating func readStop(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) {
        try MessagesValue.mustBeArray(node, tape)
        for element in tape.elements(of: node) {
            let text = try MessagesValue.string(element, tape)
            if !text.isEmpty { conversation.stop.append(text) }
        }
    }

    /// Notes that the member `name` below `path` has no place in a conversation.
    mutating func omit(
        _ path: String,
        _ name: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        conversation.omissions.add(path + MessagesValue.label(name, tape, bytes))
    }
}
