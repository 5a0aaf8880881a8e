// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON
import Support
import Testing

@Suite("JSON scanner")
struct JSONScannerTests {
    @Test("accepts a document, however it is cut", arguments: JSONCases.accepted)
    func accepts(sample: JSONCase) {
        #expect(JSONOutcome(sample.bytes).error == nil)
        #expect(ReferenceValidator.accepts(sample.bytes))
        #expect(agreesAtEverySplit(sample.bytes) { JSONOutcome(of: $0) })
    }

    @Test("refuses what is no document, however it is cut", arguments: JSONCases.rejected)
    func refuses(sample: JSONRejectCase) {
        #expect(JSONOutcome(sample.bytes).error == JSONError(sample.kind, offset: sample.offset))
        #expect(!ReferenceValidator.accepts(sample.bytes))
        #expect(agreesAtEverySplit(sample.bytes) { JSONOutcome(of: $0) })
    }

    @Test(
        "accepts comments and trailing commas in a configuration",
        arguments: [
            "// first\n{}", "{} // last", "{}\n// last\n", "/* a */[/* b */1/* c */,/* d */2/**/]",
            "[1,]", #"{"a":1,}"#, #"{"a":1, // one"# + "\n}", "/***/1/* * / **/", "[//\n]",
            #"{"a"/*1*/:/*2*/1}"#, "[[1,],]", "1 //", #"["//", "/*"]"#,
        ]
    )
    func configuration(text: String) {
        let bytes = Array(text.utf8)
        #expect(JSONOutcome(bytes, options: .configuration).error == nil)
        let agrees = agreesAtEverySplit(bytes) { JSONOutcome(of: $0, options: .configuration) }
        #expect(agrees)
    }

    @Test(
        "refuses what is no configuration",
        arguments: [
            ("[,]", JSONError.Kind.unexpected(0x2C, wanted: .elementOrEnd), 1),
            ("[1,,]", .unexpected(0x2C, wanted: .element), 3),
            ("{,}", .unexpected(0x2C, wanted: .nameOrEnd), 1),
            ("[1],", .unexpected(0x2C, wanted: .endOfDocument), 3),
            ("/* open", .unexpectedEnd(wanted: .endOfComment), 7),
            ("/* open *", .unexpectedEnd(wanted: .endOfComment), 9),
            ("/*/ 1", .unexpectedEnd(wanted: .endOfComment), 5),
            ("[1 / 2]", .unexpected(0x2F, wanted: .commaOrEndOfArray), 3),
            ("1 /", .unexpected(0x2F, wanted: .endOfDocument), 2),
            ("// only", .unexpectedEnd(wanted: .value), 7),
            ("# no", .unexpected(0x23, wanted: .value), 0),
        ]
    )
    func badConfiguration(text: String, kind: JSONError.Kind, offset: Int) {
        let bytes = Array(text.utf8)
        let outcome = JSONOutcome(bytes, options: .configuration)
        #expect(outcome.error == JSONError(kind, offset: offset))
        let agrees = agreesAtEverySplit(bytes) { JSONOutcome(of: $0, options: .configuration) }
        #expect(agrees)
    }

    @Test("nesting of 100,000 levels fails at the limit")
    func deepNesting() {
        let bytes = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(JSONOutcome(bytes).error == JSONError(.tooDeep(limit: 512), offset: 512))
    }

    @Test("limits hold at their exact value")
    func limits() {
        let limits = JSONLimits(depthMax: 2, bytesMax: 8, nodesMax: 3)
        #expect(JSONOutcome("[[]]    ", limits: limits).isAccepted)
        #expect(JSONOutcome("[[]]     ", limits: limits).error?.kind == .tooLarge(limit: 8))
        #expect(JSONOutcome("[[[]]]", limits: limits).error?.kind == .tooDeep(limit: 2))
        #expect(JSONOutcome("[1,2]", limits: limits).isAccepted)
        #expect(JSONOutcome("[1,2,3]", limits: limits).error?.kind == .tooManyValues(limit: 3))
        for text in ["[[]]     ", "[1;2345678", "[[[]]]", "[1,2,3,4,5"] {
            let agrees = agreesAtEverySplit(Array(text.utf8)) {
                JSONOutcome(of: $0, limits: limits)
            }
            #expect(agrees, "\(text)")
        }
    }

