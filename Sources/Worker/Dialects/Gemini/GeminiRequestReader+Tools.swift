// SPDX-License-Identifier: Apache-2.0
import JSON

extension GeminiRequestReader {
    /// Reads `tools`: functions, and Google's own tools, which nobody else has.
    static func readTools(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into conversation: inout Conversation
    ) throws(ConversionError) {
        for tool in try GeminiList(node, tape) {
            try GeminiValue.mustBeObject(tool, tape)
            for member in tape.members(of: tool) where !tape.isNull(member.value) {
                if tape.equals(
                    member.name,
                    "functionDeclarations",
                    or: "function_declarations",
                    in: bytes
                ) {
                    for declaration in try GeminiList(member.value, tape) {
                        conversation.tools.append(
                            try readTool(declaration, tape, bytes, &conversation.omissions)
                        )
                    }
                } else {
                    conversation.omissions.add(
                        "tools[]." + GeminiValue.label(member.name, tape, bytes)
                    )
                }
            }
        }
    }

    private static func readTool(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions
    ) throws(ConversionError) -> Tool {
        try GeminiValue.mustBeObject(node, tape)
        var name: JSONText?
        var description: JSONText?
        var schema: JSONFragment?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let value = member.value
            if tape.equals(member.name, "name", in: bytes) {
                name = try GeminiValue.name(value, tape)
            } else if tape.equals(member.name, "description", in: bytes) {
                description = try GeminiValue.text(value, tape)
            } else if tape.equals(member.name, "parameters", in: bytes) {
                try GeminiValue.mustBeObject(value, tape)
                schema = schema ?? OpenAPISchema.jsonSchema(value, tape, bytes)
            } else if tape.equals(
                member.name,
                "parametersJsonSchema",
                or: "parameters_json_schema",
                in: bytes
            ) {
                try GeminiValue.mustBeObject(value, tape)
                schema = JSONFragment(value, tape)
            } else {
                omissions.add(
                    "tools[].functionDeclarations[]."
                        + GeminiValue.label(member.name, tape, bytes)
                )
            }
        }
        guard let name else { throw GeminiValue.missing("name", of: node, tape, bytes) }
        return Tool(name: name, description: description, schema: schema)
    }

    /// Reads `toolConfig`.
    static func readToolConfig(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into conversation: inout Conversation
    ) throws(ConversionError) {
        try GeminiValue.mustBeObject(node, tape)
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(
                member.name,
                "functionCallingConfig",
                or: "function_calling_config",
                in: bytes
            ) {
                try readCalling(member.value, tape, bytes, into: &conversation)
            } else {
                conversation.omissions.add(
                    "toolConfig." + GeminiValue.label(member.name, tape, bytes)
                )
            }
        }
    }

    private static let calling = "toolConfig.functionCallingConfig."

    private static func readCalling(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into conversation: inout Conversation
    ) throws(ConversionError) {
        try GeminiValue.mustBeObject(node, tape)
        var mode: JSONNode?
        var allowed: [JSONText] = []
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            if tape.equals(member.name, "mode", in: bytes) {
                mode = member.value
            } else if tape.equals(
                member.name,
                "allowedFunctionNames",
                or: "allowed_function_names",
                in: bytes
            ) {
                guard tape.kind(of: member.value) == .array else {
                    throw .invalid(member.value, tape, "must be an array")
                }
                for element in tape.elements(of: member.value) {
                    allowed.append(try GeminiValue.name(element, tape))
                }
            } else {
                conversation.omissions.add(
                    calling + GeminiValue.label(member.name, tape, bytes)
                )
            }
        }
        guard let mode else { return }
        func isMode(_ upper: StaticString, _ lower: StaticString) -> Bool {
            tape.equals(mode, upper, or: lower, in: bytes)
        }
        if isMode("ANY", "any") {
            if allowed.count == 1 {
                conversation.toolChoice = .named(allowed[0])
                return
            }
            conversation.toolChoice = .required
        } else if isMode("AUTO", "auto") {
            conversation.toolChoice = .auto
        } else if isMode("NONE", "none") {
            conversation.toolChoice = ToolChoice.none
            return
        } else if isMode("VALIDATED", "validated") {
            // Calls as the model likes, but checked against the schema, which only Google does.
            conversation.toolChoice = .auto
            conversation.omissions.add(calling + "mode")
        } else if !isMode("MODE_UNSPECIFIED", "mode_unspecified") {
            throw .invalid(mode, tape, "must be 'AUTO', 'ANY', 'NONE' or 'VALIDATED'")
        }
        if !allowed.isEmpty { conversation.omissions.add(calling + "allowedFunctionNames") }
    }
}
