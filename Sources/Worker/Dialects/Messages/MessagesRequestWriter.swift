// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a request of Anthropic Messages.
struct MessagesRequestWriter {
    /// Stands for the user where a conversation begins with the assistant, which Claude refuses.
    static let firstTurn = "."
    /// Follows a turn that the model should go on with, where it takes no such turn at the end.
    static let nextTurn = "Continue exactly where your last message ends."
    /// Name of the tool that is defined when the history has calls but the request no tools.
    static let dummyTool = "unavailable_tool"

    let conversation: Conversation
    let plan: RequestPlan
    let scratch: ConversionScratch
    let reasoning: MessagesReasoning
    let turns: ClaudeTurns
    var writer: JSONWriter
    var omissions: Omissions
    var callIDs = ClaudeCallIDs()

    static func write(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        var writer = MessagesRequestWriter(
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
        let rules = plan.rules
        if let count = conversation.candidates, count > 1 {
            throw ConversionError(
                .unsupported,
                .path(FieldNames.name(of: .candidates, in: conversation.format)),
                "must be 1: this model gives one answer"
            )
        }
        writer.beginObject()
        if rules.claude.namesVersion {
            writer.member("anthropic_version", MessagesBetas.version)
            let betas = MessagesBetas.body(plan, wantsLongContext: false, &omissions)
            MessagesBetas.write(betas, to: &writer)
        }
        if rules.namesModel { writer.member("model", MessagesBetas.modelName(plan.model)) }
        writer.member("max_tokens", reasoning.maxTokens)
        writeSystem(bytes)
        try writeMessages(bytes)
        let hasTools = try writeTools(bytes)
        writeToolChoice(hasTools, bytes)
        writeReasoning(bytes)
        writeSampling()
        writeStop(bytes)
        if let user = conversation.user, takes("metadata") {
            writer.name("metadata")
            writer.beginObject()
            writer.name("user_id")
            writer.value(user, from: bytes)
            writer.endObject()
        }
        if rules.flagsStream, plan.isStream { writer.member("stream", true) }
        writer.endObject()
        noteOmissions()
    }

    /// Whether the upstream takes the member; notes it if not.
    mutating func takes(_ member: String) -> Bool {
        guard plan.refused.contains(member) else { return true }
        omissions.add(member)
        return false
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
        if reasoning.isOmitted || (reasoning.isEffortOmitted && conversation.format != .messages) {
            omit(.reasoning)
        } else if reasoning.isEffortOmitted {
            omissions.add("output_config.effort")
        }
    }

    // MARK: System

    private mutating func writeSystem(_ bytes: Span<UInt8>) {
        let instruction = MessagesFormat.instruction(conversation, plan)
        let hasText = conversation.system.contains { !MessagesText.isBlank($0.text, bytes) }
        guard hasText || instruction != nil else { return }
        writer.name("system")
        writer.beginArray()
        for block in conversation.system where !MessagesText.isBlank(block.text, bytes) {
            writeText(block, bytes)
        }
        if let instruction {
            writer.beginObject()
            writer.member("type", "text")
            writer.name("text")
            writer.string { out in
                out.append(instruction.text)
                instruction.schema?.appendEscaped(from: bytes, to: out)
            }
            writer.endObject()
        }
        writer.endArray()
    }

    // MARK: Settings

    private mutating func writeReasoning(_ bytes: Span<UInt8>) {
        switch reasoning.mode {
        case .absent: break
        case .disabled:
            if takes("thinking") {
                writer.name("thinking")
                writer.raw("{\"type\":\"disabled\"}")
            }
        case .enabled(let budget):
            writer.name("thinking")
            writer.beginObject()
            writer.member("type", "enabled")
            writer.member("budget_tokens", budget)
            writeDisplay()
            writer.endObject()
        case .adaptive:
            writer.name("thinking")
            writer.beginObject()
            writer.member("type", "adaptive")
            writeDisplay()
            writer.endObject()
        }
        let schema = MessagesFormat.schema(conversation, plan)
        guard reasoning.effort != nil || schema != nil, takes("output_config") else { return }
        writer.name("output_config")
        MessagesFormat.writeOutputConfig(
            reasoning.effort,
            schema,
            plan.rules.claude,
            bytes,
            to: &writer
        )
    }

    /// Models that only think adaptively hide their thoughts unless they are asked for.
    private mutating func writeDisplay() {
        guard let shows = conversation.reasoning?.showsThoughts,
            conversation.format == .messages || plan.rules.thinking == .adaptive
        else { return }
        writer.member("display", shows ? "summarized" : "omitted")
    }

    private mutating func writeSampling() {
        let takes = plan.rules.takesSampling && !reasoning.mode.isOn
        if let temperature = conversation.temperature {
            if takes, self.takes("temperature") {
                // OpenAI and Google go up to 2.
                writer.member("temperature", min(max(temperature, 0), 1))
            } else if !reasoning.mode.isOn || temperature != 1 || !plan.rules.takesSampling {
                omit(.temperature)
            }
        }
        if let topP = conversation.topP {
            let isAlone = conversation.temperature == nil || plan.rules.takesTemperatureWithTopP
            if takes, isAlone, self.takes("top_p") {
                writer.member("top_p", topP)
            } else {
                omit(.topP)
            }
        }
        if let topK = conversation.topK {
            if takes, self.takes("top_k") {
                writer.member("top_k", topK)
            } else {
                omit(.topK)
            }
        }
    }

    private mutating func writeStop(_ bytes: Span<UInt8>) {
        let limit = plan.rules.stopMax == 0 ? Int.max : plan.rules.stopMax
        var count = 0
        for text in conversation.stop {
            // Claude refuses a text that is white space only.
            guard plan.rules.takesStop, !plan.refused.contains("stop_sequences"), count < limit,
                !MessagesText.isBlank(text, bytes)
            else {
                omit(.stop)
                continue
            }
            if count == 0 {
                writer.name("stop_sequences")
                writer.beginArray()
            }
            writer.value(text, from: bytes)
            count += 1
        }
        if count > 0 { writer.endArray() }
    }
}
