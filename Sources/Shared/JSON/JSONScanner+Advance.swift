// SPDX-License-Identifier: Apache-2.0

extension JSONScanner {
    /// Looks at the bytes from `position` on until they run out.
    mutating func advance(_ bytes: Span<UInt8>, isFinal: Bool) throws(JSONError) {
        while true {
            switch phase {
            case .nameText, .text:
                guard try continueString(bytes) else {
                    return try stop(bytes, isFinal: isFinal, wanted: .endOfString)
                }
                continue
            case .number:
                guard try continueNumber(bytes, isFinal: isFinal) else { return }
                continue
            case .value, .elementOrEnd, .element, .nameOrEnd, .name, .colon, .memberEnd,
                .elementEnd, .end:
                break
            }
            guard try skipSpace(bytes, isFinal: isFinal) else {
                if phase == .end { return }
                return try stop(bytes, isFinal: isFinal, wanted: phase.wanted)
            }
            let byte = bytes[position]
            switch phase {
            case .value:
                guard try beginValue(byte, bytes, isFinal: isFinal) else { return }
            case .elementOrEnd, .element:
                if byte == UInt8(ascii: "]"), phase == .elementOrEnd || allowsTrailingComma {
                    closeContainer()
                } else {
                    guard try beginValue(byte, bytes, isFinal: isFinal) else { return }
                }
            case .nameOrEnd, .name:
                if byte == UInt8(ascii: "\"") {
                    try push(.string, flags: .name)
                    position += 1
                    phase = .nameText
                } else if byte == UInt8(ascii: "}"), phase == .nameOrEnd || allowsTrailingComma {
                    closeContainer()
                } else {
                    throw unexpected(byte)
                }
            case .colon:
                guard byte == UInt8(ascii: ":") else { throw unexpected(byte) }
                position += 1
                phase = .value
            case .memberEnd:
                if byte == UInt8(ascii: ",") {
                    position += 1
                    phase = .name
                } else if byte == UInt8(ascii: "}") {
                    closeContainer()
                } else {
                    throw unexpected(byte)
                }
            case .elementEnd:
                if byte == UInt8(ascii: ",") {
                    position += 1
                    phase = .element
                } else if byte == UInt8(ascii: "]") {
                    closeContainer()
                } else {
                    throw unexpected(byte)
                }
            case .end:
                throw unexpected(byte)
            case .nameText, .text, .number:
                preconditionFailure("inside a token in \(phase)")
            }
        }
    }

    private var allowsTrailingComma: Bool { options.contains(.trailingCommas) }

    /// Starts the value that begins with `byte`; false when more bytes must come first.
    @inline(__always)
    private mutating func beginValue(
        _ byte: UInt8,
        _ bytes: Span<UInt8>,
        isFinal: Bool
    ) throws(JSONError) -> Bool {
        switch byte {
        case UInt8(ascii: "\""):
            try push(.string)
            position += 1
            phase = .text
        case UInt8(ascii: "{"):
            try openContainer(.object)
            phase = .nameOrEnd
        case UInt8(ascii: "["):
            try openContainer(.array)
            phase = .elementOrEnd
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try push(.number)
            numberState = .start
            phase = .number
        case UInt8(ascii: "t"):
            return try literal("true", .bool, .isTrue, bytes, isFinal: isFinal)
        case UInt8(ascii: "f"):
            return try literal("false", .bool, [], bytes, isFinal: isFinal)
        case UInt8(ascii: "n"):
            return try literal("null", .null, [], bytes, isFinal: isFinal)
        case 0xEF where position == 0:
            // The one byte that starts a mark starts nothing else a document may begin with.
            throw JSONError(.byteOrderMark, offset: 0)
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
            throw JSONError(.literal, offset: position)
        default:
            throw unexpected(byte)
        }
        return true
    }

