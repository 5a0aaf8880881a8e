// SPDX-License-Identifier: Apache-2.0

/// Parses request heads, one after the other.
///
/// Reads nothing behind the head's end, so pipelined requests stay where they are. An error comes
/// with the byte that makes it certain, never later, and does not depend on how the input was cut.
package struct RequestHeadParser {
    /// What the parser waits for.
    private enum State {
        /// The request line; one empty line before it is let pass. Exits: `fields`.
        case start(emptyLines: Int)
        /// Field lines up to the empty one.
        case fields
    }

    private let limits: HTTPLimits
    private var state = State.start(emptyLines: 0)
    private var scanner = LineScanner()
    private var facts = FramingFacts()

    package init(limits: HTTPLimits = .request) {
        self.limits = limits
    }

    /// Forgets the current head; the next call starts with the first byte of another one.
    package mutating func reset() {
        state = .start(emptyLines: 0)
        scanner = LineScanner()
        facts = FramingFacts()
    }

    /// Whether a byte of a request was seen, a tolerated CRLF before it not counted.
    ///
    /// A connection where this is false is idle and may be closed without an answer.
    package var hasStarted: Bool {
        switch state {
        case .start: scanner.position > scanner.lineStart
        case .fields: true
        }
    }

    /// Bytes looked at since `reset`: what a slow sender costs.
    package var bytesExamined: Int { scanner.bytesExamined }

    /// Takes the unread bytes from the first one of the head on.
    ///
    /// Call again with the same start and more bytes after nil; call `reset` before the next head
    /// and after an error. `head` is valid once a count came back.
    ///
    /// - Returns: Bytes of the head, or nil if more are needed.
    package mutating func parse(
        _ bytes: Span<UInt8>,
        into head: inout RequestHead
    ) throws(HTTPParseError) -> Int? {
        while case .start(let emptyLines) = state {
            guard
                let line = try scanner.next(
                    bytes,
                    lineMax: limits.startLineBytes,
                    headMax: limits.headBytes,
                    controlError: .badStartLine
                )
            else { return nil }
            if line.isEmpty {
                // RFC 9112 section 2.2: old clients send a CRLF behind the body of a POST. One is
                // enough for them, and a limit is needed.
                guard emptyLines == 0 else { throw .badStartLine }
                state = .start(emptyLines: 1)
                continue
            }
            head.fields.removeAll()
            try parseRequestLine(line, in: bytes, into: &head)
            state = .fields
        }
        while true {
            guard
                let line = try scanner.next(
                    bytes,
                    lineMax: .max,
                    headMax: limits.headBytes,
                    controlError: .badHeaderValue
                )
            else { return nil }
            if line.isEmpty { break }
            guard head.fields.count < limits.fields else { throw .tooManyFields }
            let field = try FieldLine.parse(line, in: bytes)
            if field.known != .other {
                try facts.note(field.known, field.value, version: head.version, in: bytes)
                try facts.noteRequest(field.known, field.value, in: bytes)
            }
            head.fields.append(field)
        }
        try finish(&head)
        return head.headBytes
    }

    private func finish(_ head: inout RequestHead) throws(HTTPParseError) {
        if head.version == .http11, !facts.hasHost { throw .hostMissing }
        head.framing = facts.requestFraming
        head.keepAlive = facts.keepsAlive(head.version)
        head.expectContinue =
            facts.expectsContinue && head.version == .http11
            && head.framing != .none && head.framing != .length(0)
        head.headBytes = scanner.lineStart
    }

    /// Takes the request line apart.
    ///
    ///     request-line = method SP request-target SP HTTP-version
    ///
    /// Stricter than the RFC: exactly one space between the parts (section 3 lets a parser split
    /// at any white space).
    private func parseRequestLine(
        _ line: Range<Int>,
        in bytes: Span<UInt8>,
        into head: inout RequestHead
    ) throws(HTTPParseError) {
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound, ASCII.isToken(bytes[methodEnd]) { methodEnd += 1 }
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound,
            bytes[methodEnd] == ASCII.space
        else { throw .badMethod }

        let versionStart = line.upperBound - VersionText.count
        guard versionStart > methodEnd + 1, bytes[versionStart - 1] == ASCII.space else {
            throw .badStartLine
        }
        // The version is looked at before the target, so that an HTTP/2 preface gets 505.
        head.version = try VersionText.parse(at: versionStart, in: bytes)
        head.methodRange = line.lowerBound..<methodEnd
        if bytes.equals(head.methodRange, "CONNECT") { throw .connectUnsupported }
        head.method = HTTPMethod(head.methodRange, in: bytes)
        head.target = (methodEnd + 1)..<(versionStart - 1)
        let target = try RequestTarget(head.target, method: head.method, in: bytes)
        head.targetForm = target.form
        head.path = target.path
        head.query = target.query
    }
}
