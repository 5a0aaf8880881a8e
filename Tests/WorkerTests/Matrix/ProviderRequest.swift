// SPDX-License-Identifier: Apache-2.0
import Dialects
import Support

/// A request as it arrived at the mock, taken apart.
struct ProviderRequest {
    enum Kind: Equatable {
        case token
        case deployments
        case model(WireFormat)
        case embeddings
        /// A stored response.
        case stored
        case unknown
    }

    var method = ""
    /// Without the query, percent signs decoded.
    var path = ""
    var query: [String: String] = [:]
    /// Names in lower case.
    var fields: [String: String] = [:]
    var body = JSONValue.null
    var text = ""
    var kind = Kind.unknown
    /// Whether path or body ask for a stream.
    var isStream = false
    /// What a real provider would not take.
    var problems: [String] = []

    init(_ request: String) {
        let bytes = Array(request.utf8)
        let blank = bytes.firstRange(of: Array("\r\n\r\n".utf8))
        let head = String(decoding: bytes[..<(blank?.lowerBound ?? bytes.count)], as: UTF8.self)
        text = String(decoding: bytes[(blank?.upperBound ?? bytes.count)...], as: UTF8.self)
        for (index, line) in head.split(separator: "\r\n").enumerated() {
            if index == 0 {
                take(line)
            } else if let colon = line.firstIndex(of: ":") {
                fields[line[..<colon].lowercased()] = String(line[colon...].dropFirst(2))
            }
        }
        let isJSON = fields["content-type"]?.hasPrefix("application/json") == true
        if isJSON, !text.isEmpty { body = problems.json(text) }
        identify()
    }

