// SPDX-License-Identifier: Apache-2.0
import JSON

extension ChatRequestReader {
    /// The members of a message, found in one pass; none is null.
    private struct Fields {
        let node: JSONNode
        var role: JSONNode?
        var content: JSONNode?
        var name: JSONNode?
        var toolCalls: JSONNode?
        var functionCall: JSONNode?
        var toolCallID: JSONNode?
        var refusal: JSONNode?
        var thoughts: JSONNode?
        var audio: JSONNode?
        var cache: JSONNode?
    }

    mutating func readMessages(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var count = 0
        for message in try ChatFields.array(node, tape) {
            try readMessage(message, bytes)
            count += 1
        }
        if count == 0 { throw .invalid(node, tape, "must not be empty") }
    }

    private mutating func readMessage(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let fields = try messageFields(node, bytes)
        guard let role = fields.role else {
            throw ChatFields.missing("role", of: node, tape, bytes)
        }
        if tape.equals(role, "user", in: bytes) {
            try readUser(fields, bytes)
        } else if tape.equals(role, "assistant", in: bytes) {
            try readAssistant(fields, bytes)
        } else if tape.equals(role, "tool", in: bytes) {
            try readTool(fields, bytes)
        } else if tape.equals(role, "system", in: bytes)
            || tape.equals(role, "developer", in: bytes)
        {
            try readSystem(fields, bytes)
        } else if tape.equals(role, "function", in: bytes) {
            try readFunction(fields, bytes)
        } else {
            throw .invalid(
                role,
                tape,
                "must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\""
            )
        }
    }

    private mutating func messageFields(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Fields {
        try ChatFields.object(node, tape)
        var fields = Fields(node: node)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let name = member.name
            let value = member.value
            if tape.equals(name, "role", in: bytes) {
                fields.role = value
            } else if tape.equals(name, "content", in: bytes) {
                fields.content = value
            } else if tape.equals(name, "tool_calls", in: bytes) {
                fields.toolCalls = value
            } else if tape.equals(name, "tool_call_id", in: bytes) {
                fields.toolCallID = value
            } else if tape.equals(name, "name", in: bytes) {
                fields.name = value
            } else if tape.equals(name, "refusal", in: bytes) {
                fields.refusal = value
            } else if tape.equals(name, "reasoning_content", in: bytes) {
                fields.thoughts = value
            } else if tape.equals(name, "reasoning", in: bytes) {
                // Some vendors give both names the same text.
                if fields.thoughts == nil { fields.thoughts = value }
            } else if tape.equals(name, "function_call", in: bytes) {
                fields.functionCall = value
            } else if tape.equals(name, "audio", in: bytes) {
                fields.audio = value
            } else if tape.equals(name, "cache_control", in: bytes) {
                fields.cache = value
            } else if !ChatFields.isNothing(value, tape) {
                omit("messages[].", name, bytes)
            }
        }
        return fields
    }

    // MARK: Roles

    private mutating func readSystem(
        _ fields: Fields,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        noteName(fields, bytes)
        for part in try content(fields, .textOnly, bytes) {
            if case .text(let block) = part { conversation.system.append(block) }
        }
    }

    private mutating func readUser(
        _ fields: Fields,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        noteName(fields, bytes)
        conversation.messages.append(Message(.user, try content(fields, .user, bytes)))
    }

    private mutating func readAssistant(
        _ fields: Fields,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        noteName(fields, bytes)
        if let audio = fields.audio {
            throw ConversionError(
                .unsupported,
                .offset(tape.valueRange(of: audio).lowerBound),
                "names a sound that only its maker keeps; send the text that was said"
            )
        }
        var parts: [Part] = []
        if let thoughts = fields.thoughts, tape.kind(of: thoughts) == .string {
            let text = JSONText(thoughts, tape)
            if !text.isEmpty { parts.append(.thinking(Thinking(text: text))) }
        }
        if fields.content != nil {
            parts += try content(fields, .assistant, bytes)
        }
        if let refusal = fields.refusal {
            parts.append(.refusal(try ChatFields.text(refusal, tape)))
        }
        if let toolCalls = fields.toolCalls {
            for element in try ChatFields.array(toolCalls, tape) {
                parts.append(.toolCall(try toolCall(element, bytes)))
            }
        }
        if let functionCall = fields.functionCall {
            parts.append(.toolCall(try oldCall(functionCall, bytes)))
        }
        guard !parts.isEmpty || fields.content != nil else {
            throw ChatFields.missing("content", of: fields.node, tape, bytes)
        }
        conversation.messages.append(Message(.assistant, parts))
    }

    private mutating func readTool(
        _ fields: Fields,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard let id = fields.toolCallID else {
            throw ChatFields.missing("tool_call_id", of: fields.node, tape, bytes)
        }
        let callID = try ChatFields.name(id, tape)
        guard calls.contains(id, tape, bytes) else {
            throw .invalid(id, tape, "must be the id of a tool call in an earlier message")
        }
        var name: JSONText?
        if let node = fields.name { name = try ChatFields.text(node, tape) }
        let content = try content(fields, .tool, bytes)
        append(ToolResult(callID: callID, name: name, content: content))
    }

