// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// What the demo model says, piece by piece, as an OpenAI-compatible server would send it.
///
/// Pure.
struct DemoReply {
    /// Tokens of `demo/long`.
    private static let longTokens = 1_000

    let request: DemoRequest
    let behavior: DemoRequest.Behavior
    /// Pieces of the text; of the arguments if a tool is called.
    let tokens: [String]
    /// A constant, so that equal requests have equal answers.
    private static let created = 1_700_000_000
    private let id: String

    init(_ request: DemoRequest, _ behavior: DemoRequest.Behavior) {
        self.request = request
        self.behavior = behavior
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in request.text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0100_0000_01B3 }
        id = (request.task == .chat ? "chatcmpl-demo" : "cmpl-demo") + String(hash, radix: 16)
        tokens = Self.tokens(request, behavior)
    }

    private static func tokens(
        _ request: DemoRequest,
        _ behavior: DemoRequest.Behavior
    ) -> [String] {
        if let call = request.toolCall { return pieces(call.arguments, of: 12) }
        if let json = request.json { return pieces(json, of: 12) }
        if behavior == .long { return (1...longTokens).map { "token\($0) " } }
        let text =
            request.lastRole == "tool"
            ? "The tool said: \(request.text)"
            : "This is Apus' demo model. You said: \(request.text)"
        return words(text)
    }

    /// Words with the space before them, as tokenizers cut.
    private static func words(_ text: String) -> [String] {
        var result: [String] = []
        var word = ""
        for character in text {
            if character == " ", !word.isEmpty {
                result.append(word)
                word = ""
            }
            word.append(character)
        }
        if !word.isEmpty { result.append(word) }
        return result
    }

    private static func pieces(_ text: String, of length: Int) -> [String] {
        var result: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            result.append(String(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return result
    }

    private var finishReason: String { request.toolCall == nil ? "stop" : "tool_calls" }

    // MARK: Streams

    /// Appends the event that comes before the tokens.
    func appendOpening(to out: ByteBuffer) {
        guard request.task == .chat else { return }
        appendEvent(to: out) { writer in
            writer.beginObject()
            writer.member("role", "assistant")
            if let call = request.toolCall {
                writer.name("content")
                writer.null()
                appendToolCall(name: call.name, arguments: "", isDelta: true, &writer)
            } else {
                writer.member("content", "")
            }
            writer.endObject()
        }
    }

    /// Appends the event of the token at `index`.
    func appendToken(_ index: Int, to out: ByteBuffer) {
        appendEvent(to: out) { writer in
            guard request.task == .chat else {
                writer.value(tokens[index])
                return
            }
            writer.beginObject()
            if request.toolCall != nil {
                appendToolCall(name: nil, arguments: tokens[index], isDelta: true, &writer)
            } else {
                writer.member("content", tokens[index])
            }
            writer.endObject()
        }
    }

    /// Appends the finish reason, the usage if asked for, and `[DONE]`.
    func appendClosing(to out: ByteBuffer) {
        appendEvent(to: out, finishReason: finishReason) { writer in
            guard request.task == .chat else {
                writer.value("")
                return
            }
            writer.beginObject()
            writer.endObject()
        }
        if request.wantsUsage {
            out.append("data: ")
            var writer = JSONWriter(out)
            writer.beginObject()
            appendCommon(&writer, isChunk: true)
            writer.name("choices")
            writer.beginArray()
            writer.endArray()
            appendUsage(&writer)
            writer.endObject()
            out.append("\n\n")
        }
        out.append("data: [DONE]\n\n")
    }

    private func appendEvent(
        to out: ByteBuffer,
        finishReason: String? = nil,
        _ delta: (inout JSONWriter) -> Void
    ) {
        out.append("data: ")
        var writer = JSONWriter(out)
        writer.beginObject()
        appendCommon(&writer, isChunk: true)
        writer.name("choices")
        writer.beginArray()
        writer.beginObject()
        writer.member("index", 0)
        writer.name(request.task == .chat ? "delta" : "text")
        delta(&writer)
        writer.name("finish_reason")
        if let finishReason { writer.value(finishReason) } else { writer.null() }
        writer.endObject()
        writer.endArray()
        writer.endObject()
        out.append("\n\n")
    }

    private func appendCommon(_ writer: inout JSONWriter, isChunk: Bool) {
        writer.member("id", id)
        let object: String
        switch request.task {
        case .chat: object = isChunk ? "chat.completion.chunk" : "chat.completion"
        case .completion, .embeddings: object = "text_completion"
        }
        writer.member("object", object)
        writer.member("created", Self.created)
        writer.member("model", request.model)
    }

    private func appendToolCall(
        name: String?,
        arguments: String,
        isDelta: Bool,
        _ writer: inout JSONWriter
    ) {
        writer.name("tool_calls")
        writer.beginArray()
        writer.beginObject()
        if isDelta { writer.member("index", 0) }
        if name != nil {
            writer.member("id", "call_demo1")
            writer.member("type", "function")
        }
        writer.name("function")
        writer.beginObject()
        if let name { writer.member("name", name) }
        writer.member("arguments", arguments)
        writer.endObject()
        writer.endObject()
        writer.endArray()
    }

    private func appendUsage(_ writer: inout JSONWriter) {
        writer.name("usage")
        writer.beginObject()
        writer.member("prompt_tokens", request.promptTokens)
        if request.task != .embeddings { writer.member("completion_tokens", tokens.count) }
        let output = request.task == .embeddings ? 0 : tokens.count
        writer.member("total_tokens", request.promptTokens + output)
        writer.endObject()
    }

    // MARK: Whole answers

    /// Appends the answer to a request that is not streamed.
    func appendWhole(to out: ByteBuffer) {
        var writer = JSONWriter(out)
        writer.beginObject()
        if request.task == .embeddings {
            appendEmbeddings(&writer, out)
        } else {
            appendCommon(&writer, isChunk: false)
            appendChoice(&writer)
        }
        appendUsage(&writer)
        writer.endObject()
    }

    private func appendChoice(_ writer: inout JSONWriter) {
        let text = tokens.joined()
        writer.name("choices")
        writer.beginArray()
        writer.beginObject()
        writer.member("index", 0)
        if request.task == .chat {
            writer.name("message")
            writer.beginObject()
            writer.member("role", "assistant")
            if let call = request.toolCall {
                writer.name("content")
                writer.null()
                appendToolCall(
                    name: call.name,
                    arguments: call.arguments,
                    isDelta: false,
                    &writer
                )
            } else {
                writer.member("content", text)
            }
            writer.endObject()
        } else {
            writer.member("text", text)
        }
        writer.name("logprobs")
        writer.null()
        writer.member("finish_reason", finishReason)
        writer.endObject()
        writer.endArray()
    }

    private func appendEmbeddings(_ writer: inout JSONWriter, _ out: ByteBuffer) {
        writer.member("object", "list")
        writer.member("model", request.model)
        writer.name("data")
        writer.beginArray()
        for (index, input) in request.inputs.enumerated() {
            writer.beginObject()
            writer.member("object", "embedding")
            writer.member("index", index)
            writer.name("embedding")
            let vector = DemoEmbedding.vector(input, dimensions: request.dimensions)
            if request.isBase64 {
                let text = ByteBuffer(capacity: request.dimensions * 6)
                DemoEmbedding.appendBase64(vector, to: text)
                text.withBytes { writer.value($0) }
            } else {
                DemoEmbedding.append(vector, to: &writer)
            }
            writer.endObject()
        }
        writer.endArray()
    }

    // MARK: Errors

    /// Appends an error in OpenAI's shape; `reason` stands for the model's name as the reason.
    static func appendError(
        status: Int,
        model: String,
        reason: String? = nil,
        to out: ByteBuffer
    ) {
        let (type, code): (String, String) =
            switch status {
            case 400: ("invalid_request_error", "invalid_value")
            case 401: ("authentication_error", "invalid_api_key")
            case 404: ("not_found_error", "model_not_found")
            case 429: ("rate_limit_error", "rate_limit_exceeded")
            default: ("server_error", "demo_failure")
            }
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.name("error")
        writer.beginObject()
        writer.member(
            "message",
            reason ?? "The demo model '\(model)' answers with status \(status)."
        )
        writer.member("type", type)
        writer.name("param")
        writer.null()
        writer.member("code", code)
        writer.endObject()
        writer.endObject()
    }
}
