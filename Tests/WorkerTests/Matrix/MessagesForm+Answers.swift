// SPDX-License-Identifier: Apache-2.0
import Support

extension MessagesForm {
    // MARK: An upstream's answer

    static let signature = "RXJBQ0tlZXAgbWUgYXMgSSBhbQ+/=="

    private static func stop(_ finish: Told.Finish) -> (reason: Wire, text: Wire) {
        switch finish {
        case .end: ("end_turn", .null)
        case .stopText(let text): ("stop_sequence", .string(text))
        case .length: ("max_tokens", .null)
        case .calls: ("tool_use", .null)
        case .refusal: ("refusal", .null)
        }
    }

    private static func tellsThoughts(_ told: Told, _ manner: AnswerManner) -> Bool {
        manner.tellsThoughts && !told.thoughts.isEmpty
    }

    static func answer(_ told: Told, _ manner: AnswerManner) -> Wire {
        var content: [Wire] = []
        if tellsThoughts(told, manner) {
            content.append([
                "type": "thinking", "thinking": .string(told.thoughts),
                "signature": .string(signature),
            ])
        }
        if !told.text.isEmpty { content.append(["type": "text", "text": .string(told.text)]) }
        for call in told.calls {
            content.append([
                "type": "tool_use", "id": .string(call.id), "name": .string(call.name),
                "input": Wire(call.arguments),
            ])
        }
        let stop = stop(told.finish)
        return [
            "id": "msg_up1", "type": "message", "role": "assistant",
            "model": .string(manner.model), "content": .array(content),
            "stop_reason": stop.reason, "stop_sequence": stop.text,
            "usage": [
                "input_tokens": .int(told.usage.input - told.usage.cached),
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": .int(told.usage.cached),
                "output_tokens": .int(told.usage.output),
            ],
        ]
    }

    /// The data of each event of a stream.
    static func stream(_ told: Told, _ manner: AnswerManner) -> [String] {
        var events: [Wire] = [
            [
                "type": "message_start",
                "message": [
                    "id": "msg_up1", "type": "message", "role": "assistant", "content": [],
                    "model": .string(manner.model), "stop_reason": .null, "stop_sequence": .null,
                    "usage": [
                        "input_tokens": .int(told.usage.input - told.usage.cached),
                        "cache_creation_input_tokens": 0,
                        "cache_read_input_tokens": .int(told.usage.cached), "output_tokens": 1,
                    ],
                ],
            ]
        ]
        var index = 0
        func block(_ start: Wire, _ deltas: [Wire]) {
            events.append([
                "type": "content_block_start", "index": .int(index), "content_block": start,
            ])
            if index == 0 { events.append(["type": "ping"]) }
            for delta in deltas {
                events.append([
                    "type": "content_block_delta", "index": .int(index), "delta": delta,
                ])
            }
            events.append(["type": "content_block_stop", "index": .int(index)])
            index += 1
        }
        if tellsThoughts(told, manner) {
            block(
                ["type": "thinking", "thinking": "", "signature": ""],
                pieces(of: told.thoughts, 3).map {
                    ["type": "thinking_delta", "thinking": .string($0)]
                } + [["type": "signature_delta", "signature": .string(signature)]]
            )
        }
        if !told.text.isEmpty {
            block(
                ["type": "text", "text": ""],
                pieces(of: told.text, 7).map { ["type": "text_delta", "text": .string($0)] }
            )
        }
        for call in told.calls {
            let text = call.arguments.object?.isEmpty == true ? "" : call.arguments.compact
            block(
                [
                    "type": "tool_use", "id": .string(call.id), "name": .string(call.name),
                    "input": [:],
                ],
                ([""] + pieces(of: text, 4)).map {
                    ["type": "input_json_delta", "partial_json": .string($0)]
                }
            )
        }
        let stop = stop(told.finish)
        events.append([
            "type": "message_delta",
            "delta": ["stop_reason": stop.reason, "stop_sequence": stop.text],
            "usage": ["output_tokens": .int(told.usage.output)],
        ])
        events.append(["type": "message_stop"])
        return events.map { $0.text(manner.style) }
    }

    // MARK: What a client got

    static func told(in body: JSONValue, _ problems: inout [String]) -> Told {
        var told = Told()
        problems.check(body["type"]?.string == "message", "another type")
        problems.check(body["role"]?.string == "assistant", "an answer of another role")
        problems.check(body["id"]?.string?.hasPrefix("msg_") == true, "the id of no message")
        problems.check(body["model"]?.isString == true, "no model")
        problems.check(body.names.contains("stop_sequence"), "no member stop_sequence")
        var sawOther = false
        for block in body["content"]?.array ?? [] {
            switch block["type"]?.string {
            case "thinking":
                problems.check(!sawOther, "thoughts behind other content")
                problems.check(block["signature"]?.isString == true, "thoughts without signature")
                told.thoughts += block["thinking"]?.string ?? ""
            case "text":
                told.text += block["text"]?.string ?? ""
                problems.check(block["text"]?.string?.isEmpty == false, "an empty text")
                sawOther = true
            case "tool_use":
                told.calls.append(call(block, block["input"] ?? .null))
                problems.check(block["input"]?.object != nil, "an input that is no object")
                sawOther = true
            case let other: problems.append("a block of the type '\(other ?? "")'")
            }
        }
        told.finish = finish(body, &problems)
        told.usage = usage(body["usage"] ?? .null)
        return told
    }

