// SPDX-License-Identifier: Apache-2.0

/// Byte classes of the HTTP grammar.
enum ASCII {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let comma: UInt8 = 0x2C

    /// Whether `byte` is in a set of ASCII bytes that is given as two masks of one bit each.
    ///
    /// The masks are written out where they are used: a static set would be behind a check for its
    /// lazy initialisation. Tests compare them with the grammar.
    @inline(__always)
    private static func isIn(_ byte: UInt8, low: UInt64, high: UInt64) -> Bool {
        let bits = byte < 64 ? low : byte < 128 ? high : 0
        return (bits >> UInt64(byte & 63)) & 1 == 1
    }

    /// Whether `byte` may be part of a token.
    ///
    ///     tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." /
    ///             "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
    ///
    /// Spec: RFC 9110 section 5.6.2.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        isIn(byte, low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    }

    /// Whether `byte` may be part of a Host value.
    ///
    ///     uri-host [ ":" port ], reg-name = *( unreserved / pct-encoded / sub-delims )
    ///
    /// Stricter than the RFC: no comma, so that two merged Host lines cannot look like one.
    /// Spec: RFC 9110 section 7.2, RFC 3986 section 3.2.2.
    @inline(__always)
    static func isHost(_ byte: UInt8) -> Bool {
        isIn(byte, low: 0x2FFF_6FF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE)
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool {
        byte == space || byte == tab
    }

    /// Whether `byte` is a control byte other than the tab.
    @inline(__always)
    static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != tab) || byte == 0x7F
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10
    }

    /// Whether `byte` is visible: neither a control byte, nor a space, nor beyond ASCII.
    @inline(__always)
    static func isVisible(_ byte: UInt8) -> Bool {
        byte &- 0x21 < 0x5E
    }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always)
    static func hexadecimal(_ byte: UInt8) -> UInt8? {
        if byte &- 0x30 < 10 { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter + 10 : nil
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }
}
