// SPDX-License-Identifier: Apache-2.0

/// Finds the lines of a message head, strictly, and remembers how far it has looked.
///
/// Bytes are judged from left to right and each only once, so a head that drips in byte by byte
/// costs as much as one that comes whole. The first byte that breaks a rule decides the error; that
/// is why the answer does not depend on where the reads happened to cut.
///
/// Stricter than the RFC: LF alone does not end a line (RFC 9112 section 2.2 allows it), since two
/// parsers that disagree about line ends are how requests are smuggled.
struct LineScanner {
    /// Offset behind the last byte that needs no second look.
    private(set) var position = 0
    /// Offset of the first byte of the line that is being looked for.
    private(set) var lineStart = 0
    /// Bytes looked at since the start; what slow drip costs, for tests.
    private(set) var bytesExamined = 0

    /// The next line without its CRLF; nil if it is not complete.
    ///
    /// - Parameters:
    ///   - bytes: The head from its first byte on.
    ///   - lineMax: Longest line, thrown as `startLineTooLong`; `.max` for field lines, which only
    ///     the head's limit bounds.
    ///   - headMax: Largest offset that a line may end at, thrown as `headTooLarge`.
    ///   - controlError: What a control byte is, in this kind of line.
    /// - Returns: The line's place in `bytes`.
    /// - Throws: At the first byte that breaks a rule or passes a limit.
    @inline(__always)
    mutating func next(
        _ bytes: Span<UInt8>,
        lineMax: Int,
        headMax: Int,
        controlError: HTTPParseError
    ) throws(HTTPParseError) -> Range<Int>? {
        while true {
            let found = bytes.firstControl(from: position)
            bytesExamined &+= min(found + 1, bytes.count) - position
            // The limits come first: fed byte by byte, they would have been passed before the
            // control byte was there.
            if found - lineStart > lineMax { throw .startLineTooLong }
            if found >= headMax, bytes.count > headMax { throw .headTooLarge }
            position = found
            if found == bytes.count { return nil }

            switch bytes[found] {
            case ASCII.carriageReturn:
                if found + 1 == bytes.count { return nil }
                if found + 2 > headMax { throw .headTooLarge }
                if bytes[found + 1] != ASCII.lineFeed { throw .bareCarriageReturn }
                let line = lineStart..<found
                position = found + 2
                lineStart = position
                return line
            case ASCII.lineFeed:
                throw .bareLineFeed
            case ASCII.tab:
                position = found + 1
            default:
                throw controlError
            }
        }
    }
}
