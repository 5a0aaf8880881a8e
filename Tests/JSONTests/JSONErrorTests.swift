// SPDX-License-Identifier: Apache-2.0
import JSON
import Testing

@Suite("JSON errors")
struct JSONErrorTests {
    @Test(
        "line and column count as people do",
        arguments: [
            ("x", 1, 1), ("[\n  x", 2, 3), ("\n\n\nx", 4, 1), ("[\r\n x", 2, 2), ("\t x", 1, 3),
            ("[\"é日😀\" x", 1, 8), ("{\"ö\":\n\t\"😀\":", 2, 5), ("", 1, 1), ("[\n\n", 3, 1),
            ("[1,\n2,\n\"é\u{1}\"]", 3, 3),
        ]
    )
    func position(text: String, line: Int, column: Int) throws {
        let bytes = Array(text.utf8)
        let error = try #require(JSONOutcome(bytes).error)
        #expect(error.position(in: bytes.span) == JSONPosition(line: line, column: column))
    }

    @Test(
        "messages say what was wanted and what was there",
        arguments: [
            (#"{"a":1]"#, "expected ',' or '}' after a member, found ']'"),
            ("[1 2]", "expected ',' or ']' after an element, found '2'"),
            ("[1,]", "expected a value after ',', found ']'"),
            (#"{"a":1,}"#, "expected a member name in double quotes after ',', found '}'"),
            ("{a:1}", "expected a member name in double quotes or '}', found 'a'"),
            (#"{"a" 1}"#, "expected ':' after a member name, found '1'"),
            ("[\u{1}]", "expected a value or ']', found byte 0x01"),
            ("[é]", "expected a value or ']', found byte 0xC3"),
            ("[1e ]", "expected a digit in a number, found a space"),
            ("[1,", "expected a value after ',', found the end of the document"),
            ("{} {}", "expected nothing more after the document, found '{'"),
            ("\"abc", "expected '\"' at the end of a string, found the end of the document"),
            (
                "\"a\nb\"",
                "a control character in a string must be escaped, found the end of the line"
            ),
            ("\"a\tb\"", "a control character in a string must be escaped, found a tab"),
            ("[nil]", "expected a value; true, false and null are the only bare words"),
            ("[012]", "a number must not have leading zeros"),
            (#""\u12""#, #"\u must be followed by four hexadecimal digits"#),
            (#""\e""#, #"unknown escape; allowed are \" \\ \/ \b \f \n \r \t and \uXXXX"#),
            (String(repeating: "[", count: 600), "nested deeper than 512 levels"),
        ]
    )
    func message(text: String, message: String) {
        #expect(JSONOutcome(text).error?.message == message)
    }

    @Test(
        "the path leads to the place of an error",
        arguments: [
            (#"{"messages":[{"a":1},{"content":[{"x":tru}]}]}"#, "messages[1].content[0]"),
            (#"{"messages":[{"a":1},{"content":[{"x":01}]}]}"#, "messages[1].content[0].x"),
            (#"{"a":{"b":["c\q"]}}"#, "a.b[0]"), (#"{"a":{"b":"#, "a"), ("[1,2,x]", ""),
            ("", ""), (#"{"a":[1,2}"#, "a[1]"), (#"{"a":"never ends"#, "a"),
        ]
    )
    func path(text: String, path: String) throws {
        var scanner = JSONScanner()
        let bytes = Array(text.utf8)
        do throws(JSONError) {
            _ = try scanner.scan(bytes.span, isFinal: true)
            Issue.record("accepted")
        } catch {
            #expect(scanner.tape.path(at: error.offset, in: bytes.span) == path)
        }
    }
}
