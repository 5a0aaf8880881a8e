// SPDX-License-Identifier: Apache-2.0
import JSON

extension ChatRequestWriter {
    mutating func writeTools(_ bytes: Span<UInt8>) {
        guard !conversation.tools.isEmpty else {
            // A choice among no tools is an error at OpenAI, and one that asks for none is met.
            switch conversation.toolChoice {
            case .required, .named: omit(.toolChoice)
            case nil, .auto, ToolChoice.none?: break
            }
            return
        }
        guard takes("tools", .tools) else { return }
        writer.name("tools")
        writer.beginArray()
        for tool in conversation.tools { write(tool, bytes) }
        writer.endArray()
        writeChoice(bytes)
        writeParallel()
    }

    private mutating func write(_ tool: Tool, _ bytes: Span<UInt8>) {
        writer.beginObject()
        writer.member("type", "function")
        writer.name("function")
        writer.beginObject()
        writer.name("name")
        writer.value(tool.name, from: bytes)
        if let description = tool.description {
            writer.name("description")
            writer.value(description, from: bytes)
        }
        if let schema = tool.schema {
            writer.name("parameters")
            writer.value(schema, from: bytes)
        }
        if let isStrict = tool.isStrict { writer.member("strict", isStrict) }
        writer.endObject()
        writeCache(tool.cache, bytes)
        writer.endObject()
    }

    /// Writes a cache mark where the client's own format has one.
    mutating func writeCache(_ cache: JSONFragment?, _ bytes: Span<UInt8>) {
        guard let cache else { return }
        guard isOwn else {
            omit(.cacheControl)
            return
        }
        writer.name("cache_control")
        writer.value(cache, from: bytes)
    }

    private mutating func writeChoice(_ bytes: Span<UInt8>) {
        guard let choice = conversation.toolChoice, takes("tool_choice", .toolChoice) else {
            return
        }
        writer.name("tool_choice")
        switch choice {
        case .auto: writer.value("auto")
        case .none: writer.value("none")
        case .required: writer.value("required")
        case .named(let name):
            writer.beginObject()
            writer.member("type", "function")
            writer.name("function")
            writer.beginObject()
            writer.name("name")
            writer.value(name, from: bytes)
            writer.endObject()
            writer.endObject()
        }
    }

    private mutating func writeParallel() {
        guard let isParallel = conversation.parallelToolCalls else { return }
        // The o-series refuses the member, and never calls two tools at once.
        if plan.rules.renamesMaxTokens, OpenAIModel(plan.model).family == .oSeries { return }
        // True is what models do anyway.
        guard !isParallel || isOwn, takes("parallel_tool_calls", .parallelToolCalls) else {
            return
        }
        writer.member("parallel_tool_calls", isParallel)
    }
}
