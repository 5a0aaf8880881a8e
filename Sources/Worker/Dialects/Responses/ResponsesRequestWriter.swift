// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a request of OpenAI Responses.
enum ResponsesRequestWriter {
    /// Fewest output tokens that OpenAI takes.
    static let maxTokensMin = 16

    static func write(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        var writer = ResponsesBody(conversation, plan, scratch, to: out)
        try writer.write(from: bytes)
        omissions.add(writer.omissions)
    }
}

/// One request on its way out.
struct ResponsesBody {
    let conversation: Conversation
    let plan: RequestPlan
    let scratch: ConversionScratch
    var writer: JSONWriter
    var omissions = Omissions()
    /// Calls that came without an id and got one.
    var named = ResponsesCallNames()
    /// Thoughts that may be the summary of encrypted ones behind them.
    var summary: JSONText?

    init(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
        self.conversation = conversation
        self.plan = plan
        self.scratch = scratch
        writer = JSONWriter(out)
    }

    private var rules: ModelRules { plan.rules }

    /// Whether the upstream has not refused the member `name` before.
    private mutating func takes(_ name: String) -> Bool {
        guard plan.refused.contains(name) else { return true }
        omissions.add(name)
        return false
    }

    mutating func write(from bytes: Span<UInt8>) throws(ConversionError) {
        writer.beginObject()
        if rules.namesModel { writer.member("model", plan.model) }
        // One text is what `instructions` is for; several keep their borders as parts.
        let instructions = conversation.system.count == 1 ? conversation.system.first : nil
        if let instructions {
            writer.name("instructions")
            writer.value(instructions.text, from: bytes)
        }
        writer.name("input")
        writer.beginArray()
        if conversation.system.count > 1 { writeSystem(from: bytes) }
        for message in conversation.messages {
            switch message.role {
            case .user: try writeUser(message.parts, from: bytes)
            case .assistant: try writeAssistant(message.parts, from: bytes)
            }
        }
        writer.endArray()
        writeTools(from: bytes)
        try writeSettings(from: bytes)
        writeReasoning()
        writeFormat(from: bytes)
        // Nobody could ask for what is stored: the client's format has no way to.
        if takes("store") { writer.member("store", false) }
        if plan.isStream, rules.flagsStream { writer.member("stream", true) }
        writer.endObject()
        if conversation.system.contains(where: { $0.cache != nil })
            || conversation.tools.contains(where: { $0.cache != nil })
        {
            omissions.add(.cacheControl, of: conversation.format)
        }
    }

