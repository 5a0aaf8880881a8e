// SPDX-License-Identifier: Apache-2.0

/// One whole message of an event stream.
///
/// Ranges are offsets from its first byte.
package struct AWSEventStreamMessage: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// `name` is the `:event-type`.
        /// What the stream is about; also what a message is that does not say its kind.
        ///
        /// `name` is the `:event-type`.
        case event
        /// A failure that the service models; `name` is the `:exception-type`, the payload tells
        /// more.
        case exception
        /// A failure that the service does not model; `name` is the `:error-code`, the text of
        /// `errorMessage` tells more.
        case error
    }

    /// Bytes of the message, from its length to its checksum.
    package let length: Int
    package let kind: Kind
    /// What the message is called; empty when it does not say.
    package let name: Range<Int>
    /// The text of `:content-type`.
    package let contentType: Range<Int>?
    /// The text of `:error-message`.
    package let errorMessage: Range<Int>?
    package let payload: Range<Int>
    private let headerRange: Range<Int>

    /// Reads a message whose checksums hold.
    init(
        length: Int,
        headers: Range<Int>,
        _ message: Span<UInt8>
    ) throws(AWSEventStreamError) {
        var kind = Kind.event
        var (eventType, exceptionType): (Range<Int>?, Range<Int>?) = (nil, nil)
        var (errorCode, errorMessage): (Range<Int>?, Range<Int>?) = (nil, nil)
        var contentType: Range<Int>?
        var reader = AWSEventStreamHeaderReader(headers)
        while let header = try reader.next(message) {
            // What is looked for is text; other headers are the service's own.
            guard case .string(let value) = header.value else { continue }
            if Self.equals(message, header.name, ":message-type") {
                kind = try Self.kind(value, message)
            } else if Self.equals(message, header.name, ":event-type") {
                eventType = value
            } else if Self.equals(message, header.name, ":exception-type") {
                exceptionType = value
            } else if Self.equals(message, header.name, ":error-code") {
                errorCode = value
            } else if Self.equals(message, header.name, ":error-message") {
                errorMessage = value
            } else if Self.equals(message, header.name, ":content-type") {
                contentType = value
            }
        }
        let name =
            switch kind {
            case .event: eventType
            case .exception: exceptionType
            case .error: errorCode
            }
        self.length = length
        self.kind = kind
        self.name = name ?? headers.lowerBound..<headers.lowerBound
        self.contentType = contentType
        self.errorMessage = errorMessage
        payload = headers.upperBound..<(length - AWSEventStreamDecoder.checksumBytes)
        headerRange = headers
    }

    /// Every header of the message, in order.
    package func headers(
        of message: Span<UInt8>
    ) throws(AWSEventStreamError) -> [AWSEventStreamHeader] {
        var reader = AWSEventStreamHeaderReader(headerRange)
        var headers: [AWSEventStreamHeader] = []
        while let header = try reader.next(message) { headers.append(header) }
        return headers
    }

    private static func kind(
        _ value: Range<Int>,
        _ message: Span<UInt8>
    ) throws(AWSEventStreamError) -> Kind {
        if equals(message, value, "event") { return .event }
        if equals(message, value, "exception") { return .exception }
        if equals(message, value, "error") { return .error }
        throw .messageType
    }

    private static func equals(
        _ message: Span<UInt8>,
        _ range: Range<Int>,
        _ text: StaticString
    ) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        // SAFETY: a static string's bytes live forever; the span ends with this call.
        let text = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        let expected = unsafe text.span
        for index in expected.indices where message[range.lowerBound + index] != expected[index] {
            return false
        }
        return true
    }
}
