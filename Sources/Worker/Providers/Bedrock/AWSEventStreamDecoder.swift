// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not an AWS event stream; there is no way back into step after one.
package enum AWSEventStreamError: Error, Equatable, Sendable {
    /// The lengths of the message contradict each other.
    case lengths
    case messageTooLarge
    case headersTooLarge
    case preludeChecksum
    case messageChecksum
    case emptyHeaderName
    /// A type of value that does not exist.
    case headerType(UInt8)
    /// A header that goes on behind the headers.
    case headerBeyondEnd
    /// A `:message-type` that is none of event, exception and error.
    case messageType
}

/// Finds the messages of `application/vnd.amazon.eventstream`.
///
/// Remembers how far it has looked, so that a message that drips in is summed up once. A length above
/// the limit is refused as soon as it is there, so the caller never buffers more than one message of
/// the limit.
///
/// Spec: message = total length (4 bytes), length of the headers (4), CRC-32 of these eight, headers,
/// payload, CRC-32 of everything before; highest byte first.
package struct AWSEventStreamDecoder {
    /// What the service itself allows for a payload, and far above any event of a model.
    package static let messageBytesMax = 16 << 20
    /// What the service itself allows.
    package static let headerBytesMax = 128 << 10

    static let preludeBytes = 12
    static let checksumBytes = 4

    private struct Prelude {
        let length: Int
        let headers: Range<Int>
    }

    private var prelude: Prelude?
    private var checksum = CRC32()
    /// Bytes of the message that are in the checksum.
    private var summed = 0
    /// Bytes looked at since the start of the stream; what slow drip costs, for tests.
    package private(set) var bytesExamined = 0

    package init() {}

    /// Takes the unread bytes of the stream, the first one of a message on.
    ///
    /// After nil call again with the same start and more bytes; after a message drop its `length`.
    /// After an error the stream cannot be read any further. A stream that ends well ends with
    /// nothing unread.
    ///
    /// - Returns: The next whole message, or nil.
    package mutating func next(
        _ bytes: Span<UInt8>
    ) throws(AWSEventStreamError) -> AWSEventStreamMessage? {
        guard bytes.count >= Self.preludeBytes else { return nil }
        let prelude: Prelude
        if let known = self.prelude {
            prelude = known
        } else {
            prelude = try readPrelude(bytes)
            self.prelude = prelude
        }

        let covered = prelude.length - Self.checksumBytes
        let available = min(bytes.count, covered)
        if available > summed {
            checksum.update(bytes.extracting(summed..<available))
            bytesExamined &+= available - summed
            summed = available
        }
        guard bytes.count >= prelude.length else { return nil }
        guard checksum.value == bytes.bigEndian32(at: covered) else { throw .messageChecksum }
        let message = try AWSEventStreamMessage(
            length: prelude.length,
            headers: prelude.headers,
            bytes
        )
        self.prelude = nil
        checksum = CRC32()
        summed = 0
        return message
    }

    private func readPrelude(_ bytes: Span<UInt8>) throws(AWSEventStreamError) -> Prelude {
        guard CRC32.checksum(of: bytes.extracting(0..<8)) == bytes.bigEndian32(at: 8) else {
            throw .preludeChecksum
        }
        let length = Int(bytes.bigEndian32(at: 0))
        let headerBytes = Int(bytes.bigEndian32(at: 4))
        guard length <= Self.messageBytesMax else { throw .messageTooLarge }
        guard headerBytes <= Self.headerBytesMax else { throw .headersTooLarge }
        guard length >= Self.preludeBytes + headerBytes + Self.checksumBytes else {
            throw .lengths
        }
        return Prelude(
            length: length,
            headers: Self.preludeBytes..<(Self.preludeBytes + headerBytes)
        )
    }
}

extension Span<UInt8> {
    fileprivate func bigEndian32(at offset: Int) -> UInt32 {
        UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16
            | UInt32(self[offset + 2]) << 8 | UInt32(self[offset + 3])
    }
}