    /// Checks a bare word; it is short, so it waits until it is there as a whole.
    private mutating func literal(
        _ word: StaticString,
        _ kind: JSONKind,
        _ flags: JSONTapeEntry.Flags,
        _ bytes: Span<UInt8>,
        isFinal: Bool
    ) throws(JSONError) -> Bool {
        let length = word.utf8CodeUnitCount
        for index in 1..<length {
            guard position + index < bytes.count else {
                if isFinal { throw JSONError(.literal, offset: position) }
                return false
            }
            // SAFETY: the index is below the word's length.
            guard unsafe word.utf8Start[index] == bytes[position + index] else {
                throw JSONError(.literal, offset: position)
            }
        }
        try push(kind, flags: flags)
        position += length
        finishValue(at: position)
        return true
    }

    // MARK: The tape

    /// Notes a value that starts at `position`.
    @inline(__always)
    private mutating func push(
        _ kind: JSONKind,
        flags: JSONTapeEntry.Flags = []
    ) throws(JSONError) {
        let index = entries.count
        guard index < limits.nodesMax else {
            throw JSONError(.tooManyValues(limit: limits.nodesMax), offset: position)
        }
        entries.append(
            JSONTapeEntry(
                start: UInt32(truncatingIfNeeded: position),
                end: 0,
                next: UInt32(truncatingIfNeeded: index + 1),
                kind: kind,
                flags: flags
            )
        )
    }

    @inline(__always)
    private mutating func openContainer(_ kind: JSONKind) throws(JSONError) {
        guard depth < limits.depthMax else {
            throw JSONError(.tooDeep(limit: limits.depthMax), offset: position)
        }
        try push(kind)
        let index = UInt32(truncatingIfNeeded: entries.count - 1)
        let parent = container
        entries.update(index) { $0.next = parent }
        container = index
        depth += 1
        position += 1
    }

    /// Closes the innermost container with the bracket at `position`.
    @inline(__always)
    private mutating func closeContainer() {
        position += 1
        let end = UInt32(truncatingIfNeeded: position)
        let count = UInt32(truncatingIfNeeded: entries.count)
        var parent: UInt32 = 0
        entries.update(container) { entry in
            parent = entry.next
            entry.next = count
            entry.end = end
        }
        container = parent
        depth -= 1
        expectAfterValue()
    }

    /// Ends the value noted last, which is no container.
    @inline(__always)
    mutating func finishValue(at end: Int, flags: JSONTapeEntry.Flags = []) {
        finishEntry(at: end, flags: flags)
        expectAfterValue()
    }

    @inline(__always)
    mutating func finishEntry(at end: Int, flags: JSONTapeEntry.Flags) {
        entries.update(UInt32(truncatingIfNeeded: entries.count - 1)) { entry in
            entry.end = UInt32(truncatingIfNeeded: end)
            entry.flags.formUnion(flags)
        }
    }

    @inline(__always)
    private mutating func expectAfterValue() {
        if depth == 0 {
            phase = .end
        } else if entries[container].kind == .object {
            phase = .memberEnd
        } else {
            phase = .elementEnd
        }
    }

    // MARK: Errors

    /// The bytes ran out: nothing wrong as long as more may come.
    func stop(
        _ bytes: Span<UInt8>,
        isFinal: Bool,
        wanted: JSONError.Wanted
    ) throws(JSONError) {
        if isFinal {
            throw JSONError(.unexpectedEnd(wanted: wanted), offset: bytes.count)
        }
    }

    func unexpected(_ byte: UInt8) -> JSONError {
        JSONError(.unexpected(byte, wanted: phase.wanted), offset: position)
    }
}

extension JSONScanner.Phase {
    /// What may stand where this phase begins.
    fileprivate var wanted: JSONError.Wanted {
        switch self {
        case .value: .value
        case .elementOrEnd: .elementOrEnd
        case .element: .element
        case .nameOrEnd: .nameOrEnd
        case .name: .name
        case .colon: .colon
        case .memberEnd: .commaOrEndOfObject
        case .elementEnd: .commaOrEndOfArray
        case .end: .endOfDocument
        case .nameText, .text: .endOfString
        case .number: .digit
        }
    }
}
