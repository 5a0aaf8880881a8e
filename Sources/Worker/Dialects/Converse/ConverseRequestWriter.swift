// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a request of Bedrock Converse.
///
/// What only Claude has (thinking, `top_k`, schemas) goes into `additionalModelRequestFields`.
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

    func isRefused(_ member: String) -> Bool {
        plan.refused.contains(member)
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
        if conversation.parallelToolCalls == false, !conversation.tools.isEmpty {
            omit(.parallelToolCalls)
        }
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
            writeCachePoint(block.cache)
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
    mutating func writeCachePoint(_ cache: JSONFragment?) {
        guard cache != nil else { return }
        writer.raw("{\"cachePoint\":{\"type\":\"default\"}}")
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
        var topK: Int?
        if let value = conversation.topK {
            if plan.rules.takesSampling, !reasoning.mode.isOn, plan.rules.claude.isNamed {
                topK = value
            } else {
                omit(.topK)
            }
        }
        let schema = MessagesFormat.schema(conversation, plan)
        let betas =
            plan.rules.claude.isNamed
            ? MessagesBetas.body(plan, wantsLongContext: false, &omissions) : []
        guard
            topK != nil || reasoning.mode.isOn || reasoning.effort != nil || schema != nil
                || !betas.isEmpty, !isRefused("additionalModelRequestFields")
        else { return }
        writer.name("additionalModelRequestFields")
        writer.beginObject()
        if let topK { writer.member("top_k", topK) }
        writeThinking()
        if reasoning.effort != nil || schema != nil {
            writer.name("output_config")
            MessagesFormat.writeOutputConfig(
                reasoning.effort,
                schema,
                plan.rules.claude,
                bytes,
                to: &writer
            )
        }
        MessagesBetas.write(betas, to: &writer)
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
