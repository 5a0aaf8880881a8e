// SPDX-License-Identifier: Apache-2.0

/// Reads the version in a start line.
enum VersionText {
    /// Bytes of `HTTP/1.1`.
    static let count = 8

    /// The version in the eight bytes at `offset`.
    ///
    ///     HTTP-version = HTTP-name "/" DIGIT "." DIGIT
    ///
    /// Stricter than the RFC: HTTP/1.2 and later minor versions, which do not exist, are refused
    /// instead of being read as 1.1 (RFC 9110 section 2.5).
    static func parse(at offset: Int, in bytes: Span<UInt8>) throws(HTTPParseError) -> HTTPVersion {
        let range = offset..<(offset + count)
        if bytes.equals(range, "HTTP/1.1") { return .http11 }
        if bytes.equals(range, "HTTP/1.0") { return .http10 }
        guard bytes.equals(offset..<(offset + 5), "HTTP/"),
            ASCII.isDigit(bytes[offset + 5]),
            bytes[offset + 6] == UInt8(ascii: "."),
            ASCII.isDigit(bytes[offset + 7])
        else { throw .badStartLine }
        throw .badVersion
    }
}
