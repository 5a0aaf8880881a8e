// SPDX-License-Identifier: Apache-2.0

/// A field name that some part of the gateway asks for.
///
/// Found once, while the head is parsed; later look-ups compare small integers. Names that nobody
/// here asks for are `other` and can still be found by their spelling.
package enum KnownHeader: UInt8, CaseIterable, Sendable {
    case other
    case te, via, date, host, accept, cookie, expect, origin, server, apiKey, trailer, upgrade
    case location, forwarded, xApiKey, connection, keepAlive, setCookie, tracestate, userAgent
    case retryAfter, traceparent, contentType, xRequestID, authorization, cacheControl
    case anthropicBeta, contentLength, openaiProject, retryAfterMs, xGoogApiKey, xShouldRetry
    case acceptEncoding, idempotencyKey, xForwardedFor, contentEncoding, proxyConnection
    case wwwAuthenticate, xCorrelationID, anthropicVersion, secWebSocketKey, transferEncoding
    case xForwardedProto, proxyAuthenticate, openaiOrganization, proxyAuthorization
    case xClientRequestID, xStainlessTimeout, openaiProcessingMs, secWebSocketVersion
    case secWebSocketProtocol, xStainlessRetryCount, accessControlRequestMethod
    case accessControlRequestHeaders

    /// The name in lower case; empty for `other`.
    package var name: StaticString {
        switch self {
        case .other: ""
        case .te: "te"
        case .via: "via"
        case .date: "date"
        case .host: "host"
        case .accept: "accept"
        case .cookie: "cookie"
        case .expect: "expect"
        case .origin: "origin"
        case .server: "server"
        case .apiKey: "api-key"
        case .trailer: "trailer"
        case .upgrade: "upgrade"
        case .location: "location"
        case .forwarded: "forwarded"
        case .xApiKey: "x-api-key"
        case .connection: "connection"
        case .keepAlive: "keep-alive"
        case .setCookie: "set-cookie"
        case .tracestate: "tracestate"
        case .userAgent: "user-agent"
        case .retryAfter: "retry-after"
        case .traceparent: "traceparent"
        case .contentType: "content-type"
        case .xRequestID: "x-request-id"
        case .authorization: "authorization"
        case .cacheControl: "cache-control"
        case .anthropicBeta: "anthropic-beta"
        case .contentLength: "content-length"
        case .openaiProject: "openai-project"
        case .retryAfterMs: "retry-after-ms"
        case .xGoogApiKey: "x-goog-api-key"
        case .xShouldRetry: "x-should-retry"
        case .acceptEncoding: "accept-encoding"
        case .idempotencyKey: "idempotency-key"
        case .xForwardedFor: "x-forwarded-for"
        case .contentEncoding: "content-encoding"
        case .proxyConnection: "proxy-connection"
        case .wwwAuthenticate: "www-authenticate"
        case .xCorrelationID: "x-correlation-id"
        case .anthropicVersion: "anthropic-version"
        case .secWebSocketKey: "sec-websocket-key"
        case .transferEncoding: "transfer-encoding"
        case .xForwardedProto: "x-forwarded-proto"
        case .proxyAuthenticate: "proxy-authenticate"
        case .openaiOrganization: "openai-organization"
        case .proxyAuthorization: "proxy-authorization"
        case .xClientRequestID: "x-client-request-id"
        case .xStainlessTimeout: "x-stainless-timeout"
        case .openaiProcessingMs: "openai-processing-ms"
        case .secWebSocketVersion: "sec-websocket-version"
        case .secWebSocketProtocol: "sec-websocket-protocol"
        case .xStainlessRetryCount: "x-stainless-retry-count"
        case .accessControlRequestMethod: "access-control-request-method"
        case .accessControlRequestHeaders: "access-control-request-headers"
        }
    }

    /// The header named by the bytes in `name`, which are a token.
    ///
    /// By length first, so that most names are compared with at most two others.
    static func find(_ name: Range<Int>, in bytes: Span<UInt8>) -> KnownHeader {
        switch name.count {
        case 2:
            if bytes.matches(name, .te) { return .te }
        case 3:
            if bytes.matches(name, .via) { return .via }
        case 4:
            if bytes.matches(name, .date) { return .date }
            if bytes.matches(name, .host) { return .host }
        case 6:
            if bytes.matches(name, .accept) { return .accept }
            if bytes.matches(name, .cookie) { return .cookie }
            if bytes.matches(name, .expect) { return .expect }
            if bytes.matches(name, .origin) { return .origin }
            if bytes.matches(name, .server) { return .server }
        case 7:
            if bytes.matches(name, .apiKey) { return .apiKey }
            if bytes.matches(name, .trailer) { return .trailer }
            if bytes.matches(name, .upgrade) { return .upgrade }
        case 8:
            if bytes.matches(name, .location) { return .location }
        case 9:
            if bytes.matches(name, .forwarded) { return .forwarded }
            if bytes.matches(name, .xApiKey) { return .xApiKey }
        case 10:
            if bytes.matches(name, .connection) { return .connection }
            if bytes.matches(name, .keepAlive) { return .keepAlive }
            if bytes.matches(name, .setCookie) { return .setCookie }
            if bytes.matches(name, .tracestate) { return .tracestate }
            if bytes.matches(name, .userAgent) { return .userAgent }
        case 11:
            if bytes.matches(name, .retryAfter) { return .retryAfter }
            if bytes.matches(name, .traceparent) { return .traceparent }
        case 12:
            if bytes.matches(name, .contentType) { return .contentType }
            if bytes.matches(name, .xRequestID) { return .xRequestID }
        case 13:
            if bytes.matches(name, .authorization) { return .authorization }
            if bytes.matches(name, .cacheControl) { return .cacheControl }
        case 14:
            if bytes.matches(name, .anthropicBeta) { return .anthropicBeta }
            if bytes.matches(name, .contentLength) { return .contentLength }
            if bytes.matches(name, .openaiProject) { return .openaiProject }
            if bytes.matches(name, .retryAfterMs) { return .retryAfterMs }
            if bytes.matches(name, .xGoogApiKey) { return .xGoogApiKey }
            if bytes.matches(name, .xShouldRetry) { return .xShouldRetry }
        case 15:
            if bytes.matches(name, .acceptEncoding) { return .acceptEncoding }
            if bytes.matches(name, .idempotencyKey) { return .idempotencyKey }
            if bytes.matches(name, .xForwardedFor) { return .xForwardedFor }
        case 16:
            if bytes.matches(name, .contentEncoding) { return .contentEncoding }
            if bytes.matches(name, .proxyConnection) { return .proxyConnection }
            if bytes.matches(name, .wwwAuthenticate) { return .wwwAuthenticate }
            if bytes.matches(name, .xCorrelationID) { return .xCorrelationID }
        case 17:
            if bytes.matches(name, .anthropicVersion) { return .anthropicVersion }
            if bytes.matches(name, .secWebSocketKey) { return .secWebSocketKey }
            if bytes.matches(name, .transferEncoding) { return .transferEncoding }
            if bytes.matches(name, .xForwardedProto) { return .xForwardedProto }
        case 18:
            if bytes.matches(name, .proxyAuthenticate) { return .proxyAuthenticate }
        case 19:
            if bytes.matches(name, .openaiOrganization) { return .openaiOrganization }
            if bytes.matches(name, .proxyAuthorization) { return .proxyAuthorization }
            if bytes.matches(name, .xClientRequestID) { return .xClientRequestID }
            if bytes.matches(name, .xStainlessTimeout) { return .xStainlessTimeout }
        case 20:
            if bytes.matches(name, .openaiProcessingMs) { return .openaiProcessingMs }
        case 21:
            if bytes.matches(name, .secWebSocketVersion) { return .secWebSocketVersion }
        case 22:
            if bytes.matches(name, .secWebSocketProtocol) { return .secWebSocketProtocol }
        case 23:
            if bytes.matches(name, .xStainlessRetryCount) { return .xStainlessRetryCount }
        case 29:
            if bytes.matches(name, .accessControlRequestMethod) {
                return .accessControlRequestMethod
            }
        case 30:
            if bytes.matches(name, .accessControlRequestHeaders) {
                return .accessControlRequestHeaders
            }
        default: break
        }
        return .other
    }
}

extension Span<UInt8> {
    /// Whether the token in `range`, which has the length of the header's name, is that name.
    ///
    /// Known names hold letters and hyphens only, and no other byte of a token turns into one of
    /// them when bit 5 is set.
    @inline(__always)
    fileprivate func matches(_ range: Range<Int>, _ header: KnownHeader) -> Bool {
        let text = header.name
        for index in 0..<range.count
        where self[range.lowerBound + index] | 0x20 != text.byte(index) {
            return false
        }
        return true
    }
}
