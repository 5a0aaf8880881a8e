// SPDX-License-Identifier: Apache-2.0

/// The value of an event-stream header.
///
/// Ranges are offsets from the first byte of the message.
package enum AWSEventStreamValue: Equatable, Sendable {
    case bool(Bool)
    case byte(Int8)
    case int16(Int16)
    case int32(Int32)
    case int64(Int64)
    case bytes(Range<Int>)
    case string(Range<Int>)
    /// Milliseconds since 1970.
    case timestamp(Int64)
    /// 16 bytes.
    case uuid(Range<Int>)
}

/// One header of an event-stream message.
package struct AWSEventStreamHeader: Equatable, Sendable {
    /// Where the name stands in the message.
    package let name: Range<Int>
    package let value: AWSEventStreamValue
}

/// Walks over the headers of one message.
///
/// Spec: "Event stream encoding" of the Amazon Transcribe and Smithy documents: a length of one byte
/// and the name, a type of one byte, the value; numbers have the highest byte first.
struct AWSEventStreamHeaderReader {
    private var position: Int
    private let end: Int

    init(_ range: Range<Int>) {
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next header of `message`, or nil behind the last one.
    mutating func next(
        _ message: Span<UInt8>
    ) throws(AWSEventStreamError) -> AWSEventStreamHeader? {
        guard position < end else { return nil }
        let length = Int(message[position])
        position += 1
        guard length > 0 else { throw .emptyHeaderName }
        let name = try take(length)
        let type = message[try take(1).lowerBound]
        return AWSEventStreamHeader(name: name, value: try value(type, message))
    }

    private mutating func value(
        _ type: UInt8,
        _ message: Span<UInt8>
    ) throws(AWSEventStreamError) -> AWSEventStreamValue {
        switch type {
        case 0: .bool(true)
        case 1: .bool(false)
        case 2: .byte(Int8(bitPattern: message[try take(1).lowerBound]))
        case 3: .int16(Int16(truncatingIfNeeded: try integer(2, message)))
        case 4: .int32(Int32(truncatingIfNeeded: try integer(4, message)))
        case 5: .int64(Int64(bitPattern: try integer(8, message)))
        case 6: .bytes(try take(Int(try integer(2, message))))
        case 7: .string(try take(Int(try integer(2, message))))
        case 8: .timestamp(Int64(bitPattern: try integer(8, message)))
        case 9: .uuid(try take(16))
        default: throw .headerType(type)
        }
    }

    private mutating func integer(
        _ count: Int,
        _ message: Span<UInt8>
    ) throws(AWSEventStreamError) -> UInt64 {
        var value: UInt64 = 0
        for index in try take(count) { value = value << 8 | UInt64(message[index]) }
        return value
    }

    private mutating func take(_ count: Int) throws(AWSEventStreamError) -> Range<Int> {
        guard count <= end - position else { throw .headerBeyondEnd }
        defer { position += count }
        return position..<(position + count)
    }
}