    private mutating func writeSystem(from bytes: Span<UInt8>) {
        writer.beginObject()
        writer.member("type", "message")
        writer.member("role", "system")
        writer.name("content")
        writer.beginArray()
        for block in conversation.system {
            writer.beginObject()
            writer.member("type", "input_text")
            writer.name("text")
            writer.value(block.text, from: bytes)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    // MARK: Tools

    private mutating func writeTools(from bytes: Span<UInt8>) {
        if !conversation.tools.isEmpty {
            writer.name("tools")
            writer.beginArray()
            for tool in conversation.tools { writeTool(tool, from: bytes) }
            writer.endArray()
        }
        if let choice = conversation.toolChoice, takes("tool_choice") {
            writer.name("tool_choice")
            switch choice {
            case .auto: writer.value("auto")
            case .none: writer.value("none")
            case .required: writer.value("required")
            case .named(let name):
                writer.beginObject()
                writer.member("type", "function")
                writer.name("name")
                writer.value(name, from: bytes)
                writer.endObject()
            }
        }
        if let parallel = conversation.parallelToolCalls, takes("parallel_tool_calls") {
            writer.member("parallel_tool_calls", parallel)
        }
    }

    private mutating func writeTool(_ tool: Tool, from bytes: Span<UInt8>) {
        writer.beginObject()
        writer.member("type", "function")
        writer.name("name")
        writer.value(tool.name, from: bytes)
        if let description = tool.description {
            writer.name("description")
            writer.value(description, from: bytes)
        }
        writer.name("parameters")
        if let schema = tool.schema {
            writer.value(schema, from: bytes)
        } else {
            writer.null()
        }
        if let isStrict = tool.isStrict {
            writer.member("strict", isStrict)
        } else if conversation.format != .responses {
            // Elsewhere tools are not strict unless they say so; here they are.
            writer.member("strict", false)
        }
        writer.endObject()
    }

    // MARK: Settings

    private mutating func writeSettings(from bytes: Span<UInt8>) throws(ConversionError) {
        let format = conversation.format
        if let maxTokens = conversation.maxTokens, takes("max_output_tokens") {
            writer.member(
                "max_output_tokens",
                max(maxTokens, ResponsesRequestWriter.maxTokensMin)
            )
        }
        writeSampling()
        if let user = conversation.user, takes("user") {
            writer.name("user")
            writer.value(user, from: bytes)
        }
        if let count = conversation.candidates, count > 1 {
            throw ConversionError(
                .unsupported,
                .path(FieldNames.name(of: .candidates, in: format)),
                "must be 1: this model gives one answer"
            )
        }
        if !conversation.stop.isEmpty { omissions.add(.stop, of: format) }
        if conversation.topK != nil { omissions.add(.topK, of: format) }
        if conversation.seed != nil { omissions.add(.seed, of: format) }
        if conversation.presencePenalty != nil { omissions.add(.presencePenalty, of: format) }
        if conversation.frequencyPenalty != nil { omissions.add(.frequencyPenalty, of: format) }
        if conversation.logprobs == true { omissions.add(.logprobs, of: format) }
        if conversation.topLogprobs != nil { omissions.add(.topLogprobs, of: format) }
    }

    private mutating func writeSampling() {
        if let temperature = conversation.temperature {
            if rules.takesSampling {
                if takes("temperature") { writer.member("temperature", temperature) }
            } else {
                omissions.add(.temperature, of: conversation.format)
            }
        }
        if let topP = conversation.topP {
            if rules.takesSampling {
                if takes("top_p") { writer.member("top_p", topP) }
            } else {
                omissions.add(.topP, of: conversation.format)
            }
        }
    }

    private mutating func writeReasoning() {
        let canThink = rules.thinking != .unsupported
        // Anthropic's clients can hand encrypted thoughts back in the next turn.
        if canThink, conversation.format == .messages, takes("include") {
            writer.name("include")
            writer.raw(#"["reasoning.encrypted_content"]"#)
        }
        guard let reasoning = conversation.reasoning else { return }
        let effort = reasoning.effort ?? Self.effort(ofBudget: reasoning.budget)
        guard canThink else {
            if effort != nil, effort != Reasoning.Effort.none {
                omissions.add(.reasoning, of: conversation.format)
            }
            return
        }
        // Clients of Messages that ask for thoughts see them unless they say otherwise.
        let isMessages = conversation.format == .messages
        let asksForThoughts = isMessages && (reasoning.budget != nil || reasoning.isAdaptive)
        let showsThoughts = reasoning.showsThoughts ?? asksForThoughts
        guard effort != nil || showsThoughts, takes("reasoning") else { return }
        writer.name("reasoning")
        writer.beginObject()
        if let effort {
            writer.member("effort", OpenAIModel(plan.model).nearest(effort).rawValue)
        }
        if showsThoughts { writer.member("summary", "auto") }
        writer.endObject()
    }

    /// The effort that a number of tokens stands for; nil where the model decides.
    private static func effort(ofBudget budget: Int?) -> Reasoning.Effort? {
        guard let budget, budget >= 0 else { return nil }
        return switch budget {
        case 0: Reasoning.Effort.none
        case ..<2048: .low
        case ..<8192: .medium
        default: .high
        }
    }

    private mutating func writeFormat(from bytes: Span<UInt8>) {
        guard let format = conversation.responseFormat, takes("text") else { return }
        writer.name("text")
        writer.beginObject()
        writer.name("format")
        writer.beginObject()
        switch format {
        case .text: writer.member("type", "text")
        case .jsonObject: writer.member("type", "json_object")
        case .jsonSchema(let schema):
            writer.member("type", "json_schema")
            writer.name("name")
            if let name = schema.name {
                writer.value(name, from: bytes)
            } else {
                writer.value("answer")
            }
            if let description = schema.description {
                writer.name("description")
                writer.value(description, from: bytes)
            }
            writer.name("schema")
            writer.value(schema.schema, from: bytes)
            if let isStrict = schema.isStrict { writer.member("strict", isStrict) }
        }
        writer.endObject()
        writer.endObject()
    }
}
