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

    /// A set of ASCII bytes, one bit each, so that a test is a shift and no memory access.
    struct Set {
        private let low: UInt64
        private let high: UInt64

        init(letters: Bool = true, digits: Bool = true, and others: StaticString) {
            var low: UInt64 = digits ? 0x03FF_0000_0000_0000 : 0
            var high: UInt64 = letters ? 0x07FF_FFFE_07FF_FFFE : 0
            for index in 0..<others.utf8CodeUnitCount {
                let byte = others.byte(index)
                if byte < 64 {
                    low |= 1 << UInt64(byte)
                } else {
                    high |= 1 << UInt64(byte & 63)
                }
            }
            self.low = low
            self.high = high
        }

        init(low: UInt64, high: UInt64) {
            self.low = low
            self.high = high
        }

        @inline(__always)
        func contains(_ byte: UInt8) -> Bool {
            let bits = byte < 64 ? low : byte < 128 ? high : 0
            return (bits >> UInt64(byte & 63)) & 1 == 1
        }
    }

    /// Whether `byte` may be part of a token.
    ///
    ///     tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." /
    ///             "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
    ///
    /// Spec: RFC 9110 section 5.6.2.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        // The masks are written out: a static set would be behind a lazy-initialisation check.
        Set(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE).contains(byte)
    }

    /// Whether `byte` may be part of a Host value.
    ///
    ///     uri-host [ ":" port ], reg-name = *( unreserved / pct-encoded / sub-delims )
    ///
    /// Stricter than the RFC: no comma, so that two merged Host lines cannot look like one.
    /// Spec: RFC 9110 section 7.2, RFC 3986 section 3.2.2.
    static func isHost(_ byte: UInt8) -> Bool {
        Set(and: "-._~%!$&'()*+;=:[]").contains(byte)
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
