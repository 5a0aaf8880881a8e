// SPDX-License-Identifier: Apache-2.0
import Support

/// The events of a stream of Responses, read and checked as a strict client would.
///
/// What must hold in any stream: the `event:` line is the type; sequence numbers count from 0;
/// items begin in the order of the output; each delta has an open item and part; what is done
/// repeats what came in pieces; the last event repeats all items, and nothing follows it.
struct ResponsesTranscript {
    /// Broken rules, for the message of a failed test.
    private(set) var faults: [String] = []
    private(set) var types: [String] = []
    private(set) var events: [JSONValue] = []
    /// Text so far by item and part, `msg_x0 0` for example.
    private var texts: [String: String] = [:]
    private var opened: [String] = []
    private var finished: [Int: JSONValue] = [:]

    static let terminals = ["response.completed", "response.incomplete", "response.failed"]

    init(_ text: String) throws {
        guard !text.isEmpty else { return }
        guard text.hasSuffix("\n\n") else {
            faults.append("the stream ends within an event")
            return
        }
        for block in text.dropLast(2).split(separator: "\n\n", omittingEmptySubsequences: false) {
            let lines = block.split(separator: "\n", omittingEmptySubsequences: false)
            guard lines.count == 2, lines[0].hasPrefix("event: "), lines[1].hasPrefix("data: ")
            else {
                faults.append("no event of two lines: \(block)")
                continue
            }
            let value = try JSONValue(String(lines[1].dropFirst(6)))
            let type = value["type"]?.string ?? ""
            if lines[0].dropFirst(7) != type { faults.append("\(lines[0]) with type \(type)") }
            take(type, value)
        }
    }

    /// The response of the last event.
    var response: JSONValue? { events.last?["response"] }

    var isOver: Bool { types.last.map { Self.terminals.contains($0) } ?? false }

    /// Types without those that repeat, in a short form.
    var steps: [String] {
        types.map { $0.hasPrefix("response.") ? String($0.dropFirst(9)) : $0 }
    }

    private mutating func take(_ type: String, _ event: JSONValue) {
        if isOver { faults.append("\(type) behind the end") }
        if event["sequence_number"]?.int != types.count {
            faults.append("\(type) has not the number \(types.count)")
        }
        if types.isEmpty, type != "response.created" { faults.append("begins with \(type)") }
        types.append(type)
        events.append(event)
        switch type {
        case "response.output_item.added": add(event)
        case "response.content_part.added":
            begin(event, "content_index")
        case "response.reasoning_summary_part.added":
            begin(event, "summary_index")
        case "response.output_text.delta", "response.refusal.delta":
            append(event, key(event, "content_index"))
        case "response.reasoning_summary_text.delta":
            append(event, key(event, "summary_index"))
        case "response.function_call_arguments.delta":
            append(event, key(event, nil))
        case "response.output_text.done": compare(event, "text", key(event, "content_index"))
        case "response.refusal.done": compare(event, "refusal", key(event, "content_index"))
        case "response.reasoning_summary_text.done":
            compare(event, "text", key(event, "summary_index"))
        case "response.function_call_arguments.done":
            compare(event, "arguments", key(event, nil))
        case "response.content_part.done":
            let part = event["part"]
            let text = part?["text"]?.string ?? part?["refusal"]?.string
            check(text, key(event, "content_index"))
        case "response.reasoning_summary_part.done":
            check(event["part"]?["text"]?.string, key(event, "summary_index"))
        case "response.output_item.done": finish(event)
        case "response.completed", "response.incomplete", "response.failed": conclude(event)
        case "response.created", "response.in_progress":
            if event["response"]?["status"]?.string != "in_progress" {
                faults.append("\(type) is not in progress")
            }
        default: faults.append("unknown type \(type)")
        }
    }

    private func key(_ event: JSONValue, _ part: String?) -> String {
        let id = event["item_id"]?.string ?? "?"
        return part.map { "\(id) \(event[$0]?.int ?? -1)" } ?? id
    }

    private mutating func checkItem(_ event: JSONValue) {
        guard let id = event["item_id"]?.string, let index = event["output_index"]?.int,
            opened.indices.contains(index), opened[index] == id, finished[index] == nil
        else {
            faults.append("no open item for \(event)")
            return
        }
    }

    private mutating func add(_ event: JSONValue) {
        guard let item = event["item"], let id = item["id"]?.string,
            event["output_index"]?.int == opened.count, !opened.contains(id)
        else {
            faults.append("an item out of order: \(event)")
            return
        }
        opened.append(id)
        switch item["type"]?.string {
        case "message":
            if item["content"]?.array?.isEmpty != true { faults.append("\(id) is not empty") }
        case "function_call":
            texts[id] = ""
            if item["arguments"]?.string != "" { faults.append("\(id) has arguments") }
        case "reasoning":
            if item["summary"]?.array?.isEmpty != true { faults.append("\(id) is not empty") }
        case "image_generation_call": break
        case let type: faults.append("an item of type \(type ?? "none")")
        }
    }

    private mutating func begin(_ event: JSONValue, _ part: String) {
        checkItem(event)
        let key = key(event, part)
        if texts[key] != nil { faults.append("\(key) begins again") }
        texts[key] = ""
    }

    private mutating func append(_ event: JSONValue, _ key: String) {
        checkItem(event)
        guard let text = texts[key], let delta = event["delta"]?.string, !delta.isEmpty else {
            faults.append("a delta that belongs to nothing: \(event)")
            return
        }
        texts[key] = text + delta
    }

    private mutating func compare(_ event: JSONValue, _ name: String, _ key: String) {
        checkItem(event)
        check(event[name]?.string, key)
    }

    private mutating func check(_ text: String?, _ key: String) {
        if text == nil || texts[key] != text {
            faults.append(
                "\(key) is done with \(text ?? "nothing"), not \(texts[key] ?? "nothing")"
            )
        }
    }

    private mutating func finish(_ event: JSONValue) {
        guard let item = event["item"], let index = event["output_index"]?.int,
            opened.indices.contains(index), item["id"]?.string == opened[index],
            finished[index] == nil
        else {
            faults.append("no item to be done: \(event)")
            return
        }
        finished[index] = item
        let id = opened[index]
        if let arguments = item["arguments"]?.string { check(arguments, id) }
        for (place, part) in (item["content"]?.array ?? []).enumerated() {
            check(part["text"]?.string ?? part["refusal"]?.string, "\(id) \(place)")
        }
        for (place, part) in (item["summary"]?.array ?? []).enumerated() {
            check(part["text"]?.string, "\(id) \(place)")
        }
    }

    private mutating func conclude(_ event: JSONValue) {
        let output = event["response"]?["output"]?.array ?? []
        let items = finished.sorted { $0.key < $1.key }.map(\.value)
        if output != items { faults.append("the output is not what was done") }
        let failed = event["type"]?.string == "response.failed"
        if !failed, finished.count != opened.count { faults.append("items are still open") }
        if (event["response"]?["error"]?.isNull == false) != failed {
            faults.append("an error that is none")
        }
    }
}
