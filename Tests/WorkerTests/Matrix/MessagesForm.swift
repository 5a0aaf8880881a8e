// SPDX-License-Identifier: Apache-2.0
import Support

/// Anthropic Messages, as the vendor documents them.
enum MessagesForm {
    /// What clients send when the scenario names no limit: the member is required.
    static let limit = 4_000

    // MARK: A client's request

    static func request(_ asked: Asked, model: String, isStream: Bool) -> Wire {
        let messages: [Wire] = asked.turns.map { turn in
            var content: [Wire] = turn.parts.map { block($0) }
            // Half of the texts as plain strings.
            if turn.parts.count == 1, case .text(let text) = turn.parts[0], turn.isUser {
                return ["role": "user", "content": .string(text)]
            }
            if turn.isUser, content.isEmpty { content = [] }
            return ["role": turn.isUser ? "user" : "assistant", "content": .array(content)]
        }
        let tools: [Wire] = asked.tools.map { tool in
            [
                "name": .string(tool.name), "description": .string(tool.description),
                "input_schema": Wire(tool.schema),
            ]
        }
        return Wire.object([
            ("model", .string(model)), ("max_tokens", .int(asked.maxTokens ?? limit)),
        ]).adding([
            (
                "system",
                asked.system.isEmpty ? nil : [["type": "text", "text": .string(asked.system)]]
            ),
            ("messages", .array(messages)),
            ("tools", tools.isEmpty ? nil : .array(tools)),
            ("stop_sequences", asked.stops.isEmpty ? nil : .array(asked.stops.map { .string($0) })),
            ("temperature", asked.temperature.map { .double($0) }),
            ("thinking", asked.thinks ? ["type": "enabled", "budget_tokens": 2048] : nil),
            ("stream", isStream ? true : nil),
        ])
    }

    private static func block(_ part: Asked.Part) -> Wire {
        switch part {
        case .text(let text): ["type": "text", "text": .string(text)]
        case .image(let type, let base64):
            [
                "type": "image",
                "source": [
                    "type": "base64", "media_type": .string(type), "data": .string(base64),
                ],
            ]
        case .call(let call):
            [
                "type": "tool_use", "id": .string(call.id), "name": .string(call.name),
                "input": Wire(call.arguments),
            ]
        case .result(let id, let text):
            [
                "type": "tool_result", "tool_use_id": .string(id),
                "content": [["type": "text", "text": .string(text)]],
            ]
        case .thought(let text, let signature):
            ["type": "thinking", "thinking": .string(text), "signature": .string(signature)]
        }
    }

    // MARK: What an upstream got

    static func asked(in body: JSONValue, _ problems: inout [String]) -> Asked {
        var asked = Asked()
        if let text = body["system"]?.string {
            asked.system = text
        } else {
            asked.system = (body["system"]?.array ?? []).map { $0["text"]?.string ?? "?" }
                .joined(separator: "\n\n")
        }
        let messages = body["messages"]?.array ?? []
        problems.check(
            messages.first?["role"]?.string == "user",
            "a first message that is no user's"
        )
        for (index, message) in messages.enumerated() {
            let role = message["role"]?.string ?? ""
            problems.check(role == "user" || role == "assistant", "the role '\(role)'")
            let before = index > 0 ? messages[index - 1]["role"]?.string : nil
            problems.check(role != before, "two messages of the role '\(role)' in a row")
            if let text = message["content"]?.string {
                asked.say(.text(text), asUser: role == "user")
                continue
            }
            problems.check(message["content"]?.array?.isEmpty == false, "an empty message")
            var sawOther = false
            for block in message["content"]?.array ?? [] {
                let part = part(block, &problems)
                if case .result(let id, _) = part {
                    problems.check(!sawOther, "a result behind other content")
                    problems.check(
                        asked.calls.contains { $0.id == id },
                        "a result of the unknown call '\(id)'"
                    )
                } else {
                    sawOther = true
                }
                asked.say(part, asUser: role == "user")
            }
        }
        for tool in body["tools"]?.array ?? [] {
            asked.tools.append(
                Asked.Tool(
                    name: tool["name"]?.string ?? "",
                    description: tool["description"]?.string ?? "",
                    schema: tool["input_schema"] ?? .null
                )
            )
        }
        asked.stops = (body["stop_sequences"]?.array ?? []).map { $0.string ?? "" }
        asked.maxTokens = body["max_tokens"]?.int
        asked.temperature = body["temperature"]?.number
        if let thinking = body["thinking"] {
            asked.thinks = thinks(thinking, limit: asked.maxTokens ?? 0, &problems)
        }
        problems.check(asked.maxTokens ?? 0 > 0, "no max_tokens")
        problems.check(asked.maxTokens ?? 0 <= 64_000, "more max_tokens than the model has")
        problems.check(
            !asked.thinks || asked.temperature ?? 1 == 1,
            "thinking with a temperature"
        )
        return asked
    }

    static func thinks(
        _ thinking: JSONValue,
        limit: Int,
        _ problems: inout [String]
    ) -> Bool {
        switch thinking["type"]?.string {
        case "enabled":
            let budget = thinking["budget_tokens"]?.int ?? 0
            problems.check(budget >= 1024, "a budget of \(budget)")
            problems.check(budget < limit, "a budget of \(budget) with \(limit) tokens")
            return true
        case "adaptive": return true
        case "disabled": return false
        case let other:
            problems.append("thinking of the type '\(other ?? "")'")
            return false
        }
    }

    private static func part(_ block: JSONValue, _ problems: inout [String]) -> Asked.Part {
        switch block["type"]?.string {
        case "text":
            problems.check(block["text"]?.string?.isEmpty == false, "an empty text")
            return .text(block["text"]?.string ?? "")
        case "image":
            let source = block["source"] ?? .null
            problems.check(source["type"]?.string == "base64", "an image without its bytes")
            return .image(
                type: source["media_type"]?.string ?? "",
                base64: source["data"]?.string ?? ""
            )
        case "tool_use":
            let id = block["id"]?.string ?? ""
            let isKnown = !id.isEmpty && id.utf8.allSatisfy(isIDByte)
            problems.check(isKnown, "the call id '\(id)'")
            problems.check(block["input"]?.object != nil, "an input that is no object")
            return .call(
                Call(
                    id: id,
                    name: block["name"]?.string ?? "",
                    arguments: block["input"] ?? .null
                )
            )
        case "tool_result":
            let text = ChatForm.text(block["content"], &problems)
            return .result(id: block["tool_use_id"]?.string ?? "", text: text)
        case "thinking":
            return .thought(
                block["thinking"]?.string ?? "",
                signature: block["signature"]?.string ?? ""
            )
        case let other:
            problems.append("a block of the type '\(other ?? "")'")
            return .text("")
        }
    }

    private static func isIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
