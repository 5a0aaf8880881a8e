// SPDX-License-Identifier: Apache-2.0
import JSON

extension ChatRequestReader {
    /// Reads a member that says how much to think; false for one that does not.
    ///
    /// Beside OpenAI's `reasoning_effort` these are OpenRouter's `reasoning` and Anthropic's
    /// `thinking`, which clients that know one gateway send to every other.
    mutating func readReasoning(
        _ name: JSONNode,
        _ value: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Bool {
        if tape.equals(name, "reasoning_effort", in: bytes) {
            let effort = try effort(value, bytes)
            changeReasoning { $0.effort = effort }
        } else if tape.equals(name, "reasoning", in: bytes) {
            try readReasoningObject(value, bytes)
        } else if tape.equals(name, "thinking", in: bytes) {
            try readThinking(value, bytes)
        } else {
            return false
        }
        return true
    }

    private mutating func changeReasoning(_ change: (inout Reasoning) -> Void) {
        var reasoning = conversation.reasoning ?? Reasoning()
        change(&reasoning)
        conversation.reasoning = reasoning
    }

    private func effort(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Reasoning.Effort {
        if tape.kind(of: node) == .string {
            if let word = tape.string(of: node, in: bytes) {
                if let effort = Reasoning.Effort(rawValue: word) { return effort }
                // Anthropic's highest.
                if word == "max" { return .xhigh }
            }
        }
        throw .invalid(
            node,
            tape,
            "must be \"none\", \"minimal\", \"low\", \"medium\", \"high\" or \"xhigh\""
        )
    }

    private mutating func readReasoningObject(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try ChatFields.object(node, tape)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "effort", in: bytes) {
                let effort = try effort(member.value, bytes)
                changeReasoning { $0.effort = effort }
            } else if tape.equals(member.name, "max_tokens", in: bytes) {
                let budget = try ChatFields.integer(member.value, from: 0, tape, bytes)
                changeReasoning { $0.budget = budget }
            } else if tape.equals(member.name, "exclude", in: bytes) {
                let hides = try ChatFields.bool(member.value, tape)
                changeReasoning { $0.showsThoughts = !hides }
            } else if tape.equals(member.name, "enabled", in: bytes) {
                let isOn = try ChatFields.bool(member.value, tape)
                changeReasoning { reasoning in
                    if !isOn { reasoning.effort = Reasoning.Effort.none }
                }
            } else {
                omit("reasoning.", member.name, bytes)
            }
        }
    }

    private mutating func readThinking(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        try ChatFields.object(node, tape)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "type", in: bytes) {
                if tape.equals(member.value, "disabled", in: bytes) {
                    changeReasoning { $0.effort = Reasoning.Effort.none }
                } else if tape.equals(member.value, "adaptive", in: bytes) {
                    changeReasoning { $0.isAdaptive = true }
                } else if tape.equals(member.value, "enabled", in: bytes) {
                    changeReasoning { _ in }
                } else {
                    throw .invalid(
                        member.value,
                        tape,
                        "must be \"enabled\", \"adaptive\" or \"disabled\""
                    )
                }
            } else if tape.equals(member.name, "budget_tokens", in: bytes) {
                let budget = try ChatFields.integer(member.value, from: 0, tape, bytes)
                changeReasoning { $0.budget = budget }
            } else {
                omit("thinking.", member.name, bytes)
            }
        }
    }

    mutating func responseFormat(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ResponseFormat {
        try ChatFields.object(node, tape)
        guard let type = ChatFields.member("type", of: node, tape, bytes) else {
            throw ChatFields.missing("type", of: node, tape, bytes)
        }
        if tape.equals(type, "text", in: bytes) { return .text }
        if tape.equals(type, "json_object", in: bytes) { return .jsonObject }
        guard tape.equals(type, "json_schema", in: bytes) else {
            throw .invalid(type, tape, "must be \"text\", \"json_object\" or \"json_schema\"")
        }
        guard let format = ChatFields.member("json_schema", of: node, tape, bytes) else {
            throw ChatFields.missing("json_schema", of: node, tape, bytes)
        }
        return .jsonSchema(try schemaFormat(format, bytes))
    }

    private mutating func schemaFormat(
        _ node: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONSchemaFormat {
        try ChatFields.object(node, tape)
        var format = JSONSchemaFormat(name: nil, schema: .json("{}"), isStrict: nil)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "name", in: bytes) {
                format.name = try ChatFields.text(member.value, tape)
            } else if tape.equals(member.name, "description", in: bytes) {
                format.description = try ChatFields.text(member.value, tape)
            } else if tape.equals(member.name, "schema", in: bytes) {
                try ChatFields.object(member.value, tape)
                format.schema = JSONFragment(member.value, tape)
            } else if tape.equals(member.name, "strict", in: bytes) {
                format.isStrict = try ChatFields.bool(member.value, tape)
            } else {
                omit("response_format.json_schema.", member.name, bytes)
            }
        }
        return format
    }
}
