// SPDX-License-Identifier: Apache-2.0
import Dialects
import JSON
import Support

/// What a conversation says, without where its texts stand and how they are escaped.
///
/// Two requests mean the same if their meanings are equal. What no format tells apart is made one
/// here: turns of one role in a row are one turn, system texts are joined, a tool's texts too, and
/// inputs of tools are compared as JSON values. A format that has less than the other is judged
/// after both sides gave up what it lacks: change the members, or call the functions below.
struct Meaning: Equatable {
    struct Turn: Equatable {
        var role: Message.Role
        var items: [Item]
    }

    indirect enum Item: Equatable, Sendable {
        case text(String)
        /// `source` is `base64:...`, `url:...`, `file:...` or `plain:...`.
        case media(
            kind: Media.Kind,
            type: String?,
            source: String,
            name: String?,
            detail: String?
        )
        case call(id: String?, name: String, input: JSONValue, signature: String?)
        /// `name` is that of the call if the result has none; `value` is Gemini's `response`.
        case result(
            callID: String?,
            name: String?,
            content: [Item],
            value: JSONValue?,
            isError: Bool
        )
        case thinking(text: String?, signature: String?, encrypted: String?)
        case refusal(String)
    }

    struct ToolMeaning: Equatable {
        var name: String
        var description: String?
        var schema: JSONValue?
        var isStrict: Bool?
    }

    /// Joined with blank lines.
    var system: String
    var turns: [Turn] = []
    var tools: [ToolMeaning]
    /// Everything else by the name of the conversation's member, as text.
    var settings: [String: String] = [:]

    /// `text` is the request that `conversation` was read from.
    init(_ conversation: Conversation, of text: String) throws {
        try self.init(conversation, Array(text.utf8))
    }

    init(_ conversation: Conversation, _ bytes: [UInt8]) throws {
        let resolver = Resolver(bytes: bytes)
        system = conversation.system.map { resolver.text($0.text) }.joined(separator: "\n\n")
        tools = try conversation.tools.map { tool in
            ToolMeaning(
                name: resolver.text(tool.name),
                description: tool.description.map(resolver.text),
                schema: try tool.schema.map(resolver.json),
                isStrict: tool.isStrict
            )
        }
        for message in conversation.messages {
            let items = try message.parts.map(resolver.item)
            if let last = turns.indices.last, turns[last].role == message.role {
                turns[last].items += items
            } else {
                turns.append(Turn(role: message.role, items: items))
            }
        }
        nameResults()
        settings = try resolver.settings(conversation)
    }

    /// Each result gets the name of its call.
    private mutating func nameResults() {
        var names: [String: String] = [:]
        changeItems { item in
            switch item {
            case .call(let id?, let name, _, _):
                names[id] = name
                return item
            case .result(let callID?, nil, let content, let value, let isError):
                return .result(
                    callID: callID,
                    name: names[callID],
                    content: content,
                    value: value,
                    isError: isError
                )
            default:
                return item
            }
        }
    }

    /// Puts another item, or none, in the place of each one of a turn.
    mutating func changeItems(_ change: (Item) -> Item?) {
        for index in turns.indices {
            turns[index].items = turns[index].items.compactMap(change)
        }
        turns.removeAll { $0.items.isEmpty }
    }

    /// Numbers the calls in order and gives results the numbers, for formats that keep no ids.
    mutating func numberCalls() {
        var numbers: [String: String] = [:]
        changeItems { item in
            switch item {
            case .call(let id, let name, let input, let signature):
                let number = "#\(numbers.count)"
                numbers[id ?? number] = number
                return .call(id: number, name: name, input: input, signature: signature)
            case .result(let callID, let name, let content, let value, let isError):
                return .result(
                    callID: callID.flatMap { numbers[$0] },
                    name: name,
                    content: content,
                    value: value,
                    isError: isError
                )
            default:
                return item
            }
        }
    }

    /// Makes one text of texts that follow each other, and leaves out empty ones.
    mutating func joinTexts(separator: String = "") {
        for index in turns.indices {
            var items: [Item] = []
            for item in turns[index].items {
                if case .text("") = item { continue }
                if case .text(let next) = item, case .text(let text)? = items.last {
                    items[items.count - 1] = .text(text + separator + next)
                } else {
                    items.append(item)
                }
            }
            turns[index].items = items
        }
        turns.removeAll { $0.items.isEmpty }
    }

    /// Leaves out the settings of these names.
    mutating func drop(_ names: String...) {
        for name in names { settings[name] = nil }
    }
}

