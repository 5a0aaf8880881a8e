// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support
import Testing

/// Generated conversations said in Gemini's format and read back mean the same.
struct GeminiRoundTripTests {
    private static let features: RandomConversation.Features = [
        .system, .images, .imageDetail, .documents, .audio, .tools, .strictTools, .thinking,
        .refusals, .limits, .samplers, .effort, .responseFormat,
    ]

    private static let plan = RequestPlan(
        format: .gemini,
        host: .gemini,
        model: "gemini-3-flash",
        isStream: false
    )

    @Test(arguments: 0..<40)
    func chat(_ seed: Int) throws {
        var random = RandomConversation(seed: UInt64(seed), Self.features)
        for _ in 0..<5 {
            let request = random.chatRequest()
            let conversation = try Converting.conversation(.chat, request)
            let written = try Converting.request(request, from: .chat, Self.plan)
            let read = try Converting.conversation(.gemini, written.body)
            let expected = try Self.expected(Meaning(conversation, of: request))
            var actual = try Meaning(read, of: written.body)
            actual.drop("showsThoughts")
            #expect(actual == expected, "seed \(seed): \(request)")
            // Gemini to Gemini loses nothing at all.
            let again = try Converting.request(written.body, from: .gemini, Self.plan)
            #expect(try JSONValue(again.body) == JSONValue(written.body), "seed \(seed)")
            #expect(again.dropped == [])
        }
    }

    /// What Gemini has of a chat.
    private static func expected(_ meaning: Meaning) throws -> Meaning {
        var meaning = meaning
        meaning.changeItems { item in
            switch item {
            case .thinking: nil
            case .refusal(let text): .text(text)
            case .media(let kind, let type, let source, _, _):
                .media(kind: kind, type: type, source: source, name: nil, detail: nil)
            case .call(let id, let name, let input, _):
                .call(id: id, name: name, input: input, signature: nil)
            case .result(let callID, let name, let content, _, let isError):
                .result(
                    callID: callID,
                    name: name,
                    content: [],
                    value: .object(["result": .string(content.text)]),
                    isError: isError
                )
            case .text: item
            }
        }
        markFirstCalls(&meaning)
        meaning.tools = meaning.tools.map { tool in
            var tool = tool
            tool.isStrict = nil
            if tool.description == "" { tool.description = nil }
            if tool.schema?["properties"]?.object?.isEmpty ?? false { tool.schema = nil }
            return tool
        }
        meaning.drop(
            "user",
            "parallelToolCalls",
            "candidates",
            "schemaName",
            "schemaStrict",
            "schemaDescription"
        )
        switch meaning.settings["responseFormat"] {
        case "text": meaning.drop("responseFormat")
        case "jsonSchema" where meaning.settings["schema"]?.contains("\"properties\":{}") ?? false:
            meaning.drop("schema")
            meaning.settings["responseFormat"] = "jsonObject"
        default: break
        }
        return meaning
    }

    /// The first call of each turn has a signature at Gemini 3.
    private static func markFirstCalls(_ meaning: inout Meaning) {
        for turn in meaning.turns.indices {
            let first = meaning.turns[turn].items.firstIndex { item in
                if case .call = item { true } else { false }
            }
            guard let first,
                case .call(let id, let name, let input, _) = meaning.turns[turn].items[first]
            else { continue }
            meaning.turns[turn].items[first] = .call(
                id: id,
                name: name,
                input: input,
                signature: "skip_thought_signature_validator"
            )
        }
    }
}

extension [Meaning.Item] {
    fileprivate var text: String {
        compactMap { item in
            if case .text(let text) = item { text } else { nil }
        }.joined(separator: "\n")
    }
}
