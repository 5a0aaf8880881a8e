// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a whole answer of OpenAI chat completions.
///
/// Only the first choice: other formats have one answer, and requests for more are refused.
enum ChatAnswerReader {
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        try ChatFields.object(root, tape)
        var answer = Answer()
        var choices: JSONNode?
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            if tape.equals(member.name, "choices", in: bytes) {
                choices = member.value
            } else if tape.equals(member.name, "id", in: bytes) {
                if tape.kind(of: member.value) == .string {
                    let id = JSONText(member.value, tape)
                    if !id.isEmpty { answer.id = id }
                }
            } else if tape.equals(member.name, "usage", in: bytes) {
                answer.usage = ChatUsage.read(member.value, tape, bytes)
            }
        }
        guard let choices else { throw ChatFields.missing("choices", of: root, tape, bytes) }
        var found: JSONNode?
        for choice in try ChatFields.array(choices, tape) {
            if found == nil || isFirst(choice, tape, bytes) { found = choice }
        }
        guard let found else { throw .invalid(choices, tape, "must not be empty") }
        try read(choice: found, into: &answer, tape, bytes)
        return answer
    }

    private static func isFirst(
        _ choice: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let index = tape.member("index", of: choice, in: bytes) else { return false }
        return tape.integer(of: index, in: bytes) == 0
    }

    private static func read(
        choice: JSONNode,
        into answer: inout Answer,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard let message = ChatFields.member("message", of: choice, tape, bytes) else {
            throw ChatFields.missing("message", of: choice, tape, bytes)
        }
        try ChatFields.object(message, tape)
        try read(message: message, into: &answer, tape, bytes)
        let reason = tape.member("finish_reason", of: choice, in: bytes)
        let hasCalls = answer.parts.contains { if case .toolCall = $0 { true } else { false } }
        answer.finish =
            ChatFinish.read(reason, hasCalls: hasCalls, tape, bytes)
            ?? (hasCalls ? .toolCalls : .stop)
    }

    private static func read(
        message: JSONNode,
        into answer: inout Answer,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        var content: JSONNode?
        var refusal: JSONNode?
        var long: JSONNode?
        var short: JSONNode?
        var images: JSONNode?
        var toolCalls: JSONNode?
        var functionCall: JSONNode?
        for member in tape.members(of: message) where !tape.isNull(member.value) {
            let name = member.name
            if tape.equals(name, "content", in: bytes) {
                content = member.value
            } else if tape.equals(name, "tool_calls", in: bytes) {
                toolCalls = member.value
            } else if tape.equals(name, "refusal", in: bytes) {
                refusal = member.value
            } else if tape.equals(name, "reasoning_content", in: bytes) {
                long = member.value
            } else if tape.equals(name, "reasoning", in: bytes) {
                short = member.value
            } else if tape.equals(name, "images", in: bytes) {
                images = member.value
            } else if tape.equals(name, "function_call", in: bytes) {
                functionCall = member.value
            }
        }
        if let thoughts = ChatContent.thoughts(long, short, tape) {
            answer.parts.append(.thinking(Thinking(text: thoughts)))
        }
        if let content {
            ChatContent.forEach(content, tape, bytes) { answer.parts.append($0) }
        }
        if let refusal, tape.kind(of: refusal) == .string {
            let text = JSONText(refusal, tape)
            if !text.isEmpty { answer.parts.append(.refusal(text)) }
        }
        if let images {
            ChatContent.forEachImage(images, tape, bytes) { answer.parts.append(.media($0)) }
        }
        if let toolCalls {
            for entry in try ChatFields.array(toolCalls, tape) {
                answer.parts.append(.toolCall(try call(entry, tape, bytes)))
            }
        }
        if let functionCall {
            answer.parts.append(.toolCall(try function(functionCall, tape, bytes)))
        }
    }

    private static func call(
        _ entry: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolCall {
        guard let node = ChatFields.member("function", of: entry, tape, bytes) else {
            throw ChatFields.missing("function", of: entry, tape, bytes)
        }
        var call = try function(node, tape, bytes)
        if let id = tape.member("id", of: entry, in: bytes), tape.kind(of: id) == .string,
            !tape.contentRange(of: id).isEmpty
        {
            call.id = JSONText(id, tape)
        }
        if let extra = tape.member("extra_content", of: entry, in: bytes) {
            call.signature = ChatSignature.read(extra, tape, bytes)
        }
        return call
    }

    private static func function(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> ToolCall {
        guard let name = ChatFields.member("name", of: node, tape, bytes) else {
            throw ChatFields.missing("name", of: node, tape, bytes)
        }
        var input = ToolInput.object(.json("{}"))
        if let arguments = ChatFields.member("arguments", of: node, tape, bytes) {
            switch tape.kind(of: arguments) {
            case .string: input = .text(JSONText(arguments, tape))
            case .object: input = .object(JSONFragment(arguments, tape))
            case .array, .number, .bool, .null: break
            }
        }
        return ToolCall(id: nil, name: try ChatFields.name(name, tape), input: input)
    }
}
