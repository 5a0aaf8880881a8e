// SPDX-License-Identifier: Apache-2.0
import JSON

extension ChatRequestReader {
    /// Reads a member that has to do with tools; false for one that has not.
    mutating func readToolMember(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "tools", in: bytes) {
            for element in try ChatFields.array(value, tape) {
                conversation.tools.append(try tool(element, bytes))
            }
        } else if tape.equals(name, "tool_choice", in: bytes) {
            conversation.toolChoice = try toolChoice(value, bytes)
        } else if tape.equals(name, "parallel_tool_calls", in: bytes) {
            conversation.parallelToolCalls = try ChatFields.bool(value, tape)
        } else if tape.equals(name, "functions", in: bytes) {
            for element in try ChatFields.array(value, tape) {
                conversation.tools.append(try function(element, bytes))
            }
        } else if tape.equals(name, "function_call", in: bytes) {
            conversation.toolChoice = try functionChoice(value, bytes)
        } else {
            return false
        }
        return true
    }

    private mutating func tool(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Tool {
        try ChatFields.object(node, tape)
        var definition: JSONNode?
        var cache: JSONFragment?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "type", in: bytes) {
                try requireFunction(member.value, bytes)
            } else if tape.equals(member.name, "function", in: bytes) {
                definition = member.value
            } else if tape.equals(member.name, "cache_control", in: bytes) {
                cache = JSONFragment(member.value, tape)
            } else {
                omit("tools[].", member.name, bytes)
            }
        }
        guard let definition else {
            throw ChatFields.missing("function", of: node, tape, bytes)
        }
        var tool = try function(definition, bytes)
        if let cache { tool.cache = cache }
        return tool
    }

    /// - Throws: That a tool or call is not a function.
    func requireFunction(
        _ type: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard tape.kind(of: type) == .string else {
            throw .invalid(type, tape, "must be a string")
        }
        guard tape.equals(type, "function", in: bytes) else {
            throw ConversionError(
                .unsupported,
                .offset(tape.valueRange(of: type).lowerBound),
                "must be \"function\": the model behind this gateway has no other tools"
            )
        }
    }

    private mutating func function(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Tool {
        try ChatFields.object(node, tape)
        var name: JSONText?
        var tool = Tool(name: .text(""), description: nil, schema: nil)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "name", in: bytes) {
                name = try ChatFields.name(member.value, tape)
            } else if tape.equals(member.name, "description", in: bytes) {
                tool.description = try ChatFields.text(member.value, tape)
            } else if tape.equals(member.name, "parameters", in: bytes) {
                try ChatFields.object(member.value, tape)
                tool.schema = JSONFragment(member.value, tape)
            } else if tape.equals(member.name, "strict", in: bytes) {
                tool.isStrict = try ChatFields.bool(member.value, tape)
            } else if tape.equals(member.name, "cache_control", in: bytes) {
                tool.cache = JSONFragment(member.value, tape)
            } else {
                omit("tools[].function.", member.name, bytes)
            }
        }
        guard let name else { throw ChatFields.missing("name", of: node, tape, bytes) }
        tool.name = name
        return tool
    }

    private mutating func toolChoice(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolChoice {
        if let word = choiceWord(node, bytes) { return word }
        guard tape.kind(of: node) == .object else {
            throw .invalid(
                node,
                tape,
                "must be \"auto\", \"none\", \"required\" or an object that names a function"
            )
        }
        if let type = ChatFields.member("type", of: node, tape, bytes),
            tape.equals(type, "allowed_tools", in: bytes)
        {
            return try allowedTools(node, bytes)
        }
        guard let function = ChatFields.member("function", of: node, tape, bytes) else {
            throw ChatFields.missing("function", of: node, tape, bytes)
        }
        return try functionChoice(function, bytes)
    }

    private func choiceWord(_ node: JSONNode, _ bytes: Span<UInt8>) -> ToolChoice? {
        if tape.equals(node, "auto", in: bytes) { return .auto }
        if tape.equals(node, "none", in: bytes) { return ToolChoice.none }
        // Mistral's name of the same.
        if tape.equals(node, "required", in: bytes) || tape.equals(node, "any", in: bytes) {
            return .required
        }
        return nil
    }

    /// The choice of `allowed_tools` without the list, which only OpenAI has.
    private mutating func allowedTools(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolChoice {
        guard let allowed = ChatFields.member("allowed_tools", of: node, tape, bytes) else {
            throw ChatFields.missing("allowed_tools", of: node, tape, bytes)
        }
        try ChatFields.object(allowed, tape)
        conversation.omissions.add("tool_choice.allowed_tools.tools")
        guard let mode = ChatFields.member("mode", of: allowed, tape, bytes) else { return .auto }
        guard let word = choiceWord(mode, bytes) else {
            throw .invalid(mode, tape, "must be \"auto\" or \"required\"")
        }
        return word
    }

    /// The old `function_call`, and the inner object of `tool_choice`.
    private func functionChoice(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolChoice {
        if let word = choiceWord(node, bytes) { return word }
        guard tape.kind(of: node) == .object else {
            throw .invalid(node, tape, "must be an object with the name of a function")
        }
        guard let name = ChatFields.member("name", of: node, tape, bytes) else {
            throw ChatFields.missing("name", of: node, tape, bytes)
        }
        return .named(try ChatFields.name(name, tape))
    }
}
