// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Metrics
import Support
import Testing

@Suite("Answers with embeddings")
struct EmbeddingAnswerTests {
    static func wish(
        _ client: EmbeddingRequest.Client = .openAI,
        base64: Bool = false,
        inputs: Int? = 2,
        perCall: Int = 2048,
        bytes: Int = 9
    ) -> EmbeddingWish {
        EmbeddingWish(
            client: client,
            wantsBase64: base64,
            inputs: inputs,
            inputsPerCall: perCall,
            inputBytes: bytes
        )
    }

    /// The client's answer.
    static func converted(
        _ text: String,
        _ format: EmbeddingFormat,
        _ wish: EmbeddingWish
    ) throws -> (text: String, tokens: UInt64) {
        let document = try Converting.Document(text)
        let bytes = document.bytes.span
        let answer = try EmbeddingAnswer.read(format, wish, document.tape, bytes)
        let out = ByteBuffer()
        let usage = try answer.write(wish, model: "m", document.tape, bytes, to: out)
        return (out.text, usage.input)
    }

    /// OpenAI's answer with these vectors.
    static func list(_ vectors: String..., tokens: Int) -> String {
        let data = vectors.enumerated().map {
            #"{"object":"embedding","index":\#($0.offset),"embedding":\#($0.element)}"#
        }
        return #"{"object":"list","data":[\#(data.joined(separator: ","))],"model":"m","#
            + #""usage":{"prompt_tokens":\#(tokens),"total_tokens":\#(tokens)}}"#
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let format: EmbeddingFormat
        let text: String
        let answer: String
        var wish = EmbeddingAnswerTests.wish()
    }

    /// 0.01 and -0.02 as 32-bit numbers.
    static let base64 = "\"CtcjPArXo7w=\""

