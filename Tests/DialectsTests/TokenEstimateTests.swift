// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

struct TokenEstimateTests {
    private static func tokens(_ body: String) throws -> Int {
        let document = try Converting.Document(body)
        let bytes = document.bytes.span
        let conversation = try Conversion.readRequest(.messages, document.tape, bytes)
        return TokenEstimate.tokens(of: conversation, in: bytes)
    }

    private static func tokens(content: String) throws -> Int {
        try tokens(#"{"model":"m","messages":[{"role":"user","content":\#(content)}]}"#)
    }

    /// Tokens of one text beyond its turn's own.
    private static func tokens(text: String) -> Int {
        var conversation = Conversation(.chat)
        conversation.messages = [Message(.user, [.text(TextBlock(.text(text)))])]
        return TokenEstimate.tokens(of: conversation, in: Span()) - 4
    }

    struct Row: CustomTestStringConvertible {
        let name: String
        /// The content of the only turn.
        let content: String
        /// Without the turn's own.
        let tokens: Int
        var testDescription: String { name }
    }

    @Test(arguments: [
        Row(name: "nothing", content: #""""#, tokens: 0),
        Row(name: "a letter", content: #""a""#, tokens: 1),
        Row(name: "a word", content: #""abcdefgh""#, tokens: 2),
        Row(name: "2 words", content: #""abcdefgh abcdefgh""#, tokens: 5),
        Row(name: "16 blanks", content: #""                ""#, tokens: 1),
        Row(name: "8 digits", content: #""12345678""#, tokens: 4),
        Row(name: "2 marks", content: #""?!""#, tokens: 1),
        Row(name: "2 umlauts", content: #""äö""#, tokens: 1),
        Row(name: "2 characters", content: #""漢字""#, tokens: 2),
        Row(name: "an emoji", content: #""😀""#, tokens: 2),
        Row(name: "line breaks", content: #""\n\r\n""#, tokens: 2),
        Row(
            name: "an image elsewhere",
            content: #"[{"type":"image","source":{"type":"url","url":"https://x/y"}}]"#,
            tokens: 1600
        ),
        Row(
            name: "a small image",
            content:
                #"[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]"#,
            tokens: 100
        ),
        Row(
            name: "a PDF",
            content:
                #"[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}]"#,
            tokens: 2000
        ),
        Row(
            name: "a text file",
            content:
                #"[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"abcd"}}]"#,
            tokens: 2
        ),
    ])
    func counts(_ row: Row) throws {
        #expect(try Self.tokens(content: row.content) == 4 + row.tokens)
    }

    @Test func countsTextFilesByTheirBytes() {
        var conversation = Conversation(.chat)
        let data = JSONText.text(String(repeating: "A", count: 1600))
        conversation.messages = [
            Message(.user, [.media(Media(.document, .text("text/csv"), .base64(data)))])
        ]
        #expect(TokenEstimate.tokens(of: conversation, in: Span()) == 4 + 300)
    }

    @Test func countsTurnsToolsAndCalls() throws {
        let body = #"""
            {"model":"m","system":"abcdefgh","tools":[{"name":"abcd","description":"abcd",
             "input_schema":{}}],"messages":[{"role":"user","content":"abcd"},
             {"role":"assistant","content":[{"type":"thinking","thinking":"abcd","signature":"s"},
             {"type":"tool_use","id":"i","name":"abcd","input":{}}]},
             {"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"abcd"}]}]}
            """#
        // System 2, tools 160, a tool 8, 3 turns 12, a call 8, a result 8; then a word of 8, six of
        // 4 and two empty objects, in sixteenths.
        let texts = 32 + 6 * 20 + 2 * 16
        #expect(try Self.tokens(body) == 2 + 160 + 8 + 12 + 8 + 8 + (texts + 15) / 16)
    }

    struct Sample: CustomTestStringConvertible {
        let name: String
        let text: String
        /// Characters per token that tokenizers of today have for such texts.
        let ratio: ClosedRange<Double>
        var testDescription: String { name }
    }

    @Test(arguments: [
        Sample(
            name: "English",
            text:
                "The quick brown fox jumps over the lazy dog, and nobody in the whole village has "
                + "any idea why it would want to do that on such a cold morning in late autumn. "
                + "Yesterday, for example, there were more than enough reasons to stay inside.",
            ratio: 3.6...4.4
        ),
        Sample(
            name: "code",
            text: """
                func sum(_ values: [Int], from start: Int = 0) -> Int {
                    var total = start
                    for index in values.indices where values[index] > 0 {
                        total += values[index] * 2
                    }
                    return total
                }

                """,
            ratio: 2.8...3.6
        ),
        Sample(
            name: "JSON",
            text: #"""
                {"type":"object","properties":{"city":{"type":"string","description":"Name of the city"},"days":{"type":"integer","minimum":1}},"required":["city"]}
                """#,
            ratio: 2.4...3.6
        ),
        Sample(name: "Chinese", text: "今天天气很好，我们去公园散步吧。", ratio: 0.9...1.1),
        Sample(name: "Japanese", text: "今日はいい天気なので散歩に行きましょう。", ratio: 0.9...1.1),
        Sample(
            name: "German",
            text: "Größere Städte haben natürlich häufiger Überschwemmungen als kleine Dörfer.",
            ratio: 2.8...3.8
        ),
        Sample(name: "Russian", text: "Сегодня хорошая погода, пойдём гулять.", ratio: 1.8...2.6),
    ])
    func isPlausible(_ row: Sample) {
        let ratio = Double(row.text.unicodeScalars.count) / Double(Self.tokens(text: row.text))
        #expect(row.ratio.contains(ratio), "\(ratio)")
    }

    /// A text has the tokens that it has, however its client escapes it.
    @Test(arguments: 0..<100)
    func escapesChangeNothing(_ seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        var plain = "\""
        var escaped = "\""
        for _ in 0..<random.below(60) {
            let scalar = Self.scalar(&random)
            let isPlain = scalar.value >= 0x20 && scalar != "\"" && scalar != "\\"
            let code = Self.escape(scalar)
            plain += isPlain ? String(scalar) : code
            escaped += code
        }
        let found = try Self.tokens(content: escaped + "\"")
        let wanted = try Self.tokens(content: plain + "\"")
        #expect(found == wanted, "\(plain)")
    }

    private static func scalar(_ random: inout SplitMix) -> Unicode.Scalar {
        let ranges: [ClosedRange<UInt32>] = [
            0x01...0x7F, 0x61...0x7A, 0x30...0x39, 0x20...0x2F, 0x80...0x7FF, 0x4E00...0x9FFF,
            0x1F600...0x1F64F,
        ]
        let range = ranges[random.below(ranges.count)]
        return Unicode.Scalar(UInt32.random(in: range, using: &random)) ?? "a"
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        Character(scalar).utf16.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
    }

    /// Whatever is put wherever into a text, it never gets lighter.
    @Test(arguments: 0..<100)
    func moreTextHasMoreTokens(_ seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var text: [Unicode.Scalar] = []
        var before = 0
        for _ in 0..<200 {
            var scalar = Self.scalar(&random)
            // A backslash would make an escape of what follows.
            if scalar == "\\" { scalar = "/" }
            text.insert(scalar, at: random.below(text.count + 1))
            var string = ""
            string.unicodeScalars.append(contentsOf: text)
            let after = Self.tokens(text: string)
            #expect(after >= before, "seed \(seed): \(string)")
            before = after
        }
        #expect(before > 0)
    }

    @Test(arguments: 0..<100)
    func moreContentHasMoreTokens(_ seed: Int) throws {
        var random = RandomMessages(seed: UInt64(seed))
        let text = random.request()
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        var conversation = try Conversion.readRequest(.messages, document.tape, bytes)
        var before = TokenEstimate.tokens(of: conversation, in: bytes)
        #expect(before > 0)
        // One part less after the other, down to nothing.
        while let last = conversation.messages.indices.last {
            if conversation.messages[last].parts.popLast() == nil {
                conversation.messages.removeLast()
            }
            let after = TokenEstimate.tokens(of: conversation, in: bytes)
            #expect(after <= before, "\(text)")
            before = after
        }
        conversation.tools = []
        conversation.system = []
        conversation.responseFormat = nil
        let nothing = TokenEstimate.tokens(of: conversation, in: bytes)
        #expect(nothing == 0)
    }

    @Test(arguments: [
        (Media.Kind.image, 1600), (.document, 2000 * 17), (.audio, 100 + 2048),
    ])
    func largerMediaHaveMoreTokens(_ kind: Media.Kind, _ most: Int) {
        var before = 0
        for size in [0, 4, 4096, 4100, 32_768, 32_772, 131_072, 131_076, 1 << 20] {
            var conversation = Conversation(.chat)
            let data = JSONText.text(String(repeating: "A", count: size))
            conversation.messages = [Message(.user, [.media(Media(kind, nil, .base64(data)))])]
            let tokens = TokenEstimate.tokens(of: conversation, in: Span())
            #expect(tokens >= before)
            before = tokens
        }
        #expect(before == 4 + most)
    }

    // MARK: count_tokens

    struct Bad: CustomTestStringConvertible {
        let body: String
        let path: String
        var testDescription: String { body }
    }

    @Test(arguments: [
        Bad(body: #"{"messages":[{"role":"user","content":"x"}]}"#, path: "model"),
        Bad(body: #"{"model":null,"messages":[{"role":"user","content":"x"}]}"#, path: "model"),
        Bad(body: #"{"model":7,"messages":[{"role":"user","content":"x"}]}"#, path: "model"),
        Bad(body: #"{"model":"","messages":[{"role":"user","content":"x"}]}"#, path: "model"),
        Bad(body: #"{"model":"m"}"#, path: "messages"),
        Bad(body: #"{"model":"m","messages":[]}"#, path: "messages"),
        Bad(body: #"{"model":"m","messages":[{"role":"user"}]}"#, path: "messages[0].content"),
        Bad(body: "[]", path: ""),
    ])
    func refusesRequests(_ row: Bad) throws {
        let document = try Converting.Document(row.body)
        let error = #expect(throws: ConversionError.self) {
            try MessagesTokenCount.read(document.tape, document.bytes.span)
        }
        let path = error?.path(document.tape, document.bytes.span)
        #expect(path == row.path)
    }

    @Test func readsRequestsWithoutALimit() throws {
        let text = #"{"model":"m","messages":[{"role":"user","content":"abcd"}]}"#
        let document = try Converting.Document(text)
        let conversation = try MessagesTokenCount.read(document.tape, document.bytes.span)
        let tokens = TokenEstimate.tokens(of: conversation, in: document.bytes.span)
        let out = ByteBuffer()
        MessagesTokenCount.write(tokens, to: out)
        #expect(out.text == #"{"input_tokens":6}"#)
        let answer = try Converting.Document(out.text)
        let read = try MessagesTokenCount.readAnswer(
            answer.tape.root,
            answer.tape,
            answer.bytes.span
        )
        #expect(read == 6)
    }

    @Test(arguments: [
        (#"{"inputTokens":12}"#, 12), (#"{"input_tokens":0}"#, 0), (#"{}"#, nil), ("[]", nil),
        (#"{"input_tokens":-1}"#, nil), (#"{"input_tokens":"1"}"#, nil),
    ])
    func readsAnswers(_ text: String, _ tokens: Int?) throws {
        let document = try Converting.Document(text)
        var found: Int?
        do throws(ConversionError) {
            found = try MessagesTokenCount.readAnswer(
                document.tape.root,
                document.tape,
                document.bytes.span
            )
        } catch {
            #expect(error.kind == .invalid)
        }
        #expect(found == tokens)
    }
}
