// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Pieces of requests that Claude wants the same way in Messages and Converse.
enum MessagesFormat {
    private static let objectInstruction: StaticString =
        "Answer with one JSON object and nothing else: no text around it and no code fence."
    private static let schemaInstruction: StaticString =
        "Answer with one JSON value that matches this schema, without text around it or code fence: "

    /// What the model is told where it has no member for the form of its answer.
    ///
    /// The instruction is followed by the schema. Claude 4.5 and later have a member for schemas;
    /// for older ones, and for JSON without a schema, a text of the system has to do.
    static func instruction(
        _ conversation: Conversation,
        _ plan: RequestPlan
    ) -> (text: StaticString, schema: JSONFragment?)? {
        switch conversation.responseFormat {
        case nil, .text?: return nil
        case .jsonObject?: return (objectInstruction, nil)
        case .jsonSchema(let format)?:
            return binds(format, plan) ? nil : (schemaInstruction, format.schema)
        }
    }

    /// The schema for `output_config.format`; nil where there is none, or an instruction instead.
    static func schema(_ conversation: Conversation, _ plan: RequestPlan) -> JSONFragment? {
        guard case .jsonSchema(let format)? = conversation.responseFormat, binds(format, plan)
        else { return nil }
        return format.schema
    }

    /// Whether the schema goes into `output_config.format`, which binds the model to it.
    ///
    /// Not when the client says that it is not strict: Claude takes strict schemas only.
    private static func binds(_ format: JSONSchemaFormat, _ plan: RequestPlan) -> Bool {
        plan.rules.claude.takesOutputFormat && format.isStrict != false
            && !plan.refused.contains("output_config")
    }

    /// Writes the value of `output_config`.
    static func writeOutputConfig(
        _ effort: Reasoning.Effort?,
        _ schema: JSONFragment?,
        _ rules: ClaudeRules,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        writer.beginObject()
        if let effort {
            writer.name("effort")
            let name = MessagesReasoning.name(effort, rules)
            writer.string { $0.append(name) }
        }
        if let schema {
            writer.name("format")
            writer.beginObject()
            writer.member("type", "json_schema")
            writer.name("schema")
            writer.value(schema, from: bytes)
            writer.endObject()
        }
        writer.endObject()
    }

    /// Writes the schema of a tool's input.
    ///
    /// Claude demands `"type":"object"`, which others take for granted.
    static func writeSchema(
        _ schema: JSONFragment?,
        _ bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        guard let schema else {
            writer.raw("{\"type\":\"object\",\"properties\":{}}")
            return
        }
        guard case .slice(let range) = schema,
            MessagesJSON.member("type", of: bytes.extracting(range)) == nil
        else {
            writer.value(schema, from: bytes)
            return
        }
        let rest = range.lowerBound + 1..<range.upperBound
        let isEmpty = MessagesJSON.isEmptyObject(bytes.extracting(range))
        writer.document { out in
            out.append(isEmpty ? "{\"type\":\"object\",\"properties\":{" : "{\"type\":\"object\",")
            out.append(bytes.extracting(rest))
            if isEmpty { out.append("}") }
        }
    }

    /// The type of an image that Claude takes.
    ///
    /// - Throws: That it takes none of this type.
    static func imageType(
        _ media: Media,
        _ data: JSONText,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> JSONText {
        guard let type = media.mediaType else {
            if case .slice(let range) = data,
                let type = MessagesBase64.imageType(bytes.extracting(range))
            {
                return type
            }
            throw .unsupported(data, "must be a JPEG, PNG, GIF or WebP image")
        }
        switch type.value(from: bytes) {
        case "image/jpeg", "image/png", "image/gif", "image/webp": return type
        case "image/jpg": return .text("image/jpeg")
        default: throw .unsupported(type, "must be image/jpeg, image/png, image/gif or image/webp")
        }
    }
}