    static let rows: [Row] = [
        Row(
            testDescription: "OpenAI's, in another order",
            format: .openAI,
            text: #"{"data":[{"index":1,"embedding":[3]},{"embedding":[ 1.50, 2 ],"index":0}],"#
                + #""usage":{"prompt_tokens":4,"total_tokens":4}}"#,
            answer: list("[ 1.50, 2 ]", "[3]", tokens: 4)
        ),
        Row(
            testDescription: "OpenAI's without index and usage",
            format: .openAI,
            text: #"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#,
            answer: list("[1]", "[2]", tokens: 3)
        ),
        Row(
            testDescription: "OpenAI's where every vector is called the first",
            format: .nvidia,
            text: #"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}],"#
                + #""usage":{"total_tokens":7}}"#,
            answer: list("[1]", "[2]", tokens: 7)
        ),
        Row(
            testDescription: "orchestration's",
            format: .orchestration,
            text: #"{"request_id":"r","final_result":{"object":"list","data":["#
                + #"{"object":"embedding","embedding":[1],"index":0},"#
                + #"{"object":"embedding","embedding":[2],"index":1}],"model":"x","#
                + #""usage":{"prompt_tokens":5,"total_tokens":5}}}"#,
            answer: list("[1]", "[2]", tokens: 5)
        ),
        Row(
            testDescription: "Gemini's",
            format: .gemini,
            text: #"{"embeddings":[{"values":[1]},{"values":[2]}]}"#,
            answer: list("[1]", "[2]", tokens: 3)
        ),
        Row(
            testDescription: "Gemini's for one text, with a count",
            format: .gemini,
            text: #"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":6}}"#,
            answer: list("[1]", tokens: 6),
            wish: wish(inputs: 1)
        ),
        Row(
            testDescription: "Vertex AI's",
            format: .vertex,
            text: #"{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":4.0,"#
                + #""truncated":false}}},{"embeddings":{"statistics":{"token_count":2},"#
                + #""values":[2]}}],"metadata":{"billableCharacterCount":9}}"#,
            answer: list("[1]", "[2]", tokens: 6)
        ),
        Row(
            testDescription: "Titan's",
            format: .titan,
            text: #"{"embedding":[1],"inputTextTokenCount":2,"embeddingsByType":{"float":[9]}}"#,
            answer: list("[1]", tokens: 2),
            wish: wish(inputs: 1, perCall: 1)
        ),
        Row(
            testDescription: "Titan's by type",
            format: .titan,
            text: #"{"inputTextTokenCount":2,"embeddingsByType":{"float":[9]}}"#,
            answer: list("[9]", tokens: 2),
            wish: wish(inputs: 1, perCall: 1)
        ),
        Row(
            testDescription: "several of Titan's",
            format: .titan,
            text: #"[{"embedding":[1],"inputTextTokenCount":2},"#
                + #"{"embedding":[2],"inputTextTokenCount":3}]"#,
            answer: list("[1]", "[2]", tokens: 5),
            wish: wish(perCall: 1)
        ),
        Row(
            testDescription: "several, of which one does not count",
            format: .titan,
            text: #"[{"embedding":[1],"inputTextTokenCount":2},{"embedding":[2]}]"#,
            answer: list("[1]", "[2]", tokens: 3),
            wish: wish(perCall: 1)
        ),
        Row(
            testDescription: "Cohere's",
            format: .cohere,
            text: #"{"id":"i","texts":["a","b"],"embeddings":[[1],[2]]}"#,
            answer: list("[1]", "[2]", tokens: 3)
        ),
        Row(
            testDescription: "Cohere's by type, in two calls",
            format: .cohere,
            text:
                #"[{"embeddings":{"float":[[1],[2]]},"meta":{"billed_units":{"input_tokens":3}}},"#
                + #"{"embeddings":[[3]],"meta":{"billed_units":{"input_tokens":4}}}]"#,
            answer: list("[1]", "[2]", "[3]", tokens: 7),
            wish: wish(inputs: 3, perCall: 2)
        ),
        Row(
            testDescription: "numbers for Base64",
            format: .openAI,
            text: #"{"data":[{"embedding":[0.01,-0.02]}],"usage":{"prompt_tokens":1}}"#,
            answer: list(base64, tokens: 1),
            wish: wish(base64: true, inputs: 1)
        ),
        Row(
            testDescription: "Base64 for numbers, with escaped slashes",
            format: .openAI,
            text: #"{"data":[{"embedding":"rMUnN\/\/\/f38AAACA"}],"usage":{"prompt_tokens":1}}"#,
            answer: list("[1e-05,3.4028235e+38,-0.0]", tokens: 1),
            wish: wish(inputs: 1)
        ),
        Row(
            testDescription: "Base64 as it is",
            format: .openAI,
            text: #"{"data":[{"embedding":\#(base64)}],"usage":{"prompt_tokens":1}}"#,
            answer: list(base64, tokens: 1),
            wish: wish(base64: true, inputs: 1)
        ),
        Row(
            testDescription: "Gemini's from OpenAI's",
            format: .openAI,
            text: #"{"data":[{"embedding":[0.1]},{"embedding":\#(base64)}]}"#,
            answer: #"{"embeddings":[{"values":[0.1]},{"values":[0.01,-0.02]}]}"#,
            wish: wish(.geminiBatch)
        ),
        Row(
            testDescription: "Gemini's for one text from Titan's",
            format: .titan,
            text: #"{"embedding":[0.10],"inputTextTokenCount":1}"#,
            answer: #"{"embedding":{"values":[0.10]}}"#,
            wish: wish(.gemini, inputs: 1, perCall: 1)
        ),
    ]

