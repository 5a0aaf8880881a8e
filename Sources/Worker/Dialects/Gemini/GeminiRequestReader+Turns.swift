// SPDX-License-Identifier: Apache-2.0
import JSON

extension GeminiRequestReader {
    /// Reads contents in order and knows the calls so far.
    struct Turns {
        private static let signature = "contents[].parts[].thoughtSignature"

        private var calls = GeminiCalls()

        mutating func read(
            _ content: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>,
            into conversation: inout Conversation
        ) throws(ConversionError) {
            try GeminiValue.mustBeObject(content, tape)
            var parts: JSONNode?
            var role = Message.Role.user
            for member in tape.members(of: content) where !tape.isNull(member.value) {
                if tape.equals(member.name, "parts", in: bytes) {
                    parts = member.value
                } else if tape.equals(member.name, "role", in: bytes) {
                    role = try Self.role(member.value, tape, bytes)
                } else {
                    conversation.omissions.add(
                        "contents[]." + GeminiValue.label(member.name, tape, bytes)
                    )
                }
            }
            guard let parts else {
                // An answer that was cut has no parts when a client sends it back.
                if role == .assistant { return }
                throw GeminiValue.missing("parts", of: content, tape, bytes)
            }
            if role == .assistant { calls.beginTurn() }
            var message = Message(role, [])
            for part in try GeminiList(parts, tape) {
                try read(part, tape, bytes, into: &message, &conversation.omissions)
            }
            if !message.parts.isEmpty { conversation.messages.append(message) }
        }

        private static func role(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) throws(ConversionError) -> Message.Role {
            if tape.equals(node, "user", or: "function", in: bytes) { return .user }
            if tape.equals(node, "model", in: bytes) { return .assistant }
            throw .invalid(node, tape, "must be 'user', 'model' or 'function'")
        }

        private mutating func read(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>,
            into message: inout Message,
            _ omissions: inout Omissions
        ) throws(ConversionError) {
            try GeminiValue.mustBeObject(node, tape)
            let part = GeminiPart(node, tape, bytes)
            if let unknown = part.unknown {
                omissions.add("contents[].parts[]." + GeminiValue.label(unknown, tape, bytes))
            }
            if let text = part.text {
                let text = try GeminiValue.text(text, tape)
                guard message.role == .assistant && part.isThought else {
                    if !text.isEmpty { message.parts.append(.text(TextBlock(text))) }
                    // No other format has signed texts, and they need not come back.
                    if part.signature(tape) != nil { omissions.add(Self.signature) }
                    return
                }
                let thinking = Thinking(text: text, signature: part.signature(tape))
                if !text.isEmpty || thinking.signature != nil {
                    message.parts.append(.thinking(thinking))
                }
            } else if let call = part.functionCall {
                guard message.role == .assistant else {
                    throw .invalid(call, tape, "belongs to a content of the role 'model'")
                }
                var call = try GeminiCallReader.read(call, tape, bytes)
                call.signature = part.signature(tape)
                calls.append(call.id, call.name)
                message.parts.append(.toolCall(call))
            } else if let response = part.functionResponse {
                guard message.role == .user else {
                    throw .invalid(response, tape, "belongs to a content of the role 'user'")
                }
                try readResponse(response, tape, bytes, into: &message, &omissions)
            } else if let data = part.inlineData {
                message.parts.append(.media(try GeminiMedia.readInline(data, tape, bytes)))
            } else if let file = part.fileData {
                message.parts.append(.media(try GeminiMedia.readFile(file, tape, bytes)))
            } else if let text = part.codeText(tape, bytes) {
                message.parts.append(.text(TextBlock(text)))
            } else if part.signature(tape) != nil {
                omissions.add(Self.signature)
            } else if part.unknown == nil {
                throw .invalid(node, tape, "must have a text, data or a call")
            }
        }

        private mutating func readResponse(
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>,
            into message: inout Message,
            _ omissions: inout Omissions
        ) throws(ConversionError) {
            try GeminiValue.mustBeObject(node, tape)
            var name: JSONText?
            var id: JSONText?
            var response: JSONNode?
            var media: JSONNode?
            for member in tape.members(of: node) where !tape.isNull(member.value) {
                let value = member.value
                if tape.equals(member.name, "name", in: bytes) {
                    name = try GeminiValue.name(value, tape)
                } else if tape.equals(member.name, "id", in: bytes) {
                    id = try GeminiValue.text(value, tape)
                } else if tape.equals(member.name, "response", in: bytes) {
                    try GeminiValue.mustBeObject(value, tape)
                    response = value
                } else if tape.equals(member.name, "parts", in: bytes) {
                    media = value
                } else {
                    omissions.add(
                        "contents[].parts[].functionResponse."
                            + GeminiValue.label(member.name, tape, bytes)
                    )
                }
            }
            if let text = id, text.isEmpty { id = nil }
            let call = try call(name, id, node, tape, bytes)
            var result = ToolResult(callID: id ?? call.id, name: name ?? call.name, content: [])
            result.value = response.map { JSONFragment($0, tape) } ?? .json("{}")
            if let response { result.isError = Self.isError(response, tape, bytes) }
            message.parts.append(.toolResult(result))
            guard let media else { return }
            for part in try GeminiList(media, tape) {
                // What a tool shows stands behind what it says, where every format has it.
                try read(part, tape, bytes, into: &message, &omissions)
            }
        }

        /// The call that a result answers.
        private mutating func call(
            _ name: JSONText?,
            _ id: JSONText?,
            _ node: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) throws(ConversionError) -> GeminiCalls.Call {
            if let id, let call = calls.find(id: id, in: bytes) { return call }
            guard let name else {
                if id == nil { throw GeminiValue.missing("name", of: node, tape, bytes) }
                throw .invalid(node, tape, "answers no functionCall that came before")
            }
            guard let call = calls.answer(name: name, in: bytes) else {
                throw .invalid(node, tape, "answers no functionCall that came before")
            }
            return call
        }

        /// Whether a response has an error and nothing else, Google's way to say that a tool failed.
        private static func isError(
            _ response: JSONNode,
            _ tape: JSONTape,
            _ bytes: Span<UInt8>
        ) -> Bool {
            var count = 0
            var hasError = false
            for member in tape.members(of: response) {
                count += 1
                hasError = hasError || tape.equals(member.name, "error", in: bytes)
            }
            return hasError && count == 1
        }
    }
}

/// Reads `functionCall`, in requests and in answers.
enum GeminiCallReader {
    static func read(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolCall {
        try GeminiValue.mustBeObject(node, tape)
        var name: JSONText?
        var id: JSONText?
        var input = JSONFragment.json("{}")
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "name", in: bytes) {
                name = try GeminiValue.name(member.value, tape)
            } else if tape.equals(member.name, "id", in: bytes) {
                let text = try GeminiValue.text(member.value, tape)
                id = text.isEmpty ? nil : text
            } else if tape.equals(member.name, "args", in: bytes) {
                try GeminiValue.mustBeObject(member.value, tape)
                input = JSONFragment(member.value, tape)
            }
        }
        guard let name else { throw GeminiValue.missing("name", of: node, tape, bytes) }
        return ToolCall(id: id, name: name, input: .object(input))
    }
}
