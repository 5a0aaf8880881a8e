// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a request of Bedrock Converse.
///
/// What Converse has no words for but the model has (Claude's thinking, `top_k`, schemas) goes into
/// `additionalModelRequestFields`.
struct ConverseRequestWriter {
    let conversation: Conversation
    let plan: RequestPlan
    let scratch: ConversionScratch
    let reasoning: MessagesReasoning
    let turns: ClaudeTurns
    var writer: JSONWriter
    var omissions: Omissions
    var callIDs = ClaudeCallIDs()
    /// Documents so far, whose names must differ.
    var documents = 0
    /// Claude's own `tool_choice`, for what Converse's cannot say.
    var toolChoice: StaticString?

    static func write(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        var writer = ConverseRequestWriter(
            conversation: conversation,
            plan: plan,
            scratch: scratch,
            reasoning: MessagesReasoning(conversation, plan, bytes),
            turns: ClaudeTurns(conversation, plan.rules),
            writer: JSONWriter(out),
            omissions: omissions
        )
        try writer.writeBody(bytes)
        omissions = writer.omissions
    }

    private mutating func writeBody(_ bytes: Span<UInt8>) throws(ConversionError) {
        if let count = conversation.candidates, count > 1 {
            throw ConversionError(
                .unsupported,
                .path(FieldNames.name(of: .candidates, in: conversation.format)),
                "must be 1: this model gives one answer"
            )
        }
        writer.beginObject()
        writeSystem(bytes)
        try writeMessages(bytes)
        writeInference(bytes)
        try writeTools(bytes)
        writeExtras(bytes)
        writer.endObject()
        noteOmissions()
    }

    /// Whether the upstream takes a member of `additionalModelRequestFields`.
    func takes(_ member: String) -> Bool {
        !plan.refused.contains(member)
    }

    mutating func omit(_ field: ConversationField) {
        omissions.add(field, of: conversation.format)
    }

    private mutating func noteOmissions() {
        if conversation.seed != nil { omit(.seed) }
        if conversation.presencePenalty != nil { omit(.presencePenalty) }
        if conversation.frequencyPenalty != nil { omit(.frequencyPenalty) }
        if conversation.logprobs == true { omit(.logprobs) }
        if conversation.topLogprobs != nil { omit(.topLogprobs) }
        if conversation.user != nil { omit(.user) }
        if reasoning.isOmitted || reasoning.isEffortOmitted { omit(.reasoning) }
    }

    // MARK: System

    private mutating func writeSystem(_ bytes: Span<UInt8>) {
        let instruction = MessagesFormat.instruction(conversation, plan)
        var hasText = false
        for block in conversation.system where !MessagesText.isBlank(block.text, bytes) {
            hasText = true
        }
        guard hasText || instruction != nil else { return }
        writer.name("system")
        writer.beginArray()
        for block in conversation.system where !MessagesText.isBlank(block.text, bytes) {
            writeText(block.text, bytes)
            writeCachePoint(block.cache, bytes)
        }
        if let instruction {
            writer.beginObject()
            writer.name("text")
            writer.string { out in
                out.append(instruction.text)
                instruction.schema?.appendEscaped(from: bytes, to: out)
            }
            writer.endObject()
        }
        writer.endArray()
    }

    mutating func writeText(_ text: JSONText, _ bytes: Span<UInt8>) {
        writer.beginObject()
        writer.name("text")
        writer.value(text, from: bytes)
        writer.endObject()
    }

    /// Puts a mark behind what one of Anthropic's marks stands in.
    mutating func writeCachePoint(_ cache: JSONFragment?, _ bytes: Span<UInt8>) {
        guard let cache else { return }
        guard plan.rules.converse.takesCachePoints else {
            omit(.cacheControl)
            return
        }
        guard case .slice(let range) = cache,
            let value = MessagesJSON.member("ttl", of: bytes.extracting(range)),
            MessagesBytes.equal(bytes.extracting(range).extracting(value), "\"1h\"")
        else {
            // Five minutes is what lasts where nothing is said.
            writer.raw("{\"cachePoint\":{\"type\":\"default\"}}")
            return
        }
        if plan.rules.converse.takesCacheDuration {
            writer.raw("{\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}")
        } else {
            omissions.add("cache_control.ttl")
            writer.raw("{\"cachePoint\":{\"type\":\"default\"}}")
        }
    }