    private static func call(_ block: JSONValue, _ input: JSONValue) -> Call {
        Call(id: block["id"]?.string ?? "", name: block["name"]?.string ?? "", arguments: input)
    }

    private static func finish(_ holder: JSONValue, _ problems: inout [String]) -> Told.Finish {
        let text = holder["stop_sequence"]?.string
        switch holder["stop_reason"]?.string {
        case "end_turn": return .end
        case "stop_sequence": return .stopText(text ?? "")
        case "max_tokens": return .length
        case "tool_use": return .calls
        case "refusal": return .refusal
        case let other:
            problems.append("the stop reason '\(other ?? "none")'")
            return .end
        }
    }

    private static func usage(_ usage: JSONValue) -> Told.Usage {
        let cached = usage["cache_read_input_tokens"]?.int ?? 0
        let written = usage["cache_creation_input_tokens"]?.int ?? 0
        return Told.Usage(
            input: (usage["input_tokens"]?.int ?? -1) + cached + written,
            cached: cached,
            output: usage["output_tokens"]?.int ?? -1
        )
    }

    /// The answer that a stream tells, in the order that Anthropic's SDKs rely on.
    static func told(events: [ClientEvent], _ problems: inout [String]) -> Told {
        var told = Told()
        var usage: [String: JSONValue] = [:]
        var open: JSONValue?
        var input = ""
        var blocks = 0
        var sawDelta = false
        problems.check(events.first?.name == "message_start", "another first event")
        problems.check(events.last?.name == "message_stop", "another last event")
        for event in events {
            problems.check(event.data != "[DONE]", "a [DONE]")
            let json = problems.json(event.data)
            let type = json["type"]?.string ?? ""
            problems.check(event.name == type, "the name \(event.name ?? "none") of a \(type)")
            let isOpen = open != nil
            switch type {
            case "ping": break
            case "message_start":
                let message = json["message"] ?? .null
                problems.check(message["id"]?.string?.hasPrefix("msg_") == true, "no message's id")
                problems.check(message["content"]?.array?.isEmpty == true, "a start with content")
                problems.check(message["role"]?.string == "assistant", "another role")
                usage = message["usage"]?.object ?? [:]
                problems.check(usage["input_tokens"]?.int != nil, "a start without usage")
            case "content_block_start":
                problems.check(!isOpen, "a block inside of another")
                problems.check(json["index"]?.int == blocks, "the index \(json.compact)")
                open = json["content_block"] ?? .null
                input = ""
            case "content_block_delta":
                problems.check(isOpen && json["index"]?.int == blocks, "a delta of no block")
                take(json["delta"] ?? .null, of: open ?? .null, &told, &input, &problems)
            case "content_block_stop":
                problems.check(isOpen && json["index"]?.int == blocks, "the end of no block")
                if let block = open, block["type"]?.string == "tool_use" {
                    told.calls.append(call(block, problems.json(input.isEmpty ? "{}" : input)))
                }
                open = nil
                blocks += 1
            case "message_delta":
                problems.check(!isOpen && !sawDelta, "a message_delta at the wrong place")
                sawDelta = true
                told.finish = finish(json["delta"] ?? .null, &problems)
                usage.merge(json["usage"]?.object ?? [:]) { $1 }
            case "message_stop": problems.check(sawDelta, "a stop without message_delta")
            default: problems.append("an event of the type '\(type)': \(event.data)")
            }
        }
        told.usage = self.usage(.object(usage))
        return told
    }

    private static func take(
        _ delta: JSONValue,
        of block: JSONValue,
        _ told: inout Told,
        _ input: inout String,
        _ problems: inout [String]
    ) {
        let type = delta["type"]?.string ?? ""
        let owner = block["type"]?.string ?? ""
        switch (owner, type) {
        case ("text", "text_delta"): told.text += delta["text"]?.string ?? ""
        case ("thinking", "thinking_delta"): told.thoughts += delta["thinking"]?.string ?? ""
        case ("thinking", "signature_delta"): break
        case ("tool_use", "input_json_delta"): input += delta["partial_json"]?.string ?? ""
        default: problems.append("a \(type) in a block of the type '\(owner)'")
        }
    }
}
