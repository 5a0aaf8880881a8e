// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads the events of a stream of Bedrock Converse.
///
/// Each event is an object with one member, the event's name. Texts have no start; the counts come
/// behind the reason to stop.
struct ConverseStreamReader {
    /// Most calls of tools in one answer; what comes behind them is left out.
    private static let callsMax = 1024

    /// Indexes of the blocks that are calls; the place in the list is the number of the call.
    private var callBlocks: [Int] = []
    private var hasFinished = false
    private var hasUsage = false
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
            let value = member.value
            if tape.equals(member.name, "contentBlockDelta", in: bytes) {
                readDelta(value, tape, bytes, into: &events)
            } else if tape.equals(member.name, "contentBlockStart", in: bytes) {
                readStart(value, tape, bytes, into: &events)
            } else if tape.equals(member.name, "contentBlockStop", in: bytes) {
                if let call = call(of: value, tape, bytes) { events.append(.callEnd(index: call)) }
            } else if tape.equals(member.name, "messageStart", in: bytes) {
                events.append(.start(id: nil))
            } else if tape.equals(member.name, "messageStop", in: bytes) {
                readStop(value, tape, bytes, into: &events)
            } else if tape.equals(member.name, "metadata", in: bytes) {
                readMetadata(value, tape, bytes, into: &events)
            } else {
                continue
            }
            isKnown = true
        }
        if !isKnown { readError(root, tape, bytes, into: &events) }
        if hasFinished, hasUsage { end(into: &events) }
    }

    /// The stream's framing has ended; notes `end` if the format has no event for it and all was
    /// said.
    mutating func finish(into events: inout [StreamEvent]) {
        if hasFinished { end(into: &events) }
    }

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    static func isPlainContent(_ data: Span<UInt8>) -> Bool {
        // The quotes that SAP's Python makes of it, and AWS's own.
        let start: StaticString = "{\"contentBlockDelta\""
        let python: StaticString = "{'contentBlockDelta'"
        let count = start.utf8CodeUnitCount
        guard data.count >= count else { return false }
        let head = data.extracting(first: count)
        return MessagesBytes.equal(head, start) || MessagesBytes.equal(head, python)
    }

    private mutating func end(into events: inout [StreamEvent]) {
        guard !hasEnded else { return }
        hasEnded = true
        events.append(.end)
    }

    private func readError(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        var found = ComplaintReader.find(root, tape, bytes)
        // What AWS says when it throws, once its framing is gone.
        if found == nil, let message = tape.member("message", of: root, in: bytes),
            tape.kind(of: message) == .string
        {
            found = ComplaintReader.read(root, tape, bytes)
        }
        if let found { events.append(.error(found)) }
    }

    private mutating func readStop(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard !hasFinished else { return }
        hasFinished = true
        let reason = tape.member("stopReason", of: node, in: bytes)
        events.append(.finish(ConverseUsage.reason(reason, tape, bytes), stopSequence: nil))
    }

    private mutating func readMetadata(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let counts = tape.member("usage", of: node, in: bytes),
            let usage = ConverseUsage.read(counts, tape, bytes)
        else { return }
        hasUsage = true
        events.append(.usage(usage))
    }

    private mutating func readStart(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard callBlocks.count < Self.callsMax,
            let start = tape.member("start", of: node, in: bytes),
            let tool = tape.member("toolUse", of: start, in: bytes),
            let name = text("name", of: tool, tape, bytes)
        else { return }
        let call = callBlocks.count
        callBlocks.append(index(of: node, tape, bytes) ?? -1)
        let id = text("toolUseId", of: tool, tape, bytes)
        events.append(.callStart(index: call, id: id, name: name, signature: nil))
    }

    private func readDelta(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let delta = tape.member("delta", of: node, in: bytes) else { return }
        if let piece = text("text", of: delta, tape, bytes) {
            events.append(.text(piece))
        } else if let tool = tape.member("toolUse", of: delta, in: bytes) {
            guard let call = call(of: node, tape, bytes),
                let input = tape.member("input", of: tool, in: bytes)
            else { return }
            if tape.kind(of: input) == .object {
                events.append(.callObject(index: call, JSONFragment(input, tape)))
            } else if let piece = text("input", of: tool, tape, bytes) {
                events.append(.callInput(index: call, piece))
            }
        } else if let reasoning = tape.member("reasoningContent", of: delta, in: bytes) {
            if let piece = text("text", of: reasoning, tape, bytes) {
                events.append(.thinking(piece))
            }
            if let piece = text("signature", of: reasoning, tape, bytes) {
                events.append(.signature(piece))
            }
            if let data = text("redactedContent", of: reasoning, tape, bytes) {
                events.append(.encryptedThinking(data))
            }
        }
    }

    /// The number of the call whose block an event is about; nil for other blocks.
    private func call(of node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Int? {
        guard let index = index(of: node, tape, bytes) else { return callBlocks.indices.last }
        return callBlocks.lastIndex(of: index)
    }

    private func index(of node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Int? {
        tape.member("contentBlockIndex", of: node, in: bytes).flatMap {
            tape.integer(of: $0, in: bytes)
        }
    }

    /// A member that is a string and not empty.
    private func text(
        _ name: StaticString,
        of node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        guard let value = tape.member(name, of: node, in: bytes), tape.kind(of: value) == .string
        else { return nil }
        let text = JSONText(value, tape)
        return text.isEmpty ? nil : text
    }
}
