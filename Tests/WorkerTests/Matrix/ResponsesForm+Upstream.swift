// SPDX-License-Identifier: Apache-2.0
import Support

extension ResponsesForm {
    private struct Item {
        var wire: Wire
        /// Type of its deltas and their pieces.
        var deltas: [String] = []
        var kind = Kind.call
        enum Kind { case thoughts, text, refusal, call }
    }

    private static func items(_ told: Told, _ manner: AnswerManner) -> [Item] {
        var items: [Item] = []
        if !told.thoughts.isEmpty {
            let summary: Wire = [["type": "summary_text", "text": .string(told.thoughts)]]
            items.append(
                Item(
                    wire: [
                        "id": "rs_up1", "type": "reasoning",
                        "summary": manner.tellsThoughts ? summary : [],
                    ],
                    deltas: manner.tellsThoughts ? pieces(of: told.thoughts, 3) : [],
                    kind: .thoughts
                )
            )
        }
        if !told.text.isEmpty {
            let isRefusal = told.finish == .refusal
            let part: Wire =
                isRefusal
                ? ["type": "refusal", "refusal": .string(told.text)]
                : [
                    "type": "output_text", "text": .string(told.text), "annotations": [],
                    "logprobs": [],
                ]
            items.append(
                Item(
                    wire: [
                        "id": "msg_up1", "type": "message", "role": "assistant",
                        "status": told.finish == .length ? "incomplete" : "completed",
                        "content": [part],
                    ],
                    deltas: pieces(of: told.text, 7),
                    kind: isRefusal ? .refusal : .text
                )
            )
        }
        for (index, call) in told.calls.enumerated() {
            items.append(
                Item(
                    wire: [
                        "id": .string("fc_up\(index)"), "type": "function_call",
                        "status": "completed", "call_id": .string(call.id),
                        "name": .string(call.name), "arguments": .string(call.arguments.compact),
                    ],
                    deltas: pieces(of: call.arguments.compact, 4)
                )
            )
        }
        return items
    }

    // MARK: An upstream's answer

    static let id = "resp_up1"

    static func answer(_ told: Told, _ manner: AnswerManner) -> Wire {
        let reason: Wire? =
            switch told.finish {
            case .end, .stopText, .calls: nil
            case .length: "max_output_tokens"
            case .refusal: "content_filter"
            }
        return response(
            status: reason == nil ? "completed" : "incomplete",
            reason: reason,
            output: items(told, manner).map(\.wire),
            usage: [
                "input_tokens": .int(told.usage.input),
                "input_tokens_details": ["cached_tokens": .int(told.usage.cached)],
                "output_tokens": .int(told.usage.output),
                "output_tokens_details": ["reasoning_tokens": .int(told.usage.thoughts)],
                "total_tokens": .int(told.usage.input + told.usage.output),
            ],
            manner
        )
    }

    private static func response(
        status: Wire,
        reason: Wire?,
        output: [Wire],
        usage: Wire,
        _ manner: AnswerManner
    ) -> Wire {
        [
            "id": .string(id), "object": "response", "created_at": 1_772_000_000,
            "status": status, "error": .null,
            "incomplete_details": reason.map { ["reason": $0] } ?? .null,
            "instructions": .null, "max_output_tokens": .null, "model": .string(manner.model),
            "output": .array(output), "parallel_tool_calls": true, "previous_response_id": .null,
            "store": false, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "usage": usage, "metadata": [:],
        ]
    }

    /// The data of each event of a stream.
    static func stream(_ told: Told, _ manner: AnswerManner) -> [String] {
        var events: [String] = []
        func say(_ type: String, _ members: [(String, Wire?)]) {
            let event = Wire.object([
                ("type", .string(type)), ("sequence_number", .int(events.count)),
            ])
            events.append(event.adding(members).text(manner.style))
        }
        let start = response(
            status: "in_progress",
            reason: nil,
            output: [],
            usage: .null,
            manner
        )
        say("response.created", [("response", start)])
        say("response.in_progress", [("response", start)])
        for (index, item) in items(told, manner).enumerated() {
            guard case .object(let members) = item.wire else { continue }
            let empty: [String: Wire] = [
                "content": [], "summary": [], "arguments": "", "status": "in_progress",
            ]
            let started = members.map { (name: $0.name, value: empty[$0.name] ?? $0.value) }
            say(
                "response.output_item.added",
                [("output_index", .int(index)), ("item", .object(started))]
            )
            let id = members.first { $0.name == "id" }?.value
            let place: [(String, Wire?)] = [("item_id", id), ("output_index", .int(index))]
            sayContent(of: item, place, say)
            say(
                "response.output_item.done",
                [("output_index", .int(index)), ("item", item.wire)]
            )
        }
        let isWhole = told.finish != .length && told.finish != .refusal
        say(
            isWhole ? "response.completed" : "response.incomplete",
            [("response", answer(told, manner))]
        )
        return events
    }

    private static func sayContent(
        of item: Item,
        _ place: [(String, Wire?)],
        _ say: (String, [(String, Wire?)]) -> Void
    ) {
        let whole = Wire.string(item.deltas.joined())
        switch item.kind {
        case .thoughts:
            let inside = place + [("summary_index", 0)]
            guard !item.deltas.isEmpty else { return }
            say(
                "response.reasoning_summary_part.added",
                inside + [("part", ["type": "summary_text", "text": ""])]
            )
            for piece in item.deltas {
                say("response.reasoning_summary_text.delta", inside + [("delta", .string(piece))])
            }
            say("response.reasoning_summary_text.done", inside + [("text", whole)])
            say(
                "response.reasoning_summary_part.done",
                inside + [("part", ["type": "summary_text", "text": whole])]
            )
        case .text, .refusal:
            let inside = place + [("content_index", 0)]
            let isText = item.kind == .text
            let name = isText ? "output_text" : "refusal"
            let member = isText ? "text" : "refusal"
            func part(_ text: Wire) -> Wire {
                Wire.object([("type", .string(name)), (member, text)]).adding([
                    ("annotations", isText ? [] : nil)
                ])
            }
            say("response.content_part.added", inside + [("part", part(""))])
            for piece in item.deltas {
                say("response.\(name).delta", inside + [("delta", .string(piece))])
            }
            say("response.\(name).done", inside + [(member, whole)])
            say("response.content_part.done", inside + [("part", part(whole))])
        case .call:
            for piece in item.deltas {
                say("response.function_call_arguments.delta", place + [("delta", .string(piece))])
            }
            say("response.function_call_arguments.done", place + [("arguments", whole)])
        }
    }
}
