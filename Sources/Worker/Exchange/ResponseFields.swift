// SPDX-License-Identifier: Apache-2.0
import Bytes
import HTTP

/// Chooses the fields of an upstream's answer that a client gets.
///
/// Pure.
enum ResponseFields {
    /// Bytes of fields passed on; what a provider sends is far below.
    private static let bytesMax = 8 << 10
    /// Prefixes of names that tell clients about their limits.
    private static let passedPrefixes: [StaticString] = ["x-ratelimit-", "anthropic-ratelimit-"]

    /// Appends the field lines that go on.
    ///
    /// A list of what passes, not of what does not: cookies, server names and account ids of the
    /// operator's contract are not the client's business.
    static func append(_ head: ResponseHead, in bytes: Span<UInt8>, to out: ByteBuffer) {
        for field in head.fields where passes(field, in: bytes) {
            guard out.count + field.name.count + field.value.count + 4 <= bytesMax else { return }
            out.append(bytes.extracting(field.name))
            out.append(": ")
            out.append(bytes.extracting(field.value))
            out.append("\r\n")
        }
    }

    private static func passes(_ field: HeaderField, in bytes: Span<UInt8>) -> Bool {
        switch field.known {
        case .retryAfter, .retryAfterMs, .openaiProcessingMs, .xShouldRetry, .contentEncoding:
            return true
        case .other:
            for prefix in passedPrefixes {
                let length = prefix.utf8CodeUnitCount
                guard field.name.count > length else { continue }
                let start = field.name.lowerBound
                if bytes.equalsIgnoringCase(start..<(start + length), prefix) { return true }
            }
            return bytes.equalsIgnoringCase(field.name, "openai-version")
        default:
            return false
        }
    }

    /// Whether the answer is a stream of server-sent events.
    static func isEventStream(_ head: ResponseHead, in bytes: Span<UInt8>) -> Bool {
        guard let field = head.fields.first(.contentType) else { return false }
        let type: StaticString = "text/event-stream"
        let length = type.utf8CodeUnitCount
        guard field.value.count >= length else { return false }
        let start = field.value.lowerBound
        guard bytes.equalsIgnoringCase(start..<(start + length), type) else { return false }
        guard field.value.count > length else { return true }
        let next = bytes[start + length]
        return next == UInt8(ascii: ";") || next == UInt8(ascii: " ")
    }

    /// Whether the answer is a stream in Amazon's binary framing.
    static func isAmazonStream(_ head: ResponseHead, in bytes: Span<UInt8>) -> Bool {
        guard let field = head.fields.first(.contentType) else { return false }
        return bytes.equalsIgnoringCase(field.value, "application/vnd.amazon.eventstream")
    }

    /// The lines collected by `append`, to be kept; nil without any.
    static func copy(_ lines: ByteBuffer) -> ByteBuffer? {
        guard !lines.isEmpty else { return nil }
        let copy = ByteBuffer(capacity: lines.count)
        copy.append(lines)
        return copy
    }

    /// Whole seconds of a `retry-after` among field lines that were collected by `append`.
    static func retryAfter(_ lines: ByteBuffer) -> Int? {
        lines.withBytes { bytes in
            var start = 0
            while start < bytes.count {
                var end = start
                while end < bytes.count, bytes[end] != 0x0D { end += 1 }
                let name: StaticString = "retry-after: "
                let length = name.utf8CodeUnitCount
                if end - start > length,
                    bytes.equalsIgnoringCase(start..<(start + length), name)
                {
                    return seconds(bytes.extracting((start + length)..<end))
                }
                start = end + 2
            }
            return nil
        }
    }

    private static func seconds(_ text: Span<UInt8>) -> Int? {
        // Nine digits are 30 years; a date is left to the client, who gets the field as well.
        guard (1...9).contains(text.count) else { return nil }
        var value = 0
        for index in 0..<text.count {
            guard (0x30...0x39).contains(text[index]) else { return nil }
            value = value * 10 + Int(text[index] - 0x30)
        }
        return value
    }
}