/// Looks up what stands in a request.
private struct Resolver {
    let bytes: [UInt8]

    func text(_ text: JSONText) -> String {
        text.value(from: bytes.span)
    }

    func json(_ fragment: JSONFragment) throws -> JSONValue {
        switch fragment {
        case .slice(let range): try JSONValue(bytes: Array(bytes[range]))
        case .json(let text): try JSONValue(text)
        }
    }

    func item(_ part: Part) throws -> Meaning.Item {
        switch part {
        case .text(let block): .text(text(block.text))
        case .media(let media): media.meaning(text)
        case .toolCall(let call):
            .call(
                id: call.id.map(text),
                name: text(call.name),
                input: try input(call.input),
                signature: call.signature.map(text)
            )
        case .toolResult(let result): try item(result)
        case .thinking(let thinking):
            .thinking(
                text: thinking.text.map(text),
                signature: thinking.signature.map(text),
                encrypted: thinking.encrypted.map(text)
            )
        case .refusal(let refusal): .refusal(text(refusal))
        }
    }

    private func item(_ result: ToolResult) throws -> Meaning.Item {
        var content: [Meaning.Item] = []
        for part in result.content {
            let item = try item(part)
            if case .text(let next) = item, case .text(let text)? = content.last {
                content[content.count - 1] = .text(text + "\n" + next)
            } else {
                content.append(item)
            }
        }
        return .result(
            callID: result.callID.map(text),
            name: result.name.map(text),
            content: content.filter { $0 != .text("") },
            value: try result.value.map(json),
            isError: result.isError
        )
    }

    /// The input as a JSON object; an empty one for what is none.
    private func input(_ input: ToolInput) throws -> JSONValue {
        switch input {
        case .object(let fragment): return try json(fragment)
        case .text(let content):
            do {
                let value = try JSONValue(text(content))
                return value.object == nil ? .object([:]) : value
            } catch {
                return .object([:])
            }
        }
    }

    func settings(_ conversation: Conversation) throws -> [String: String] {
        var settings: [String: String] = [:]
        func set<Value>(_ name: String, _ value: Value?) {
            if let value { settings[name] = "\(value)" }
        }
        switch conversation.toolChoice {
        case .named(let name)?: set("toolChoice", "named " + text(name))
        case let choice: set("toolChoice", choice)
        }
        set("parallelToolCalls", conversation.parallelToolCalls)
        set("maxTokens", conversation.maxTokens)
        set("temperature", conversation.temperature)
        set("topP", conversation.topP)
        set("topK", conversation.topK)
        set("seed", conversation.seed)
        set("presencePenalty", conversation.presencePenalty)
        set("frequencyPenalty", conversation.frequencyPenalty)
        if !conversation.stop.isEmpty { set("stop", conversation.stop.map(text)) }
        set("candidates", conversation.candidates)
        set("logprobs", conversation.logprobs)
        set("topLogprobs", conversation.topLogprobs)
        set("effort", conversation.reasoning?.effort)
        set("thinkingBudget", conversation.reasoning?.budget)
        if conversation.reasoning?.isAdaptive == true { set("isAdaptive", true) }
        set("showsThoughts", conversation.reasoning?.showsThoughts)
        switch conversation.responseFormat {
        case nil: break
        case .text: set("responseFormat", "text")
        case .jsonObject: set("responseFormat", "jsonObject")
        case .jsonSchema(let format):
            set("responseFormat", "jsonSchema")
            set("schemaName", format.name.map(text))
            set("schemaDescription", format.description.map(text))
            set("schema", Self.canonical(try json(format.schema)))
            set("schemaStrict", format.isStrict)
        }
        set("user", conversation.user.map(text))
        return settings
    }

    /// A text that is the same for equal values.
    private static func canonical(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let bool): "\(bool)"
        case .number(let number): "\(number)"
        case .string(let text): text.debugDescription
        case .array(let items): "[" + items.map(canonical).joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map {
                    $0.key.debugDescription + ":" + canonical($0.value)
                }.joined(separator: ",") + "}"
        }
    }
}

extension Media {
    fileprivate func meaning(_ text: (JSONText) -> String) -> Meaning.Item {
        let origin =
            switch source {
            case .base64(let data): "base64:" + text(data)
            case .url(let url): "url:" + text(url)
            case .file(let id): "file:" + text(id)
            case .plain(let plain): "plain:" + text(plain)
            }
        return .media(
            kind: kind,
            type: mediaType.map(text),
            source: origin,
            name: name.map(text),
            detail: detail.map(text)
        )
    }
}
