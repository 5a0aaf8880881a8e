// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// The JSON of an error in one vendor's interface.
package enum ErrorShape: Sendable {
    /// `{"error":{"message","type","param","code"}}`, all four present.
    case openAI
    /// `{"type":"error","error":{"type","message"},"request_id"}`.
    case anthropic
    /// `{"error":{"code","message","status"}}`, Google's shape.
    case gemini
}

extension WireFormat {
    package var errorShape: ErrorShape {
        switch self {
        case .chat, .completions, .responses: .openAI
        case .messages: .anthropic
        case .gemini, .converse: .gemini
        }
    }
}

extension APIError {
    /// Appends the whole error object of an answer.
    ///
    /// Anthropic's shape has `requestID` in it, unless that is empty.
    package func append(as shape: ErrorShape, requestID: String = "", to out: ByteBuffer) {
        var writer = JSONWriter(out)
        writer.beginObject()
        switch shape {
        case .openAI:
            writer.name("error")
            appendOpenAI(to: &writer)
        case .anthropic:
            writer.member("type", "error")
            writer.name("error")
            writer.beginObject()
            writer.member("type", anthropicType)
            writer.member("message", messageWithParam)
            writer.endObject()
            if !requestID.isEmpty { writer.member("request_id", requestID) }
        case .gemini:
            writer.name("error")
            writer.beginObject()
            writer.member("code", status)
            writer.member("message", messageWithParam)
            writer.member("status", googleStatus)
            writer.endObject()
        }
        writer.endObject()
    }

    /// The status of an answer in this shape.
    ///
    /// Anthropic's clients know an overloaded provider by a status of its own, 529.
    package func status(as shape: ErrorShape) -> Int {
        shape == .anthropic && status == 503 && kind == .upstream ? 529 : status
    }

    /// Appends OpenAI's inner error object.
    package func appendOpenAI(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("message", message)
        writer.member("type", kind.rawValue)
        writer.name("param")
        if let param {
            writer.value(param)
        } else {
            writer.null()
        }
        writer.member("code", code.description)
        writer.endObject()
    }

    /// The message with the place that shapes without `param` would lose.
    private var messageWithParam: String {
        guard let param, !message.contains(param) else { return message }
        return "\(param): \(message)"
    }

    /// Spec: the table of error types in Anthropic's API reference.
    package var anthropicType: String {
        switch status {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 408, 504: "timeout_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503, 529: "overloaded_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }

    /// Spec: google.rpc.Code and its HTTP mapping.
    package var googleStatus: String {
        switch status {
        case 401: "UNAUTHENTICATED"
        case 403: "PERMISSION_DENIED"
        case 404: "NOT_FOUND"
        case 408, 504: "DEADLINE_EXCEEDED"
        case 409: "ABORTED"
        case 429: "RESOURCE_EXHAUSTED"
        case 499: "CANCELLED"
        case 501: "UNIMPLEMENTED"
        case 502, 503: "UNAVAILABLE"
        case 500...: "INTERNAL"
        default: "INVALID_ARGUMENT"
        }
    }
}
