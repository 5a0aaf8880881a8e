// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads the events of a stream of OpenAI Responses.
///
/// Servers differ in what they send twice: deltas, the whole when it is done, and all of it in the
/// last event. What came in pieces is not taken again, and what did not come in pieces is taken
/// from where it is whole.
struct ResponsesStreamReader {
    /// Most items whose pieces are told apart.
    private static let itemsMax = 4096

    private struct Call {
        /// Place in the output.
        let item: Int
        var hasInput = false
        var isOver = false
    }

    private var hasStarted = false
    private var isOver = false
    /// Calls by their numbers.
    private var calls: [Call] = []
    /// Places in the output of messages and thoughts that came in pieces.
    private var told: [Int] = []
    /// Whether anything of the output was told.
    private var hasOutput = false
    /// The item that the last thoughts are from, and whether they are its summary: the text itself
    /// may come besides.
    private var thoughts: (item: Int, isSummary: Bool)?
    /// A failure without a reason, which another event may give.
    private var failure: UpstreamComplaint?

    /// Takes the JSON of one event.
    mutating func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        if isOver { return }
        guard let type = tape.member("type", of: root, in: bytes), tape.kind(of: type) == .string
        else {
            if let complaint = ComplaintReader.find(root, tape, bytes) {
                fail(complaint, into: &events)
            }
            return
        }
        if tape.equals(type, "error", in: bytes) {
            return fail(ComplaintReader.read(root, tape, bytes), into: &events)
        }
        let response = tape.member("response", of: root, in: bytes)
        if let response { start(response, tape, bytes, into: &events) }
        if readDelta(type, root, tape, bytes, into: &events) { return }
        if readItem(type, root, tape, bytes, into: &events) { return }
        if tape.equals(type, "response.completed", in: bytes)
            || tape.equals(type, "response.incomplete", in: bytes)
            || tape.equals(type, "response.done", in: bytes)
        {
            end(response ?? root, tape, bytes, into: &events)
        } else if tape.equals(type, "response.failed", in: bytes)
            || tape.equals(type, "response.cancelled", in: bytes)
        {
            takeFailure(response ?? root, tape, bytes, into: &events)
        }
    }

    /// The stream's framing has ended; notes `end` if the format has no event for it and all was said.
    mutating func finish(into events: inout [StreamEvent]) {
        guard !isOver, let failure else { return }
        fail(failure, into: &events)
    }

    private mutating func start(
        _ response: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard !hasStarted else { return }
        hasStarted = true
        events.append(.start(id: ResponsesOutputReader.text("id", of: response, tape, bytes)))
    }

    private mutating func fail(
        _ complaint: UpstreamComplaint,
        into events: inout [StreamEvent]
    ) {
        isOver = true
        events.append(.error(complaint))
    }

    // MARK: Pieces

    private mutating func readDelta(
        _ type: JSONNode,
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) -> Bool {
        guard let delta = ResponsesOutputReader.text("delta", of: root, tape, bytes) else {
            return false
        }
        let item = Self.item(of: root, tape, bytes)
        if tape.equals(type, "response.output_text.delta", in: bytes) {
            note(item)
            events.append(.text(delta))
        } else if tape.equals(type, "response.function_call_arguments.delta", in: bytes) {
            guard let index = call(item) else { return true }
            calls[index].hasInput = true
            events.append(.callInput(index: index, delta))
        } else if tape.equals(type, "response.reasoning_summary_text.delta", in: bytes) {
            readThoughts(delta, item, isSummary: true, into: &events)
        } else if tape.equals(type, "response.reasoning_text.delta", in: bytes) {
            readThoughts(delta, item, isSummary: false, into: &events)
        } else if tape.equals(type, "response.refusal.delta", in: bytes) {
            note(item)
            events.append(.refusal(delta))
        } else {
            return false
        }
        return true
    }

    private mutating func readThoughts(
        _ delta: JSONText,
        _ item: Int,
        isSummary: Bool,
        into events: inout [StreamEvent]
    ) {
        if let thoughts, thoughts.item == item, thoughts.isSummary != isSummary { return }
        thoughts = (item, isSummary)
        note(item)
        events.append(.thinking(delta))
    }

    /// Remembers that an item comes in pieces.
    private mutating func note(_ item: Int) {
        hasOutput = true
        guard told.last != item, told.count < Self.itemsMax, !told.contains(item) else { return }
        told.append(item)
    }

    private static func item(
        of root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Int {
        tape.member("output_index", of: root, in: bytes)
            .flatMap { tape.integer(of: $0, in: bytes) } ?? -1
    }

    /// The number of the call at `item`; of servers that number no items, that of the last one.
    private func call(_ item: Int) -> Int? {
        calls.lastIndex { $0.item == item }
    }

    // MARK: Items

    private mutating func readItem(
        _ type: JSONNode,
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) -> Bool {
        let place = Self.item(of: root, tape, bytes)
        if tape.equals(type, "response.output_item.added", in: bytes) {
            guard let item = tape.member("item", of: root, in: bytes) else { return true }
            beginCall(item, place, tape, bytes, into: &events)
        } else if tape.equals(type, "response.output_item.done", in: bytes) {
            guard let item = tape.member("item", of: root, in: bytes) else { return true }
            endItem(item, place, tape, bytes, into: &events)
        } else if tape.equals(type, "response.function_call_arguments.done", in: bytes) {
            guard let index = call(place) else { return true }
            takeInput(of: root, index, tape, bytes, into: &events)
        } else if tape.equals(type, "response.reasoning_summary_part.added", in: bytes) {
            // Parts of a summary are paragraphs.
            if let thoughts, thoughts.item == place, thoughts.isSummary {
                events.append(.thinking(.text("\n\n")))
            }
        } else {
            return false
        }
        return true
    }

    private mutating func beginCall(
        _ item: JSONNode,
        _ place: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let type = tape.member("type", of: item, in: bytes),
            tape.equals(type, "function_call", in: bytes), calls.count < Self.itemsMax,
            let name = ResponsesOutputReader.text("name", of: item, tape, bytes)
        else { return }
        hasOutput = true
        let id = ResponsesOutputReader.callID(of: item, tape, bytes)
        events.append(.callStart(index: calls.count, id: id, name: name, signature: nil))
        calls.append(Call(item: place))
    }

    /// Takes the whole input of a call unless it came in pieces.
    private mutating func takeInput(
        of node: JSONNode,
        _ index: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard !calls[index].hasInput, !calls[index].isOver,
            let text = ResponsesOutputReader.text("arguments", of: node, tape, bytes)
        else { return }
        calls[index].hasInput = true
        events.append(.callInput(index: index, text))
    }

    private mutating func endItem(
        _ item: JSONNode,
        _ place: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        guard let type = tape.member("type", of: item, in: bytes) else { return }
        if tape.equals(type, "function_call", in: bytes) {
            // Items without a number follow each other.
            if call(place).map({ place < 0 && calls[$0].isOver }) ?? true {
                beginCall(item, place, tape, bytes, into: &events)
            }
            guard let index = call(place), !calls[index].isOver else { return }
            takeInput(of: item, index, tape, bytes, into: &events)
            calls[index].isOver = true
            events.append(.callEnd(index: index))
            return
        }
        if !told.contains(place) {
            var parts: [Part] = []
            ResponsesOutputReader.read(item, tape, bytes, into: &parts)
            tell(parts, into: &events)
            note(place)
        } else if tape.equals(type, "reasoning", in: bytes),
            let encrypted = ResponsesOutputReader.encrypted(of: item, tape, bytes)
        {
            events.append(.encryptedThinking(encrypted))
        }
    }

    /// Tells parts that came whole.
    private mutating func tell(_ parts: [Part], into events: inout [StreamEvent]) {
        for part in parts {
            switch part {
            case .text(let block): events.append(.text(block.text))
            case .refusal(let text): events.append(.refusal(text))
            case .thinking(let thinking):
                if let text = thinking.text { events.append(.thinking(text)) }
                if let text = thinking.encrypted { events.append(.encryptedThinking(text)) }
            case .toolCall(let call):
                let index = calls.count
                events.append(
                    .callStart(index: index, id: call.id, name: call.name, signature: nil)
                )
                if case .text(let text) = call.input {
                    events.append(.callInput(index: index, text))
                }
                events.append(.callEnd(index: index))
                calls.append(Call(item: -1, hasInput: true, isOver: true))
            case .media, .toolResult: break
            }
        }
    }

    // MARK: Ends

    private mutating func end(
        _ response: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        if !hasOutput, let output = tape.member("output", of: response, in: bytes) {
            var parts: [Part] = []
            for item in tape.elements(of: output) {
                ResponsesOutputReader.read(item, tape, bytes, into: &parts)
            }
            tell(parts, into: &events)
        }
        if let usage = ResponsesOutputReader.usage(of: response, tape, bytes) {
            events.append(.usage(usage))
        }
        let reason = ResponsesOutputReader.finish(
            of: response,
            hasCalls: !calls.isEmpty,
            tape,
            bytes
        )
        events.append(.finish(reason, stopSequence: nil))
        events.append(.end)
        isOver = true
    }

    /// A failure that names its reason is the end; otherwise the event `error` follows, as Azure
    /// sends it when it throttles within a stream.
    private mutating func takeFailure(
        _ response: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        if let usage = ResponsesOutputReader.usage(of: response, tape, bytes) {
            events.append(.usage(usage))
        }
        if let error = tape.member("error", of: response, in: bytes), !tape.isNull(error) {
            fail(ComplaintReader.read(error, tape, bytes), into: &events)
        } else {
            failure = UpstreamComplaint(message: "The model failed without saying why.")
        }
    }

    // MARK: -

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    ///
    /// OpenAI and Azure write `type` first.
    static func isPlainContent(_ data: Span<UInt8>) -> Bool {
        var at = 0
        guard skip("{", data, &at), skip("\"type\"", data, &at), skip(":", data, &at),
            skip("\"response.", data, &at)
        else { return false }
        let start = at
        // The longest type is below sixty bytes.
        let limit = min(data.count, start + 64)
        while at < limit, data[at] != UInt8(ascii: "\"") {
            if data[at] == UInt8(ascii: "\\") { return false }
            at += 1
        }
        return at < limit && at - start > 6 && data.begins(at - 6..<at, with: ".delta")
    }

    /// Steps over `text` and the white space behind it.
    private static func skip(_ text: StaticString, _ data: Span<UInt8>, _ at: inout Int) -> Bool {
        guard data.begins(at..<data.count, with: text) else { return false }
        at += text.utf8CodeUnitCount
        while at < data.count, data[at] == 0x20 { at += 1 }
        return true
    }
}
