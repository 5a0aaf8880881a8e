// SPDX-License-Identifier: Apache-2.0
import JSON

/// Turns and their blocks.
extension MessagesRequestReader {
    mutating func readMessage(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeObject(node, tape)
        var role: JSONNode?
        var content: JSONNode?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "role", in: bytes) {
                role = member.value
            } else if tape.equals(member.name, "content", in: bytes) {
                content = member.value
            } else {
                omit("messages[].", member.name, tape, bytes)
            }
        }
        guard let role else { throw MessagesValue.missing("role", of: node, tape, bytes) }
        guard let content else { throw MessagesValue.missing("content", of: node, tape, bytes) }
        if tape.equals(role, "user", in: bytes) {
            let parts = try readContent(content, .user, tape, bytes)
            conversation.messages.append(Message(.user, parts))
        } else if tape.equals(role, "assistant", in: bytes) {
            let parts = try readContent(content, .assistant, tape, bytes)
            conversation.messages.append(Message(.assistant, parts))
        } else if tape.equals(role, "system", in: bytes) {
            try appendSystem(content, tape, bytes)
        } else {
            throw .invalid(role, tape, "must be \"user\" or \"assistant\"")
        }
    }

    private mutating func readContent(
        _ content: JSONNode,
        _ role: Message.Role,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> [Part] {
        switch tape.kind(of: content) {
        case .string:
            return [.text(TextBlock(JSONText(content, tape)))]
        case .array:
            var parts: [Part] = []
            for block in tape.elements(of: content) {
                try readBlock(block, role, into: &parts, tape, bytes)
            }
            return parts
        case .object, .number, .bool, .null:
            throw .invalid(content, tape, "must be a string or an array of blocks")
        }
    }

    private mutating func readBlock(
        _ node: JSONNode,
        _ role: Message.Role,
        into parts: inout [Part],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let type = try readType(node, tape, bytes)
        if tape.equals(type, "text", in: bytes) {
            parts.append(.text(try readText(node, tape, bytes)))
        } else if tape.equals(type, "tool_use", in: bytes) {
            try demand(.assistant, role, type, tape)
            parts.append(.toolCall(try readToolCall(node, tape, bytes)))
        } else if tape.equals(type, "tool_result", in: bytes) {
            try demand(.user, role, type, tape)
            parts.append(.toolResult(try readToolResult(node, tape, bytes)))
        } else if tape.equals(type, "thinking", in: bytes) {
            try demand(.assistant, role, type, tape)
            parts.append(.thinking(try readThoughts(node, tape, bytes)))
        } else if tape.equals(type, "redacted_thinking", in: bytes) {
            try demand(.assistant, role, type, tape)
            guard let data = MessagesValue.member("data", of: node, tape, bytes) else {
                throw MessagesValue.missing("data", of: node, tape, bytes)
            }
            let encrypted = try MessagesValue.string(data, tape)
            parts.append(.thinking(Thinking(text: nil, encrypted: encrypted)))
        } else if try !readMedia(node, type, into: &parts, tape, bytes) {
            guard MessagesBlock.isOfServerTool(type, tape, bytes) else {
                throw .invalid(type, tape, "is not a type of block that is known")
            }
            omit("messages[].content[].", type, tape, bytes)
        }
    }

    /// The type of a block.
    private func readType(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONNode {
        try MessagesValue.mustBeObject(node, tape)
        guard let type = MessagesValue.member("type", of: node, tape, bytes) else {
            throw MessagesValue.missing("type", of: node, tape, bytes)
        }
        guard tape.kind(of: type) == .string else {
            throw .invalid(type, tape, "must be a string")
        }
        return type
    }

    private func demand(
        _ wanted: Message.Role,
        _ role: Message.Role,
        _ type: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) {
        guard role == wanted else {
            let owner = wanted == .user ? "the user" : "the assistant"
            throw .invalid(type, tape, "stands only in turns of \(owner)")
        }
    }

    mutating func readText(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> TextBlock {
        var text: JSONText?
        var cache: JSONFragment?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "text", in: bytes) {
                text = try MessagesValue.string(member.value, tape)
            } else if tape.equals(member.name, "cache_control", in: bytes) {
                cache = try MessagesValue.object(member.value, tape)
            } else if !tape.equals(member.name, "type", in: bytes) {
                omit("messages[].content[].", member.name, tape, bytes)
            }
        }
        guard let text else { throw MessagesValue.missing("text", of: node, tape, bytes) }
        return TextBlock(text, cache: cache)
    }

    private mutating func readToolCall(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolCall {
        var id: JSONText?
        var name: JSONText?
        var input = JSONFragment.json("{}")
        var cache: JSONFragment?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let value = member.value
            if tape.equals(member.name, "id", in: bytes) {
                id = try MessagesValue.name(value, tape)
                callIDs.append(tape.contentRange(of: value))
            } else if tape.equals(member.name, "name", in: bytes) {
                name = try MessagesValue.name(value, tape)
            } else if tape.equals(member.name, "input", in: bytes) {
                input = try MessagesValue.object(value, tape)
            } else if tape.equals(member.name, "cache_control", in: bytes) {
                cache = try MessagesValue.object(value, tape)
            } else if !tape.equals(member.name, "type", in: bytes) {
                omit("messages[].content[].", member.name, tape, bytes)
            }
        }
        guard let id else { throw MessagesValue.missing("id", of: node, tape, bytes) }
        guard let name else { throw MessagesValue.missing("name", of: node, tape, bytes) }
        var call = ToolCall(id: id, name: name, input: .object(input))
        call.cache = cache
        return call
    }

    private mutating func readToolResult(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolResult {
        var result = ToolResult(callID: nil, name: nil, content: [])
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let value = member.value
            if tape.equals(member.name, "tool_use_id", in: bytes) {
                result.callID = try MessagesValue.name(value, tape)
                guard hasCall(tape.contentRange(of: value), bytes) else {
                    throw .invalid(value, tape, "must be the id of an earlier tool_use block")
                }
            } else if tape.equals(member.name, "content", in: bytes) {
                result.content = try readResultContent(value, tape, bytes)
            } else if tape.equals(member.name, "is_error", in: bytes) {
                result.isError = try MessagesValue.bool(value, tape)
            } else if tape.equals(member.name, "cache_control", in: bytes) {
                result.cache = try MessagesValue.object(value, tape)
            } else if !tape.equals(member.name, "type", in: bytes) {
                omit("messages[].content[].", member.name, tape, bytes)
            }
        }
        guard result.callID != nil else {
            throw MessagesValue.missing("tool_use_id", of: node, tape, bytes)
        }
        return result
    }

    /// Whether a call has the id at `range`; from the end, because the last turn's calls are meant.
    private func hasCall(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        let id = bytes.extracting(range)
        for callID in callIDs.reversed() where MessagesBytes.equal(bytes.extracting(callID), id) {
            return true
        }
        return false
    }

    private mutating func readResultContent(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> [Part] {
        switch tape.kind(of: node) {
        case .string:
            let text = JSONText(node, tape)
            return text.isEmpty ? [] : [.text(TextBlock(text))]
        case .array:
            var parts: [Part] = []
            for block in tape.elements(of: node) {
                try readResultBlock(block, into: &parts, tape, bytes)
            }
            return parts
        case .object, .number, .bool, .null:
            throw .invalid(node, tape, "must be a string or an array of blocks")
        }
    }

    private mutating func readResultBlock(
        _ node: JSONNode,
        into parts: inout [Part],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let type = try readType(node, tape, bytes)
        if tape.equals(type, "text", in: bytes) {
            parts.append(.text(try readText(node, tape, bytes)))
        } else if try !readMedia(node, type, into: &parts, tape, bytes) {
            // What a tool said is the model's to understand, whatever its type.
            let text = MessagesBlock.text(ofUnknown: node, type, tape, bytes)
            parts.append(.text(TextBlock(.text(text))))
        }
    }

    private mutating func readThoughts(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Thinking {
        var thinking = Thinking(text: nil)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "thinking", in: bytes) {
                thinking.text = try MessagesValue.string(member.value, tape)
            } else if tape.equals(member.name, "signature", in: bytes) {
                let signature = try MessagesValue.string(member.value, tape)
                // Answers of other vendors have an empty one here.
                if !signature.isEmpty { thinking.signature = signature }
            } else if !tape.equals(member.name, "type", in: bytes) {
                omit("messages[].content[].", member.name, tape, bytes)
            }
        }
        guard thinking.text != nil else {
            throw MessagesValue.missing("thinking", of: node, tape, bytes)
        }
        return thinking
    }
}
