// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Metrics

/// Writes the response object that answers and some events of a stream consist of.
///
/// Every member that OpenAI's SDKs demand is there, also those that repeat a request's settings:
/// with what is true of every answer here, since settings are not kept until the answer. Nothing is
/// stored, so `store` is false whatever the request said.
struct ResponseObject {
    enum Status {
        case inProgress
        case completed
        case incomplete(StaticString)
        case failed(code: StaticString, message: String)

        /// How an answer that stopped for `reason` ended.
        init(_ reason: FinishReason) {
            switch reason {
            case .length: self = .incomplete("max_output_tokens")
            case .contentFilter: self = .incomplete("content_filter")
            case .stop, .stopSequence, .toolCalls, .pause: self = .completed
            }
        }

        var isIncomplete: Bool {
            if case .incomplete = self { true } else { false }
        }
    }

    let id: String
    let created: Int
    let model: String

    init(id: String, created: Int, model: String) {
        self.id = id
        self.created = created
        self.model = model
    }

    init(_ identity: AnswerIdentity) {
        self.init(
            id: "resp_" + identity.unique,
            created: identity.created,
            model: identity.model
        )
    }

    /// Appends the object up to the beginning of its output's list; items and `end` follow.
    func begin(_ status: Status, to out: ByteBuffer) {
        out.append("{\"id\":")
        JSONWriter.appendQuoted(id, to: out)
        out.append(",\"object\":\"response\",\"created_at\":")
        out.append(decimal: created)
        switch status {
        case .inProgress:
            out.append(",\"status\":\"in_progress\",\"error\":null,\"incomplete_details\":null")
        case .completed:
            out.append(",\"status\":\"completed\",\"error\":null,\"incomplete_details\":null")
        case .incomplete(let reason):
            out.append(
                ",\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{\"reason\":\""
            )
            out.append(reason)
            out.append("\"}")
        case .failed(let code, let message):
            out.append(",\"status\":\"failed\",\"error\":{\"code\":\"")
            out.append(code)
            out.append("\",\"message\":")
            JSONWriter.appendQuoted(message, to: out)
            out.append("},\"incomplete_details\":null")
        }
        out.append(
            ",\"background\":false,\"instructions\":null,\"max_output_tokens\":null,\"metadata\":{},\"model\":"
        )
        JSONWriter.appendQuoted(model, to: out)
        out.append(",\"output\":[")
    }

    /// Appends what follows the output's items.
    func end(_ usage: TokenUsage?, to out: ByteBuffer) {
        out.append(
            """
            ],"parallel_tool_calls":true,"previous_response_id":null,\
            "reasoning":{"effort":null,"summary":null},"store":false,"temperature":null,\
            "text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,\
            "truncation":"disabled","usage":
            """
        )
        Self.append(usage, to: out)
        out.append(",\"user\":null}")
    }

    private static func append(_ usage: TokenUsage?, to out: ByteBuffer) {
        guard let usage else {
            out.append("null")
            return
        }
        out.append("{\"input_tokens\":")
        append(usage.input, to: out)
        out.append(",\"input_tokens_details\":{\"cached_tokens\":")
        append(usage.cached, to: out)
        out.append(",\"cache_write_tokens\":")
        append(usage.cacheWrite, to: out)
        out.append("},\"output_tokens\":")
        append(usage.output, to: out)
        out.append(",\"output_tokens_details\":{\"reasoning_tokens\":")
        append(usage.reasoning, to: out)
        out.append("},\"total_tokens\":")
        append(usage.input &+ usage.output, to: out)
        out.append("}")
    }

    private static func append(_ count: UInt64, to out: ByteBuffer) {
        out.append(decimal: UInt(count))
    }

    /// The code of a failed response for `error`: one of those that clients know.
    ///
    /// Codex and OpenAI's SDKs decide by it whether to try again; all else is the server's fault to
    /// them, which they do try again.
    static func code(of error: APIError) -> StaticString {
        switch error.code.description {
        case "context_length_exceeded": "context_length_exceeded"
        case "insufficient_quota": "insufficient_quota"
        default:
            switch error.status {
            case 429: "rate_limit_exceeded"
            case 400..<500 where error.kind == .invalidRequest: "invalid_prompt"
            default: "server_error"
            }
        }
    }
}
