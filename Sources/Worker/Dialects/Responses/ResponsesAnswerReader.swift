// SPDX-License-Identifier: Apache-2.0
import JSON
import Metrics

/// Reads a whole answer of OpenAI Responses.
enum ResponsesAnswerReader {
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        guard let output = tape.member("output", of: root, in: bytes),
            tape.kind(of: output) == .array
        else {
            throw .invalid(root, tape, "has no output of a response")
        }
        if let status = tape.member("status", of: root, in: bytes),
            !tape.equals(status, "completed", in: bytes),
            !tape.equals(status, "incomplete", in: bytes), !tape.isNull(status)
        {
            throw .invalid(status, tape, "is not the status of a finished response")
        }
        var answer = Answer()
        answer.id = ResponsesOutputReader.text("id", of: root, tape, bytes)
        for item in tape.elements(of: output) {
            ResponsesOutputReader.read(item, tape, bytes, into: &answer.parts)
        }
        let hasCalls = answer.parts.contains { if case .toolCall = $0 { true } else { false } }
        answer.finish = ResponsesOutputReader.finish(of: root, hasCalls: hasCalls, tape, bytes)
        answer.usage = ResponsesOutputReader.usage(of: root, tape, bytes)
        return answer
    }
}

/// Reads what responses consist of, in answers and in events of streams.
enum ResponsesOutputReader {
    /// The member `name` if it is a string with something in it.
    static func text(
        _ name: StaticString,
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        guard let value = tape.member(name, of: node, in: bytes), tape.kind(of: value) == .string,
            !tape.contentRange(of: value).isEmpty
        else { return nil }
        return JSONText(value, tape)
    }

    /// Appends the parts of an item; what OpenAI's own tools did is none.
    static func read(
        _ item: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into parts: inout [Part]
    ) {
        guard let type = tape.member("type", of: item, in: bytes) else { return }
        if tape.equals(type, "message", in: bytes) {
            readMessage(item, tape, bytes, into: &parts)
        } else if tape.equals(type, "function_call", in: bytes) {
            guard let name = text("name", of: item, tape, bytes) else { return }
            let arguments = text("arguments", of: item, tape, bytes) ?? .text("{}")
            let id = callID(of: item, tape, bytes)
            parts.append(.toolCall(ToolCall(id: id, name: name, input: .text(arguments))))
        } else if tape.equals(type, "reasoning", in: bytes) {
            if let text = thoughts(of: item, tape, bytes) {
                parts.append(.thinking(Thinking(text: text)))
            }
            if let encrypted = encrypted(of: item, tape, bytes) {
                parts.append(.thinking(Thinking(text: nil, encrypted: encrypted)))
            }
        }
    }

    private static func readMessage(
        _ item: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into parts: inout [Part]
    ) {
        guard let content = tape.member("content", of: item, in: bytes) else { return }
        for part in tape.elements(of: content) {
            if let text = text("text", of: part, tape, bytes) {
                parts.append(.text(TextBlock(text)))
            } else if let refusal = text("refusal", of: part, tape, bytes) {
                parts.append(.refusal(refusal))
            }
        }
    }

    /// The id by which a call is answered; some servers have only that of the item.
    static func callID(
        of item: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        text("call_id", of: item, tape, bytes) ?? text("id", of: item, tape, bytes)
    }

    /// What the model thought where that is told, else its summary.
    static func thoughts(
        of item: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        var texts: [JSONText] = []
        for name: StaticString in ["content", "summary"] {
            guard texts.isEmpty, let list = tape.member(name, of: item, in: bytes) else { continue }
            for element in tape.elements(of: list) {
                if let text = text("text", of: element, tape, bytes) { texts.append(text) }
            }
        }
        guard texts.count > 1 else { return texts.first }
        return .text(texts.map { $0.value(from: bytes) }.joined(separator: "\n\n"))
    }

    /// Thoughts that only OpenAI can read, marked as such.
    static func encrypted(
        of item: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        text("encrypted_content", of: item, tape, bytes).map {
            ThoughtMark.openAI.marked($0, from: bytes)
        }
    }

    static func finish(
        of response: JSONNode,
        hasCalls: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> FinishReason {
        if let details = tape.member("incomplete_details", of: response, in: bytes),
            let reason = tape.member("reason", of: details, in: bytes)
        {
            if tape.equals(reason, "max_output_tokens", in: bytes) { return .length }
            if tape.equals(reason, "content_filter", in: bytes) { return .contentFilter }
        }
        if let status = tape.member("status", of: response, in: bytes),
            tape.equals(status, "incomplete", in: bytes)
        {
            return .length
        }
        return hasCalls ? .toolCalls : .stop
    }

    static func usage(
        of response: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> TokenUsage? {
        guard let node = tape.member("usage", of: response, in: bytes),
            tape.kind(of: node) == .object
        else { return nil }
        var usage = TokenUsage(input: 0, output: 0)
        for member in tape.members(of: node) {
            if tape.equals(member.name, "input_tokens", in: bytes) {
                usage.input = count(member.value, tape, bytes)
            } else if tape.equals(member.name, "output_tokens", in: bytes) {
                usage.output = count(member.value, tape, bytes)
            } else if tape.equals(member.name, "input_tokens_details", in: bytes) {
                usage.cached = count("cached_tokens", of: member.value, tape, bytes)
                usage.cacheWrite = count("cache_write_tokens", of: member.value, tape, bytes)
            } else if tape.equals(member.name, "output_tokens_details", in: bytes) {
                usage.reasoning = count("reasoning_tokens", of: member.value, tape, bytes)
            }
        }
        return usage
    }

    private static func count(
        _ name: StaticString,
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UInt64 {
        tape.member(name, of: node, in: bytes).map { count($0, tape, bytes) } ?? 0
    }

    private static func count(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UInt64 {
        UInt64(max(0, tape.integer(of: node, in: bytes) ?? 0))
    }
}
