// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Testing

@Suite("JSON splice")
struct JSONSpliceTests {
    private func result(of splice: JSONSplice, _ original: [UInt8]) -> String {
        let buffer = ByteBuffer()
        splice.append(original: original.span, to: buffer)
        #expect(buffer.count == splice.count(original: original.count))
        var segments: [JSONSplice.Segment] = []
        splice.appendSegments(original: original.count, to: &segments)
        var joined: [UInt8] = []
        for segment in segments {
            switch segment {
            case .original(let range): joined += original[range]
            case .replacement(let range): joined += splice.replacements.array[range]
            }
        }
        #expect(joined == buffer.array)
        return buffer.text
    }

    @Test("exchanges ranges and inserts, in whatever order they come")
    func edits() {
        let original = Array("0123456789".utf8)
        var splice = JSONSplice()
        #expect(splice.isEmpty)
        #expect(result(of: splice, original) == "0123456789")
        splice.replace(7..<9, with: Array("xyz".utf8).span)
        splice.insert(at: 0, Array("<".utf8).span)
        let nothing: [UInt8] = []
        splice.replace(2..<3, with: nothing.span)
        splice.insert(at: 7, Array("(".utf8).span)
        splice.insert(at: 7, Array(")".utf8).span)
        splice.insert(at: 10, Array(">".utf8).span)
        splice.insert(at: 9, Array("|".utf8).span)
        #expect(result(of: splice, original) == "<013456()xyz|9>")
        splice.reset()
        #expect(result(of: splice, original) == "0123456789")
    }

    @Test("two edits of the same bytes are a programming error")
    func overlap() async {
        await #expect(processExitsWith: .failure) {
            var splice = JSONSplice()
            let nothing: [UInt8] = []
            splice.replace(2..<5, with: nothing.span)
            splice.replace(4..<6, with: nothing.span)
        }
    }

    @Test(
        "sets a member and leaves every other byte alone",
        arguments: [
            (#"{"model":"a","x":1}"#, #"{"model":"new","x":1}"#),
            ("{ \"x\" : 1 ,\n\t\"model\" :\t\"a\\n\" }", "{ \"x\" : 1 ,\n\t\"model\" :\t\"new\" }"),
            (#"{"m\u006fdel":1}"#, #"{"m\u006fdel":"new"}"#),
            (#"{"model":{"deep":[1,{"model":2}]},"y":"é"}"#, #"{"model":"new","y":"é"}"#),
            (#"{"x":{"model":1}}"#, #"{"x":{"model":1},"model":"new"}"#),
            ("{}", #"{"model":"new"}"#), ("{ }", #"{"model":"new" }"#),
            ("{\n  \"x\": 1.50\n}\n", "{\n  \"x\": 1.50,\"model\":\"new\"\n}\n"),
            (#"{"model":1,"x":2,"model":3}"#, #"{"model":"new","x":2,"model":"new"}"#),
        ]
    )
    func setMember(text: String, expected: String) throws {
        let sample = try JSONSample(text)
        var splice = JSONSplice()
        splice.setMember(
            "model",
            of: sample.root,
            to: Array(#""new""#.utf8).span,
            tape: sample.tape,
            bytes: sample.bytes.span
        )
        let edited = result(of: splice, sample.bytes)
        #expect(edited == expected)
        #expect(JSONOutcome(edited).isAccepted)
    }

    @Test(
        "sets several members of one object",
        arguments: [
            ("{}", #"{"a":1,"b":2}"#), (#"{"x":0}"#, #"{"x":0,"a":1,"b":2}"#),
            (#"{"b":0}"#, #"{"b":2,"a":1}"#), (#"{"a":0,"x":[]}"#, #"{"a":1,"x":[],"b":2}"#),
        ]
    )
    func setMembers(text: String, expected: String) throws {
        let sample = try JSONSample(text)
        var splice = JSONSplice()
        let (tape, root) = (sample.tape, sample.root)
        splice.setMember("a", of: root, to: [0x31].span, tape: tape, bytes: sample.bytes.span)
        splice.setMember("b", of: root, to: [0x32].span, tape: tape, bytes: sample.bytes.span)
        #expect(result(of: splice, sample.bytes) == expected)
    }

    @Test("sets a member of an inner object beside one of the outer")
    func nested() throws {
        let sample = try JSONSample(#"{"stream_options":{"x":1}}"#)
        var splice = JSONSplice()
        let inner = try #require(sample.node("stream_options"))
        let (tape, root) = (sample.tape, sample.root)
        splice.setMember("model", of: root, to: [0x31].span, tape: tape, bytes: sample.bytes.span)
        splice.setMember("usage", of: inner, to: [0x32].span, tape: tape, bytes: sample.bytes.span)
        let edited = result(of: splice, sample.bytes)
        #expect(edited == #"{"stream_options":{"x":1,"usage":2},"model":1}"#)
    }

    @Test("tells that there was nothing to replace")
    func replaceNothing() throws {
        let sample = try JSONSample(#"{"a":1}"#)
        var splice = JSONSplice()
        let replaced = splice.replaceMember(
            "b",
            of: sample.root,
            with: [0x31].span,
            tape: sample.tape,
            bytes: sample.bytes.span
        )
        #expect(!replaced && splice.isEmpty)
    }
}
