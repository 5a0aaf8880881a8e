// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Writes a request of Gemini's generateContent.
enum GeminiRequestWriter {
    static func write(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        var writer = JSONWriter(out)
        writer.beginObject()
        var turns = GeminiTurnWriter(conversation, plan)
        try turns.write(from: bytes, scratch, &omissions, to: &writer)
        writeSystem(conversation, from: bytes, &omissions, to: &writer)
        if !conversation.tools.isEmpty {
            try writeTools(conversation, from: bytes, scratch, &omissions, to: &writer)
        }
        writeToolChoice(conversation, from: bytes, &omissions, to: &writer)
        try GeminiConfigWriter.write(
            conversation,
            plan,
            from: bytes,
            scratch,
            &omissions,
            to: &writer
        )
        writer.endObject()
        if conversation.user != nil { omissions.add(.user, of: conversation.format) }
        if conversation.parallelToolCalls == false {
            omissions.add(.parallelToolCalls, of: conversation.format)
        }
    }

    private static func writeSystem(
        _ conversation: Conversation,
        from bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) {
        var isOpen = false
        for block in conversation.system {
            if block.cache != nil { omissions.add(.cacheControl, of: conversation.format) }
            if block.text.isEmpty { continue }
            if !isOpen {
                isOpen = true
                writer.name("systemInstruction")
                writer.beginObject()
                writer.name("parts")
                writer.beginArray()
            }
            writer.beginObject()
            writer.name("text")
            writer.value(block.text, from: bytes)
            writer.endObject()
        }
        guard isOpen else { return }
        writer.endArray()
        writer.endObject()
    }

    private static func writeTools(
        _ conversation: Conversation,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) throws(ConversionError) {
        writer.name("tools")
        writer.beginArray()
        writer.beginObject()
        writer.name("functionDeclarations")
        writer.beginArray()
        for tool in conversation.tools {
            writer.beginObject()
            writer.name("name")
            writer.value(tool.name, from: bytes)
            if let description = tool.description, !description.isEmpty {
                writer.name("description")
                writer.value(description, from: bytes)
            }
            if let schema = tool.schema {
                try GeminiSchema.write(
                    schema,
                    name: "parameters",
                    isOptional: true,
                    from: bytes,
                    scratch,
                    to: &writer
                )
            }
            writer.endObject()
            if tool.isStrict == true { omissions.add(.toolStrict, of: conversation.format) }
            if tool.cache != nil { omissions.add(.cacheControl, of: conversation.format) }
        }
        writer.endArray()
        writer.endObject()
        writer.endArray()
    }

    /// Writes `toolConfig`, which is refused where there are no tools.
    private static func writeToolChoice(
        _ conversation: Conversation,
        from bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        to writer: inout JSONWriter
    ) {
        guard let choice = conversation.toolChoice else { return }
        guard !conversation.tools.isEmpty else {
            switch choice {
            case .auto, .none: return
            case .required, .named: omissions.add(.toolChoice, of: conversation.format)
            }
            return
        }
        writer.name("toolConfig")
        writer.beginObject()
        writer.name("functionCallingConfig")
        writer.beginObject()
        writer.name("mode")
        switch choice {
        case .auto: writer.raw("\"AUTO\"")
        case .none: writer.raw("\"NONE\"")
        case .required: writer.raw("\"ANY\"")
        case .named(let name):
            writer.raw("\"ANY\"")
            writer.name("allowedFunctionNames")
            writer.beginArray()
            writer.value(name, from: bytes)
            writer.endArray()
        }
        writer.endObject()
        writer.endObject()
    }
}
