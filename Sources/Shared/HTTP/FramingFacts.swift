// SPDX-License-Identifier: Apache-2.0

/// Where a message's body ends.
package enum BodyFraming: Equatable, Sendable {
    /// There is no body.
    case none
    /// Content-Length said so; may be 0.
    case length(Int)
    /// The chunked transfer coding.
    case chunked
    /// The end of the connection; responses only.
    case untilClose
}

/// What the field lines of one head say about framing and the connection.
///
/// Fed line by line, so a forbidden combination is refused at the line that completes it.
struct FramingFacts {
    /// Digits of the largest Content-Length: Int.max has 19.
    static let contentLengthDigitsMax = 19

    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var hasHost = false
    private(set) var expectsContinue = false
    private(set) var connectionClose = false
    private(set) var connectionKeepAlive = false
    private var connectionBytes = 0

    /// Takes a field that matters in requests and responses.
    ///
    /// Spec: RFC 9112 sections 6.1 to 6.3 and 9.3, RFC 9110 section 8.6.
    @inline(__always)
    mutating func note(
        _ known: KnownHeader,
        _ value: Range<Int>,
        version: HTTPVersion,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) {
        switch known {
        case .contentLength: try noteContentLength(value, in: bytes)
        case .transferEncoding: try noteTransferEncoding(value, version: version, in: bytes)
        case .connection: try noteConnection(value, in: bytes)
        default: break
        }
    }

    /// Takes a field that matters in requests only.
    @inline(__always)
    mutating func noteRequest(
        _ known: KnownHeader,
        _ value: Range<Int>,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) {
        switch known {
        case .host:
            if hasHost { throw .hostDuplicate }
            guard Self.isHost(value, in: bytes) else { throw .hostInvalid }
            hasHost = true
        case .expect:
            guard bytes.equalsIgnoringCase(value, "100-continue") else {
                throw .expectationUnsupported
            }
            expectsContinue = true
        default:
            break
        }
    }

    /// Whether the connection may carry another message after this one.
    ///
    /// `close` wins over `keep-alive`. Spec: RFC 9112 section 9.3.
    func keepsAlive(_ version: HTTPVersion) -> Bool {
        if connectionClose { return false }
        switch version {
        case .http11: return true
        case .http10: return connectionKeepAlive
        }
    }

    /// The body of a request.
    ///
    /// Spec: RFC 9112 section 6.3, rules 4, 6 and 7.
    var requestFraming: BodyFraming {
        if isChunked { return .chunked }
        if let contentLength { return .length(contentLength) }
        return .none
    }

    /// The body of a response with `status` to a request with `method`.
    ///
    /// Spec: RFC 9112 section 6.3, rules 1, 4, 6 and 8.
    func responseFraming(status: Int, requestMethod: HTTPMethod) -> BodyFraming {
        if requestMethod == .head || HTTPStatus.hasNoBody(status) { return .none }
        if isChunked { return .chunked }
        if let contentLength { return .length(contentLength) }
        return .untilClose
    }

    private mutating func noteContentLength(
        _ value: Range<Int>,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) {
        if contentLength != nil { throw .contentLengthDuplicate }
        guard value.count >= 1, value.count <= Self.contentLengthDigitsMax else {
            throw .contentLengthInvalid
        }
        var length = 0
        for offset in value {
            let byte = bytes[offset]
            guard ASCII.isDigit(byte) else { throw .contentLengthInvalid }
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(byte &- 0x30))
            if overflow || carry { throw .contentLengthInvalid }
            length = sum
        }
        if isChunked { throw .contentLengthWithTransferEncoding }
        contentLength = length
    }

    private mutating func noteTransferEncoding(
        _ value: Range<Int>,
        version: HTTPVersion,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) {
        if version == .http10 { throw .transferEncodingInHTTP10 }
        if isChunked || !bytes.equalsIgnoringCase(value, "chunked") {
            throw .transferEncodingUnsupported
        }
        if contentLength != nil { throw .contentLengthWithTransferEncoding }
        isChunked = true
    }

    private mutating func noteConnection(
        _ value: Range<Int>,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) {
        connectionBytes += value.count
        if connectionBytes > HTTPLimits.connectionBytesMax { throw .connectionTooLong }
        var list = TokenList(value)
        while let token = list.next(bytes) {
            if bytes.equalsIgnoringCase(token, "close") {
                connectionClose = true
            } else if bytes.equalsIgnoringCase(token, "keep-alive") {
                connectionKeepAlive = true
            }
        }
    }

    /// Whether `value` can be an authority without user information; empty is allowed.
    ///
    /// Stricter than the RFC: between brackets only IPv6 addresses, without a zone.
    /// Spec: RFC 9110 section 7.2, RFC 9112 section 3.2.
    static func isHost(_ value: Range<Int>, in bytes: Span<UInt8>) -> Bool {
        var inBrackets = false
        var portStart: Int?
        for offset in value {
            let byte = bytes[offset]
            guard ASCII.isHost(byte) else { return false }
            switch byte {
            case UInt8(ascii: "["):
                if offset != value.lowerBound { return false }
                inBrackets = true
            case UInt8(ascii: "]"):
                // An address has at least the two colons of `::`.
                if !inBrackets || offset < value.lowerBound + 3 { return false }
                inBrackets = false
                let next = offset + 1
                if next < value.upperBound, bytes[next] != ASCII.colon { return false }
            case ASCII.colon where !inBrackets:
                if portStart != nil { return false }
                portStart = offset + 1
            default:
                if inBrackets {
                    let isAddress = byte == ASCII.colon || byte == UInt8(ascii: ".")
                    if !isAddress, ASCII.hexadecimal(byte) == nil { return false }
                } else if portStart != nil, !ASCII.isDigit(byte) {
                    return false
                }
            }
        }
        return !inBrackets
    }
}
