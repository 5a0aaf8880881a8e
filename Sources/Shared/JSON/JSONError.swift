// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not a JSON document, and where.
package struct JSONError: Error, Equatable, Sendable {
    /// What the grammar allows at a place.
    package enum Wanted: Equatable, Sendable {
        case value
        /// Behind `[`.
        case elementOrEnd
        /// Behind a comma in an array.
        case element
        /// Behind `{`.
        case nameOrEnd
        /// Behind a comma in an object.
        case name
        case colon
        case commaOrEndOfObject
        case commaOrEndOfArray
        case endOfDocument
        case endOfString
        case endOfComment
        case digit
    }

    package enum Kind: Equatable, Sendable {
        case unexpected(UInt8, wanted: Wanted)
        case unexpectedEnd(wanted: Wanted)
        /// `tru`, `nil`, `True` and the like.
        case literal
        /// A digit behind a leading zero.
        case leadingZero
        /// A backslash before a byte that names no escape.
        case escape
        /// `\u` without four hexadecimal digits.
        case unicodeEscape
        /// A byte below 0x20 inside a string.
        case controlCharacter(UInt8)
        /// Overlong forms, surrogates, values beyond U+10FFFF and stray bytes.
        case utf8
        case byteOrderMark
        case tooDeep(limit: Int)
        case tooLarge(limit: Int)
        case tooManyValues(limit: Int)
    }

    package let kind: Kind
    /// Offset of the byte that is wrong; the number of bytes when the document ends too early.
    package let offset: Int

    package init(_ kind: Kind, offset: Int) {
        self.kind = kind
        self.offset = offset
    }

    /// Line and column of the error in the scanned bytes.
    package func position(in bytes: Span<UInt8>) -> JSONPosition {
        JSONPosition(of: offset, in: bytes)
    }

    /// One line for users, without the place.
    package var message: String {
        switch kind {
        case .unexpected(let byte, let wanted):
            "expected \(wanted.text), found \(Self.describe(byte))"
        case .unexpectedEnd(let wanted): "expected \(wanted.text), found the end of the document"
        case .literal: "expected a value; true, false and null are the only bare words"
        case .leadingZero: "a number must not have leading zeros"
        case .escape: #"unknown escape; allowed are \" \\ \/ \b \f \n \r \t and \uXXXX"#
        case .unicodeEscape: #"\u must be followed by four hexadecimal digits"#
        case .controlCharacter(let byte):
            "a control character in a string must be escaped, found \(Self.describe(byte))"
        case .utf8: "the bytes are not valid UTF-8"
        case .byteOrderMark: "the document must not start with a byte order mark"
        case .tooDeep(let limit): "nested deeper than \(limit) levels"
        case .tooLarge(let limit): "larger than \(limit) bytes"
        case .tooManyValues(let limit): "more than \(limit) values"
        }
    }

    private static func describe(_ byte: UInt8) -> String {
        switch byte {
        case 0x21...0x7E: return "'\(Character(Unicode.Scalar(byte)))'"
        case 0x20: return "a space"
        case 0x0A, 0x0D: return "the end of the line"
        case 0x09: return "a tab"
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            return "byte 0x" + (digits.utf8.count == 1 ? "0" : "") + digits
        }
    }
}

extension JSONError.Wanted {
    fileprivate var text: String {
        switch self {
        case .value: "a value"
        case .elementOrEnd: "a value or ']'"
        case .element: "a value after ','"
        case .nameOrEnd: "a member name in double quotes or '}'"
        case .name: "a member name in double quotes after ','"
        case .colon: "':' after a member name"
        case .commaOrEndOfObject: "',' or '}' after a member"
        case .commaOrEndOfArray: "',' or ']' after an element"
        case .endOfDocument: "nothing more after the document"
        case .endOfString: "'\"' at the end of a string"
        case .endOfComment: "'*/' at the end of a comment"
        case .digit: "a digit in a number"
        }
    }
}

/// A place in a document as people count it.
package struct JSONPosition: Equatable, Sendable {
    /// Counted from 1; a line ends with LF.
    package let line: Int
    /// Counted from 1 in characters (Unicode scalars), as editors show it.
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// Counts up to `offset`; takes time linear in it.
    package init(of offset: Int, in bytes: Span<UInt8>) {
        var line = 1
        var column = 1
        for index in 0..<min(offset, bytes.count) {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                // Continuation bytes of UTF-8 belong to the character before.
                column += 1
            }
        }
        self.line = line
        self.column = column
    }
}
