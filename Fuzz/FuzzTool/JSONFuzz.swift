// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Documents put together from pieces, damaged, cut and scanned.
///
/// Properties: no crash; one answer however the input is cut; what strict mode accepts the
/// configuration form accepts; what was accepted and written again means the same; an edit leaves
/// a document; the path to every value can be told.
enum JSONFuzz {
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"a\":", "\"model\":\"m\",", "{}", "[]",
            "\"\"",
            "0", "-", "1", ".5", "e+", "E9", "true", "false", "null", "tru", " ", "\n", "\t", "\r",
            "\\u", "\\ud83d\\ude00", "\\ud800", "\\n", "\\\"", "é", "日本", "😀", "//", "/*", "*/",
            "[[[[[[[[", "]]]]]]]]", "{\"a\":{\"b\":[", "plain text that is longer than one vector",
        ].map { Array($0.utf8) } + [
            [0x00], [0x1F], [0x80], [0xC3], [0xE2, 0x82], [0xED, 0xA0], [0xFF],
        ]

    static func run(_ run: inout FuzzRun) {
        var scanner = JSONScanner()
        var lenient = JSONScanner(options: .configuration)
        while run.advance() {
            let input = makeInput(&run)
            let whole = scan(&scanner, [input.count], input)
            var cuts = (0..<run.below(6)).map { _ in run.below(input.count + 1) }.sorted()
            cuts.append(input.count)
            run.check(
                scan(&lenient, cuts, input) == scan(&lenient, [input.count], input),
                "one answer for every cut, lenient",
                input
            )
            if whole == nil {
                run.check(scan(&lenient, cuts, input) == nil, "lenient accepts strict", input)
                checkDocument(&run, scanner.tape, input)
            }
            run.check(scan(&scanner, cuts, input) == whole, "one answer for every cut", input)
            if let whole {
                _ = scanner.tape.path(at: whole.offset, in: input.span)
                _ = whole.position(in: input.span)
            }
        }
    }

    /// Nil when the input was accepted.
    private static func scan(
        _ scanner: inout JSONScanner,
        _ cuts: [Int],
        _ input: [UInt8]
    ) -> JSONError? {
        scanner.reset()
        do throws(JSONError) {
            for cut in cuts {
                _ = try scanner.scan(input.span.extracting(first: cut), isFinal: false)
            }
            _ = try scanner.scan(input.span, isFinal: true)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Input

    private static func makeInput(_ run: inout FuzzRun) -> [UInt8] {
        var input: [UInt8] = []
        if run.below(4) == 0 {
            for _ in 0..<run.below(40) {
                input += pieces[run.below(pieces.count)]
            }
        } else {
            let buffer = ByteBuffer()
            var writer = JSONWriter(buffer)
            writeValue(&writer, &run, depth: 0)
            input = buffer.array
        }
        for _ in 0..<run.below(4) where !input.isEmpty {
            let at = run.below(input.count)
            switch run.below(4) {
            case 0: input[at] = UInt8(truncatingIfNeeded: run.next())
            case 1: input.remove(at: at)
            case 2: input.insert(contentsOf: pieces[run.below(pieces.count)], at: at)
            default: input.removeSubrange(at..<min(input.count, at + run.below(8)))
            }
        }
        return input
    }

    private static func writeValue(_ writer: inout JSONWriter, _ run: inout FuzzRun, depth: Int) {
        switch run.below(depth < 6 ? 9 : 6) {
        case 0: writer.null()
        case 1: writer.value(run.below(2) == 0)
        case 2: writer.value(Int(truncatingIfNeeded: run.next()) >> run.below(64))
        case 3: writer.value(Double(bitPattern: run.next()))
        case 4, 5: writer.value(text(&run).span)
        case 6:
            writer.beginArray()
            for _ in 0..<run.below(5) {
                writeValue(&writer, &run, depth: depth + 1)
            }
            writer.endArray()
        default:
            writer.beginObject()
            for _ in 0..<run.below(5) {
                writer.name(escaping: String(decoding: text(&run), as: UTF8.self))
                writeValue(&writer, &run, depth: depth + 1)
            }
            writer.endObject()
        }
    }

    private static func text(_ run: inout FuzzRun) -> [UInt8] {
        (0..<run.below(5)).flatMap { _ in pieces[run.below(pieces.count)] }
    }

    // MARK: Properties of documents

    private static func checkDocument(_ run: inout FuzzRun, _ tape: JSONTape, _ input: [UInt8]) {
        let copy = ByteBuffer()
        var writer = JSONWriter(copy)
        rewrite(tape.root, tape, input, &writer)
        var scanner = JSONScanner()
        let first = copy.array
        run.check(scan(&scanner, [first.count], first) == nil, "what is written is JSON", input)
        run.check(scanner.tape.count == tape.count, "what is written has the same shape", input)
        let again = ByteBuffer()
        var rewriter = JSONWriter(again)
        rewrite(scanner.tape.root, scanner.tape, first, &rewriter)
        run.check(again.array == first, "writing again changes nothing", input)

        _ = tape.duplicateName(bytes: input.span)
        guard tape.kind(of: tape.root) == .object else { return }
        var splice = JSONSplice()
        splice.setMember("model", of: tape.root, to: first.span, tape: tape, bytes: input.span)
        let edited = ByteBuffer()
        splice.append(original: input.span, to: edited)
        let result = edited.array
        let error = scan(&scanner, [result.count], result)
        if case .tooDeep = error?.kind { return }
        run.check(error == nil, "an edit leaves a document", input)
        let member = scanner.tape.member("model", of: scanner.tape.root, in: result.span)
        let value = member.map { Array(result[scanner.tape.valueRange(of: $0)]) }
        run.check(value == first, "the edited member has its value", input)
    }

    private static func rewrite(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ input: [UInt8],
        _ writer: inout JSONWriter
    ) {
        switch tape.kind(of: node) {
        case .object:
            writer.beginObject()
            for member in tape.members(of: node) {
                writer.name(escaping: tape.string(of: member.name, in: input.span) ?? "")
                rewrite(member.value, tape, input, &writer)
            }
            writer.endObject()
        case .array:
            writer.beginArray()
            for element in tape.elements(of: node) {
                rewrite(element, tape, input, &writer)
            }
            writer.endArray()
        case .string:
            let text = ByteBuffer()
            tape.appendUnescaped(node, in: input.span, to: text)
            text.withBytes { writer.value($0) }
        case .number:
            if let integer = tape.integer(of: node, in: input.span) {
                writer.value(integer)
            } else if let number = tape.number(of: node, in: input.span) {
                writer.value(number)
            } else {
                writer.raw(input.span.extracting(tape.valueRange(of: node)))
            }
        case .bool:
            writer.value(tape.bool(of: node) == true)
        case .null:
            writer.null()
        }
    }
}
