// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a request of OpenAI's text completions as a conversation with one turn.
///
/// Spec: the request body of `POST /v1/completions` in OpenAI's API reference.
enum CompletionsRequestReader {
    static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        let root = tape.root
        try ChatFields.object(root, tape)
        var reader = ChatRequestReader(.completions, tape)
        var prompt: JSONNode?
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            if tape.equals(member.name, "prompt", in: bytes) {
                prompt = member.value
            } else {
                try reader.readCompletionsMember(member.name, member.value, bytes)
            }
        }
        reader.settleLimits()
        guard let prompt else { throw ChatFields.missing("prompt", of: root, tape, bytes) }
        let text = try self.prompt(prompt, tape)
        reader.conversation.messages = [Message(.user, [.text(TextBlock(text))])]
        return reader.conversation
    }

    /// The text of the only prompt.
    private static func prompt(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> JSONText {
        switch tape.kind(of: node) {
        case .string: return JSONText(node, tape)
        case .array: break
        case .object, .number, .bool, .null:
            throw .invalid(node, tape, "must be a string or an array with one string")
        }
        var only: JSONNode?
        for element in tape.elements(of: node) {
            switch tape.kind(of: element) {
            case .string: break
            case .number, .array:
                throw unsupported(
                    element,
                    tape,
                    "must be a string: the model behind this gateway reads no tokens"
                )
            case .object, .bool, .null: throw .invalid(element, tape, "must be a string")
            }
            guard only == nil else {
                throw unsupported(element, tape, "is one prompt too many: send one per request")
            }
            only = element
        }
        guard let only else { throw .invalid(node, tape, "must not be empty") }
        return JSONText(only, tape)
    }

    fileprivate static func unsupported(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ message: String
    ) -> ConversionError {
        ConversionError(.unsupported, .offset(tape.valueRange(of: node).lowerBound), message)
    }
}

extension ChatRequestReader {
    /// Reads a member of text completions other than the prompt.
    fileprivate mutating func readCompletionsMember(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        if tape.equals(name, "model", in: bytes) { return }
        // A number here, unlike in chat.
        if tape.equals(name, "logprobs", in: bytes) {
            _ = try ChatFields.integer(value, from: 0, tape, bytes)
            omit("", name, bytes)
            return
        }
        if try readLimit(name, value, bytes) { return }
        if try readSampling(name, value, bytes) { return }
        if tape.equals(name, "stream", in: bytes) {
            conversation.isStream = try ChatFields.bool(value, tape)
        } else if tape.equals(name, "stream_options", in: bytes) {
            try readStreamOptions(value, bytes)
        } else if tape.equals(name, "user", in: bytes) {
            conversation.user = try ChatFields.text(value, tape)
        } else if tape.equals(name, "suffix", in: bytes) {
            guard try ChatFields.text(value, tape).isEmpty else {
                throw CompletionsRequestReader.unsupported(
                    value,
                    tape,
                    "is not available: the model behind this gateway only goes on at the end"
                )
            }
        } else if tape.equals(name, "echo", in: bytes) {
            guard try !ChatFields.bool(value, tape) else {
                throw CompletionsRequestReader.unsupported(
                    value,
                    tape,
                    "must be false: the model behind this gateway does not repeat the prompt"
                )
            }
        } else if tape.equals(name, "best_of", in: bytes) {
            if try ChatFields.integer(value, from: 1, tape, bytes) > 1 { omit("", name, bytes) }
        } else if !ChatFields.isNothing(value, tape) {
            omit("", name, bytes)
        }
    }
}
