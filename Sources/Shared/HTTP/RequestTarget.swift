// SPDX-License-Identifier: Apache-2.0

/// Takes a request target apart.
///
/// Spec: RFC 9112 section 3.2. The authority-form belongs to CONNECT, which is refused before.
struct RequestTarget {
    let form: RequestHead.TargetForm
    let path: Range<Int>
    let query: Range<Int>?

    init(
        _ target: Range<Int>,
        method: HTTPMethod,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) {
        guard let first = target.first else { throw .badTarget }
        if bytes[first] == UInt8(ascii: "/") {
            (path, query) = try Self.split(target, in: bytes)
            form = .origin
        } else if bytes.equals(target, "*") {
            guard method == .options else { throw .badTarget }
            (path, query) = (target, nil)
            form = .asterisk
        } else {
            let start = try Self.authorityEnd(target, in: bytes)
            (path, query) = try Self.split(start..<target.upperBound, in: bytes)
            form = .absolute
        }
    }

    /// The path and the query of `part`, every byte checked.
    ///
    /// Stricter than usual servers: a fragment, a byte that is not visible ASCII, and a percent
    /// sign without two hexadecimal digits are errors. Looser than RFC 3986: the visible bytes
    /// that browsers do not encode in queries (`|`, `^`, braces, quotes) pass.
    private static func split(
        _ part: Range<Int>,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) -> (Range<Int>, Range<Int>?) {
        var queryStart: Int?
        for offset in part {
            let byte = bytes[offset]
            guard ASCII.isVisible(byte), byte != UInt8(ascii: "#") else { throw .badTarget }
            if byte == UInt8(ascii: "%") {
                guard part.upperBound - offset > 2,
                    ASCII.hexadecimal(bytes[offset + 1]) != nil,
                    ASCII.hexadecimal(bytes[offset + 2]) != nil
                else { throw .badTarget }
            } else if byte == UInt8(ascii: "?"), queryStart == nil {
                queryStart = offset + 1
            }
        }
        guard let queryStart else { return (part, nil) }
        return (part.lowerBound..<(queryStart - 1), queryStart..<part.upperBound)
    }

    /// Offset behind the authority of an absolute-form target.
    ///
    /// Stricter than the RFC: http and https only, a host, and no user information.
    private static func authorityEnd(
        _ target: Range<Int>,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) -> Int {
        let start: Int
        if let end = schemeEnd("http://", target, in: bytes) {
            start = end
        } else if let end = schemeEnd("https://", target, in: bytes) {
            start = end
        } else {
            throw .badTarget
        }
        var end = start
        while end < target.upperBound, bytes[end] != UInt8(ascii: "/"),
            bytes[end] != UInt8(ascii: "?")
        {
            end += 1
        }
        guard end > start, bytes[start] != ASCII.colon,
            FramingFacts.isHost(start..<end, in: bytes)
        else { throw .badTarget }
        return end
    }

    private static func schemeEnd(
        _ scheme: StaticString,
        _ target: Range<Int>,
        in bytes: Span<UInt8>
    ) -> Int? {
        let end = target.lowerBound + scheme.utf8CodeUnitCount
        guard end <= target.upperBound,
            bytes.equalsIgnoringCase(target.lowerBound..<end, scheme)
        else { return nil }
        return end
    }
}
