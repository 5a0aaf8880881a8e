// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads the events of a stream of OpenAI chat completions.
///
/// Spec: the chat completion chunk object of OpenAI's API reference. Only the first choice. Usage
/// is taken from any chunk, and chunks without choices, such as Azure's first one, are fine.
struct ChatStreamReader {
    private var hasStarted = false
    private var hasFinished = false
    /// Nothing more is read: the upstream reported an error, or all was said.
    private var isOver = false
    private var calls = ChatStreamCalls()

    /// The members of a choice's delta, found in one pass; none is null.
    private struct Delta {
        var content: JSONNode?
        var longThoughts: JSONNode?
        var shortThoughts: JSONNode?
        var refusal: JSONNode?
        var images: JSONNode?
        var toolCalls: JSONNode?
        var functionCall: JSONNode?
    }

    /// Takes the JSON of one event.
    mutating func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard !isOver else { return }
        var id: JSONText?
        var choices: JSONNode?
        var usage: JSONNode?
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            let name = member.name
            let value = member.value
            if tape.equals(name, "choices", in: bytes) {
                choices = value
            } else if tape.equals(name, "id", in: bytes) {
                if tape.kind(of: value) == .string { id = JSONText(value, tape) }
            } else if tape.equals(name, "usage", in: bytes) {
                usage = value
            } else if reportsError(name, value, tape, bytes) {
                fail(root, tape, bytes, into: &events)
                return
            }
        }
        if let known = id, known.isEmpty { id = nil }
        var hasChoice = false
        if let choices {
            for choice in tape.elements(of: choices) {
                start(id, into: &events)
                hasChoice = true
                read(choice: choice, tape, bytes, into: &events)
                if isOver { return }
            }
        }
        if !hasChoice, id != nil { start(id, into: &events) }
        if let usage, let counts = ChatUsage.read(usage, tape, bytes) {
            events.append(.usage(counts))
        }
    }

    private func reportsError(
        _ name: JSONNode,
        _ value: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        if tape.equals(name, "error", in: bytes) { return !ChatFields.isNothing(value, tape) }
        guard tape.equals(value, "error", in: bytes) else { return false }
        return tape.equals(name, "object", in: bytes) || tape.equals(name, "type", in: bytes)
    }

    private mutating func fail(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        isOver = true
        events.append(.error(ComplaintReader.read(root, tape, bytes)))
    }

    private mutating func start(_ id: JSONText?, into events: inout [StreamEvent]) {
        guard !hasStarted else { return }
        hasStarted = true
        events.append(.start(id: id))
    }

    // MARK: The first choice

    private mutating func read(
        choice: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        var delta: JSONNode?
        var text: JSONNode?
        var reason: JSONNode?
        for member in tape.members(of: choice) where !tape.isNull(member.value) {
            if tape.equals(member.name, "delta", in: bytes) {
                delta = member.value
            } else if tape.equals(member.name, "text", in: bytes) {
                text = member.value
            } else if tape.equals(member.name, "finish_reason", in: bytes) {
                reason = member.value
            } else if tape.equals(member.name, "index", in: bytes) {
                if let index = tape.integer(of: member.value, in: bytes), index != 0 { return }
            } else if tape.equals(member.name, "error", in: bytes) {
                guard !ChatFields.isNothing(member.value, tape) else { continue }
                fail(member.value, tape, bytes, into: &events)
                return
            }
        }
        guard !hasFinished else { return }
        if let delta { read(delta: delta, tape, bytes, into: &events) }
        if let text, tape.kind(of: text) == .string {
            // What the older completions have instead of a delta.
            let content = JSONText(text, tape)
            if !content.isEmpty { events.append(.text(content)) }
        }
        guard !isOver,
            let finish = ChatFinish.read(reason, hasCalls: !calls.isEmpty, tape, bytes)
        else { return }
        hasFinished = true
        calls.endAll(into: &events)
        events.append(.finish(finish, stopSequence: nil))
    }

    private mutating func read(
        delta node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        let delta = members(ofDelta: node, tape, bytes)
        if let thoughts = ChatContent.thoughts(delta.longThoughts, delta.shortThoughts, tape) {
            events.append(.thinking(thoughts))
        }
        if let content = delta.content { read(content: content, tape, bytes, into: &events) }
        if let refusal = delta.refusal, tape.kind(of: refusal) == .string {
            let text = JSONText(refusal, tape)
            if !text.isEmpty { events.append(.refusal(text)) }
        }
        if let images = delta.images {
            ChatContent.forEachImage(images, tape, bytes) { events.append(.media($0)) }
        }
        var fits = true
        if let toolCalls = delta.toolCalls {
            fits = calls.read(entries: toolCalls, tape, bytes, into: &events)
        }
        if let functionCall = delta.functionCall {
            fits = calls.read(functionCall: functionCall, tape, bytes, into: &events) && fits
        }
        if !fits {
            isOver = true
            let message = "The upstream's stream has more tool calls than can be kept."
            events.append(.error(UpstreamComplaint(status: 502, message: message)))
        }
    }

    private func members(
        ofDelta node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Delta {
        var delta = Delta()
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let name = member.name
            if tape.equals(name, "content", in: bytes) {
                delta.content = member.value
            } else if tape.equals(name, "tool_calls", in: bytes) {
                delta.toolCalls = member.value
            } else if tape.equals(name, "reasoning_content", in: bytes) {
                delta.longThoughts = member.value
            } else if tape.equals(name, "reasoning", in: bytes) {
                delta.shortThoughts = member.value
            } else if tape.equals(name, "refusal", in: bytes) {
                delta.refusal = member.value
            } else if tape.equals(name, "images", in: bytes) {
                delta.images = member.value
            } else if tape.equals(name, "function_call", in: bytes) {
                delta.functionCall = member.value
            }
        }
        return delta
    }

    private func read(
        content: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        ChatContent.forEach(content, tape, bytes) { part in
            switch part {
            case .text(let block): events.append(.text(block.text))
            case .refusal(let text): events.append(.refusal(text))
            case .thinking(let thinking):
                if let text = thinking.text { events.append(.thinking(text)) }
            case .media(let media): events.append(.media(media))
            case .toolCall, .toolResult: break
            }
        }
    }

    /// The stream's framing has ended; notes `end` if a choice said why it ended.
    mutating func finish(into events: inout [StreamEvent]) {
        guard hasFinished, !isOver else { return }
        isOver = true
        events.append(.end)
    }

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    static func isPlainContent(_ data: Span<UInt8>) -> Bool {
        ChatChunkGlance(data).isPlainContent
    }
}
