// SPDX-License-Identifier: Apache-2.0

/// One step of a body decoder.
package enum BodyStep: Equatable {
    /// Nothing but framing was there, or nothing at all; it is consumed.
    case needMore(consumed: Int)
    /// Body bytes at `Range` of what was given; `consumed` counts from its start.
    case data(Range<Int>, consumed: Int)
    /// The body is complete. What lies behind `consumed` belongs to the next message.
    case end(consumed: Int)
}

/// Decodes the chunked transfer coding.
///
///     chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
///     last-chunk = 1*("0") [ chunk-ext ] CRLF, followed by a trailer section and CRLF
///
/// Keeps what it needs between calls, so the caller may drop consumed bytes at once. Call again
/// with what is left until it says `needMore` or `end`: data may be the last thing in the buffer
/// while the end is already known. Extensions and trailers are checked, bounded and dropped.
///
/// Stricter than the RFC: LF alone ends no line, white space is allowed only before a semicolon,
/// sizes have at most 16 digits.
///
/// Spec: RFC 9112 section 7.1.
package struct ChunkedDecoder {
    package typealias Step = BodyStep

    /// Most digits of a size: what fits in 64 bits.
    ///
    /// Leading zeros count.
    static let sizeDigitsMax = 16

    /// What the next byte belongs to.
    private enum State {
        /// The digits of a size. Exits: `blank`, `extensions`, `sizeLineFeed`.
        case size(digits: Int)
        /// White space before a semicolon. Exits: `extensions`.
        case blank
        /// An extension. Exits: `sizeLineFeed`.
        case extensions
        /// LF behind a size. Exits: `data`, `trailerStart`.
        case sizeLineFeed
        /// Chunk data, `remaining` more. Exits: `dataReturn`.
        case data
        /// CR behind data. Exits: `dataLineFeed`.
        case dataReturn
        /// LF behind data. Exits: `size`.
        case dataLineFeed
        /// First byte of a trailer line or of the empty line. Exits: `trailerName`, `endLineFeed`.
        case trailerStart
        /// The name of a trailer field. Exits: `trailerValue`.
        case trailerName
        /// The value of a trailer field. Exits: `trailerLineFeed`.
        case trailerValue
        /// LF behind a trailer field. Exits: `trailerStart`.
        case trailerLineFeed
        /// LF of the empty line. Exits: `ended`.
        case endLineFeed
        /// All of it was there.
        case ended
    }

    private let limits: HTTPLimits
    private let bodyMax: Int
    private var state = State.size(digits: 0)
    private var remaining = 0
    private var bodyBytes = 0
    private var extensionBytes = 0
    private var extensionBytesTotal = 0
    private var trailerBytes = 0

    /// A decoder for a body of at most `bodyMax` bytes.
    package init(limits: HTTPLimits = .request, bodyMax: Int = .max) {
        self.limits = limits
        self.bodyMax = bodyMax
    }

    /// Takes the bytes that follow those consumed so far.
    ///
    /// - Throws: At the first byte that breaks a rule; `bodyTooLarge` as soon as a size line says
    ///   so, before any byte of that chunk.
    package mutating func next(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Step {
        var offset = 0
        while offset < bytes.count {
            if case .data = state {
                return takeData(bytes, from: offset)
            }
            if case .ended = state { break }
            try take(bytes[offset])
            offset += 1
        }
        if case .ended = state { return .end(consumed: offset) }
        return .needMore(consumed: offset)
    }

    private mutating func takeData(_ bytes: Span<UInt8>, from offset: Int) -> Step {
        let taken = min(remaining, bytes.count - offset)
        let end = offset + taken
        remaining -= taken
        guard remaining == 0 else { return .data(offset..<end, consumed: end) }
        // Taking the CRLF along usually empties the caller's buffer. Only if it is one: an error
        // here would keep back data that smaller reads have already given out.
        if bytes.count - end >= 2, bytes[end] == ASCII.carriageReturn,
            bytes[end + 1] == ASCII.lineFeed
        {
            state = .size(digits: 0)
            return .data(offset..<end, consumed: end + 2)
        }
        state = .dataReturn
        return .data(offset..<end, consumed: end)
    }

    /// Takes one byte of framing.
    @inline(__always)
    private mutating func take(_ byte: UInt8) throws(HTTPParseError) {
        switch state {
        case .size(let digits): try takeSize(byte, digits: digits)
        case .blank:
            try countExtension()
            if byte == ASCII.semicolon {
                state = .extensions
            } else if !ASCII.isBlank(byte) {
                throw .chunkExtensionInvalid
            }
        case .extensions:
            if byte == ASCII.carriageReturn {
                state = .sizeLineFeed
            } else if byte == ASCII.lineFeed {
                throw .bareLineFeed
            } else {
                try countExtension()
                if ASCII.isControl(byte) { throw .chunkExtensionInvalid }
            }
        case .sizeLineFeed:
            guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
            try sizeLineEnded()
        case .dataReturn:
            guard byte == ASCII.carriageReturn else { throw .chunkNotTerminated }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == ASCII.lineFeed else { throw .chunkNotTerminated }
            state = .size(digits: 0)
        case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed, .endLineFeed:
            try takeTrailer(byte)
        case .data, .ended:
            preconditionFailure("framing byte in \(state)")
        }
    }

    @inline(__always)
    private mutating func takeSize(_ byte: UInt8, digits: Int) throws(HTTPParseError) {
        if let value = ASCII.hexadecimal(byte) {
            // The top four bits are lost by the shift, and the sign bit must stay clear.
            guard digits < Self.sizeDigitsMax, remaining >> 59 == 0 else {
                throw .chunkSizeInvalid
            }
            remaining = remaining << 4 | Int(value)
            state = .size(digits: digits + 1)
            return
        }
        if byte == ASCII.lineFeed { throw .bareLineFeed }
        guard digits > 0 else { throw .chunkSizeInvalid }
        switch byte {
        case ASCII.carriageReturn:
            state = .sizeLineFeed
        case ASCII.semicolon:
            try countExtension()
            state = .extensions
        case ASCII.space, ASCII.tab:
            try countExtension()
            state = .blank
        default:
            throw .chunkSizeInvalid
        }
    }

    private mutating func countExtension() throws(HTTPParseError) {
        extensionBytes += 1
        extensionBytesTotal += 1
        if extensionBytes > limits.chunkExtensionBytes
            || extensionBytesTotal > limits.chunkExtensionBytesTotal
        {
            throw .chunkExtensionTooLong
        }
    }

    @inline(__always)
    private mutating func sizeLineEnded() throws(HTTPParseError) {
        extensionBytes = 0
        if remaining == 0 {
            state = .trailerStart
            return
        }
        guard remaining <= bodyMax - bodyBytes else { throw .bodyTooLarge }
        // Cannot overflow: the sum is at most `bodyMax`.
        bodyBytes += remaining
        state = .data
    }

    private mutating func takeTrailer(_ byte: UInt8) throws(HTTPParseError) {
        trailerBytes += 1
        // The empty line is not counted: it is there without trailers too.
        if trailerBytes > limits.trailerBytes + 2 { throw .trailersTooLarge }
        switch state {
        case .trailerStart:
            if byte == ASCII.carriageReturn {
                state = .endLineFeed
            } else if ASCII.isToken(byte) {
                state = .trailerName
            } else if byte == ASCII.lineFeed {
                throw .bareLineFeed
            } else {
                throw ASCII.isBlank(byte) ? .obsoleteFold : .badHeaderName
            }
        case .trailerName:
            if byte == ASCII.colon {
                state = .trailerValue
            } else if !ASCII.isToken(byte) {
                throw byte == ASCII.lineFeed ? .bareLineFeed : .badHeaderName
            }
        case .trailerValue:
            if byte == ASCII.carriageReturn {
                state = .trailerLineFeed
            } else if byte == ASCII.lineFeed {
                throw .bareLineFeed
            } else if ASCII.isControl(byte) {
                throw .badHeaderValue
            }
        case .trailerLineFeed:
            guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
            state = .trailerStart
        case .endLineFeed:
            guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
            state = .ended
        case .size, .blank, .extensions, .sizeLineFeed, .data, .dataReturn, .dataLineFeed, .ended:
            preconditionFailure("trailer byte in \(state)")
        }
    }
}
