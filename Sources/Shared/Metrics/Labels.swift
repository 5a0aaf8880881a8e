// SPDX-License-Identifier: Apache-2.0

/// What a request asked for, as a bounded metric label.
///
/// The order is part of the record format: a change needs a new `RecordHeader.version`.
package enum Route: UInt8, CaseIterable {
    case chatCompletions
    case completions
    case embeddings
    case models
    case health
    case responses
    case messages
    case countTokens
    case generateContent
    case webSocket
    case retrieval
    case documents
    /// A CORS preflight.
    case preflight
    case notFound
    /// The request was refused before its route was known.
    case malformed
    case other

    package var label: StaticString {
        switch self {
        case .chatCompletions: "chat_completions"
        case .completions: "completions"
        case .embeddings: "embeddings"
        case .models: "models"
        case .health: "health"
        case .responses: "responses"
        case .messages: "messages"
        case .countTokens: "count_tokens"
        case .generateContent: "generate_content"
        case .webSocket: "websocket"
        case .retrieval: "retrieval"
        case .documents: "documents"
        case .preflight: "preflight"
        case .notFound: "not_found"
        case .malformed: "malformed"
        case .other: "other"
        }
    }

    /// The OpenTelemetry operation of the route; nil where no model is called.
    package var operation: Operation? {
        switch self {
        case .chatCompletions, .responses, .messages, .webSocket, .retrieval: .chat
        case .generateContent: .generateContent
        case .completions: .textCompletion
        case .embeddings: .embeddings
        case .models, .health, .countTokens, .documents, .preflight, .notFound, .malformed, .other:
            nil
        }
    }
}

/// `gen_ai.operation.name` of the OpenTelemetry conventions.
package enum Operation: UInt8, CaseIterable {
    case chat
    case textCompletion
    case embeddings
    case generateContent

    package var label: StaticString {
        switch self {
        case .chat: "chat"
        case .textCompletion: "text_completion"
        case .embeddings: "embeddings"
        case .generateContent: "generate_content"
        }
    }
}

/// The first digit of a response status.
package enum StatusClass: UInt8, CaseIterable {
    case informational
    case success
    case redirection
    case clientError
    case serverError

    /// Anything outside of 100...499 counts as a server error: it is our bug.
    package init(status: Int) {
        switch status {
        case 100..<200: self = .informational
        case 200..<300: self = .success
        case 300..<400: self = .redirection
        case 400..<500: self = .clientError
        default: self = .serverError
        }
    }

    package var label: StaticString {
        switch self {
        case .informational: "1xx"
        case .success: "2xx"
        case .redirection: "3xx"
        case .clientError: "4xx"
        case .serverError: "5xx"
        }
    }
}

/// Which span of a request a latency measures.
package enum Latency: UInt8, CaseIterable {
    /// From the first byte of the request to the last byte of the answer.
    case total
    /// From the first byte of the request to the first content byte of the answer.
    case firstByte
    /// From the start of the attempt that answered to the upstream's last byte.
    case upstream

    /// The key in the status document.
    package var label: StaticString {
        switch self {
        case .total: "total"
        case .firstByte: "first_byte"
        case .upstream: "upstream_time"
        }
    }
}

/// Kinds of tokens in an upstream's `usage`.
package enum TokenType: UInt8, CaseIterable {
    case input
    case output
    /// Input tokens read from a prompt cache; also counted as input.
    case cached
    /// Output tokens spent on reasoning; also counted as output.
    case reasoning
    /// Input tokens written to a prompt cache; also counted as input.
    case cacheWrite

    package var label: StaticString {
        switch self {
        case .input: "input"
        case .output: "output"
        case .cached: "cached"
        case .reasoning: "reasoning"
        case .cacheWrite: "cache_write"
        }
    }
}

/// How one upstream attempt ended.
package enum UpstreamResult: UInt8, CaseIterable {
    case success
    case redirection
    /// Status 429, apart from the other 4xx because it asks for another target.
    case rateLimited
    case clientError
    case serverError
    case connectError
    case tlsError
    case timeout
    case reset
    case protocolError
    /// We gave the attempt up: the client left or another attempt won.
    case cancelled

    /// The result of an attempt that got a status line.
    package init(status: Int) {
        switch status {
        case 429: self = .rateLimited
        case 400..<500: self = .clientError
        case 300..<400: self = .redirection
        case 100..<300: self = .success
        default: self = .serverError
        }
    }

    package var label: StaticString {
        switch self {
        case .success: "ok"
        case .redirection: "3xx"
        case .rateLimited: "429"
        case .clientError: "4xx"
        case .serverError: "5xx"
        case .connectError: "connect_error"
        case .tlsError: "tls_error"
        case .timeout: "timeout"
        case .reset: "reset"
        case .protocolError: "protocol_error"
        case .cancelled: "cancelled"
        }
    }
}
