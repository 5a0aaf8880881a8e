// SPDX-License-Identifier: Apache-2.0
import Dialects
import HTTP
import Log
import Metrics

/// What one request is, and what became of it: for its answer, its log line and its metrics.
///
/// Ranges are offsets into the request head, which stays in the connection's input buffer until
/// the answer is out.
struct RequestLedger {
    var method = HTTPMethod.other
    var methodText = 0..<0
    var path = 0..<0
    var endpoint: Endpoint?
    var route = Route.malformed
    var isHTTP10 = false
    /// Whether the client lets the connection stay open.
    var keepsAlive = false
    var id = RequestID.generated(0, 0)
    var correlationID: Range<Int>?
    var traceparent: Range<Int>?
    var tracestate: Range<Int>?
    var idempotencyKey: Range<Int>?
    var openaiBeta: Range<Int>?
    var anthropicBeta: Range<Int>?
    var anthropicVersion: Range<Int>?
    /// The model or id that the path names, percent-encoded.
    var pathName: Range<Int>?
    /// What follows `?` in the target.
    var query: Range<Int>?
    var origin: Range<Int>?
    /// Access-Control-Request-Headers of a preflight.
    var preflightHeaders: Range<Int>?
    /// Index of the client's key in the configuration.
    var key: Int?

    /// Where the model's name stands in the body, still escaped; `pathName` has it otherwise.
    var model: Range<Int>?
    /// Members of the request that its upstream did not get.
    var omissions: Omissions?
    /// Place of the upstream in the configuration.
    var upstream: Int?
    var isStream = false
    var usage: TokenUsage?

    /// Nanoseconds of the loop's clock.
    var startedAt: UInt64 = 0
    var firstByteAt: UInt64?
    var upstreamStartedAt: UInt64?
    var upstreamEndedAt: UInt64?
    var bytesIn = 0
    var bytesOut = 0
    /// The status that was sent, 0 before.
    var status = 0
    var attempts = 0
    var error: StaticString?
    var ending = AccessLogLine.Ending.complete

    /// Whether the answer has no body: the request was HEAD.
    var isHead: Bool { method == .head }

    init() {}

    /// The facts of a head that was read whole.
    init(_ head: borrowing RequestHead, in bytes: Span<UInt8>, startedAt: UInt64) {
        self.startedAt = startedAt
        method = head.method
        methodText = head.methodRange
        path = head.path
        isHTTP10 = head.version == .http10
        keepsAlive = head.keepAlive
        correlationID = Self.identifier(head.fields.first(.xCorrelationID), in: bytes)
        traceparent = head.fields.first(.traceparent)?.value
        tracestate = head.fields.first(.tracestate)?.value
        idempotencyKey = head.fields.first(.idempotencyKey)?.value
        origin = head.fields.first(.origin)?.value
        openaiBeta = head.fields.first(named: "openai-beta", in: bytes)?.value
        if let id = Self.identifier(head.fields.first(.xRequestID), in: bytes) {
            self.id = .client(id)
        }
    }

    /// The fields that only Anthropic's clients send.
    mutating func noteAnthropic(_ head: borrowing RequestHead, in bytes: Span<UInt8>) {
        anthropicBeta = head.fields.first(named: "anthropic-beta", in: bytes)?.value
        anthropicVersion = head.fields.first(named: "anthropic-version", in: bytes)?.value
    }

    private static func identifier(_ field: HeaderField?, in bytes: Span<UInt8>) -> Range<Int>? {
        guard let field, RequestID.isAcceptable(bytes.extracting(field.value)) else { return nil }
        return field.value
    }
}
