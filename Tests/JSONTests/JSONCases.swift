// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

/// A document and whether it is one, with a name for reports.
struct JSONCase: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]

    init(_ name: String, _ text: String) {
        self.name = name
        bytes = Array(text.utf8)
    }

    init(_ name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// A string whose content is `content`.
    init(_ name: String, inString content: [UInt8]) {
        self.init(name, bytes: [0x22] + content + [0x22])
    }

    var testDescription: String { name }
}

/// A document that is refused, and what for.
struct JSONRejectCase: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let kind: JSONError.Kind
    let offset: Int

    init(_ name: String, _ text: String, _ kind: JSONError.Kind, at offset: Int) {
        self.init(name, bytes: Array(text.utf8), kind, at: offset)
    }

    init(_ name: String, bytes: [UInt8], _ kind: JSONError.Kind, at offset: Int) {
        self.name = name
        self.bytes = bytes
        self.kind = kind
        self.offset = offset
    }

    init(_ name: String, inString content: [UInt8], _ kind: JSONError.Kind, at offset: Int = 1) {
        self.init(name, bytes: [0x22] + content + [0x22], kind, at: offset)
    }

    var testDescription: String { name }
}

enum JSONCases {
    static let accepted: [JSONCase] = [
        // Structure.
        JSONCase("empty object", "{}"),
        JSONCase("empty array", "[]"),
        JSONCase("space in an empty object", "{ }"),
        JSONCase("space in an empty array", "[\t\n\r ]"),
        JSONCase("space everywhere", " \t\r\n[ 1 , { \"a\" : [ ] } ] \n"),
        JSONCase("one member", #"{"a":1}"#),
        JSONCase("two members", #"{"a":1,"b":2}"#),
        JSONCase("empty name", #"{"":0}"#),
        JSONCase("duplicate names", #"{"a":1,"a":2}"#),
        JSONCase("escaped name", #"{"\u0061b":0}"#),
        JSONCase("name with a NUL escape", #"{"\u0000":0}"#),
        JSONCase("nested arrays", "[[[[]]],[]]"),
        JSONCase("nested objects", #"{"a":{"b":{"c":{}}}}"#),
        JSONCase("mixed nesting", #"[{"a":[{"b":[]}]}]"#),
        JSONCase("array of all kinds", #"[1,"a",true,false,null,{},[]]"#),
        JSONCase("bare string", #""a""#),
        JSONCase("bare empty string", #""""#),
        JSONCase("bare number", "7"),
        JSONCase("bare true", "true"),
        JSONCase("bare false", "false"),
        JSONCase("bare null", "null"),
        JSONCase("space behind a bare number", "7 \n"),
        JSONCase("null at the end of an array", "[1,null]"),
        JSONCase(
            "deepest nesting",
            String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
        ),
        JSONCase(
            "object in deep array",
            String(repeating: "[", count: 511) + "{}"
                + String(repeating: "]", count: 511)
        ),
        // Numbers.
        JSONCase("zero", "[0]"),
        JSONCase("minus zero", "[-0]"),
        JSONCase("integer", "[123]"),
        JSONCase("negative integer", "[-123]"),
        JSONCase("fraction", "[1.5]"),
        JSONCase("zero fraction", "[0.0]"),
        JSONCase("fraction with trailing zeros", "[-0.500]"),
        JSONCase("exponent", "[1e5]"),
        JSONCase("capital exponent", "[1E5]"),
        JSONCase("exponent with plus", "[1e+5]"),
        JSONCase("exponent with minus", "[1e-5]"),
        JSONCase("exponent with leading zeros", "[1e005]"),
        JSONCase("zero with exponent", "[0e1]"),
        JSONCase("zero with capital exponent", "[0E+1]"),
        JSONCase("fraction and exponent", "[-1.25e-10]"),
        JSONCase("integer of many digits", "[123456789012345678901234567890]"),
        JSONCase("fraction of many digits", "[0.000000000000000000000000000000000000000001]"),
        JSONCase("huge exponent", "[1e400]"),
        JSONCase("tiny exponent", "[-1e-400]"),
        JSONCase("number before a bracket", "[-1]"),
        JSONCase("number before a brace", #"{"a":1.0}"#),
        JSONCase("number before space", "[1 ]"),
        JSONCase("largest Int", "[9223372036854775807]"),
        // Escapes.
        JSONCase("every short escape", #""\"\\\/\b\f\n\r\t""#),
        JSONCase("unicode escape", #""\u0041""#),
        JSONCase("hexadecimal digits in both cases", #""\uabCD""#),
        JSONCase("NUL escape", #""\u0000""#),
        JSONCase("escaped control character", #""\u001f""#),
        JSONCase("escaped quote by number", #""\u0022""#),
        JSONCase("escaped backslash by number", #""\u005c""#),
        JSONCase("escaped backslash before u", #""\\u0041""#),
        JSONCase("escaped backslash before the end", #""a\\""#),
        JSONCase("escape between words", #""one\ttwo\tthree four five six""#),
        JSONCase("surrogate pair", #""\ud83d\ude00""#),
        JSONCase("lone high surrogate", #""\ud800""#),
        JSONCase("lone low surrogate", #""\udfff""#),
        JSONCase("surrogates in the wrong order", #""\ude00\ud83d""#),
        JSONCase("high surrogate before text", #""\ud800abc""#),
        JSONCase("high surrogate before another escape", #""\ud800\n""#),
        JSONCase("two high surrogates", #""\ud800\ud800\udc00""#),
        JSONCase("noncharacter escape", #""\uffff""#),
        // Text.
        JSONCase("solidus unescaped", #""a/b""#),
        JSONCase("delete character", inString: [0x7F]),
        JSONCase("apostrophes", #""it's""#),
        JSONCase("brackets in a string", #"["[]{},:"]"#),
        JSONCase("comment marks in a string", #"["// /* */"]"#),
        JSONCase("two bytes, smallest", inString: [0xC2, 0x80]),
        JSONCase("two bytes, largest", inString: [0xDF, 0xBF]),
        JSONCase("three bytes, smallest", inString: [0xE0, 0xA0, 0x80]),
        JSONCase("three bytes before the surrogates", inString: [0xED, 0x9F, 0xBF]),
        JSONCase("three bytes behind the surrogates", inString: [0xEE, 0x80, 0x80]),
        JSONCase("byte order mark inside a string", inString: [0xEF, 0xBB, 0xBF]),
        JSONCase("noncharacter U+FFFF", inString: [0xEF, 0xBF, 0xBF]),
        JSONCase("line separator U+2028", inString: [0xE2, 0x80, 0xA8]),
        JSONCase("four bytes, smallest", inString: [0xF0, 0x90, 0x80, 0x80]),
        JSONCase("four bytes, largest", inString: [0xF4, 0x8F, 0xBF, 0xBF]),
        JSONCase("one and four bytes", "\"a😀b\""),
        JSONCase("text of several scripts", "{\"größe\":\"日本語 и русский\"}"),
        JSONCase("two bytes over a word", "\"1234567é90123456789\""),
        JSONCase("long plain text", "\"" + String(repeating: "plain text ", count: 20) + "\""),
        JSONCase("long text that is not ASCII", "\"" + String(repeating: "日本", count: 40) + "\""),
    ]

    static let rejected: [JSONRejectCase] = structure + numbers + words + escapes + text + utf8

    private static func found(_ character: Character, _ wanted: JSONError.Wanted) -> JSONError.Kind
    {
        .unexpected(character.utf8.first { _ in true } ?? 0, wanted: wanted)
    }

    private static let structure: [JSONRejectCase] = [
        .init("nothing", "", .unexpectedEnd(wanted: .value), at: 0),
        .init("only space", "  \n", .unexpectedEnd(wanted: .value), at: 3),
        .init("open array", "[", .unexpectedEnd(wanted: .elementOrEnd), at: 1),
        .init("open object", "{", .unexpectedEnd(wanted: .nameOrEnd), at: 1),
        .init("array without end", "[1", .unexpectedEnd(wanted: .commaOrEndOfArray), at: 2),
        .init("array that ends with a comma", "[1,", .unexpectedEnd(wanted: .element), at: 3),
        .init("object without value", #"{"a""#, .unexpectedEnd(wanted: .colon), at: 4),
        .init("object that ends with a colon", #"{"a":"#, .unexpectedEnd(wanted: .value), at: 5),
        .init(
            "object without end",
            #"{"a":1"#,
            .unexpectedEnd(wanted: .commaOrEndOfObject),
            at: 6
        ),
        .init("object that ends with a comma", #"{"a":1,"#, .unexpectedEnd(wanted: .name), at: 7),
        .init("trailing comma in an array", "[1,]", found("]", .element), at: 3),
        .init("trailing comma in an object", #"{"a":1,}"#, found("}", .name), at: 7),
        .init("comma alone in an array", "[,]", found(",", .elementOrEnd), at: 1),
        .init("comma first", "[,1]", found(",", .elementOrEnd), at: 1),
        .init("two commas", "[1,,2]", found(",", .element), at: 3),
        .init("comma alone in an object", "{,}", found(",", .nameOrEnd), at: 1),
        .init("two commas in an object", #"{"a":1,,"b":2}"#, found(",", .name), at: 7),
        .init("missing comma", "[1 2]", found("2", .commaOrEndOfArray), at: 3),
        .init(
            "missing comma after a string",
            #"["a" "b"]"#,
            found("\"", .commaOrEndOfArray),
            at: 5
        ),
        .init(
            "missing comma between members",
            #"{"a":1 "b":2}"#,
            found("\"", .commaOrEndOfObject),
            at: 7
        ),
        .init("colon in an array", "[1:2]", found(":", .commaOrEndOfArray), at: 2),
        .init("missing colon", #"{"a" 1}"#, found("1", .colon), at: 5),
        .init("comma for a colon", #"{"a",1}"#, found(",", .colon), at: 4),
        .init("two colons", #"{"a"::1}"#, found(":", .value), at: 5),
        .init("missing value", #"{"a":}"#, found("}", .value), at: 5),
        .init("number as a name", "{1:1}", found("1", .nameOrEnd), at: 1),
        .init("bare name", "{a:1}", found("a", .nameOrEnd), at: 1),
        .init("null as a name", "{null:1}", found("n", .nameOrEnd), at: 1),
        .init("single quotes for a name", "{'a':1}", found("'", .nameOrEnd), at: 1),
        .init("single quotes for a string", "['a']", found("'", .elementOrEnd), at: 1),
        .init("array closed by a brace", "[1}", found("}", .commaOrEndOfArray), at: 2),
        .init("object closed by a bracket", #"{"a":1]"#, found("]", .commaOrEndOfObject), at: 6),
        .init("bracket too many", "[]]", found("]", .endOfDocument), at: 2),
        .init("brace alone", "}", found("}", .value), at: 0),
        .init("two values", "1 2", found("2", .endOfDocument), at: 2),
        .init("two objects", "{}{}", found("{", .endOfDocument), at: 2),
        .init("comma behind the document", "{},", found(",", .endOfDocument), at: 2),
        .init("comment", "[1] // one", found("/", .endOfDocument), at: 4),
        .init("block comment", "[/* */]", found("/", .elementOrEnd), at: 1),
        .init("hash comment", "#\n1", found("#", .value), at: 0),
        .init(
            "NUL behind the document",
            bytes: [0x31, 0],
            .unexpected(0, wanted: .endOfDocument),
            at: 1
        ),
        .init("form feed as space", "[\u{0C}1]", .unexpected(0x0C, wanted: .elementOrEnd), at: 1),
        .init(
            "vertical tab as space",
            "[\u{0B}1]",
            .unexpected(0x0B, wanted: .elementOrEnd),
            at: 1
        ),
        .init("no-break space", "[\u{A0}1]", .unexpected(0xC2, wanted: .elementOrEnd), at: 1),
        .init("byte order mark", bytes: [0xEF, 0xBB, 0xBF, 0x31], .byteOrderMark, at: 0),
        .init("UTF-16", bytes: [0xFE, 0xFF, 0, 0x31], .unexpected(0xFE, wanted: .value), at: 0),
        .init(
            "nesting too deep",
            String(repeating: "[", count: 513),
            .tooDeep(limit: 512),
            at: 512
        ),
        .init(
            "objects too deep",
            String(repeating: #"{"a":"#, count: 600),
            .tooDeep(limit: 512),
            at: 512 * 5
        ),
    ]

    private static let numbers: [JSONRejectCase] = [
        .init("plus sign", "[+1]", found("+", .elementOrEnd), at: 1),
        .init("leading zero", "[01]", .leadingZero, at: 2),
        .init("two zeros", "[00]", .leadingZero, at: 2),
        .init("negative leading zero", "[-01]", .leadingZero, at: 3),
        .init("minus alone", "[-]", found("]", .digit), at: 2),
        .init("minus at the end", "-", .unexpectedEnd(wanted: .digit), at: 1),
        .init("two minuses", "[--1]", found("-", .digit), at: 2),
        .init("point first", "[.5]", found(".", .elementOrEnd), at: 1),
        .init("minus and point", "[-.5]", found(".", .digit), at: 2),
        .init("point last", "[1.]", found("]", .digit), at: 3),
        .init("point at the end", "1.", .unexpectedEnd(wanted: .digit), at: 2),
        .init("two points", "[1..2]", found(".", .digit), at: 3),
        .init("second point", "[1.2.3]", found(".", .commaOrEndOfArray), at: 4),
        .init("point before exponent", "[1.e1]", found("e", .digit), at: 3),
        .init("exponent without digits", "[1e]", found("]", .digit), at: 3),
        .init("exponent at the end", "1e", .unexpectedEnd(wanted: .digit), at: 2),
        .init("exponent with a sign alone", "[1e+]", found("]", .digit), at: 4),
        .init("exponent with a sign at the end", "1E-", .unexpectedEnd(wanted: .digit), at: 3),
        .init("two signs in the exponent", "[1e+-1]", found("-", .digit), at: 4),
        .init("point in the exponent", "[1e1.5]", found(".", .commaOrEndOfArray), at: 4),
        .init("second exponent", "[1e1e1]", found("e", .commaOrEndOfArray), at: 4),
        .init("hexadecimal", "[0x10]", found("x", .commaOrEndOfArray), at: 2),
        .init("underscore", "[1_000]", found("_", .commaOrEndOfArray), at: 2),
        .init("letter behind a number", "[1a]", found("a", .commaOrEndOfArray), at: 2),
        .init("minus behind a number", "[1-]", found("-", .commaOrEndOfArray), at: 2),
        .init("full-width digit", "[\u{FF11}]", .unexpected(0xEF, wanted: .elementOrEnd), at: 1),
    ]

    private static let words: [JSONRejectCase] = [
        .init("NaN", "[NaN]", .literal, at: 1),
        .init("Infinity", "[Infinity]", .literal, at: 1),
        .init("minus Infinity", "[-Infinity]", found("I", .digit), at: 2),
        .init("capital True", "[True]", .literal, at: 1),
        .init("capitals", "[NULL]", .literal, at: 1),
        .init("short true", "[tru]", .literal, at: 1),
        .init("true cut off", "tru", .literal, at: 0),
        .init("false cut off", "[fals", .literal, at: 1),
        .init("null cut off", "n", .literal, at: 0),
        .init("nul and a space", "[nul l]", .literal, at: 1),
        .init("long true", "[truee]", found("e", .commaOrEndOfArray), at: 5),
        .init("null and a digit", "null1", found("1", .endOfDocument), at: 4),
        .init("undefined", "undefined", .literal, at: 0),
        .init("bare word", "[abc]", .literal, at: 1),
    ]

    private static let escapes: [JSONRejectCase] = [
        .init("unknown escape", #""\x""#, .escape, at: 1),
        .init("escape of an apostrophe", #""\'""#, .escape, at: 1),
        .init("escape of a digit", #""\0""#, .escape, at: 1),
        .init("capital U", #""\U0041""#, .escape, at: 1),
        .init("escape of a line end", "\"a\\\nb\"", .escape, at: 2),
        .init("escape of a NUL byte", inString: [0x5C, 0], .escape),
        .init("escape of a character beyond ASCII", "\"\\é\"", .escape, at: 1),
        .init("backslash before the end", #""\"#, .unexpectedEnd(wanted: .endOfString), at: 2),
        .init("escaped quote at the end", #""a\""#, .unexpectedEnd(wanted: .endOfString), at: 4),
        .init("unicode escape without digits", #""\u""#, .unicodeEscape, at: 1),
        .init("unicode escape of three digits", #""\u004""#, .unicodeEscape, at: 1),
        .init("unicode escape with a letter", #""\u00g1""#, .unicodeEscape, at: 1),
        .init("unicode escape with a space", #""\u 041""#, .unicodeEscape, at: 1),
        .init("unicode escape with braces", #""\u{41}""#, .unicodeEscape, at: 1),
        .init("unicode escape with a sign", #""\u+041""#, .unicodeEscape, at: 1),
        .init("unicode escape cut off", #""\u00"#, .unexpectedEnd(wanted: .endOfString), at: 5),
        .init("bad escape in a name", #"{"\q":1}"#, .escape, at: 2),
        .init("escape outside of a string", #"[\n]"#, found("\\", .elementOrEnd), at: 1),
    ]

    private static let text: [JSONRejectCase] = [
        .init("string without end", #""abc"#, .unexpectedEnd(wanted: .endOfString), at: 4),
        .init("quote alone", "\"", .unexpectedEnd(wanted: .endOfString), at: 1),
        .init("name without end", #"{"abc"#, .unexpectedEnd(wanted: .endOfString), at: 5),
        .init("line end in a string", "\"a\nb\"", .controlCharacter(0x0A), at: 2),
        .init("tab in a string", "\"a\tb\"", .controlCharacter(0x09), at: 2),
        .init("carriage return in a string", inString: [0x0D], .controlCharacter(0x0D)),
        .init("NUL in a string", inString: [0x00], .controlCharacter(0x00)),
        .init("unit separator in a string", inString: [0x1F], .controlCharacter(0x1F)),
        .init("tab in a name", "{\"a\tb\":1}", .controlCharacter(0x09), at: 3),
        .init(
            "control character behind a long run",
            "\"" + String(repeating: "x", count: 77) + "\u{1}\"",
            .controlCharacter(0x01),
            at: 78
        ),
    ]

    private static let utf8: [JSONRejectCase] = [
        .init("stray continuation byte", inString: [0x80], .utf8),
        .init("last continuation byte", inString: [0xBF], .utf8),
        .init("overlong slash of two bytes", inString: [0xC0, 0xAF], .utf8),
        .init("overlong ASCII", inString: [0xC1, 0xBF], .utf8),
        .init("overlong of three bytes", inString: [0xE0, 0x80, 0xAF], .utf8),
        .init("overlong of three bytes, largest", inString: [0xE0, 0x9F, 0xBF], .utf8),
        .init("overlong of four bytes", inString: [0xF0, 0x80, 0x80, 0xAF], .utf8),
        .init("overlong of four bytes, largest", inString: [0xF0, 0x8F, 0xBF, 0xBF], .utf8),
        .init("surrogate, first", inString: [0xED, 0xA0, 0x80], .utf8),
        .init("surrogate, last", inString: [0xED, 0xBF, 0xBF], .utf8),
        .init("surrogate pair in UTF-8", inString: [0xED, 0xA0, 0x81, 0xED, 0xB0, 0x80], .utf8),
        .init("beyond U+10FFFF", inString: [0xF4, 0x90, 0x80, 0x80], .utf8),
        .init("lead byte F5", inString: [0xF5, 0x80, 0x80, 0x80], .utf8),
        .init("lead byte FF", inString: [0xFF], .utf8),
        .init("lead byte FE", inString: [0xFE], .utf8),
        .init("two bytes, one missing", inString: [0xC3], .utf8),
        .init("three bytes, one missing", inString: [0xE2, 0x82], .utf8),
        .init("four bytes, one missing", inString: [0xF0, 0x9F, 0x98], .utf8),
        .init("sequence before plain text", inString: [0xE2, 0x82, 0x41], .utf8),
        .init("bad byte behind a good character", inString: [0xC3, 0xA9, 0xA9], .utf8, at: 3),
        .init("Latin-1", inString: [0x63, 0x61, 0x66, 0xE9], .utf8, at: 4),
        .init("bad byte in a name", bytes: [0x7B, 0x22, 0xFF, 0x22], .utf8, at: 2),
        .init(
            "sequence cut off by the end",
            bytes: [0x22, 0xE2, 0x82],
            .unexpectedEnd(wanted: .endOfString),
            at: 3
        ),
        .init(
            "bad byte outside of a string",
            bytes: [0x5B, 0xFF],
            .unexpected(0xFF, wanted: .elementOrEnd),
            at: 1
        ),
        .init(
            "bad byte behind a long run",
            bytes: [0x22] + [UInt8](repeating: 0x61, count: 61) + [0xC0, 0x22],
            .utf8,
            at: 62
        ),
    ]
}
