// SPDX-License-Identifier: Apache-2.0
import JSON

/// Tools and how to think and answer.
extension MessagesRequestReader {
    mutating func readTools(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeArray(node, tape)
        for element in tape.elements(of: node) {
            try MessagesValue.mustBeObject(element, tape)
            if let type = MessagesValue.member("type", of: element, tape, bytes),
                !tape.equals(type, "custom", in: bytes)
            {
                // Anthropic runs these itself, or their schema is known to its models only.
                _ = try MessagesValue.string(type, tape)
                omit("tools[].", type, tape, bytes)
                continue
            }
            try readTool(element, tape, bytes)
        }
    }

    private mutating func readTool(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var name: JSONText?
        var tool = Tool(name: .text(""), description: nil, schema: nil)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let value = member.value
            if tape.equals(member.name, "name", in: bytes) {
                name = try MessagesValue.name(value, tape)
            } else if tape.equals(member.name, "description", in: bytes) {
                tool.description = try MessagesValue.string(value, tape)
            } else if tape.equals(member.name, "input_schema", in: bytes) {
                tool.schema = try MessagesValue.object(value, tape)
            } else if tape.equals(member.name, "cache_control", in: bytes) {
                tool.cache = try MessagesValue.object(value, tape)
            } else if tape.equals(member.name, "strict", in: bytes) {
                tool.isStrict = try MessagesValue.bool(value, tape)
            } else if !tape.equals(member.name, "type", in: bytes) {
                omit("tools[].", member.name, tape, bytes)
            }
        }
        guard let name else { throw MessagesValue.missing("name", of: node, tape, bytes) }
        tool.name = name
        conversation.tools.append(tool)
    }

    mutating func readToolChoice(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeObject(node, tape)
        guard let type = MessagesValue.member("type", of: node, tape, bytes) else {
            throw MessagesValue.missing("type", of: node, tape, bytes)
        }
        var choice = ToolChoice.auto
        if tape.equals(type, "any", in: bytes) {
            choice = .required
        } else if tape.equals(type, "none", in: bytes) {
            choice = .none
        } else if tape.equals(type, "tool", in: bytes) {
            guard let name = MessagesValue.member("name", of: node, tape, bytes) else {
                throw MessagesValue.missing("name", of: node, tape, bytes)
            }
            choice = .named(try MessagesValue.name(name, tape))
            if !hasTool(name, tape, bytes) {
                // One of Anthropic's own, which has been left out.
                conversation.omissions.add(.toolChoice, of: .messages)
                choice = .auto
            }
        } else if !tape.equals(type, "auto", in: bytes) {
            throw .invalid(type, tape, "must be \"auto\", \"any\", \"tool\" or \"none\"")
        }
        if let single = MessagesValue.member("disable_parallel_tool_use", of: node, tape, bytes),
            try MessagesValue.bool(single, tape)
        {
            conversation.parallelToolCalls = false
        }
        if conversation.tools.isEmpty, choice == .required {
            conversation.omissions.add(.toolChoice, of: .messages)
            choice = .auto
        }
        conversation.toolChoice = choice
    }

    private func hasTool(_ name: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Bool {
        for tool in conversation.tools {
            guard case .slice(let range) = tool.name else { continue }
            if tape.equals(name, bytes.extracting(range), in: bytes) { return true }
        }
        return false
    }

    mutating func readThinking(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeObject(node, tape)
        guard let type = MessagesValue.member("type", of: node, tape, bytes) else {
            throw MessagesValue.missing("type", of: node, tape, bytes)
        }
        var reasoning = conversation.reasoning ?? Reasoning()
        if tape.equals(type, "enabled", in: bytes) {
            guard let budget = MessagesValue.member("budget_tokens", of: node, tape, bytes) else {
                throw MessagesValue.missing("budget_tokens", of: node, tape, bytes)
            }
            reasoning.budget = try MessagesValue.integer(budget, tape, bytes, atLeast: 1)
        } else if tape.equals(type, "adaptive", in: bytes) {
            reasoning.isAdaptive = true
        } else if tape.equals(type, "disabled", in: bytes) {
            if reasoning.effort != nil { conversation.omissions.add("output_config.effort") }
            reasoning.effort = Reasoning.Effort.none
        } else {
            throw .invalid(type, tape, "must be \"enabled\", \"adaptive\" or \"disabled\"")
        }
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "display", in: bytes) {
                reasoning.showsThoughts = !tape.equals(member.value, "omitted", in: bytes)
            } else if !tape.equals(member.name, "type", in: bytes),
                !tape.equals(member.name, "budget_tokens", in: bytes)
            {
                omit("thinking.", member.name, tape, bytes)
            }
        }
        conversation.reasoning = reasoning
    }

    mutating func readOutput(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeObject(node, tape)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "effort", in: bytes) {
                let effort = try effort(member.value, tape, bytes)
                if conversation.reasoning?.effort == Reasoning.Effort.none {
                    conversation.omissions.add("output_config.effort")
                } else {
                    var reasoning = conversation.reasoning ?? Reasoning()
                    reasoning.effort = effort
                    conversation.reasoning = reasoning
                }
            } else if tape.equals(member.name, "format", in: bytes) {
                try readOutputFormat(member.value, tape, bytes)
            } else {
                omit("output_config.", member.name, tape, bytes)
            }
        }
    }

    private func effort(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Reasoning.Effort {
        if tape.equals(node, "high", in: bytes) { return .high }
        if tape.equals(node, "medium", in: bytes) { return .medium }
        if tape.equals(node, "low", in: bytes) { return .low }
        // Nothing else tells the two uppermost levels apart.
        if tape.equals(node, "xhigh", in: bytes) || tape.equals(node, "max", in: bytes) {
            return .xhigh
        }
        throw .invalid(node, tape, "must be \"low\", \"medium\", \"high\", \"xhigh\" or \"max\"")
    }

    mutating func readOutputFormat(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try MessagesValue.mustBeObject(node, tape)
        guard let type = MessagesValue.member("type", of: node, tape, bytes) else {
            throw MessagesValue.missing("type", of: node, tape, bytes)
        }
        guard tape.equals(type, "json_schema", in: bytes) else {
            throw .invalid(type, tape, "must be \"json_schema\"")
        }
        guard let schema = MessagesValue.member("schema", of: node, tape, bytes) else {
            throw MessagesValue.missing("schema", of: node, tape, bytes)
        }
        conversation.responseFormat = .jsonSchema(
            JSONSchemaFormat(
                name: nil,
                schema: try MessagesValue.object(schema, tape),
                isStrict: nil
            )
        )
    }
}
