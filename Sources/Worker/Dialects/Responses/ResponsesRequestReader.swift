// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a request of OpenAI Responses.
///
/// Only for models that speak another format: nothing is stored there, so whatever refers to stored
/// things is refused, with what to do instead. Not named as left out are members on which the
/// answer does not depend: `metadata` and `prompt_cache_key` are labels, `store: false` is what
/// happens, and `include` of encrypted reasoning is always fulfilled.
enum ResponsesRequestReader {
    static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        guard tape.kind(of: tape.root) == .object else {
            throw .invalid(tape.root, tape, "must be an object")
        }
        var reader = ResponsesMembers(tape)
        for member in tape.members(of: tape.root) where !tape.isNull(member.value) {
            if try reader.takeContent(member.name, member.value, bytes) { continue }
            if try reader.takeSetting(member.name, member.value, bytes) { continue }
            try reader.takeService(member.name, member.value, bytes)
        }
        return try reader.finish(bytes)
    }
}

/// The members of one request as they come.
struct ResponsesMembers {
    let tape: JSONTape
    var conversation = Conversation(.responses)
    private var input: JSONNode?
    private var instructions: JSONNode?
    private var tools: JSONNode?
    private var toolChoice: JSONNode?
    private var text: JSONNode?
    private var reasoning: JSONNode?
    private var safetyIdentifier: JSONText?

    init(_ tape: JSONTape) {
        self.tape = tape
    }

    /// Keeps what has parts of its own, for when all is known; false for other members.
    mutating func takeContent(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "input", in: bytes) {
            input = value
        } else if tape.equals(name, "instructions", in: bytes) {
            instructions = value
        } else if tape.equals(name, "tools", in: bytes) {
            try ResponsesValue.array(value, tape)
            tools = value
        } else if tape.equals(name, "tool_choice", in: bytes) {
            toolChoice = value
        } else if tape.equals(name, "text", in: bytes) {
            try ResponsesValue.object(value, tape)
            text = value
        } else if tape.equals(name, "reasoning", in: bytes) {
            try ResponsesValue.object(value, tape)
            reasoning = value
        } else {
            return false
        }
        return true
    }

    /// Takes what stands for itself; false for other members.
    mutating func takeSetting(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "model", in: bytes) {
            _ = try ResponsesValue.text(value, tape)
        } else if tape.equals(name, "stream", in: bytes) {
            conversation.isStream = try ResponsesValue.flag(value, tape)
        } else if tape.equals(name, "max_output_tokens", in: bytes) {
            conversation.maxTokens = try ResponsesValue.positive(value, tape, bytes)
        } else if tape.equals(name, "temperature", in: bytes) {
            conversation.temperature = try ResponsesValue.number(value, tape, bytes)
        } else if tape.equals(name, "top_p", in: bytes) {
            conversation.topP = try ResponsesValue.number(value, tape, bytes)
        } else if tape.equals(name, "parallel_tool_calls", in: bytes) {
            conversation.parallelToolCalls = try ResponsesValue.flag(value, tape)
        } else if tape.equals(name, "user", in: bytes) {
            conversation.user = try ResponsesValue.text(value, tape)
        } else if tape.equals(name, "safety_identifier", in: bytes) {
            safetyIdentifier = try ResponsesValue.text(value, tape)
        } else {
            return false
        }
        return true
    }

    /// Takes what OpenAI's service does around the model.
    mutating func takeService(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        if tape.equals(name, "metadata", in: bytes)
            || tape.equals(name, "prompt_cache_key", in: bytes)
            || tape.equals(name, "prompt_cache_retention", in: bytes)
            || tape.equals(name, "stream_options", in: bytes)
        {
            return
        }
        if tape.equals(name, "previous_response_id", in: bytes)
            || tape.equals(name, "conversation", in: bytes)
        {
            throw ResponsesValue.unsupported(
                value,
                tape,
                "cannot be used with this model, whose answers are not stored; "
                    + "send the whole conversation in `input`"
            )
        }
        if tape.equals(name, "prompt", in: bytes) {
            throw ResponsesValue.unsupported(
                value,
                tape,
                "cannot be used with this model, whose provider has no stored prompts; "
                    + "send `instructions` and `input`"
            )
        }
        if tape.equals(name, "background", in: bytes) {
            guard try ResponsesValue.flag(value, tape) else { return }
            throw ResponsesValue.unsupported(
                value,
                tape,
                "cannot be true with this model, whose answers are not stored; use `stream`"
            )
        }
        if try isHarmless(name, value, bytes) { return }
        ResponsesValue.leaveOut(name, tape, bytes, &conversation.omissions)
    }

    /// Whether a member asks only for what happens anyway.
    private func isHarmless(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "store", in: bytes) {
            return try !ResponsesValue.flag(value, tape)
        }
        if tape.equals(name, "truncation", in: bytes) {
            return tape.equals(value, "disabled", in: bytes)
        }
        if tape.equals(name, "service_tier", in: bytes) {
            return tape.equals(value, "auto", in: bytes)
                || tape.equals(value, "default", in: bytes)
        }
        if tape.equals(name, "include", in: bytes) {
            try ResponsesValue.array(value, tape)
            return tape.elements(of: value).allSatisfy {
                tape.equals($0, "reasoning.encrypted_content", in: bytes)
            }
        }
        return false
    }

    mutating func finish(_ bytes: Span<UInt8>) throws(ConversionError) -> Conversation {
        if conversation.user == nil { conversation.user = safetyIdentifier }
        if let instructions {
            let text = try ResponsesValue.text(instructions, tape)
            if !text.isEmpty { conversation.system.append(TextBlock(text)) }
        }
        guard let input else {
            throw ResponsesValue.missing("input", of: tape.root, tape, bytes)
        }
        switch tape.kind(of: input) {
        case .string:
            conversation.messages = [Message(.user, [.text(TextBlock(JSONText(input, tape)))])]
        case .array:
            var items = ResponsesItems(tape, system: conversation.system)
            for element in tape.elements(of: input) {
                try items.take(element, bytes)
            }
            items.finish(&conversation)
            guard !conversation.messages.isEmpty || !conversation.system.isEmpty else {
                throw .invalid(input, tape, "must have an item")
            }
        default:
            throw .invalid(input, tape, "must be a string or an array of items")
        }
        try readTools(tools, toolChoice, bytes)
        if let text { try readText(text, bytes) }
        if let reasoning { try readReasoning(reasoning, bytes) }
        return conversation
    }
}
