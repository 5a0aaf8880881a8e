// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads the events of a stream of Anthropic Messages.
///
/// The data alone says all, so it does not matter whether there are `event:` lines.
struct MessagesStreamReader {
    /// Most calls of tools in one answer; what comes behind them is left out.
    private static let callsMax = 1024

    /// Indexes of the blocks that are calls; the place in the list is the number of the call.
    private var callBlocks: [Int] = []
    private var usage = MessagesUsage()
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
        guard let type = tape.member("type", of: root, in: bytes) else {
            // AWS and SAP put errors into a stream as they are.
            readError(root, tape, bytes, into: &events)
            return
        }
        if tape.equals(type, "content_block_delta", in: bytes) {
            readDelta(root, tape, bytes, into: &events)
        } else if tape.equals(type, "content_block_start", in: bytes) {
            readStart(root, tape, bytes, into: &events)
        } else if tape.equals(type, "content_block_stop", in: bytes) {
            if let call = call(of: root, tape, bytes) { events.append(.callEnd(index: call)) }
        } else if tape.equals(type, "message_start", in: bytes) {
            readMessage(root, tape, bytes, into: &events)
        } else if tape.equals(type, "message_delta", in: bytes) {
            readMessageDelta(root, tape, bytes, into: &events)
        } else if tape.equals(type, "message_stop", in: bytes) {
            end(into: &events)
        } else if !tape.equals(type, "ping", in: bytes) {
            readError(root, tape, bytes, into: &events)
        }
    }

    /// The stream's framing has ended; notes `end` if the format has no event for it and all was
    /// said.
    mutating func finish(into events: inout [StreamEvent]) {
        // Some vendors forget `message_stop`; with a reason to stop the answer is whole.
        if hasFinished { end(into: &events) }
    }

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    static func isPlainContent(_ data: Span<UInt8>) -> Bool {
        let start: StaticString = "{\"type\":\"content_block_delta\""
        let count = start.utf8CodeUnitCount
        guard data.count >= count else { return false }
        return MessagesBytes.equal(data.extracting(first: count), start)
    }

    private mutating func end(into events: inout [StreamEvent]) {
        guard !hasEnded else { return }
        if !hasFinished { events.append(.finish(.stop, stopSequence: nil)) }
        hasFinished = true
        hasEnded = true
        events.append(.end)
    }

    private mutating func readError(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        var found = ComplaintReader.find(root, tape, bytes)
        // What AWS says when it throws, once its framing is gone: every event else has a type.
        if found == nil, let message = tape.member("message", of: root, in: bytes),
            tape.kind(of: message) == .string
        {
            found = ComplaintReader.read(root, tape, bytes)
        }
        guard var complaint = found else { return }
        if complaint.type == "overloaded_error" { complaint.status = 529 }
        events.append(.error(complaint))
    }

    private mutating func readMessage(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let message = tape.member("message", of: root, in: bytes) else { return }
        let id = tape.member("id", of: message, in: bytes)
        events.append(.start(id: id.flatMap { text($0, tape) }))
        readUsage(message, tape, bytes, into: &events)
    }

    private mutating func readMessageDelta(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        readUsage(root, tape, bytes, into: &events)
        guard !hasFinished, let delta = tape.member("delta", of: root, in: bytes),
            let reason = tape.member("stop_reason", of: delta, in: bytes), !tape.isNull(reason)
        else { return }
        hasFinished = true
        let stop = tape.member("stop_sequence", of: delta, in: bytes)
        events.append(
            .finish(
                MessagesFinish.reason(reason, tape, bytes),
                stopSequence: stop.flatMap { text($0, tape) }
            )
        )
    }

    private mutating func readUsage(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let counts = tape.member("usage", of: node, in: bytes),
            tape.kind(of: counts) == .object
        else { return }
        usage.update(counts, tape, bytes)
        events.append(.usage(usage.tokens))
    }

    private mutating func readStart(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let block = tape.member("content_block", of: root, in: bytes),
            let type = tape.member("type", of: block, in: bytes)
        else { return }
        if tape.equals(type, "tool_use", in: bytes) {
            readCall(root, block, tape, bytes, into: &events)
        } else if tape.equals(type, "text", in: bytes) {
            append("text", of: block, tape, bytes, into: &events) { .text($0) }
        } else if tape.equals(type, "thinking", in: bytes) {
            append("thinking", of: block, tape, bytes, into: &events) { .thinking($0) }
            append("signature", of: block, tape, bytes, into: &events) { .signature($0) }
        } else if tape.equals(type, "redacted_thinking", in: bytes) {
            append("data", of: block, tape, bytes, into: &events) { .encryptedThinking($0) }
        }
    }

    private mutating func readCall(
        _ root: JSONNode,
        _ block: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard callBlocks.count < Self.callsMax,
            let name = tape.member("name", of: block, in: bytes).flatMap({ text($0, tape) })
        else { return }
        let call = callBlocks.count
        let index = tape.member("index", of: root, in: bytes)
        callBlocks.append(index.flatMap { tape.integer(of: $0, in: bytes) } ?? -1)
        let id = tape.member("id", of: block, in: bytes).flatMap { text($0, tape) }
        events.append(.callStart(index: call, id: id, name: name, signature: nil))
        // Usually `{}` with the input in deltas; some vendors have all of it here.
        if let input = tape.member("input", of: block, in: bytes) {
            for _ in tape.members(of: input) {
                events.append(.callObject(index: call, JSONFragment(input, tape)))
                break
            }
        }
    }

    private func readDelta(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let delta = tape.member("delta", of: root, in: bytes) else { return }
        var type: JSONNode?
        var piece: JSONNode?
        // Whichever member comes beside the type: each kind of delta has one of its own.
        for member in tape.members(of: delta) {
            if tape.equals(member.name, "type", in: bytes) {
                type = member.value
            } else if tape.kind(of: member.value) == .string {
                piece = member.value
            }
        }
        guard let type, let piece, let text = text(piece, tape), !text.isEmpty else { return }
        if tape.equals(type, "text_delta", in: bytes) {
            events.append(.text(text))
        } else if tape.equals(type, "input_json_delta", in: bytes) {
            guard let call = call(of: root, tape, bytes) else { return }
            events.append(.callInput(index: call, text))
        } else if tape.equals(type, "thinking_delta", in: bytes) {
            events.append(.thinking(text))
        } else if tape.equals(type, "signature_delta", in: bytes) {
            events.append(.signature(text))
        }
    }

    /// The number of the call whose block an event is about; nil for other blocks.
    private func call(
        of root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Int? {
        guard let node = tape.member("index", of: root, in: bytes),
            let index = tape.integer(of: node, in: bytes)
        else { return callBlocks.indices.last }
        return callBlocks.lastIndex(of: index)
    }

    /// A string; nil for other kinds.
    private func text(_ node: JSONNode, _ tape: JSONTape) -> JSONText? {
        tape.kind(of: node) == .string ? JSONText(node, tape) : nil
    }

    private func append(
        _ name: StaticString,
        of block: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent],
        _ event: (JSONText) -> StreamEvent
    ) {
        guard let node = tape.member(name, of: block, in: bytes), let text = text(node, tape),
            !text.isEmpty
        else { return }
        events.append(event(text))
    }
}
