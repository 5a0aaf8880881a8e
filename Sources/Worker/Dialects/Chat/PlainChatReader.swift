// SPDX-License-Identifier: Apache-2.0
package import JSON

/// Reads a request of `POST /chat/stream`: messages, two settings, and nothing else.
///
/// The answer is a stream of chat completions. Everything that is not part of the contract is
/// refused by its name, so that a typing error does not pass as a wish.
package enum PlainChatReader {
    private static let temperatureMax = 2.0

    /// Reads the document; `model`, which may be absent, is only checked.
    ///
    /// - Throws: What is wrong with it.
    package static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        let root = tape.root
        try ChatFields.object(root, tape)
        var reader = ChatRequestReader(.chat, tape)
        reader.conversation.isStream = true
        var messages: JSONNode?
        for member in tape.members(of: root) {
            if tape.equals(member.name, "messages", in: bytes) {
                messages = member.value
            } else if tape.equals(member.name, "temperature", in: bytes) {
                guard !tape.isNull(member.value) else { continue }
                let temperature = try ChatFields.number(member.value, tape, bytes)
                guard (0...temperatureMax).contains(temperature) else {
                    throw .invalid(member.value, tape, "must be from 0 to 2")
                }
                reader.conversation.temperature = temperature
            } else if tape.equals(member.name, "max_tokens", in: bytes) {
                guard !tape.isNull(member.value) else { continue }
                let maxTokens = try ChatFields.integer(member.value, from: 1, tape, bytes)
                reader.conversation.maxTokens = maxTokens
            } else if tape.equals(member.name, "model", in: bytes) {
                guard !tape.isNull(member.value) else { continue }
                _ = try ChatFields.name(member.value, tape)
            } else {
                throw .invalid(
                    member.name,
                    tape,
                    "is unknown here; known are messages, temperature, max_tokens and model"
                )
            }
        }
        guard let messages else { throw ChatFields.missing("messages", of: root, tape, bytes) }
        try reader.readMessages(messages, bytes)
        if let unknown = reader.conversation.omissions.names.first {
            throw ConversionError(.invalid, .path(unknown), "is unknown here")
        }
        return reader.conversation
    }
}
