// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes `generationConfig`, if there is anything to say.
struct GeminiConfigWriter {
    private let conversation: Conversation
    private let plan: RequestPlan
    private var writer: JSONWriter
    private var isOpen = false

    /// Writes it as a member of the object that `writer` has open.
    static func write(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        var config = GeminiConfigWriter(conversation, plan, writer)
        try config.write(from: bytes, scratch, &omissions)
        writer = config.writer
    }

    private init(_ conversation: Conversation, _ plan: RequestPlan, _ writer: JSONWriter) {
        self.conversation = conversation
        self.plan = plan
        self.writer = writer
    }

    /// Begins a member, and the object before the first one.
    private mutating func begin(_ name: StaticString) {
        if !isOpen {
            isOpen = true
            writer.name("generationConfig")
            writer.beginObject()
        }
        writer.name(name)
    }

    private mutating func write(_ name: StaticString, _ number: Int?) {
        guard let number else { return }
        begin(name)
        writer.value(number)
    }

    private mutating func write(_ name: StaticString, _ number: Double?) {
        guard let number else { return }
        begin(name)
        writer.value(number)
    }

    private mutating func write(
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions
    ) throws(ConversionError) {
        write("maxOutputTokens", conversation.maxTokens)
        write("temperature", conversation.temperature)
        write("topP", conversation.topP)
        write("topK", conversation.topK)
        write("seed", conversation.seed)
        write("presencePenalty", conversation.presencePenalty)
        write("frequencyPenalty", conversation.frequencyPenalty)
        if let logprobs = conversation.logprobs {
            begin("responseLogprobs")
            writer.value(logprobs)
        }
        write("logprobs", conversation.topLogprobs)
        try writeCandidates()
        writeStop(from: bytes, &omissions)
        try writeFormat(from: bytes, scratch, &omissions)
        writeThinking(&omissions)
        if isOpen { writer.endObject() }
    }

    /// An answer is one answer on its way to another format.
    private mutating func writeCandidates() throws(ConversionError) {
        guard let count = conversation.candidates, count > 1 else { return }
        guard conversation.format == .gemini else {
            let path = FieldNames.name(of: .candidates, in: conversation.format)
            throw ConversionError(
                .unsupported,
                .path(path),
                "must be 1, as only one answer of this model can be converted"
            )
        }
        write("candidateCount", count)
    }

    private mutating func writeStop(from bytes: Span<UInt8>, _ omissions: inout Omissions) {
        let texts = conversation.stop
        guard !texts.isEmpty else { return }
        let limit = plan.rules.stopMax == 0 ? texts.count : plan.rules.stopMax
        if !plan.rules.takesStop || texts.count > limit {
            omissions.add(.stop, of: conversation.format)
        }
        guard plan.rules.takesStop else { return }
        begin("stopSequences")
        writer.beginArray()
        for text in texts.prefix(limit) { writer.value(text, from: bytes) }
        writer.endArray()
    }

    private mutating func writeFormat(
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions
    ) throws(ConversionError) {
        let format: ResponseFormat
        switch conversation.responseFormat {
        case nil: return
        case .text:
            if conversation.format == .gemini {
                begin("responseMimeType")
                writer.value("text/plain")
            }
            return
        case let wanted?: format = wanted
        }
        // Before Gemini 3 a request with functions and a type of the answer is refused.
        let takesBoth = plan.rules.gemini?.isThird ?? false
        guard conversation.tools.isEmpty || takesBoth else {
            omissions.add(.responseFormat, of: conversation.format)
            return
        }
        begin("responseMimeType")
        writer.value("application/json")
        guard case .jsonSchema(let schema) = format else { return }
        try GeminiSchema.write(
            schema.schema,
            name: "responseSchema",
            isOptional: true,
            from: bytes,
            scratch,
            to: &writer
        )
    }

    private mutating func writeThinking(_ omissions: inout Omissions) {
        guard let reasoning = conversation.reasoning else { return }
        guard var thinking = GeminiThinking(reasoning, plan) else {
            // Not to think is what such a model does anyway.
            let isOff = reasoning.effort == Reasoning.Effort.none || reasoning.budget == 0
            if !isOff { omissions.add(.reasoning, of: conversation.format) }
            return
        }
        if conversation.format == .gemini { thinking.includesThoughts = reasoning.showsThoughts }
        guard !thinking.isEmpty else { return }
        begin("thinkingConfig")
        writer.beginObject()
        if let budget = thinking.budget { writer.member("thinkingBudget", budget) }
        if let level = thinking.level { writer.member("thinkingLevel", level) }
        if let includes = thinking.includesThoughts { writer.member("includeThoughts", includes) }
        writer.endObject()
    }
}
