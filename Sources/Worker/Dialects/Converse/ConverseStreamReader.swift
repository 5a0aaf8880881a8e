// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads the events of a stream of Bedrock Converse: objects with one member, whose name is the
/// type.
///
/// Only calls have an event for their start. The counts come in `metadata`, behind the end of the
/// message.
struct ConverseStreamReader {
    /// Most calls of tools in one answer; what comes behind them is left out.
    private static let callsMax = 1024

    private struct Call {
        /// Index of the block; -1 where the event had none.
        let block: Int
        var isOpen = true
    }

    /// The place in the list is the number of the call.
    private var calls: [Call] = []
    private var hasMetadata = false
    private var hasFinished = false
    private var hasEnded = false

    /// Takes the JSON of one event.
    mutating func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard !hasEnded else { return }
        var isKnown = false
        for member in tape.members(of: root) {
            isKnown = readMember(member.name, member.value, tape, bytes, into: &events) || isKnown
        }
        if !isKnown { readError(root, tape, bytes, into: &events) }
    }

    /// The stream's framing has ended; notes `end` if the format has no event for it and all was
    /// said.
    mutating func finish(into events: inout [StreamEvent]) {
        // The counts may be missing; with a reason to stop the answer is whole.
        if hasFinished { end(into: &events) }
    }

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    static func isPlainContent(_ data: Span<UInt8>) -> Bool {
        // The quotes of AWS, and those that SAP's Python makes of them.
        let start: StaticString = "{\"contentBlockDelta\""
        let python: StaticString = "{'contentBlockDelta'"
        let count = start.utf8CodeUnitCount
        guard data.count >= count else { return false }
        let head = data.extracting(first: count)
        return MessagesBytes.equal(head, start) || MessagesBytes.equal(head, python)
    }

    /// Whether the member is an event that is known.
    private mutating func readMember(
        _ name: JSONNode,
        _ value: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) -> Bool {
        if tape.equals(name, "contentBlockDelta", in: bytes) {
            guard let delta = tape.member("delta", of: value, in: bytes) else { return true }
            readDelta(delta, of: value, tape, bytes, into: &events)
        } else if tape.equals(name, "contentBlockStart", in: bytes) {
            readStart(value, tape, bytes, into: &events)
        } else if tape.equals(name, "contentBlockStop", in: bytes) {
            if let call = call(of: value, tape, bytes) { close(call, into: &events) }
        } else if tape.equals(name, "messageStart", in: bytes) {
            events.append(.start(id: nil))
        } else if tape.equals(name, "messageStop", in: bytes) {
            readStop(value, tape, bytes, into: &events)
        } else if tape.equals(name, "metadata", in: bytes) {
            readMetadata(value, tape, bytes, into: &events)
        } else {
            return false
        }
        return true
    }

    private mutating func readStart(
        _ event: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let start = tape.member("start", of: event, in: bytes),
            let toolUse = tape.member("toolUse", of: start, in: bytes),
            !ConverseBlock.isOfServerTool(toolUse, tape, bytes),
            let name = ConverseBlock.text("name", of: toolUse, tape, bytes),
            calls.count < Self.callsMax
        else { return }
        let id = ConverseBlock.text("toolUseId", of: toolUse, tape, bytes)
        events.append(.callStart(index: calls.count, id: id, name: name, signature: nil))
        calls.append(Call(block: block(of: event, tape, bytes) ?? -1))
    }

    private func readDelta(
        _ delta: JSONNode,
        of event: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        for member in tape.members(of: delta) {
            if tape.equals(member.name, "text", in: bytes) {
                guard let text = piece(member.value, tape) else { continue }
                events.append(.text(text))
            } else if tape.equals(member.name, "toolUse", in: bytes) {
                readInput(member.value, of: event, tape, bytes, into: &events)
            } else if tape.equals(member.name, "reasoningContent", in: bytes) {
                readReasoning(member.value, tape, bytes, into: &events)
            }
        }
    }

    private func readInput(
        _ toolUse: JSONNode,
        of event: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let call = call(of: event, tape, bytes),
            let input = tape.member("input", of: toolUse, in: bytes)
        else { return }
        if let text = piece(input, tape) {
            events.append(.callInput(index: call, text))
        } else if tape.kind(of: input) == .object {
            events.append(.callObject(index: call, JSONFragment(input, tape)))
        }
    }

    private func readReasoning(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        for member in tape.members(of: node) {
            guard let text = piece(member.value, tape) else { continue }
            if tape.equals(member.name, "text", in: bytes) {
                events.append(.thinking(text))
            } else if tape.equals(member.name, "signature", in: bytes) {
                events.append(.signature(text))
            } else if tape.equals(member.name, "redactedContent", in: bytes) {
                events.append(.encryptedThinking(text))
            }
        }
    }

    private mutating func readStop(
        _ event: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard !hasFinished else { return }
        for call in calls.indices { close(call, into: &events) }
        hasFinished = true
        events.append(
            .finish(
                ConverseFinish.reason(
                    tape.member("stopReason", of: event, in: bytes),
                    tape,
                    bytes
                ),
                stopSequence: ConverseFinish.stopSequence(of: event, tape, bytes)
            )
        )
        if hasMetadata { end(into: &events) }
    }

    private mutating func readMetadata(
        _ event: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        hasMetadata = true
        if let node = tape.member("usage", of: event, in: bytes),
            let usage = ConverseUsage.read(node, tape, bytes)
        {
            events.append(.usage(usage))
        }
        if hasFinished { end(into: &events) }
    }

    /// Takes an event of no known type: an exception, or a type of a later version.
    private func readError(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        var found = ComplaintReader.find(root, tape, bytes)
        // What AWS says when it throws, once its framing is gone.
        if found == nil, tape.kind(of: root) == .object,
            ConverseBlock.text("message", of: root, tape, bytes) != nil
        {
            found = ComplaintReader.read(root, tape, bytes)
        }
        if let found { events.append(.error(found)) }
    }

    private mutating func end(into events: inout [StreamEvent]) {
        guard !hasEnded else { return }
        hasEnded = true
        events.append(.end)
    }

    private mutating func close(_ call: Int, into events: inout [StreamEvent]) {
        guard calls[call].isOpen else { return }
        calls[call].isOpen = false
        events.append(.callEnd(index: call))
    }

    /// The number of the call whose block an event is about; nil for other blocks.
    private func call(
        of event: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Int? {
        let call =
            if let block = block(of: event, tape, bytes) {
                calls.lastIndex { $0.block == block }
            } else {
                calls.indices.last
            }
        guard let call, calls[call].isOpen else { return nil }
        return call
    }

    private func block(
        of event: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Int? {
        tape.member("contentBlockIndex", of: event, in: bytes)
            .flatMap { tape.integer(of: $0, in: bytes) }
    }

    /// A string that is not empty; nil for others.
    private func piece(_ node: JSONNode, _ tape: JSONTape) -> JSONText? {
        guard let text = ConverseBlock.text(node, tape), !text.isEmpty else { return nil }
        return text
    }
}
