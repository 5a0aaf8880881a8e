// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a request of OpenAI chat completions.
///
/// Spec: the request body of `POST /v1/chat/completions` in OpenAI's API reference.
struct ChatRequestWriter {
    let conversation: Conversation
    let plan: RequestPlan
    /// Whether the client wrote this format itself, so that its own additions may stay.
    let isOwn: Bool
    var omissions: Omissions
    var writer: JSONWriter
    var callNames = ChatCallNames()

    static func write(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        var request = ChatRequestWriter(
            conversation: conversation,
            plan: plan,
            isOwn: conversation.format == .chat,
            omissions: omissions,
            writer: JSONWriter(out)
        )
        try request.writeBody(bytes, scratch)
        omissions = request.omissions
    }

    private mutating func writeBody(
        _ bytes: Span<UInt8>,
        _ scratch: ConversionScratch
    ) throws(ConversionError) {
        writer.beginObject()
        if plan.rules.namesModel { writer.member("model", plan.model) }
        writer.name("messages")
        writer.beginArray()
        writeSystem(bytes)
        try writeMessages(bytes, scratch)
        writer.endArray()
        if plan.rules.flagsStream, plan.isStream {
            writer.member("stream", true)
            // Without it nobody learns what a stream has cost.
            if !plan.refused.contains("stream_options") {
                writer.name("stream_options")
                writer.raw("{\"include_usage\":true}")
            }
        }
        writeTools(bytes)
        writeLimits(bytes)
        writeSampling()
        writeReasoning()
        writeResponseFormat(bytes)
        writeUser(bytes)
        writer.endObject()
    }

    /// Limit: OpenAI's; other servers have the same or a little more.
    private static let userBytesMax = 64

    /// Names of a client's own users for another vendor may be too long: Claude Code's are.
    private mutating func writeUser(_ bytes: Span<UInt8>) {
        guard let user = conversation.user, takes("user", .user) else { return }
        guard isOwn || user.value(from: bytes).utf8.count <= Self.userBytesMax else {
            omit(.user)
            return
        }
        writer.name("user")
        writer.value(user, from: bytes)
    }

    mutating func omit(_ field: ConversationField) {
        omissions.add(field, of: conversation.format)
    }

    /// Whether the upstream has not refused the member `name`; notes `field` if it has.
    mutating func takes(_ name: StaticString, _ field: ConversationField) -> Bool {
        guard !plan.refused.isEmpty, plan.refused.contains(name.description) else { return true }
        omit(field)
        return false
    }

    // MARK: Settings

    private mutating func writeLimits(_ bytes: Span<UInt8>) {
        if let maxTokens = conversation.maxTokens {
            if plan.rules.renamesMaxTokens {
                if takes("max_completion_tokens", .maxTokens) {
                    writer.member("max_completion_tokens", maxTokens)
                }
            } else if takes("max_tokens", .maxTokens) {
                writer.member("max_tokens", maxTokens)
            }
        }
        if let candidates = conversation.candidates, takes("n", .candidates) {
            writer.member("n", candidates)
        }
        guard !conversation.stop.isEmpty else { return }
        guard plan.rules.takesStop, takes("stop", .stop) else {
            omit(.stop)
            return
        }
        let most = plan.rules.stopMax == 0 ? conversation.stop.count : plan.rules.stopMax
        if conversation.stop.count > most { omit(.stop) }
        writer.name("stop")
        writer.beginArray()
        for text in conversation.stop.prefix(most) { writer.value(text, from: bytes) }
        writer.endArray()
    }

    private mutating func writeSampling() {
        if let temperature = conversation.temperature, samples("temperature", .temperature) {
            writer.member("temperature", temperature)
        }
        if let topP = conversation.topP {
            if conversation.temperature != nil, !plan.rules.takesTemperatureWithTopP {
                omit(.topP)
            } else if samples("top_p", .topP) {
                writer.member("top_p", topP)
            }
        }
        if let topK = conversation.topK {
            // Not OpenAI's, so only for whom the client meant it.
            if isOwn, samples("top_k", .topK) {
                writer.member("top_k", topK)
            } else {
                omit(.topK)
            }
        }
        if let seed = conversation.seed, takes("seed", .seed) { writer.member("seed", seed) }
        if let penalty = conversation.presencePenalty,
            samples("presence_penalty", .presencePenalty)
        {
            writer.member("presence_penalty", penalty)
        }
        if let penalty = conversation.frequencyPenalty,
            samples("frequency_penalty", .frequencyPenalty)
        {
            writer.member("frequency_penalty", penalty)
        }
        if let logprobs = conversation.logprobs, samples("logprobs", .logprobs) {
            writer.member("logprobs", logprobs)
        }
        if let topLogprobs = conversation.topLogprobs, samples("top_logprobs", .topLogprobs) {
            writer.member("top_logprobs", topLogprobs)
        }
    }

    /// Whether the model takes a member that changes how it chooses tokens.
    private mutating func samples(_ name: StaticString, _ field: ConversationField) -> Bool {
        guard plan.rules.takesSampling else {
            omit(field)
            return false
        }
        return takes(name, field)
    }

    private mutating func writeReasoning() {
        guard let reasoning = conversation.reasoning,
            let effort = ChatEffort.of(reasoning, plan, isOwn: isOwn)
        else { return }
        guard plan.rules.thinking != .unsupported else {
            // A model that cannot think does as it is told.
            if effort != .none { omit(.reasoning) }
            return
        }
        guard takes("reasoning_effort", .reasoning) else { return }
        writer.member("reasoning_effort", effort.rawValue)
    }

    private mutating func writeResponseFormat(_ bytes: Span<UInt8>) {
        guard let format = conversation.responseFormat,
            takes("response_format", .responseFormat)
        else { return }
        writer.name("response_format")
        switch format {
        case .text: writer.raw("{\"type\":\"text\"}")
        case .jsonObject: writer.raw("{\"type\":\"json_object\"}")
        case .jsonSchema(let schema):
            writer.beginObject()
            writer.member("type", "json_schema")
            writer.name("json_schema")
            writer.beginObject()
            // The name is required, and the only formats without one have no use for it.
            writer.name("name")
            writer.value(schema.name ?? .text("response"), from: bytes)
            if let description = schema.description {
                writer.name("description")
                writer.value(description, from: bytes)
            }
            writer.name("schema")
            writer.value(schema.schema, from: bytes)
            if let isStrict = schema.isStrict { writer.member("strict", isStrict) }
            writer.endObject()
            writer.endObject()
        }
    }
}

/// How OpenAI's `reasoning_effort` says how much to think.
enum ChatEffort {
    /// The effort for a request; nil to leave it to the model.
    static func of(
        _ reasoning: Reasoning,
        _ plan: RequestPlan,
        isOwn: Bool
    ) -> Reasoning.Effort? {
        guard let effort = reasoning.effort ?? reasoning.budget.flatMap(of(budget:)) else {
            return nil
        }
        switch plan.host {
        case .openAI, .azure, .sapAzure, .sapOrchestration:
            return OpenAIModel(plan.model).nearest(effort)
        case .compatible, .anthropic, .gemini, .bedrock, .sapBedrock, .sapVertex, .sapOpenSource,
            .demo:
            // Not every server knows the word for a wish that most fulfil without it.
            return effort == .none && !isOwn ? nil : effort
        }
    }

    /// The effort for a budget in tokens.
    private static func of(budget: Int) -> Reasoning.Effort? {
        switch budget {
        case ..<0: nil
        case 0: Reasoning.Effort.none
        case ..<2048: .low
        case ..<8192: .medium
        default: .high
        }
    }
}