    @Test("one scanner reads one document after the other")
    func reuse() throws {
        var scanner = JSONScanner()
        for text in ["[1,2,3]", "{}", #"{"a":[true]}"#] {
            scanner.reset()
            let bytes = Array(text.utf8)
            let isComplete = try scanner.scan(bytes.span, isFinal: true)
            #expect(isComplete)
            let value = JSONValue(scanner.tape.root, scanner.tape, bytes)
            #expect(JSONOutcome.accepted(value) == JSONOutcome(text))
        }
        scanner.reset()
        #expect(throws: JSONError.self) { try scanner.scan([0x5B, 0x7D].span, isFinal: true) }
        scanner.reset()
        let afterError = try scanner.scan([0x5B, 0x5D].span, isFinal: true)
        #expect(afterError)
    }

    @Test("tells when a document is whole before the end is known")
    func completeness() throws {
        var scanner = JSONScanner()
        let bytes = Array(#"{"a":1} "#.utf8)
        for count in 0...bytes.count {
            let isComplete = try scanner.scan(bytes.span.extracting(first: count), isFinal: false)
            #expect(isComplete == (count >= 7))
        }
        var number = JSONScanner()
        let open = try number.scan([0x31].span, isFinal: false)
        let closed = try number.scan([0x31].span, isFinal: true)
        #expect(!open && closed)
    }

    @Test("long strings and numbers that drip in take linear time", arguments: ["\"", "1"])
    func drip(first: String) throws {
        // Quadratic work on 256 KiB would be 34 billion steps and not end within the test run.
        let filler = first == "1" ? UInt8(ascii: "1") : UInt8(ascii: "x")
        let bytes = Array(first.utf8) + [UInt8](repeating: filler, count: 256 << 10)
        var scanner = JSONScanner()
        for count in 1...bytes.count {
            _ = try scanner.scan(bytes.span.extracting(first: count), isFinal: false)
        }
        #expect(scanner.tape.count == 1)
    }

    @Test("escapes are seen although they came in another call than the end")
    func escapesAcrossCalls() throws {
        let bytes = Array(#""a\nb and more""#.utf8)
        var scanner = JSONScanner()
        _ = try scanner.scan(bytes.span.extracting(first: 6), isFinal: false)
        _ = try scanner.scan(bytes.span, isFinal: true)
        #expect(scanner.tape.string(of: scanner.tape.root, in: bytes.span) == "a\nb and more")
    }

    @Test("documents of many values keep their shape over the chunks of a tape")
    func manyValues() throws {
        var scanner = JSONScanner()
        for count in [20_000, 3, 16_383, 70_000, 100] {
            scanner.reset()
            let text = "[" + (0..<count).map { "[\($0)]" }.joined(separator: ",") + "]"
            let bytes = Array(text.utf8)
            _ = try scanner.scan(bytes.span, isFinal: true)
            let tape = scanner.tape
            #expect(tape.count == 2 * count + 1)
            var expected = 0
            for element in tape.elements(of: tape.root) {
                let number = tape.elements(of: element).first { _ in true }
                let value = number.flatMap { tape.integer(of: $0, in: bytes.span) }
                if value != expected { Issue.record("element \(expected) is \(value ?? -1)") }
                expected += 1
            }
            #expect(expected == count)
        }
    }

    @Test("UTF-8 is judged as the standard library judges it, at the end and before more text")
    func everySequence() {
        let seconds: [UInt8] = [0x00, 0x21, 0x7F] + Array(0x80...0xC0) + [0xFF]
        let thirds: [UInt8] = [0x7F, 0x80, 0xBF, 0xC0]
        var scanner = JSONScanner()
        for lead in UInt8(0x80)...0xFF {
            for second in seconds {
                for third in thirds {
                    for tail in [[], Array("abcd".utf8)] {
                        let content = [lead, second, third] + tail
                        let bytes = [0x22] + content + [0x22]
                        let isText = String(validating: content, as: UTF8.self) != nil
                        let expected = isText && second >= 0x20
                        scanner.reset()
                        var isAccepted = true
                        do throws(JSONError) {
                            _ = try scanner.scan(bytes.span, isFinal: true)
                        } catch {
                            isAccepted = false
                        }
                        if isAccepted != expected { Issue.record("\(bytes)") }
                    }
                }
            }
        }
    }
}
