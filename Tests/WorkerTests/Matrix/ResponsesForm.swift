// SPDX-License-Identifier: Apache-2.0
import Support

/// OpenAI Responses, as the vendor documents them.
enum ResponsesForm {
    // MARK: A client's request

    static func request(_ asked: Asked, model: String, isStream: Bool) -> Wire {
        var items: [Wire] = []
        for turn in asked.turns { items += Self.items(turn) }
        let tools: [Wire] = asked.tools.map { tool in
            [
                "type": "function", "name": .string(tool.name),
                "description": .string(tool.description), "parameters": Wire(tool.schema),
                "strict": false,
            ]
        }
        var input = Wire.array(items)
        if asked.turns.count == 1, asked.turns[0].parts.count == 1,
            case .text(let text) = asked.turns[0].parts[0]
        {
            input = .string(text)
        }
        return Wire.object([("model", .string(model)), ("input", input), ("store", false)])
            .adding([
                ("instructions", asked.system.isEmpty ? nil : .string(asked.system)),
                ("tools", tools.isEmpty ? nil : .array(tools)),
                ("stop", asked.stops.isEmpty ? nil : .array(asked.stops.map { .string($0) })),
                ("max_output_tokens", asked.maxTokens.map { .int($0) }),
                ("temperature", asked.temperature.map { .double($0) }),
                ("reasoning", asked.thinks ? ["effort": "medium", "summary": "auto"] : nil),
                ("stream", isStream ? true : nil),
            ])
    }

    private static func items(_ turn: Asked.Turn) -> [Wire] {
        var items: [Wire] = []
        var content: [Wire] = []
        let role: Wire = turn.isUser ? "user" : "assistant"
        func close() {
            guard !content.isEmpty else { return }
            items.append(["type": "message", "role": role, "content": .array(content)])
            content = []
        }
        for part in turn.parts {
            switch part {
            case .text(let text):
                let type: Wire = turn.isUser ? "input_text" : "output_text"
                content.append(["type": type, "text": .string(text)])
            case .image(let type, let base64):
                content.append([
                    "type": "input_image", "detail": "auto",
                    "image_url": .string("data:\(type);base64,\(base64)"),
                ])
            case .call(let call):
                close()
                items.append([
                    "type": "function_call", "call_id": .string(call.id),
                    "name": .string(call.name), "arguments": .string(call.arguments.compact),
                ])
            case .result(let id, let text):
                close()
                items.append([
                    "type": "function_call_output", "call_id": .string(id),
                    "output": .string(text),
                ])
            case .thought: break
            }
        }
        close()
        return items
    }

    // MARK: What an upstream got

    static func asked(in body: JSONValue, _ problems: inout [String]) -> Asked {
        var asked = Asked()
        asked.system = body["instructions"]?.string ?? ""
        if let text = body["input"]?.string { asked.say(.text(text), asUser: true) }
        for item in body["input"]?.array ?? [] {
            switch item["type"]?.string ?? "message" {
            case "message": take(message: item, &asked, &problems)
            case "function_call":
                let id = item["call_id"]?.string ?? ""
                problems.check(!id.isEmpty && id.utf8.count <= 64, "the call id '\(id)'")
                let itemID = item["id"]?.string ?? "fc_"
                problems.check(itemID.hasPrefix("fc_"), "the id '\(itemID)' of a call")
                asked.say(
                    .call(
                        Call(
                            id: id,
                            name: item["name"]?.string ?? "",
                            arguments: problems.json(item["arguments"]?.string ?? "no text")
                        )
                    ),
                    asUser: false
                )
            case "function_call_output":
                let id = item["call_id"]?.string ?? ""
                problems.check(
                    asked.calls.contains { $0.id == id },
                    "a result of the unknown call '\(id)'"
                )
                asked.say(
                    .result(id: id, text: ChatForm.text(item["output"], &problems)),
                    asUser: true
                )
            case "reasoning": break
            case let other: problems.append("an item of the type '\(other)'")
            }
        }
        for tool in body["tools"]?.array ?? [] {
            problems.check(tool["type"]?.string == "function", "a tool that is no function")
            asked.tools.append(
                Asked.Tool(
                    name: tool["name"]?.string ?? "",
                    description: tool["description"]?.string ?? "",
                    schema: tool["parameters"] ?? .null
                )
            )
        }
        asked.stops = (body["stop"]?.array ?? []).map { $0.string ?? "" }
        asked.maxTokens = body["max_output_tokens"]?.int
        problems.check(asked.maxTokens ?? 16 >= 16, "less tokens than the least")
        asked.temperature = body["temperature"]?.number
        asked.thinks = body["reasoning"]?["effort"].map { $0.string != "none" } ?? false
        return asked
    }

    private static func take(
        message: JSONValue,
        _ asked: inout Asked,
        _ problems: inout [String]
    ) {
        let role = message["role"]?.string ?? ""
        if role == "system" || role == "developer" {
            let text = ChatForm.text(message["content"], &problems)
            asked.system += asked.system.isEmpty ? text : "\n\n" + text
            return
        }
        problems.check(role == "user" || role == "assistant", "the role '\(role)'")
        let isUser = role == "user"
        if let text = message["content"]?.string { asked.say(.text(text), asUser: isUser) }
        for part in message["content"]?.array ?? [] {
            switch part["type"]?.string {
            case "input_text":
                problems.check(isUser, "input of the assistant")
                asked.say(.text(part["text"]?.string ?? ""), asUser: isUser)
            case "output_text":
                problems.check(!isUser, "output of the user")
                asked.say(.text(part["text"]?.string ?? ""), asUser: isUser)
            case "input_image":
                asked.say(
                    ChatForm.image(part["image_url"]?.string ?? "", &problems),
                    asUser: isUser
                )
            case let other: problems.append("a part of the type '\(other ?? "")'")
            }
        }
    }
}
