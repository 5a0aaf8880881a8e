// SPDX-License-Identifier: Apache-2.0

/// Takes one field line apart.
enum FieldLine {
    /// The field on `line`, which has no control byte but tabs in it.
    ///
    ///     field-line = field-name ":" OWS field-value OWS
    ///
    /// Stricter than the RFC: an obs-fold is an error and not a space (RFC 9112 section 5.2), and
    /// so is white space before the colon in responses (section 5.1 lets proxies remove it).
    @inline(__always)
    static func parse(
        _ line: Range<Int>,
        in bytes: Span<UInt8>
    ) throws(HTTPParseError) -> HeaderField {
        var colon = line.lowerBound
        while colon < line.upperBound, ASCII.isToken(bytes[colon]) { colon += 1 }
        guard colon < line.upperBound, colon > line.lowerBound, bytes[colon] == ASCII.colon else {
            let isFold = !line.isEmpty && ASCII.isBlank(bytes[line.lowerBound])
            throw isFold ? .obsoleteFold : .badHeaderName
        }
        let name = line.lowerBound..<colon
        return HeaderField(
            name: name,
            value: bytes.trimmed((colon + 1)..<line.upperBound),
            known: KnownHeader.find(name, in: bytes)
        )
    }
}
