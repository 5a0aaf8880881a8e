// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Testing

struct TokenEstimateTests {
    private static func tokens(_ body: String) throws -> Int {
        let document = try Converting.Document(body)
        return try TokenEstimate.tokens(
            of: .messages,
            document.tape,
            document.bytes.span
        )
    }

    private static func tokens(content: String) throws -> Int {
        try tokens(#"{"model":"m","messages":[{"role":"user","content":\#(content)}]}"#)
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
        Row(name: "16 letters", content: #""abcdefghijklmnop""#, tokens: 4),
        Row(name: "16 blanks", content: #""                ""#, tokens: 1),
        Row(name: "8 digits", content: #""12345678""#, tokens: 3),
        Row(name: "2 marks", content: #""?!""#, tokens: 1),
        Row(name: "2 umlauts", content: #""äö""#, tokens: 1),
        Row(name: "2 characters", content: #""漢字""#, tokens: 2),
        Row(name: "an emoji", content: #""😀""#, tokens: 2),
        Row(name: "an escaped emoji", content: #""\ud83d\ude00""#, tokens: 2),
        Row(name: "escapes", content: #""\"\\\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n""#, tokens: 2),
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
            tokens: 1
        ),
    ])
    func counts(_ row: Row) throws {
        #expect(try Self.tokens(content: row.content) == 4 + row.tokens)
    }

    @Test func countsTurnsToolsAndCalls() throws {
        let body = #"""
            {"model":"m","system":"abcdefgh","tools":[{"name":"abcd","description":"abcd",
             "input_schema":{}}],"messages":[{"role":"user","content":"abcd"},
             {"role":"assistant","content":[{"type":"thinking","thinking":"abcd","signature":"s"},
             {"type":"tool_use","id":"i","name":"abcd","input":{}}]},
             {"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"abcd"}]}]}
            """#
        // system 2+2, tools 320, tool 8+1+1+1, turns 3*4, texts 1+1, call 8+1+1, result 8+1
        #expect(try Self.tokens(body) == 4 + 320 + 11 + 12 + 2 + 10 + 9)
    }

    /// Ordinary English is four to five bytes a token with every vendor.
    @Test func englishIsPlausible() throws {
        let text =
            "The quick brown fox jumps over the lazy dog, and nobody in the whole village has any "
            + "idea why it would want to do that on such a cold morning in the late autumn."
        let tokens = try Self.tokens(content: "\"\(text)\"")
        #expect(tokens > text.utf8.count / 6 && tokens < text.utf8.count / 3)
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
        #expect(TokenEstimate.tokens(of: conversation, in: bytes) == 0)
    }

    @Test func largerImagesHaveMoreTokens() throws {
        var before = 0
        for size in [4, 4096, 4100, 32_768, 32_772, 131_072, 131_076, 1 << 20] {
            let data = String(repeating: "A", count: size)
            let tokens = try Self.tokens(
                content:
                    #"[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"\#(data)"}}]"#
            )
            #expect(tokens >= before)
            before = tokens
        }
        #expect(before == 1604)
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
        #expect(out.text == #"{"input_tokens":5}"#)
        let answer = try Converting.Document(out.text)
        let read = try MessagesTokenCount.readAnswer(
            answer.tape.root,
            answer.tape,
            answer.bytes.span
        )
        #expect(read == 5)
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
