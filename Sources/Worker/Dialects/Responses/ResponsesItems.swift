// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Reads the items of an input.
struct ResponsesItems {
    let tape: JSONTape
    private var system: [TextBlock]
    private var turns = ResponsesTurns()
    private var omissions = Omissions()
    /// The signature that a marked item in front of a call has brought for it.
    private var callSignature: JSONText?

    init(_ tape: JSONTape, system: [TextBlock]) {
        self.tape = tape
        self.system = system
    }

    /// Takes the next item.
    mutating func take(_ node: JSONNode, _ bytes: Span<UInt8>) throws(ConversionError) {
        try ResponsesValue.object(node, tape)
        let item = ResponsesItem(node, tape, bytes)
        guard let type = item.type else {
            if item.role != nil { return try takeMessage(item, bytes) }
            if item.id != nil { throw reference(node) }
            throw ResponsesValue.missing("type", of: node, tape, bytes)
        }
        if tape.equals(type, "message", in: bytes) {
            try takeMessage(item, bytes)
        } else if tape.equals(type, "function_call", in: bytes) {
            try takeCall(item, bytes)
        } else if tape.equals(type, "function_call_output", in: bytes)
            || tape.equals(type, "custom_tool_call_output", in: bytes)
        {
            try takeOutput(item, bytes)
        } else if tape.equals(type, "reasoning", in: bytes) {
            try takeReasoning(item, bytes)
        } else if tape.equals(type, "custom_tool_call", in: bytes) {
            try takeCustomCall(item, bytes)
        } else if tape.equals(type, "item_reference", in: bytes) {
            throw reference(node)
        } else {
            try takeHosted(type, bytes)
        }
    }

    mutating func finish(_ conversation: inout Conversation) {
        var leftOut = false
        conversation.messages = turns.finish(leftOut: &leftOut)
        conversation.system = system
        conversation.omissions.add(omissions)
        if leftOut { conversation.omissions.add("input[].function_call") }
    }

    private func reference(_ node: JSONNode) -> ConversionError {
        ResponsesValue.unsupported(
            node,
            tape,
            "refers to a stored item, which this model cannot see; send the item itself"
        )
    }

    // MARK: Messages

    private mutating func takeMessage(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        callSignature = nil
        guard let role = item.role else {
            throw ResponsesValue.missing("role", of: item.node, tape, bytes)
        }
        guard let content = item.content else {
            throw ResponsesValue.missing("content", of: item.node, tape, bytes)
        }
        if tape.equals(role, "user", in: bytes) {
            let parts = try readInput(content, bytes)
            if !parts.isEmpty { turns.addUser(parts) }
        } else if tape.equals(role, "assistant", in: bytes) {
            for part in try readOutput(content, bytes) { turns.addAssistant(part) }
        } else if tape.equals(role, "system", in: bytes)
            || tape.equals(role, "developer", in: bytes)
        {
            for part in try readInput(content, bytes) {
                guard case .text(let block) = part else {
                    throw ResponsesValue.unsupported(
                        content,
                        tape,
                        "of a \(tape.string(of: role, in: bytes) ?? "system") message "
                            + "must be text for this model"
                    )
                }
                system.append(block)
            }
        } else {
            throw .invalid(role, tape, "must be user, assistant, system or developer")
        }
    }

    // MARK: Calls

    private mutating func takeCall(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let (id, name) = try callHead(item, bytes)
        guard let arguments = item.arguments else {
            throw ResponsesValue.missing("arguments", of: item.node, tape, bytes)
        }
        let text = try ResponsesValue.text(arguments, tape)
        var call = ToolCall(id: JSONText(id, tape), name: name, input: .text(text))
        call.signature = callSignature
        callSignature = nil
        try turns.addCall(call, id: id, tape, bytes)
    }

