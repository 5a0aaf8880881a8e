// SPDX-License-Identifier: Apache-2.0
import JSON

extension GeminiRequestReader {
    /// Reads `generationConfig`.
    static func readConfig(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into conversation: inout Conversation
    ) throws(ConversionError) {
        try GeminiValue.mustBeObject(node, tape)
        var format = Format()
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let (name, value) = (member.name, member.value)
            if try readSampling(name, value, tape, bytes, into: &conversation) { continue }
            if tape.equals(name, "thinkingConfig", or: "thinking_config", in: bytes) {
                conversation.reasoning = try readThinking(value, tape, bytes, &conversation)
            } else if tape.equals(name, "responseMimeType", or: "response_mime_type", in: bytes) {
                format.mimeType = value
            } else if tape.equals(name, "responseSchema", or: "response_schema", in: bytes) {
                format.schema = value
            } else if tape.equals(
                name,
                "responseJsonSchema",
                or: "response_json_schema",
                in: bytes
            ) || tape.equals(name, "_responseJsonSchema", in: bytes) {
                format.jsonSchema = value
            } else if tape.equals(
                name,
                "responseModalities",
                or: "response_modalities",
                in: bytes
            ), isTextOnly(value, tape, bytes) {
                continue
            } else {
                conversation.omissions.add(
                    "generationConfig." + GeminiValue.label(name, tape, bytes)
                )
            }
        }
        try format.read(tape, bytes, into: &conversation)
    }

    /// Reads a member that is a number or a list of texts.
    ///
    /// - Returns: Whether `name` was one.
    private static func readSampling(
        _ name: JSONNode,
        _ value: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into conversation: inout Conversation
    ) throws(ConversionError) -> Bool {
        func isNamed(_ camel: StaticString, _ snake: StaticString) -> Bool {
            tape.equals(name, camel, or: snake, in: bytes)
        }
        if isNamed("maxOutputTokens", "max_output_tokens") {
            conversation.maxTokens = try GeminiValue.integer(value, tape, bytes, atLeast: 1)
        } else if isNamed("temperature", "temperature") {
            conversation.temperature = try GeminiValue.number(value, tape, bytes)
        } else if isNamed("topP", "top_p") {
            conversation.topP = try GeminiValue.number(value, tape, bytes)
        } else if isNamed("topK", "top_k") {
            conversation.topK = try GeminiValue.integer(value, tape, bytes, atLeast: 0)
        } else if isNamed("stopSequences", "stop_sequences") {
            conversation.stop = try readStop(value, tape)
        } else if isNamed("candidateCount", "candidate_count") {
            conversation.candidates = try GeminiValue.integer(value, tape, bytes, atLeast: 1)
        } else if isNamed("seed", "seed") {
            conversation.seed = try GeminiValue.integer(value, tape, bytes)
        } else if isNamed("presencePenalty", "presence_penalty") {
            conversation.presencePenalty = try GeminiValue.number(value, tape, bytes)
        } else if isNamed("frequencyPenalty", "frequency_penalty") {
            conversation.frequencyPenalty = try GeminiValue.number(value, tape, bytes)
        } else if isNamed("responseLogprobs", "response_logprobs") {
            conversation.logprobs = try GeminiValue.bool(value, tape)
        } else if isNamed("logprobs", "logprobs") {
            conversation.topLogprobs = try GeminiValue.integer(value, tape, bytes, atLeast: 0)
        } else {
            return false
        }
        return true
    }

    private static func readStop(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> [JSONText] {
        guard tape.kind(of: node) == .array else {
            throw .invalid(node, tape, "must be an array")
        }
        var texts: [JSONText] = []
        for element in tape.elements(of: node) {
            let text = try GeminiValue.text(element, tape)
            if !text.isEmpty { texts.append(text) }
        }
        return texts
    }

    /// Reads `thinkingConfig`.
    private static func readThinking(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ conversation: inout Conversation
    ) throws(ConversionError) -> Reasoning {
        try GeminiValue.mustBeObject(node, tape)
        var reasoning = Reasoning()
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let (name, value) = (member.name, member.value)
            if tape.equals(name, "thinkingBudget", or: "thinking_budget", in: bytes) {
                let budget = try GeminiValue.integer(value, tape, bytes, atLeast: -1)
                reasoning.budget = budget
                if budget == 0 { reasoning.effort = Reasoning.Effort.none }
            } else if tape.equals(name, "thinkingLevel", or: "thinking_level", in: bytes) {
                reasoning.effort = try level(value, tape, bytes)
            } else if tape.equals(name, "includeThoughts", or: "include_thoughts", in: bytes) {
                reasoning.showsThoughts = try GeminiValue.bool(value, tape)
            } else {
                conversation.omissions.add(
                    "generationConfig.thinkingConfig." + GeminiValue.label(name, tape, bytes)
                )
            }
        }
        return reasoning
    }

    private static func level(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Reasoning.Effort? {
        let text = try GeminiValue.text(node, tape).value(from: bytes).lowercased()
        switch text {
        case "minimal": return .minimal
        case "low": return .low
        case "medium": return .medium
        case "high": return .high
        case "thinking_level_unspecified": return nil
        default: throw .invalid(node, tape, "must be 'MINIMAL', 'LOW', 'MEDIUM' or 'HIGH'")
        }
    }

    private static func isTextOnly(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        for element in tape.elements(of: node)
        where !tape.equals(element, "TEXT", or: "text", in: bytes) {
            return false
        }
        return tape.kind(of: node) == .array
    }

    /// The three members that say what an answer has to look like.
    private struct Format {
        var mimeType: JSONNode?
        var schema: JSONNode?
        var jsonSchema: JSONNode?

        func read(
            _ tape: JSONTape,
            _ bytes: Span<UInt8>,
            into conversation: inout Conversation
        ) throws(ConversionError) {
            if let mimeType {
                guard tape.kind(of: mimeType) == .string else {
                    throw .invalid(mimeType, tape, "must be a string")
                }
                if tape.equals(mimeType, "text/plain", in: bytes) {
                    conversation.responseFormat = .text
                    return
                }
                guard tape.equals(mimeType, "application/json", in: bytes) else {
                    // `text/x.enum`: a bare word, which no other format can ask for.
                    conversation.omissions.add(.responseFormat, of: .gemini)
                    return
                }
                conversation.responseFormat = .jsonObject
            }
            if let jsonSchema {
                try GeminiValue.mustBeObject(jsonSchema, tape)
                let fragment = JSONFragment(jsonSchema, tape)
                conversation.responseFormat = .jsonSchema(
                    JSONSchemaFormat(name: nil, schema: fragment, isStrict: nil)
                )
            } else if let schema {
                try GeminiValue.mustBeObject(schema, tape)
                let fragment = OpenAPISchema.jsonSchema(schema, tape, bytes)
                conversation.responseFormat = .jsonSchema(
                    JSONSchemaFormat(name: nil, schema: fragment, isStrict: nil)
                )
            }
        }
    }
}
