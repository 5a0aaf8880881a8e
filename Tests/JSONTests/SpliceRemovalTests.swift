// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Testing

struct SpliceRemovalTests {
    struct Row {
        let text: String
        let result: String

        init(_ text: String, _ result: String) {
            self.text = text
            self.result = result
        }
    }

    /// Everything that begins with `x` goes.
    @Test(arguments: [
        Row(#"{"a":1}"#, #"{"a":1}"#),
        Row(#"{"x":1}"#, "{}"),
        Row(#"{ "x1" : 1 , "x2":{"a":[1]} }"#, "{  }"),
        Row(#"{"x":1,"a":2}"#, #"{"a":2}"#),
        Row(#"{"a":2 , "x":1}"#, #"{"a":2}"#),
        Row(#"{"a":1,"x":"}","b":2}"#, #"{"a":1,"b":2}"#),
        Row(#"{"x1":1,"x2":2,"a":3,"x3":4,"b":5,"x4":6,"x5":7}"#, #"{"a":3,"b":5}"#),
        Row(#"{"a":{"x":1},"x":[],"b":[{"x":1}]}"#, #"{"a":{"x":1},"b":[{"x":1}]}"#),
    ])
    func members(_ row: Row) throws {
        let bytes = Array(row.text.utf8)
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span, isFinal: true)
        let tape = scanner.tape
        var splice = JSONSplice()
        let span = bytes.span
        splice.removeMembers(of: tape.root, tape: tape, bytes: span) { name, _ in
            bytes[tape.contentRange(of: name).lowerBound] == UInt8(ascii: "x")
        }
        #expect(Self.result(splice, bytes) == row.result)
    }

    @Test(arguments: [
        Row("[0,1,0,0,2,0]", "[1,2]"),
        Row("[0]", "[]"),
        Row("[0, 0]", "[]"),
        Row("[1 ,0]", "[1]"),
    ])
    func elements(_ row: Row) throws {
        let bytes = Array(row.text.utf8)
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span, isFinal: true)
        let tape = scanner.tape
        var splice = JSONSplice()
        splice.removeElements(of: tape.root, tape: tape) {
            bytes[tape.valueRange(of: $0).lowerBound] == UInt8(ascii: "0")
        }
        #expect(Self.result(splice, bytes) == row.result)
    }

    @Test func removalAndAddition() throws {
        let bytes = Array(#"{"a":1,"x":2}"#.utf8)
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span, isFinal: true)
        let tape = scanner.tape
        var splice = JSONSplice()
        let span = bytes.span
        let three = "3"
        splice.removeMembers(of: tape.root, tape: tape, bytes: span) { name, _ in
            bytes[tape.contentRange(of: name).lowerBound] == UInt8(ascii: "x")
        }
        splice.setMember("b", of: tape.root, to: three.utf8.span, tape: tape, bytes: span)
        #expect(Self.result(splice, bytes) == #"{"a":1,"b":3}"#)
    }

    private static func result(_ splice: JSONSplice, _ bytes: [UInt8]) -> String {
        let out = ByteBuffer()
        splice.append(original: bytes.span, to: out)
        return out.text
    }
}
