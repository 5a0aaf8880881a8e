// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a request of OpenAI chat completions.
///
/// Spec: the request body of `POST /v1/chat/completions` in OpenAI's API reference, with what
/// others added to it and clients send everywhere: `top_k`, `reasoning_content`, `cache_control`,
/// and the `thinking` and `reasoning` objects.
struct ChatRequestReader {
    let tape: JSONTape
    var conversation: Conversation
    var calls = ChatCallIDs()
    private var messages: JSONNode?
    /// Values that only count if no better member says the same.
    private var oldMaxTokens: Int?
    private var hasNewMaxTokens = false

    init(_ format: WireFormat, _ tape: JSONTape) {
        self.tape = tape
        conversation = Conversation(format)
    }

    static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        var reader = ChatRequestReader(.chat, tape)
        try reader.readMembers(bytes)
        return reader.conversation
    }

    private mutating func readMembers(_ bytes: Span<UInt8>) throws(ConversionError) {
        guard tape.kind(of: tape.root) == .object else {
            throw ConversionError(.invalid, .whole, "must be a JSON object")
        }
        for member in tape.members(of: tape.root) where !tape.isNull(member.value) {
            try readMember(member.name, member.value, bytes)
        }
        settleLimits()
        guard let messages else {
            throw ChatFields.missing("messages", of: tape.root, tape, bytes)
        }
        try readMessages(messages, bytes)
    }

    private mutating func readMember(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        if tape.equals(name, "messages", in: bytes) {
            messages = value
            return
        }
        // Whoever chose this reader has read the name of the model.
        if tape.equals(name, "model", in: bytes) { return }
        if try readLimit(name, value, bytes) { return }
        if try readSampling(name, value, bytes) { return }
        if try readToolMember(name, value, bytes) { return }
        if try readReasoning(name, value, bytes) { return }
        if tape.equals(name, "stream", in: bytes) {
            conversation.isStream = try ChatFields.bool(value, tape)
        } else if tape.equals(name, "stream_options", in: bytes) {
            try readStreamOptions(value, bytes)
        } else if tape.equals(name, "response_format", in: bytes) {
            conversation.responseFormat = try responseFormat(value, bytes)
        } else if tape.equals(name, "user", in: bytes) {
            conversation.user = try ChatFields.text(value, tape)
        } else {
            try leaveOut(name, value, bytes)
        }
    }

    mutating func readStreamOptions(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try ChatFields.object(node, tape)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "include_usage", in: bytes) {
                conversation.wantsUsage = try ChatFields.bool(member.value, tape)
            } else if !ChatFields.isNothing(member.value, tape) {
                omit("stream_options.", member.name, bytes)
            }
        }
    }

    // MARK: Numbers

    mutating func readLimit(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "max_tokens", in: bytes) {
            oldMaxTokens = try ChatFields.integer(value, from: 1, tape, bytes)
        } else if tape.equals(name, "max_completion_tokens", in: bytes) {
            conversation.maxTokens = try ChatFields.integer(value, from: 1, tape, bytes)
            hasNewMaxTokens = true
        } else if tape.equals(name, "stop", in: bytes) {
            try readStop(value)
        } else if tape.equals(name, "n", in: bytes) {
            conversation.candidates = try ChatFields.integer(value, from: 1, tape, bytes)
        } else {
            return false
        }
        return true
    }

    /// Chooses between the two names of the limit, when all members are read.
    mutating func settleLimits() {
        if !hasNewMaxTokens { conversation.maxTokens = oldMaxTokens }
    }

    private mutating func readStop(_ node: JSONNode) throws(ConversionError) {
        if tape.kind(of: node) == .string {
            let text = JSONText(node, tape)
            conversation.stop = text.isEmpty ? [] : [text]
            return
        }
        guard tape.kind(of: node) == .array else {
            throw .invalid(node, tape, "must be a string or an array of strings")
        }
        conversation.stop = []
        for element in tape.elements(of: node) {
            let text = try ChatFields.text(element, tape)
            if !text.isEmpty { conversation.stop.append(text) }
        }
    }

    mutating func readSampling(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "temperature", in: bytes) {
            conversation.temperature = try ChatFields.number(value, tape, bytes)
        } else if tape.equals(name, "top_p", in: bytes) {
            conversation.topP = try ChatFields.number(value, tape, bytes)
        } else if tape.equals(name, "top_k", in: bytes) {
            conversation.topK = try ChatFields.integer(value, tape, bytes)
        } else if tape.equals(name, "seed", in: bytes) {
            conversation.seed = try ChatFields.integer(value, tape, bytes)
        } else if tape.equals(name, "presence_penalty", in: bytes) {
            conversation.presencePenalty = try ChatFields.number(value, tape, bytes)
        } else if tape.equals(name, "frequency_penalty", in: bytes) {
            conversation.frequencyPenalty = try ChatFields.number(value, tape, bytes)
        } else if tape.equals(name, "logprobs", in: bytes) {
            conversation.logprobs = try ChatFields.bool(value, tape)
        } else if tape.equals(name, "top_logprobs", in: bytes) {
            conversation.topLogprobs = try ChatFields.integer(value, from: 0, tape, bytes)
        } else {
            return false
        }
        return true
    }

    // MARK: What has no place

    /// Deals with a member that no other format has.
    private mutating func leaveOut(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        if tape.equals(name, "modalities", in: bytes) {
            for element in try ChatFields.array(value, tape)
            where !tape.equals(element, "text", in: bytes) {
                throw ConversionError(
                    .unsupported,
                    .offset(tape.valueRange(of: element).lowerBound),
                    "is not available for this model, which answers with text only"
                )
            }
            return
        }
        // The defaults ask for nothing that would get lost.
        if tape.equals(name, "service_tier", in: bytes) {
            if tape.equals(value, "auto", in: bytes) || tape.equals(value, "default", in: bytes) {
                return
            }
        }
        if !ChatFields.isNothing(value, tape) { omit("", name, bytes) }
    }

    /// Notes that the member `name` of what `prefix` names gets lost.
    mutating func omit(_ prefix: String, _ name: JSONNode, _ bytes: Span<UInt8>) {
        conversation.omissions.add(prefix + (tape.string(of: name, in: bytes) ?? ""))
    }
}