    // MARK: Settings

    private mutating func writeInference(_ bytes: Span<UInt8>) {
        // Bedrock knows each model's own limit, which counts where nobody names one.
        let hasLimit =
            conversation.maxTokens != nil || plan.maxTokensDefault != nil || reasoning.mode.isOn
        let takes = plan.rules.takesSampling && !reasoning.mode.isOn
        var topP = conversation.topP
        if topP != nil,
            !takes || (conversation.temperature != nil && !plan.rules.takesTemperatureWithTopP)
        {
            omit(.topP)
            topP = nil
        }
        var temperature = conversation.temperature
        if let value = temperature, !takes {
            if !plan.rules.takesSampling || value != 1 { omit(.temperature) }
            temperature = nil
        }
        let hasStop = hasStopTexts(bytes)
        guard hasLimit || temperature != nil || topP != nil || hasStop else { return }
        writer.name("inferenceConfig")
        writer.beginObject()
        if hasLimit { writer.member("maxTokens", reasoning.maxTokens) }
        if let temperature { writer.member("temperature", min(max(temperature, 0), 1)) }
        if let topP { writer.member("topP", topP) }
        if hasStop {
            writer.name("stopSequences")
            writer.beginArray()
            for text in conversation.stop where !MessagesText.isBlank(text, bytes) {
                writer.value(text, from: bytes)
            }
            writer.endArray()
        }
        writer.endObject()
    }

    /// Whether a stop text is taken; notes those that are not.
    private mutating func hasStopTexts(_ bytes: Span<UInt8>) -> Bool {
        var hasText = false
        for text in conversation.stop {
            if plan.rules.takesStop, !MessagesText.isBlank(text, bytes) {
                hasText = true
            } else {
                omit(.stop)
            }
        }
        return hasText
    }

    private mutating func writeExtras(_ bytes: Span<UInt8>) {
        let topK = topK
        if conversation.topK != nil, topK == nil { omit(.topK) }
        let schema = takes("output_config") ? MessagesFormat.schema(conversation, plan) : nil
        let effort = takes("output_config") ? reasoning.effort : nil
        if reasoning.effort != nil, effort == nil { omit(.reasoning) }
        var betas: [String] = []
        if plan.rules.claude.isNamed, takes("anthropic_beta") {
            betas = MessagesBetas.body(plan, wantsLongContext: false, &omissions)
        }
        guard
            topK != nil || reasoning.mode.isOn || effort != nil || schema != nil
                || toolChoice != nil || !betas.isEmpty
        else { return }
        writer.name("additionalModelRequestFields")
        writer.beginObject()
        if let topK { writeTopK(topK) }
        writeThinking()
        if effort != nil || schema != nil {
            writer.name("output_config")
            MessagesFormat.writeOutputConfig(
                effort,
                schema,
                plan.rules.claude,
                bytes,
                to: &writer
            )
        }
        if let toolChoice {
            writer.name("tool_choice")
            writer.raw(toolChoice)
        }
        MessagesBetas.write(betas, to: &writer)
        writer.endObject()
    }

    private var topK: Int? {
        guard plan.rules.takesSampling, !reasoning.mode.isOn else { return nil }
        switch plan.rules.converse.topK {
        case .unsupported: return nil
        case .plain: return takes("top_k") ? conversation.topK : nil
        case .nested: return takes("inferenceConfig") ? conversation.topK : nil
        }
    }

    private mutating func writeTopK(_ topK: Int) {
        guard plan.rules.converse.topK == .nested else {
            writer.member("top_k", topK)
            return
        }
        writer.name("inferenceConfig")
        writer.beginObject()
        writer.member("topK", topK)
        writer.endObject()
    }

    private mutating func writeThinking() {
        switch reasoning.mode {
        case .absent, .disabled: break
        case .enabled(let budget):
            writer.name("thinking")
            writer.beginObject()
            writer.member("type", "enabled")
            writer.member("budget_tokens", budget)
            writer.endObject()
        case .adaptive:
            writer.name("thinking")
            writer.beginObject()
            writer.member("type", "adaptive")
            if conversation.reasoning?.showsThoughts == true {
                writer.member("display", "summarized")
            }
            writer.endObject()
        }
    }
}
