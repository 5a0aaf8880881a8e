// SPDX-License-Identifier: Apache-2.0
import HTTP

/// Finds the client key in the fields of a request.
///
/// Pure.
enum ClientCredential {
    /// Where the key stands in the head; nil when none was sent.
    ///
    /// Headers that carry it, in this order: `Authorization: Bearer`, `x-api-key` (Anthropic),
    /// `api-key` (Azure), `x-goog-api-key` (Google).
    static func find(_ head: borrowing RequestHead, in bytes: Span<UInt8>) -> Range<Int>? {
        if let field = head.fields.first(.authorization) {
            if let token = bearer(field.value, in: bytes) { return token }
        }
        for known in [KnownHeader.xApiKey, .apiKey, .xGoogApiKey] {
            if let field = head.fields.first(known), !field.value.isEmpty { return field.value }
        }
        return nil
    }

    /// The token of `Bearer TOKEN`; the scheme's case does not matter.
    ///
    /// RFC 9110 section 11.1.
    private static func bearer(_ value: Range<Int>, in bytes: Span<UInt8>) -> Range<Int>? {
        let scheme = value.lowerBound..<min(value.lowerBound + 6, value.upperBound)
        guard value.count > 7, bytes.equalsIgnoringCase(scheme, "bearer"),
            bytes[scheme.upperBound] == UInt8(ascii: " ")
        else { return nil }
        var start = scheme.upperBound + 1
        while start < value.upperBound, bytes[start] == UInt8(ascii: " ") { start += 1 }
        return start < value.upperBound ? start..<value.upperBound : nil
    }
}
