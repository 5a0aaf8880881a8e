// SPDX-License-Identifier: Apache-2.0
import Support

/// Bedrock Converse, as the vendor documents it; only upstreams speak it.
enum ConverseForm {
    // MARK: What an upstream got

    static func asked(in body: JSONValue, _ problems: inout [String]) -> Asked {
        var asked = Asked()
        asked.system = (body["system"]?.array ?? []).compactMap { $0["text"]?.string }
            .joined(separator: "\n\n")
        var before: String?
        for message in body["messages"]?.array ?? [] {
            let role = message["role"]?.string ?? ""
            problems.check(role == "user" || role == "assistant", "the role '\(role)'")
            problems.check(role != before, "two messages of the role '\(role)' in a row")
            problems.check(before != nil || role == "user", "a first message that is no user's")
            before = role
            problems.check(message["content"]?.array?.isEmpty == false, "an empty message")
            for block in message["content"]?.array ?? [] where block["cachePoint"] == nil {
                asked.say(part(block, &problems), asUser: role == "user")
            }
        }
        for tool in body["toolConfig"]?["tools"]?.array ?? [] where tool["cachePoint"] == nil {
            let spec = tool["toolSpec"] ?? .null
            asked.tools.append(
                Asked.Tool(
                    name: spec["name"]?.string ?? "",
                    description: spec["description"]?.string ?? "",
                    schema: spec["inputSchema"]?["json"] ?? .null
                )
            )
        }
        let config = body["inferenceConfig"] ?? .null
        asked.stops = (config["stopSequences"]?.array ?? []).map { $0.string ?? "" }
        asked.maxTokens = config["maxTokens"]?.int
        asked.temperature = config["temperature"]?.number
        if let thinking = body["additionalModelRequestFields"]?["thinking"] {
            asked.thinks = MessagesForm.thinks(
                thinking,
                limit: asked.maxTokens ?? 64_000,
                &problems
            )
        }
        return asked
    }

    private static func part(_ block: JSONValue, _ problems: inout [String]) -> Asked.Part {
        if let text = block["text"]?.string {
            problems.check(!text.isEmpty, "an empty text")
            return .text(text)
        }
        if let image = block["image"] {
            return .image(
                type: "image/\(image["format"]?.string ?? "")",
                base64: image["source"]?["bytes"]?.string ?? ""
            )
        }
        if let use = block["toolUse"] {
            return .call(
                Call(
                    id: use["toolUseId"]?.string ?? "",
                    name: use["name"]?.string ?? "",
                    arguments: use["input"] ?? .null
                )
            )
        }
        if let result = block["toolResult"] {
            let json = result["content"]?[0]?["json"]?.compact
            return .result(
                id: result["toolUseId"]?.string ?? "",
                text: json ?? ChatForm.text(result["content"], &problems)
            )
        }
        if let thought = block["reasoningContent"]?["reasoningText"] {
            return .thought(
                thought["text"]?.string ?? "",
                signature: thought["signature"]?.string ?? ""
            )
        }
        problems.append("a strange block: \(block.compact)")
        return .text("")
    }

    // MARK: An upstream's answer

    private static func stop(_ finish: Told.Finish) -> Wire {
        switch finish {
        case .end: "end_turn"
        case .stopText: "stop_sequence"
        case .length: "max_tokens"
        case .calls: "tool_use"
        case .refusal: "content_filtered"
        }
    }

    private static func usage(_ usage: Told.Usage) -> Wire {
        [
            "inputTokens": .int(usage.input - usage.cached), "outputTokens": .int(usage.output),
            "totalTokens": .int(usage.input + usage.output),
            "cacheReadInputTokens": .int(usage.cached), "cacheWriteInputTokens": 0,
        ]
    }

    static func answer(_ told: Told, _ manner: AnswerManner) -> Wire {
        var content: [Wire] = []
        if manner.tellsThoughts, !told.thoughts.isEmpty {
            content.append([
                "reasoningContent": [
                    "reasoningText": [
                        "text": .string(told.thoughts),
                        "signature": .string(MessagesForm.signature),
                    ]
                ]
            ])
        }
        if !told.text.isEmpty { content.append(["text": .string(told.text)]) }
        for call in told.calls {
            content.append([
                "toolUse": [
                    "toolUseId": .string(call.id), "name": .string(call.name),
                    "input": Wire(call.arguments),
                ]
            ])
        }
        return [
            "output": ["message": ["role": "assistant", "content": .array(content)]],
            "stopReason": stop(told.finish), "usage": usage(told.usage),
            "metrics": ["latencyMs": 700],
        ]
    }

    /// The events of a stream, by name.
    static func stream(_ told: Told, _ manner: AnswerManner) -> [(name: String, payload: Wire)] {
        var events: [(name: String, payload: Wire)] = [("messageStart", ["role": "assistant"])]
        var index = 0
        func block(start: Wire?, _ deltas: [Wire]) {
            let place: (String, Wire) = ("contentBlockIndex", .int(index))
            if let start {
                events.append(("contentBlockStart", Wire.object([("start", start), place])))
            }
            for delta in deltas {
                events.append(("contentBlockDelta", Wire.object([("delta", delta), place])))
            }
            events.append(("contentBlockStop", Wire.object([place])))
            index += 1
        }
        if manner.tellsThoughts, !told.thoughts.isEmpty {
            block(
                start: nil,
                pieces(of: told.thoughts, 3).map { ["reasoningContent": ["text": .string($0)]] }
                    + [["reasoningContent": ["signature": .string(MessagesForm.signature)]]]
            )
        }
        if !told.text.isEmpty {
            block(start: nil, pieces(of: told.text, 7).map { ["text": .string($0)] })
        }
        for call in told.calls {
            let text = call.arguments.object?.isEmpty == true ? "" : call.arguments.compact
            block(
                start: [
                    "toolUse": ["toolUseId": .string(call.id), "name": .string(call.name)]
                ],
                pieces(of: text, 4).map { ["toolUse": ["input": .string($0)]] }
            )
        }
        events.append(("messageStop", ["stopReason": stop(told.finish)]))
        events.append(
            ("metadata", ["usage": usage(told.usage), "metrics": ["latencyMs": 700]])
        )
        return events
    }
}
