// SPDX-License-Identifier: Apache-2.0
import Support

/// OpenAI chat completions, as the vendor documents them.
enum ChatForm {
    // MARK: A client's request

    static func request(
        _ asked: Asked,
        model: String,
        isStream: Bool,
        wantsUsage: Bool
    ) -> Wire {
        var messages: [Wire] = []
        if !asked.system.isEmpty {
            messages.append(["role": "system", "content": .string(asked.system)])
        }
        for turn in asked.turns { messages += Self.messages(turn) }
        let tools: [Wire] = asked.tools.map { tool in
            [
                "type": "function",
                "function": [
                    "name": .string(tool.name), "description": .string(tool.description),
                    "parameters": Wire(tool.schema),
                ],
            ]
        }
        return Wire.object([("model", .string(model)), ("messages", .array(messages))]).adding([
            ("tools", tools.isEmpty ? nil : .array(tools)),
            ("stop", asked.stops.isEmpty ? nil : .array(asked.stops.map { .string($0) })),
            ("max_completion_tokens", asked.maxTokens.map { .int($0) }),
            ("temperature", asked.temperature.map { .double($0) }),
            ("reasoning_effort", asked.thinks ? "medium" : nil),
            ("stream", isStream ? true : nil),
            ("stream_options", isStream && wantsUsage ? ["include_usage": true] : nil),
        ])
    }

    private static func messages(_ turn: Asked.Turn) -> [Wire] {
        var content: [Wire] = []
        var calls: [Wire] = []
        var messages: [Wire] = []
        for part in turn.parts {
            switch part {
            case .text(let text): content.append(["type": "text", "text": .string(text)])
            case .image(let type, let base64):
                content.append([
                    "type": "image_url",
                    "image_url": [
                        "url": .string("data:\(type);base64,\(base64)"), "detail": "low",
                    ],
                ])
            case .call(let call):
                calls.append([
                    "id": .string(call.id), "type": "function",
                    "function": [
                        "name": .string(call.name),
                        "arguments": .string(call.arguments.compact),
                    ],
                ])
            case .result(let id, let text):
                messages.append([
                    "role": "tool", "tool_call_id": .string(id), "content": .string(text),
                ])
            case .thought: break
            }
        }
        var flat = Wire.array(content)
        if content.count == 1, case .text(let text)? = turn.parts.first(where: \.isText) {
            flat = .string(text)
        }
        if turn.isUser {
            if !content.isEmpty { messages.append(["role": "user", "content": flat]) }
        } else {
            let message: Wire = [
                "role": "assistant", "content": content.isEmpty ? .null : flat,
            ]
            messages.append(
                message.adding([("tool_calls", calls.isEmpty ? nil : .array(calls))])
            )
        }
        return messages
    }

    // MARK: What an upstream got

    static func asked(in body: JSONValue, _ problems: inout [String]) -> Asked {
        var asked = Asked()
        for message in body["messages"]?.array ?? [] {
            let role = message["role"]?.string ?? ""
            switch role {
            case "system", "developer":
                let text = text(message["content"], &problems)
                asked.system += asked.system.isEmpty ? text : "\n\n" + text
                problems.check(asked.turns.isEmpty, "a system message behind others")
            case "user", "assistant":
                take(message, asUser: role == "user", &asked, &problems)
            case "tool":
                let id = message["tool_call_id"]?.string ?? ""
                problems.check(
                    asked.calls.contains { $0.id == id },
                    "a result of the unknown call '\(id)'"
                )
                let text = text(message["content"], &problems)
                asked.say(.result(id: id, text: text), asUser: true)
            default: problems.append("a message of the role '\(role)'")
            }
        }
        for tool in body["tools"]?.array ?? [] {
            problems.check(tool["type"]?.string == "function", "a tool that is no function")
            let function = tool["function"] ?? .null
            asked.tools.append(
                Asked.Tool(
                    name: function["name"]?.string ?? "",
                    description: function["description"]?.string ?? "",
                    schema: function["parameters"] ?? .null
                )
            )
        }
        problems.check(body["tools"]?.array?.isEmpty != true, "an empty list of tools")
        if let stop = body["stop"]?.string {
            asked.stops = [stop]
        } else {
            asked.stops = (body["stop"]?.array ?? []).map { $0.string ?? "" }
        }
        problems.check(
            body["max_tokens"] == nil || body["max_completion_tokens"] == nil,
            "two limits of tokens"
        )
        asked.maxTokens = (body["max_completion_tokens"] ?? body["max_tokens"])?.int
        asked.temperature = body["temperature"]?.number
        asked.thinks = body["reasoning_effort"].map { $0.string != "none" } ?? false
        return asked
    }

    private static func take(
        _ message: JSONValue,
        asUser isUser: Bool,
        _ asked: inout Asked,
        _ problems: inout [String]
    ) {
        let calls = message["tool_calls"]?.array ?? []
        problems.check(message["tool_calls"]?.array?.isEmpty != true, "an empty list of calls")
        let content = message["content"] ?? .null
        problems.check(!content.isNull || !calls.isEmpty, "a message without content")
        if let text = content.string {
            asked.say(.text(text), asUser: isUser)
        }
        for part in content.array ?? [] {
            switch part["type"]?.string {
            case "text": asked.say(.text(part["text"]?.string ?? ""), asUser: isUser)
            case "image_url":
                let url = part["image_url"]?["url"]?.string ?? ""
                asked.say(image(url, &problems), asUser: isUser)
            case let other: problems.append("a part of the type '\(other ?? "")'")
            }
        }
        for call in calls {
            problems.check(call["type"]?.string == "function", "a call that is no function's")
            asked.say(.call(Self.call(call, &problems)), asUser: isUser)
        }
    }

    private static func call(_ call: JSONValue, _ problems: inout [String]) -> Call {
        let function = call["function"] ?? .null
        let id = call["id"]?.string ?? ""
        problems.check(!id.isEmpty && id.utf8.count <= 40, "the call id '\(id)'")
        return Call(
            id: id,
            name: function["name"]?.string ?? "",
            arguments: problems.json(function["arguments"]?.string ?? "no text")
        )
    }

    static func image(_ url: String, _ problems: inout [String]) -> Asked.Part {
        let parts = url.split(separator: ",", maxSplits: 1)
        guard parts.count == 2, parts[0].hasPrefix("data:"), parts[0].hasSuffix(";base64") else {
            problems.append("the image URL '\(url.prefix(100))'")
            return .image(type: "", base64: "")
        }
        return .image(type: String(parts[0].dropFirst(5).dropLast(7)), base64: String(parts[1]))
    }

    /// A content that is one text, or a list of texts.
    static func text(_ content: JSONValue?, _ problems: inout [String]) -> String {
        if let text = content?.string { return text }
        guard let parts = content?.array else {
            problems.append("a content that is no text: \(content?.compact ?? "none")")
            return ""
        }
        return parts.map { $0["text"]?.string ?? "?" }.joined()
    }
}

extension Asked.Part {
    var isText: Bool { if case .text = self { true } else { false } }
}
