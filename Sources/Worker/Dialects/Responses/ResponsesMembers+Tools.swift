// SPDX-License-Identifier: Apache-2.0
import JSON

extension ResponsesMembers {
    // MARK: Tools

    /// Reads the tools that any model can have, and the choice among them.
    ///
    /// Others run at OpenAI or have no schema, and a choice of one of those is left to the model.
    mutating func readTools(
        _ tools: JSONNode?,
        _ choice: JSONNode?,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var hasLost = false
        if let tools {
            for element in tape.elements(of: tools) {
                try ResponsesValue.object(element, tape)
                if let tool = try readTool(element, bytes) {
                    conversation.tools.append(tool)
                } else {
                    hasLost = true
                }
            }
        }
        guard let choice else { return }
        conversation.toolChoice = try readChoice(choice, hasLost: hasLost, bytes)
        guard hasLost, conversation.tools.isEmpty else { return }
        if conversation.toolChoice == .required { conversation.omissions.add("tool_choice") }
        conversation.toolChoice = nil
    }

    private mutating func readTool(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Tool? {
        guard let type = tape.member("type", of: node, in: bytes) else {
            throw ResponsesValue.missing("type", of: node, tape, bytes)
        }
        guard tape.equals(type, "function", in: bytes) else {
            _ = try ResponsesValue.text(type, tape)
            ResponsesValue.leaveOut(type, under: "tools[].", tape, bytes, &conversation.omissions)
            return nil
        }
        var name: JSONText?
        var description: JSONText?
        var schema: JSONFragment?
        var isStrict: Bool?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "name", in: bytes) {
                name = try ResponsesValue.text(member.value, tape)
            } else if tape.equals(member.name, "description", in: bytes) {
                description = try ResponsesValue.text(member.value, tape)
            } else if tape.equals(member.name, "parameters", in: bytes) {
                try ResponsesValue.object(member.value, tape)
                schema = JSONFragment(member.value, tape)
            } else if tape.equals(member.name, "strict", in: bytes) {
                isStrict = try ResponsesValue.flag(member.value, tape)
            } else if !tape.equals(member.name, "type", in: bytes) {
                let prefix = "tools[]."
                ResponsesValue.leaveOut(
                    member.name,
                    under: prefix,
                    tape,
                    bytes,
                    &conversation.omissions
                )
            }
        }
        guard let name, !name.isEmpty else {
            throw ResponsesValue.missing("name", of: node, tape, bytes)
        }
        var tool = Tool(name: name, description: description, schema: schema)
        tool.isStrict = isStrict
        return tool
    }

    private mutating func readChoice(
        _ node: JSONNode,
        hasLost: Bool,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolChoice {
        if let mode = readMode(node, bytes) { return mode }
        guard tape.kind(of: node) == .object,
            let type = tape.member("type", of: node, in: bytes), tape.kind(of: type) == .string
        else {
            throw .invalid(node, tape, "must be auto, none, required or an object with a type")
        }
        if tape.equals(type, "function", in: bytes) {
            guard let name = tape.member("name", of: node, in: bytes) else {
                throw ResponsesValue.missing("name", of: node, tape, bytes)
            }
            let text = try ResponsesValue.text(name, tape)
            let wanted = text.value(from: bytes)
            let isKept = conversation.tools.contains { $0.name.value(from: bytes) == wanted }
            if !hasLost || isKept { return .named(text) }
        } else if tape.equals(type, "allowed_tools", in: bytes) {
            conversation.omissions.add("tool_choice.tools")
            if let mode = tape.member("mode", of: node, in: bytes) {
                return readMode(mode, bytes) ?? .auto
            }
            return .auto
        }
        conversation.omissions.add("tool_choice")
        return .auto
    }

    private func readMode(_ node: JSONNode, _ bytes: Span<UInt8>) -> ToolChoice? {
        if tape.equals(node, "auto", in: bytes) { return .auto }
        if tape.equals(node, "none", in: bytes) { return ToolChoice.none }
        if tape.equals(node, "required", in: bytes) { return .required }
        return nil
    }

    // MARK: Text and reasoning

    mutating func readText(_ node: JSONNode, _ bytes: Span<UInt8>) throws(ConversionError) {
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "format", in: bytes) {
                conversation.responseFormat = try readFormat(member.value, bytes)
            } else {
                ResponsesValue.leaveOut(
                    member.name,
                    under: "text.",
                    tape,
                    bytes,
                    &conversation.omissions
                )
            }
        }
    }

    private func readFormat(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ResponseFormat {
        try ResponsesValue.object(node, tape)
        guard let type = tape.member("type", of: node, in: bytes) else {
            throw ResponsesValue.missing("type", of: node, tape, bytes)
        }
        if tape.equals(type, "text", in: bytes) { return .text }
        if tape.equals(type, "json_object", in: bytes) { return .jsonObject }
        guard tape.equals(type, "json_schema", in: bytes) else {
            throw .invalid(type, tape, "must be text, json_object or json_schema")
        }
        guard let schema = tape.member("schema", of: node, in: bytes) else {
            throw ResponsesValue.missing("schema", of: node, tape, bytes)
        }
        try ResponsesValue.object(schema, tape)
        var format = JSONSchemaFormat(
            name: nil,
            schema: JSONFragment(schema, tape),
            isStrict: nil
        )
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "name", in: bytes) {
                format.name = try ResponsesValue.text(member.value, tape)
            } else if tape.equals(member.name, "description", in: bytes) {
                format.description = try ResponsesValue.text(member.value, tape)
            } else if tape.equals(member.name, "strict", in: bytes) {
                format.isStrict = try ResponsesValue.flag(member.value, tape)
            }
        }
        return .jsonSchema(format)
    }

    mutating func readReasoning(_ node: JSONNode, _ bytes: Span<UInt8>) throws(ConversionError) {
        var reasoning = Reasoning()
        var says = false
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "effort", in: bytes) {
                guard let text = tape.string(of: member.value, in: bytes),
                    let effort = Reasoning.Effort(rawValue: text)
                else {
                    let all = Reasoning.Effort.allCases.map(\.rawValue).joined(separator: ", ")
                    throw .invalid(member.value, tape, "must be one of \(all)")
                }
                reasoning.effort = effort
                says = true
            } else if tape.equals(member.name, "summary", in: bytes)
                || tape.equals(member.name, "generate_summary", in: bytes)
            {
                _ = try ResponsesValue.text(member.value, tape)
                reasoning.showsThoughts = true
                says = true
            } else {
                ResponsesValue.leaveOut(
                    member.name,
                    under: "reasoning.",
                    tape,
                    bytes,
                    &conversation.omissions
                )
            }
        }
        if says { conversation.reasoning = reasoning }
    }
}
