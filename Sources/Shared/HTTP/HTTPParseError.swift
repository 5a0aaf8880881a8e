// SPDX-License-Identifier: Apache-2.0

/// Why a message was refused.
///
/// The set is closed: a case names one broken rule, so it can serve as a metric label. The same
/// cases come from both sides; `status` is what a server answers to its client, and a gateway
/// that finds the error in an upstream's response answers 502 instead.
package enum HTTPParseError: Error, Equatable, CaseIterable {
    /// The start line is not made of its three parts, or holds a control byte.
    case badStartLine
    /// The method is not a token.
    case badMethod
    /// CONNECT: this is not a tunnelling proxy.
    case connectUnsupported
    /// The request target has no form that the method allows, or holds a byte that no URI has.
    case badTarget
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    case badVersion
    /// The status code is not a number from 100 to 599.
    case badStatus
    /// The start line passed its limit.
    case startLineTooLong

    /// A field name is empty, not a token, or not followed by a colon at once.
    case badHeaderName
    /// A field line holds a control byte.
    case badHeaderValue
    /// LF without CR before it.
    case bareLineFeed
    /// CR without LF behind it.
    case bareCarriageReturn
    /// A field line starts with white space.
    case obsoleteFold
    /// The head passed its limit.
    case headTooLarge
    /// More field lines than the limit.
    case tooManyFields

    /// The Connection values of one head passed their limit.
    case connectionTooLong
    /// HTTP/1.1 without Host.
    case hostMissing
    /// More than one Host.
    case hostDuplicate
    /// Host is not an authority.
    case hostInvalid
    /// An expectation other than 100-continue.
    case expectationUnsupported

    /// Content-Length is not one number of 1 to 19 digits that fits.
    case contentLengthInvalid
    /// More than one Content-Length, even if they agree.
    case contentLengthDuplicate
    /// Content-Length beside Transfer-Encoding.
    case contentLengthWithTransferEncoding
    /// Transfer-Encoding is anything but `chunked`, once.
    case transferEncodingUnsupported
    /// Transfer-Encoding in an HTTP/1.0 message.
    case transferEncodingInHTTP10

    /// A chunk size is not hexadecimal, has more than 16 digits, or does not fit.
    case chunkSizeInvalid
    /// A chunk's data is not followed by CRLF.
    case chunkNotTerminated
    /// A chunk extension holds a control byte, or does not start with a semicolon.
    case chunkExtensionInvalid
    /// A chunk extension, or all of one body together, passed the limit.
    case chunkExtensionTooLong
    /// The trailer section passed its limit.
    case trailersTooLarge
    /// The body is larger than the receiver takes.
    case bodyTooLarge

    /// 101 without our having asked.
    case switchingProtocolsRefused
    /// More interim responses than the limit.
    case tooManyInterimResponses

    /// The status a server answers with.
    package var status: Int {
        switch self {
        case .badStartLine, .badMethod, .badTarget, .badStatus, .badHeaderName, .badHeaderValue,
            .bareLineFeed, .bareCarriageReturn, .obsoleteFold, .hostMissing, .hostDuplicate,
            .hostInvalid, .contentLengthInvalid, .contentLengthDuplicate,
            .contentLengthWithTransferEncoding, .transferEncodingInHTTP10, .chunkSizeInvalid,
            .chunkNotTerminated, .chunkExtensionInvalid, .chunkExtensionTooLong:
            400
        case .bodyTooLarge: 413
        case .startLineTooLong: 414
        case .expectationUnsupported: 417
        case .headTooLarge, .tooManyFields, .connectionTooLong, .trailersTooLarge: 431
        case .connectUnsupported, .transferEncodingUnsupported: 501
        case .switchingProtocolsRefused, .tooManyInterimResponses: 502
        case .badVersion: 505
        }
    }

    /// One sentence for the peer that sent the message.
    package var message: StaticString {
        switch self {
        case .badStartLine: "The first line of the message is malformed."
        case .badMethod: "The request method is not a valid token."
        case .connectUnsupported: "CONNECT is not supported."
        case .badTarget: "The request target is malformed."
        case .badVersion: "Only HTTP/1.1 and HTTP/1.0 are supported."
        case .badStatus: "The status code is not a number from 100 to 599."
        case .startLineTooLong: "The first line of the message is too long."
        case .badHeaderName: "A header name is malformed."
        case .badHeaderValue: "A header line contains a control character."
        case .bareLineFeed: "A line ends in LF instead of CRLF."
        case .bareCarriageReturn: "A line contains CR without LF."
        case .obsoleteFold: "A header line starts with white space."
        case .headTooLarge: "The header section is too large."
        case .tooManyFields: "The message has too many headers."
        case .connectionTooLong: "The Connection header is too long."
        case .hostMissing: "The Host header is missing."
        case .hostDuplicate: "The Host header is given more than once."
        case .hostInvalid: "The Host header is malformed."
        case .expectationUnsupported: "The only supported expectation is 100-continue."
        case .contentLengthInvalid: "Content-Length is not a valid number."
        case .contentLengthDuplicate: "Content-Length is given more than once."
        case .contentLengthWithTransferEncoding:
            "Content-Length and Transfer-Encoding exclude each other."
        case .transferEncodingUnsupported: "The only supported transfer encoding is chunked."
        case .transferEncodingInHTTP10: "HTTP/1.0 messages cannot have a transfer encoding."
        case .chunkSizeInvalid: "A chunk size is malformed."
        case .chunkNotTerminated: "A chunk is not followed by CRLF."
        case .chunkExtensionInvalid: "A chunk extension is malformed."
        case .chunkExtensionTooLong: "A chunk extension is too long."
        case .trailersTooLarge: "The trailer section is too large."
        case .bodyTooLarge: "The body is too large."
        case .switchingProtocolsRefused: "The server switched protocols without being asked."
        case .tooManyInterimResponses: "The server sent too many interim responses."
        }
    }
}