    @Test("are said to every client", arguments: rows)
    func converts(_ row: Row) throws {
        let result = try Self.converted(row.text, row.format, row.wish)
        #expect(result.text == row.answer)
        let usage = try JSONValue(result.text)["usage"]?["prompt_tokens"]?.int
        if let usage { #expect(usage == Int(result.tokens)) }
    }

    static let broken: [Row] = [
        ("no object", .openAI, "[]", wish()),
        ("no data", .openAI, #"{"object":"list"}"#, wish()),
        ("data that is no list", .openAI, #"{"data":{}}"#, wish()),
        ("an empty list", .openAI, #"{"data":[]}"#, wish(inputs: nil)),
        ("no vector", .openAI, #"{"data":[{"index":0}]}"#, wish(inputs: 1)),
        ("a vector that is none", .openAI, #"{"data":[{"embedding":7}]}"#, wish(inputs: 1)),
        ("too few", .openAI, #"{"data":[{"embedding":[1]}]}"#, wish()),
        ("too many", .gemini, #"{"embeddings":[{"values":[1]},{"values":[1]}]}"#, wish(inputs: 1)),
        (
            "a hole", .openAI,
            #"{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}"#,
            wish()
        ),
        (
            "two of one place", .openAI,
            #"{"data":[{"index":1,"embedding":[1]},{"index":1,"embedding":[1]},"#
                + #"{"index":0,"embedding":[1]}]}"#, wish(inputs: 3)
        ),
        (
            "an index that is none", .openAI, #"{"data":[{"index":"0","embedding":[1]}]}"#,
            wish(inputs: 1)
        ),
        ("numbers that are none", .titan, #"{"embedding":["a"]}"#, wish(base64: true, inputs: 1)),
        ("numbers too large", .titan, #"{"embedding":[1e39]}"#, wish(base64: true, inputs: 1)),
        ("Base64 that is none", .openAI, #"{"data":[{"embedding":"A"}]}"#, wish(inputs: 1)),
        ("Base64 without a number", .openAI, #"{"data":[{"embedding":"AAAA"}]}"#, wish(inputs: 1)),
        ("too few calls", .titan, #"[{"embedding":[1]}]"#, wish(perCall: 1)),
        (
            "too many calls", .titan, #"[{"embedding":[1]},{"embedding":[1]},{"embedding":[1]}]"#,
            wish(perCall: 1)
        ),
        ("one body for two calls", .titan, #"{"embedding":[1]}"#, wish(perCall: 1)),
        (
            "vectors of one call in the other", .cohere,
            #"[{"embeddings":[[1]]},{"embeddings":[[2],[3]]}]"#, wish(inputs: 3, perCall: 2)
        ),
        ("no final result", .orchestration, #"{"request_id":"r"}"#, wish()),
    ].map { (name: String, format: EmbeddingFormat, text: String, wish: EmbeddingWish) in
        Row(testDescription: name, format: format, text: text, answer: "", wish: wish)
    }

    @Test("are not made of anything else", arguments: broken)
    func refuses(_ row: Row) {
        #expect(throws: ConversionError.self) {
            try Self.converted(row.text, row.format, row.wish)
        }
    }

    @Test("numbers of 32 bits survive both ways")
    func exact() throws {
        var random = SplitMix(seed: 29)
        for _ in 0..<40 {
            let bytes = (0..<256).flatMap { _ -> [UInt8] in
                var bits = UInt32(truncatingIfNeeded: random.next())
                // All ones in the exponent mean infinity or no number.
                if bits >> 23 & 0xFF == 0xFF { bits &= ~(1 << 23) }
                return (0..<4).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }
            }
            let text = "\"" + Base64.text(bytes.span) + "\""
            let numbers = try Self.converted(
                #"{"data":[{"embedding":\#(text)}]}"#,
                .openAI,
                Self.wish(inputs: 1)
            )
            let again = try Self.converted(
                numbers.text,
                .openAI,
                Self.wish(base64: true, inputs: 1)
            )
            #expect(again.text == Self.list(text, tokens: 3), "seed \(random.seed)")
        }
    }

    @Test("go through where they are what the client wants")
    func meets() throws {
        let rows: [(String, Bool, Bool)] = [
            (#"{"data":[{"embedding":[1]}]}"#, false, true),
            (#"{"data":[{"embedding":[1]}]}"#, true, false),
            (#"{"data":[{"embedding":"AAAAAA=="}]}"#, true, true),
            (#"{"data":[{"embedding":"AAAAAA=="},{"embedding":[1]}]}"#, true, false),
        ]
        for (text, wantsBase64, expected) in rows {
            let request = try Converting.Document(
                #"{"input":["a","b"],"encoding_format":\#(wantsBase64 ? "\"base64\"" : "null")}"#
            )
            let wish = EmbeddingWish(passedOn: request.tape, request.bytes.span)
            #expect(wish.wantsBase64 == wantsBase64)
            #expect(wish.calls == 1)
            let document = try Converting.Document(text)
            let answer = try EmbeddingAnswer.read(
                .openAI,
                wish,
                document.tape,
                document.bytes.span
            )
            #expect(answer.meets(wish, document.tape) == expected)
            #expect(answer.usage == nil)
        }
    }
}
