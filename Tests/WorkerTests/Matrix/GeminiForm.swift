// SPDX-License-Identifier: Apache-2.0
import Support

/// Gemini's generateContent, as the vendor documents it.
enum GeminiForm {
    // MARK: A client's request

    static func request(_ asked: Asked) -> Wire {
        var names: [String: String] = [:]
        for call in asked.calls { names[call.id] = call.name }
        let contents: [Wire] = asked.turns.map { turn in
            [
                "role": turn.isUser ? "user" : "model",
                "parts": .array(turn.parts.map { part($0, names) }),
            ]
        }
        let functions: [Wire] = asked.tools.map { tool in
            [
                "name": .string(tool.name), "description": .string(tool.description),
                "parameters": upperCased(Wire(tool.schema)),
            ]
        }
        let config: [(String, Wire?)] = [
            ("temperature", asked.temperature.map { .double($0) }),
            ("maxOutputTokens", asked.maxTokens.map { .int($0) }),
            ("stopSequences", asked.stops.isEmpty ? nil : .array(asked.stops.map { .string($0) })),
            (
                "thinkingConfig",
                asked.thinks ? ["thinkingBudget": 2048, "includeThoughts": true] : nil
            ),
        ]
        let hasConfig = config.contains { $0.1 != nil }
        return Wire.object([("contents", .array(contents))]).adding([
            (
                "systemInstruction",
                asked.system.isEmpty ? nil : ["parts": [["text": .string(asked.system)]]]
            ),
            ("tools", functions.isEmpty ? nil : [["functionDeclarations": .array(functions)]]),
            ("generationConfig", hasConfig ? Wire.object([]).adding(config) : nil),
        ])
    }

    private static func part(_ part: Asked.Part, _ names: [String: String]) -> Wire {
        switch part {
        case .text(let text): ["text": .string(text)]
        case .image(let type, let base64):
            ["inlineData": ["mimeType": .string(type), "data": .string(base64)]]
        case .call(let call):
            ["functionCall": ["name": .string(call.name), "args": Wire(call.arguments)]]
        case .result(let id, let text):
            [
                "functionResponse": [
                    "name": .string(names[id] ?? "?"), "response": ["result": .string(text)],
                ]
            ]
        case .thought(let text, let signature):
            ["text": .string(text), "thought": true, "thoughtSignature": .string(signature)]
        }
    }

    /// Google's SDKs write the types of a schema in capitals.
    private static func upperCased(_ schema: Wire) -> Wire {
        switch schema {
        case .object(let members):
            .object(
                members.map { name, value in
                    if name == "type", case .string(let type) = value {
                        return (name, .string(type.uppercased()))
                    }
                    return (name, upperCased(value))
                }
            )
        case .array(let items): .array(items.map { upperCased($0) })
        case .null, .bool, .int, .double, .string: schema
        }
    }

    static func lowerCased(_ schema: JSONValue) -> JSONValue {
        switch schema {
        case .object(let members):
            .object(
                Dictionary(
                    uniqueKeysWithValues: members.map { name, value in
                        if name == "type", let type = value.string {
                            return (name, JSONValue.string(type.lowercased()))
                        }
                        return (name, lowerCased(value))
                    }
                )
            )
        case .array(let items): .array(items.map { lowerCased($0) })
        case .null, .bool, .number, .string: schema
        }
    }

    // MARK: What an upstream got

    /// Calls have no ids: they are named `#1`, `#2` and so on, and results belong to the calls of
    /// their name in order.
    static func asked(in body: JSONValue, _ problems: inout [String]) -> Asked {
        var asked = Asked()
        problems.check(body["model"] == nil && body["stream"] == nil, "a member of another format")
        asked.system = (body["systemInstruction"]?["parts"]?.array ?? [])
            .map { $0["text"]?.string ?? "?" }.joined(separator: "\n\n")
        var waiting: [Call] = []
        var count = 0
        var before: String?
        for content in body["contents"]?.array ?? [] {
            let role = content["role"]?.string ?? ""
            problems.check(role == "user" || role == "model", "the role '\(role)'")
            problems.check(role != before, "two contents of the role '\(role)' in a row")
            before = role
            problems.check(content["parts"]?.array?.isEmpty == false, "a content without parts")
            for part in content["parts"]?.array ?? [] {
                var said = Self.part(part, &problems)
                switch said {
                case .call(var call):
                    count += 1
                    call.id = "#\(count)"
                    waiting.append(call)
                    said = .call(call)
                case .result(let name, let text):
                    let index = waiting.firstIndex { $0.name == name }
                    problems.check(index != nil, "a result of the unknown call '\(name)'")
                    said = .result(id: index.map { waiting.remove(at: $0).id } ?? "?", text: text)
                case .text, .image, .thought: break
                }
                asked.say(said, asUser: role == "user")
            }
        }
        problems.check(body["tools"]?.array?.count ?? 1 == 1, "not one list of functions")
        for function in body["tools"]?[0]?["functionDeclarations"]?.array ?? [] {
            let schema = function["parameters"] ?? function["parametersJsonSchema"] ?? .null
            asked.tools.append(
                Asked.Tool(
                    name: function["name"]?.string ?? "",
                    description: function["description"]?.string ?? "",
                    schema: lowerCased(schema)
                )
            )
        }
        let config = body["generationConfig"] ?? .null
        asked.stops = (config["stopSequences"]?.array ?? []).map { $0.string ?? "" }
        asked.maxTokens = config["maxOutputTokens"]?.int
        asked.temperature = config["temperature"]?.number
        if let thinking = config["thinkingConfig"] {
            asked.thinks =
                thinking["thinkingLevel"] != nil || thinking["thinkingBudget"]?.int ?? 0 != 0
        }
        return asked
    }

    private static func part(_ part: JSONValue, _ problems: inout [String]) -> Asked.Part {
        if let call = part["functionCall"] {
            problems.check(call["args"]?.object != nil, "arguments that are no object")
            return .call(
                Call(id: "", name: call["name"]?.string ?? "", arguments: call["args"] ?? .null)
            )
        }
        if let result = part["functionResponse"] {
            problems.check(result["response"]?.object != nil, "a response that is no object")
            let response = result["response"] ?? .null
            return .result(
                id: result["name"]?.string ?? "",
                text: response["result"]?.string ?? response.compact
            )
        }
        if let data = part["inlineData"] {
            return .image(
                type: data["mimeType"]?.string ?? "",
                base64: data["data"]?.string ?? ""
            )
        }
        let text = part["text"]?.string ?? ""
        if part["thought"]?.bool == true {
            return .thought(text, signature: part["thoughtSignature"]?.string ?? "")
        }
        problems.check(part["text"]?.isString == true, "a strange part: \(part.compact)")
        return .text(text)
    }
}
