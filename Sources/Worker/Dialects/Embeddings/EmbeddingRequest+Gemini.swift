// SPDX-License-Identifier: Apache-2.0
import JSON

extension EmbeddingRequest {
    /// Reads the body of `:embedContent` or `:batchEmbedContents`.
    ///
    /// The path names the model; a model in the body is not looked at.
    static func readGemini(
        _ client: Client,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> EmbeddingRequest {
        var request = EmbeddingRequest(client)
        if client == .gemini {
            request.inputs = [try request.readContent(tape.root, path: "", tape, bytes)]
            return request
        }
        var list: JSONNode?
        for member in tape.members(of: tape.root) where !tape.isNull(member.value) {
            if tape.equals(member.name, "requests", in: bytes) {
                list = member.value
            } else if !tape.equals(member.name, "model", in: bytes) {
                request.omissions.add(GeminiValue.label(member.name, tape, bytes))
            }
        }
        guard let list else { throw GeminiValue.missing("requests", of: tape.root, tape, bytes) }
        for item in try GeminiList(list, tape) {
            guard request.inputs.count < inputsMax else { throw tooMany(list, tape) }
            try GeminiValue.mustBeObject(item, tape)
            request.inputs.append(try request.readContent(item, path: "requests[].", tape, bytes))
        }
        guard !request.inputs.isEmpty else { throw .invalid(list, tape, "must not be empty") }
        return request
    }

    /// Reads what stands for one vector; `path` is what comes before its members' names.
    private mutating func readContent(
        _ node: JSONNode,
        path: String,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Input {
        var input = Input(.lines([]))
        var content: JSONNode?
        for member in tape.members(of: node) where !tape.isNull(member.value) {
            let (name, value) = (member.name, member.value)
            if tape.equals(name, "model", in: bytes) { continue }
            let start = tape.valueRange(of: name).lowerBound
            input.members.append(start..<tape.valueRange(of: value).upperBound)
            if tape.equals(name, "content", in: bytes) {
                content = value
            } else if tape.equals(name, "taskType", or: "task_type", in: bytes) {
                input.purpose = try EmbeddingPurpose.read(taskType: value, tape, bytes)
            } else if tape.equals(
                name,
                "outputDimensionality",
                or: "output_dimensionality",
                in: bytes
            ) {
                input.dimensions = try GeminiValue.integer(value, tape, bytes, atLeast: 1)
            } else if tape.equals(name, "title", in: bytes) {
                input.title = try GeminiValue.text(value, tape)
            } else {
                omissions.add(path + GeminiValue.label(name, tape, bytes))
            }
        }
        guard let content else { throw GeminiValue.missing("content", of: node, tape, bytes) }
        input.content = try Self.content(content, tape, bytes)
        return input
    }

    private static func content(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Content {
        try GeminiValue.mustBeObject(node, tape)
        guard let parts = tape.member("parts", or: "parts", of: node, in: bytes) else {
            throw GeminiValue.missing("parts", of: node, tape, bytes)
        }
        var lines: [JSONText] = []
        for part in try GeminiList(parts, tape) {
            try GeminiValue.mustBeObject(part, tape)
            guard let text = tape.member("text", or: "text", of: part, in: bytes) else {
                return .media(tape.valueRange(of: part))
            }
            lines.append(try GeminiValue.name(text, tape))
        }
        guard let first = lines.first else { throw .invalid(parts, tape, "must not be empty") }
        return lines.count == 1 ? .text(first) : .lines(lines)
    }
}
