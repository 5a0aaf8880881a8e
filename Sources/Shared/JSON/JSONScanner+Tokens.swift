// SPDX-License-Identifier: Apache-2.0

extension JSONScanner {
    // MARK: Strings

    /// Goes on inside a string; false when the bytes end before its closing quote.
    @inline(__always)
    mutating func continueString(_ bytes: Span<UInt8>) throws(JSONError) -> Bool {
        var at = position
        var flags: JSONTapeEntry.Flags = []
        while true {
            at = PlainRun.end(from: at, in: bytes)
            guard at < bytes.count else { break }
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                position = at + 1
                if phase == .nameText {
                    finishEntry(at: position, flags: flags)
                    phase = .colon
                } else {
                    finishValue(at: position, flags: flags)
                }
                return true
            }
            if byte == UInt8(ascii: "\\") {
                flags = .escapes
                guard let length = try Self.escapeLength(at: at, in: bytes) else { break }
                at += length
            } else if byte < 0x20 {
                position = at
                throw JSONError(.controlCharacter(byte), offset: at)
            } else {
                guard try Self.skipMultibyte(&at, in: bytes) else { break }
            }
        }
        position = at
        finishEntry(at: 0, flags: flags)
        return false
    }

    /// Moves `at` behind a run of characters beyond ASCII; false when the bytes end inside one.
    @inline(__always)
    private static func skipMultibyte(
        _ at: inout Int,
        in bytes: Span<UInt8>
    ) throws(JSONError) -> Bool {
        repeat {
            // Most text beyond ASCII has two or three bytes per character.
            let common = UTF8Sequence.commonLength(at: at, in: bytes)
            if common > 0 {
                at += common
                continue
            }
            switch UTF8Sequence(at: at, in: bytes) {
            case .valid(let count): at += count
            case .incomplete: return false
            case .invalid: throw JSONError(.utf8, offset: at)
            }
        } while at < bytes.count && bytes[at] >= 0x80
        return true
    }

    /// Length of the escape whose backslash is at `start`; nil when the bytes end inside it.
    private static func escapeLength(
        at start: Int,
        in bytes: Span<UInt8>
    ) throws(JSONError) -> Int? {
        guard start + 1 < bytes.count else { return nil }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            for index in start + 2..<start + 6 {
                guard index < bytes.count else { return nil }
                guard hexadecimalValue(bytes[index]) != nil else {
                    throw JSONError(.unicodeEscape, offset: start)
                }
            }
            return 6
        default:
            throw JSONError(.escape, offset: start)
        }
    }

    // MARK: Numbers

    /// How far a number has come. `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    enum NumberState: UInt8 {
        case start
        case minus
        case zero
        case integer
        case point
        case fraction
        case exponent
        case exponentSign
        case exponentDigits
    }

    /// Goes on inside a number; false when more bytes may belong to it.
    mutating func continueNumber(
        _ bytes: Span<UInt8>,
        isFinal: Bool
    ) throws(JSONError) -> Bool {
        var at = position
        while at < bytes.count {
            let byte = bytes[at]
            let isDigit = byte &- UInt8(ascii: "0") <= 9
            switch numberState {
            case .start where byte == UInt8(ascii: "-"):
                numberState = .minus
            case .start, .minus:
                guard isDigit else { throw digitMissing(byte, at) }
                numberState = byte == UInt8(ascii: "0") ? .zero : .integer
            case .zero, .integer, .fraction:
                if isDigit {
                    if numberState == .zero { throw JSONError(.leadingZero, offset: at) }
                    at = Self.digitsEnd(from: at, in: bytes)
                    continue
                }
                if byte == UInt8(ascii: "."), numberState != .fraction {
                    numberState = .point
                } else if byte | 0x20 == UInt8(ascii: "e") {
                    numberState = .exponent
                } else {
                    finishNumber(at: at)
                    return true
                }
            case .point:
                guard isDigit else { throw digitMissing(byte, at) }
                numberState = .fraction
            case .exponent where byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-"):
                numberState = .exponentSign
            case .exponent, .exponentSign:
                guard isDigit else { throw digitMissing(byte, at) }
                numberState = .exponentDigits
            case .exponentDigits:
                guard isDigit else {
                    finishNumber(at: at)
                    return true
                }
            }
            at += 1
        }
        position = at
        guard isFinal else { return false }
        switch numberState {
        case .zero, .integer, .fraction, .exponentDigits:
            finishNumber(at: at)
            return true
        case .start, .minus, .point, .exponent, .exponentSign:
            throw JSONError(.unexpectedEnd(wanted: .digit), offset: at)
        }
    }

    private static func digitsEnd(from start: Int, in bytes: Span<UInt8>) -> Int {
        var at = start
        while at < bytes.count, bytes[at] &- UInt8(ascii: "0") <= 9 {
            at += 1
        }
        return at
    }

    private mutating func finishNumber(at end: Int) {
        position = end
        let isWhole = numberState == .zero || numberState == .integer
        finishValue(at: end, flags: isWhole ? [] : .fractional)
    }

    private func digitMissing(_ byte: UInt8, _ at: Int) -> JSONError {
        JSONError(.unexpected(byte, wanted: .digit), offset: at)
    }

    // MARK: White space

    /// Moves to the next byte that means something; false when the bytes end first.
    @inline(__always)
    mutating func skipSpace(_ bytes: Span<UInt8>, isFinal: Bool) throws(JSONError) -> Bool {
        while true {
            var at = position
            while at < bytes.count {
                let byte = bytes[at]
                guard
                    byte <= 0x20,
                    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
                else { break }
                at += 1
            }
            position = at
            guard at < bytes.count else { return false }
            guard bytes[at] == UInt8(ascii: "/"), options.contains(.comments) else { return true }
            guard try skipComment(bytes, isFinal: isFinal) else { return false }
        }
    }

    /// Moves behind the comment at `position`; false when the bytes end inside it.
    ///
    /// It then starts over from the slashes: configuration files come whole.
    private mutating func skipComment(
        _ bytes: Span<UInt8>,
        isFinal: Bool
    ) throws(JSONError) -> Bool {
        var at = position + 1
        guard at < bytes.count else {
            if isFinal { throw unexpected(UInt8(ascii: "/")) }
            return false
        }
        switch bytes[at] {
        case UInt8(ascii: "/"):
            while at < bytes.count, bytes[at] != UInt8(ascii: "\n") {
                at += 1
            }
            guard at < bytes.count || isFinal else { return false }
            position = at
            return true
        case UInt8(ascii: "*"):
            at += 1
            while at + 1 < bytes.count {
                if bytes[at] == UInt8(ascii: "*"), bytes[at + 1] == UInt8(ascii: "/") {
                    position = at + 2
                    return true
                }
                at += 1
            }
            try stop(bytes, isFinal: isFinal, wanted: .endOfComment)
            return false
        default:
            throw unexpected(UInt8(ascii: "/"))
        }
    }
}

/// The value of a hexadecimal digit, nil for any other byte.
@inline(__always)
func hexadecimalValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
}
