// SPDX-License-Identifier: Apache-2.0

/// Parses response heads; the counterpart of `RequestHeadParser`.
struct ResponseHeadParser {
    /// What the parser waits for.
    private enum State {
        /// The status line. Exits: `fields`.
        case start
        /// Field lines up to the empty one.
        case fields
    }

    private let limits: HTTPLimits
    private var state = State.start
    private var scanner = LineScanner()
    private(set) var facts = FramingFacts()

    init(limits: HTTPLimits) {
        self.limits = limits
    }

    mutating func reset() {
        state = .start
        scanner = LineScanner()
        facts = FramingFacts()
    }

    /// Whether any byte of the head was seen.
    var hasStarted: Bool {
        switch state {
        case .start: scanner.bytesExamined > 0
        case .fields: true
        }
    }

    /// Bytes looked at since `reset`.
    var bytesExamined: Int { scanner.bytesExamined }

    /// Takes the unread bytes from the first one of the head on; contract as for requests.
    ///
    /// Sets neither `framing` nor `keepAlive`: they depend on the exchange.
    mutating func parse(
        _ bytes: Span<UInt8>,
        into head: inout ResponseHead
    ) throws(HTTPParseError) -> Int? {
        if case .start = state {
            guard
                let line = try scanner.next(
                    bytes,
                    lineMax: limits.startLineBytes,
                    headMax: limits.headBytes,
                    controlError: .badStartLine
                )
            else { return nil }
            head.fields.removeAll()
            try parseStatusLine(line, in: bytes, into: &head)
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
            }
            head.fields.append(field)
        }
        head.headBytes = scanner.lineStart
        return head.headBytes
    }

    /// Takes the status line apart.
    ///
    ///     status-line = HTTP-version SP status-code SP [ reason-phrase ]
    ///
    /// Looser than the RFC: the space behind the code may be missing when there is no reason, as
    /// many servers send it (RFC 9112 section 4).
    private func parseStatusLine(
        _ line: Range<Int>,
        in bytes: Span<UInt8>,
        into head: inout ResponseHead
    ) throws(HTTPParseError) {
        let codeStart = line.lowerBound + VersionText.count + 1
        let codeEnd = codeStart + 3
        guard line.upperBound >= codeStart else { throw .badStartLine }
        head.version = try VersionText.parse(at: line.lowerBound, in: bytes)
        guard bytes[codeStart - 1] == ASCII.space else { throw .badStartLine }
        guard line.upperBound >= codeEnd else { throw .badStatus }
        var code = 0
        for offset in codeStart..<codeEnd {
            guard ASCII.isDigit(bytes[offset]) else { throw .badStatus }
            code = code * 10 + Int(bytes[offset] &- 0x30)
        }
        guard (100...599).contains(code) else { throw .badStatus }
        if line.upperBound > codeEnd {
            guard bytes[codeEnd] == ASCII.space else { throw .badStatus }
            head.reason = (codeEnd + 1)..<line.upperBound
        } else {
            head.reason = codeEnd..<codeEnd
        }
        head.status = code
    }
}