    private mutating func take(_ line: Substring) {
        let words = line.split(separator: " ")
        method = String(words[0])
        let parts = words[1].split(separator: "?", maxSplits: 1)
        path = Self.decoded(parts[0])
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let sides = pair.split(separator: "=", maxSplits: 1)
            query[Self.decoded(sides[0])] = sides.count > 1 ? Self.decoded(sides[1]) : ""
        }
    }

    static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Paths

    private mutating func identify() {
        let wantsStream = body["stream"]?.bool == true
        if path.hasSuffix("/oauth/token") {
            kind = .token
        } else if path == "/v2/lm/deployments" {
            kind = .deployments
        } else if path.hasSuffix("/chat/completions") {
            kind = .model(.chat)
            isStream = wantsStream
        } else if path.hasSuffix("/responses") {
            kind = .model(.responses)
            isStream = wantsStream
        } else if path.contains("/responses/") {
            kind = .stored
        } else if path.hasSuffix("/embeddings") {
            kind = .embeddings
        } else if path == "/v1/messages" {
            kind = .model(.messages)
            isStream = wantsStream
        } else if path.hasSuffix("/invoke") || path.hasSuffix("/invoke-with-response-stream") {
            kind = .model(.messages)
            isStream = path.hasSuffix("stream")
        } else if path.hasSuffix("/converse") || path.hasSuffix("/converse-stream") {
            kind = .model(.converse)
            isStream = path.hasSuffix("stream")
        } else if path.hasSuffix(":generateContent") || path.hasSuffix(":streamGenerateContent") {
            kind = .model(.gemini)
            isStream = path.hasSuffix(":streamGenerateContent")
        }
        judge()
    }

    private mutating func judge() {
        guard case .model(let format) = kind else { return }
        problems.check(method == "POST", "the method \(method)")
        problems.check(body.object != nil, "a body that is no object: \(text.prefix(200))")
        if path.hasPrefix("/v2/") {
            judgeSAP(format)
        } else if path.hasPrefix("/openai/") {
            expect("api-key", "key-azure")
            problems.check(
                query["api-version"] == "2025-04-01-preview",
                "the api-version \(query)"
            )
            problems.check(
                path == "/openai/deployments/\(body["model"]?.string ?? "")/chat/completions"
                    || (path == "/openai/responses" && body["model"] != nil)
                    || path.hasPrefix("/openai/deployments/"),
                "the path \(path)"
            )
        } else if path.hasPrefix("/v1/messages") {
            expect("x-api-key", "key-anthropic")
            expect("anthropic-version", "2023-06-01")
            problems.check(body["model"]?.isString == true, "no model")
        } else if path.hasPrefix("/v1beta/") {
            expect("x-goog-api-key", "key-gemini")
            problems.check(!isStream || query["alt"] == "sse", "a stream without alt=sse")
        } else if path.hasPrefix("/model/") {
            let proof = fields["authorization"] ?? ""
            problems.check(
                proof.hasPrefix("AWS4-HMAC-SHA256 Credential=AKID/"),
                "the authorization '\(proof)'"
            )
            problems.check(fields["x-amz-date"] != nil, "no date")
            judgeBedrock(format)
        } else {
            let isPlain = path.hasPrefix("/plain/")
            expect("authorization", isPlain ? "Bearer key-plain" : "Bearer key-openai")
            problems.check(body["model"]?.isString == true, "no model")
            problems.check(!isPlain || format == .chat, "a format it has not: \(path)")
        }
        if format == .messages {
            let isOwn = path.hasPrefix("/v1/messages")
            problems.check(isOwn == (body["anthropic_version"] == nil), "anthropic_version")
        }
    }

    private mutating func judgeSAP(_ format: WireFormat) {
        let proof = fields["authorization"] ?? "none"
        problems.check(proof.hasPrefix("Bearer tok-"), "the authorization '\(proof)'")
        problems.check(fields["ai-resource-group"] != nil, "no resource group")
        expect("ai-client-type", "apus")
        expect("content-type", "application/json")
        let place = path.split(separator: "/").dropFirst(4).joined(separator: "/")
        switch format {
        case .chat:
            problems.check(place == "chat/completions", "the path \(path)")
            problems.check(query["api-version"] == "2024-12-01-preview", "the version \(query)")
            let unknown = body.names.subtracting(Self.chatMembers)
            problems.check(unknown.isEmpty, "Unknown parameter: \(unknown.sorted())")
        case .responses:
            problems.check(place == "responses", "the path \(path)")
            problems.check(query["api-version"] == "2025-03-01-preview", "the version \(query)")
            problems.check(body["stop"] == nil, "Unknown parameter: 'stop'")
        case .messages, .converse:
            problems.check(query.isEmpty, "the query \(query)")
            judgeBedrock(format)
        case .gemini:
            problems.check(
                place.hasPrefix("models/gemini-2.5-pro:"),
                "the path \(path)"
            )
            problems.check(!isStream || query["alt"] == "sse", "a stream without alt=sse")
            problems.check(
                !text.contains(#""functionResponse":{"id""#),
                "an id in a function's response"
            )
        case .completions: problems.append("the path \(path)")
        }
    }

    private mutating func judgeBedrock(_ format: WireFormat) {
        problems.check(body["model"] == nil && body["stream"] == nil, "model or stream in the body")
        if format == .converse {
            let unknown = body.names.subtracting([
                "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig",
                "additionalModelRequestFields", "additionalModelResponseFieldPaths",
                "requestMetadata",
            ])
            problems.check(unknown.isEmpty, "unknown members: \(unknown.sorted())")
            return
        }
        problems.check(
            body["anthropic_version"]?.string == "bedrock-2023-05-31",
            "the anthropic_version"
        )
        let unknown = body.names.subtracting([
            "anthropic_version", "max_tokens", "messages", "anthropic_beta", "system",
            "stop_sequences", "temperature", "top_p", "top_k", "tools", "tool_choice", "thinking",
            "metadata", "output_config",
        ])
        problems.check(unknown.isEmpty, "Extra inputs are not permitted: \(unknown.sorted())")
    }

    private mutating func expect(_ name: String, _ value: String) {
        let got = fields[name]
        problems.check(got == value, "the field \(name) is '\(got ?? "missing")', not '\(value)'")
    }

    /// What Azure's chat completions know at SAP; anything else is refused.
    private static let chatMembers: Set<String> = [
        "messages", "model", "stream", "stream_options", "temperature", "top_p", "n", "stop",
        "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty",
        "logit_bias", "logprobs", "top_logprobs", "seed", "user", "tools", "tool_choice",
        "parallel_tool_calls", "response_format", "reasoning_effort", "functions",
        "function_call", "prediction", "modalities", "metadata", "store", "verbosity",
    ]

    /// The SAP deployment that is asked.
    var deployment: String? {
        let parts = path.split(separator: "/")
        return path.hasPrefix("/v2/inference/deployments/") ? String(parts[3]) : nil
    }

    /// What the request asks.
    func asked(_ problems: inout [String]) -> Asked {
        guard case .model(let format) = kind else { return Asked() }
        switch format {
        case .chat, .completions: return ChatForm.asked(in: body, &problems)
        case .responses: return ResponsesForm.asked(in: body, &problems)
        case .messages: return MessagesForm.asked(in: body, &problems)
        case .gemini: return GeminiForm.asked(in: body, &problems)
        case .converse: return ConverseForm.asked(in: body, &problems)
        }
    }
}