    /// The result of an old `function_call`, which has no id.
    private mutating func readFunction(
        _ fields: Fields,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard let node = fields.name else {
            throw ChatFields.missing("name", of: fields.node, tape, bytes)
        }
        let name = try ChatFields.name(node, tape)
        guard let call = calls.takeOldCall(), tape.sameText(call.name, node, bytes) else {
            throw .invalid(node, tape, "must be the name of the function that was called before")
        }
        // The old interface has `"content":null` for a function that returns nothing.
        let content = fields.content == nil ? [] : try content(fields, .tool, bytes)
        append(ToolResult(callID: call.id, name: name, content: content))
    }

    private mutating func append(_ read: consuming ToolResult) {
        var result = read
        // A mark of the only block is one of the result.
        if result.content.count == 1, case .text(let block) = result.content[0],
            block.cache != nil
        {
            result.cache = block.cache
            result.content[0] = .text(TextBlock(block.text))
        }
        conversation.messages.append(Message(.user, [.toolResult(result)]))
    }

    /// A name of the speaker, which other formats have no place for.
    private mutating func noteName(_ fields: Fields, _ bytes: Span<UInt8>) {
        if fields.name != nil { conversation.omissions.add("messages[].name") }
    }

    // MARK: Content

    private mutating func content(
        _ fields: Fields,
        _ kinds: ChatPartKinds,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> [Part] {
        guard let node = fields.content else {
            throw ChatFields.missing("content", of: fields.node, tape, bytes)
        }
        if tape.kind(of: node) == .string {
            let text = JSONText(node, tape)
            // An assistant's empty text beside calls is how some clients write null.
            if text.isEmpty, kinds == .assistant || kinds == .tool { return [] }
            return [.text(TextBlock(text, cache: fields.cache.map { JSONFragment($0, tape) }))]
        }
        guard tape.kind(of: node) == .array else {
            throw .invalid(node, tape, "must be a string or an array of parts")
        }
        var parts: [Part] = []
        for element in tape.elements(of: node) {
            parts.append(try part(element, kinds, bytes))
        }
        if let cache = fields.cache, let last = parts.indices.last {
            parts[last].mark(JSONFragment(cache, tape))
        }
        return parts
    }

    // MARK: Calls

    private mutating func toolCall(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolCall {
        try ChatFields.object(node, tape)
        var id: JSONNode?
        var function: JSONNode?
        var signature: JSONText?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "id", in: bytes) {
                id = member.value
            } else if tape.equals(member.name, "function", in: bytes) {
                function = member.value
            } else if tape.equals(member.name, "type", in: bytes) {
                try requireFunction(member.value, bytes)
            } else if tape.equals(member.name, "extra_content", in: bytes) {
                signature = ChatSignature.read(member.value, tape, bytes)
            } else if !tape.equals(member.name, "index", in: bytes) {
                // Clients keep the index of a streamed call, which says nothing here.
                omit("messages[].tool_calls[].", member.name, bytes)
            }
        }
        guard let id else { throw ChatFields.missing("id", of: node, tape, bytes) }
        guard let function else { throw ChatFields.missing("function", of: node, tape, bytes) }
        var call = try call(function, bytes).call
        call.id = try ChatFields.name(id, tape)
        call.signature = signature
        calls.insert(id, tape, bytes)
        return call
    }

    private mutating func oldCall(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolCall {
        let (read, name) = try call(node, bytes)
        var call = read
        call.id = calls.insertOldCall(named: name)
        return call
    }

    /// A call without its id, and the node of its name.
    private mutating func call(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> (call: ToolCall, name: JSONNode) {
        try ChatFields.object(node, tape)
        var name: JSONNode?
        var input = ToolInput.object(.json("{}"))
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "name", in: bytes) {
                name = member.value
            } else if tape.equals(member.name, "arguments", in: bytes) {
                switch tape.kind(of: member.value) {
                case .string: input = .text(JSONText(member.value, tape))
                // Not OpenAI's way, but clear.
                case .object: input = .object(JSONFragment(member.value, tape))
                case .array, .number, .bool, .null:
                    throw .invalid(member.value, tape, "must be a string")
                }
            } else {
                omit("messages[].tool_calls[].function.", member.name, bytes)
            }
        }
        guard let name else { throw ChatFields.missing("name", of: node, tape, bytes) }
        let text = try ChatFields.name(name, tape)
        return (ToolCall(id: nil, name: text, input: input), name)
    }
}

extension JSONTape {
    /// Whether two strings have the same text.
    fileprivate func sameText(
        _ first: JSONNode,
        _ second: JSONNode,
        _ bytes: Span<UInt8>
    ) -> Bool {
        if !hasEscapes(second) {
            return equals(first, bytes.extracting(contentRange(of: second)), in: bytes)
        }
        return string(of: first, in: bytes) == string(of: second, in: bytes)
    }
}

extension Part {
    /// Puts a cache mark on the part, if it can have one.
    fileprivate mutating func mark(_ cache: JSONFragment) {
        switch self {
        case .text(var block):
            block.cache = block.cache ?? cache
            self = .text(block)
        case .media(var media):
            media.cache = media.cache ?? cache
            self = .media(media)
        case .toolCall, .toolResult, .thinking, .refusal: break
        }
    }
}