    /// A call of a tool without a schema, whose input is plain text.
    ///
    /// Such a tool cannot be offered to this model, but what was done with it must not be lost.
    private mutating func takeCustomCall(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        callSignature = nil
        let (id, name) = try callHead(item, bytes)
        guard let input = item.input else {
            throw ResponsesValue.missing("input", of: item.node, tape, bytes)
        }
        _ = try ResponsesValue.text(input, tape)
        let quoted = String(copying: bytes.extracting(tape.valueRange(of: input)))
        let call = ToolCall(
            id: JSONText(id, tape),
            name: name,
            input: .object(.json("{\"input\":\(quoted)}"))
        )
        try turns.addCall(call, id: id, tape, bytes)
    }

    private func callHead(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> (id: JSONNode, name: JSONText) {
        let id = try callID(item, bytes)
        guard let name = item.name else {
            throw ResponsesValue.missing("name", of: item.node, tape, bytes)
        }
        let text = try ResponsesValue.text(name, tape)
        guard !text.isEmpty else { throw .invalid(name, tape, "must not be empty") }
        return (id, text)
    }

    private func callID(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONNode {
        guard let id = item.callID else {
            throw ResponsesValue.missing("call_id", of: item.node, tape, bytes)
        }
        guard try !ResponsesValue.text(id, tape).isEmpty else {
            throw .invalid(id, tape, "must not be empty")
        }
        return id
    }

    private mutating func takeOutput(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        callSignature = nil
        let id = try callID(item, bytes)
        guard let output = item.output else {
            throw ResponsesValue.missing("output", of: item.node, tape, bytes)
        }
        var content = try readInput(output, bytes)
        // An empty text is how a tool says nothing.
        content.removeAll { part in
            if case .text(let block) = part { block.text.isEmpty } else { false }
        }
        try turns.addResult(content, id: id, tape, bytes)
    }

    // MARK: Reasoning

    private mutating func takeReasoning(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        callSignature = nil
        var thinking = Thinking(text: try readThoughts(item, bytes))
        if let node = item.encrypted {
            let encrypted = try ResponsesValue.text(node, tape)
            switch ThoughtMark.find(encrypted, in: bytes) {
            case .signature:
                thinking.signature = ThoughtMark.unmarked(encrypted)
                // A signature of thoughts that were not shown.
                if thinking.text == nil { thinking.text = .text("") }
            case .encrypted:
                thinking.encrypted = ThoughtMark.unmarked(encrypted)
            case .call:
                callSignature = ThoughtMark.unmarked(encrypted)
            case .openAI, nil:
                // Only OpenAI can read it, and it answers no conversion.
                omissions.add("input[].encrypted_content")
            }
        }
        guard thinking.text != nil || thinking.encrypted != nil else { return }
        turns.addAssistant(.thinking(thinking))
    }

    /// The text of thoughts: what the model thought where that is told, else its summary.
    private func readThoughts(
        _ item: ResponsesItem,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONText? {
        var texts: [JSONText] = []
        for list in [item.content, item.summary] {
            guard texts.isEmpty, let list else { continue }
            try ResponsesValue.array(list, tape)
            for element in tape.elements(of: list) {
                guard let text = tape.member("text", of: element, in: bytes) else {
                    throw ResponsesValue.missing("text", of: element, tape, bytes)
                }
                texts.append(try ResponsesValue.text(text, tape))
            }
        }
        guard texts.count > 1 else { return texts.first }
        return .text(texts.map { $0.value(from: bytes) }.joined(separator: "\n\n"))
    }

    // MARK: Tools of OpenAI

    /// What OpenAI's own tools did: what its servers did is in the words that follow, so it can be
    /// left out; what the client did for the model cannot.
    private mutating func takeHosted(
        _ type: JSONNode,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        callSignature = nil
        _ = try ResponsesValue.text(type, tape)
        let done: [StaticString] = [
            "web_search_call", "file_search_call", "code_interpreter_call",
            "image_generation_call", "mcp_list_tools", "mcp_call", "tool_search_call",
            "tool_search_output",
        ]
        guard done.contains(where: { tape.equals(type, $0, in: bytes) }) else {
            throw ResponsesValue.unsupported(
                type,
                tape,
                "is an item that this model cannot be given; send messages, function calls, "
                    + "their outputs and reasoning"
            )
        }
        ResponsesValue.leaveOut(type, under: "input[].", tape, bytes, &omissions)
    }
}
