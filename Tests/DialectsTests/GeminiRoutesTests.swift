// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON
import Support
import Testing

/// Gemini's smaller methods: counting tokens and embeddings.
struct GeminiRoutesTests {
    private static func count(_ body: String) throws -> Conversation {
        let document = try Converting.Document(body)
        return try GeminiTokenCount.read(document.tape, document.bytes.span)
    }

    @Test func countsContentsOrRequests() throws {
        let contents = #""contents":[{"parts":[{"text":"Hello"}]}]"#
        #expect(try Self.count("{\(contents)}").messages.count == 1)
        let whole = try Self.count(
            #"{"generateContentRequest":{"model":"models/m",\#(contents),"systemInstruction":{"parts":[{"text":"S"}]}}}"#
        )
        #expect(whole.messages.count == 1)
        #expect(whole.system.count == 1)
        #expect(throws: ConversionError.self) { _ = try Self.count("{}") }
        #expect(throws: ConversionError.self) {
            _ = try Self.count(#"{"generateContentRequest":{}}"#)
        }
        let out = ByteBuffer()
        GeminiTokenCount.write(31, to: out)
        #expect(out.text == #"{"totalTokens":31}"#)
    }

    private static func embedding(
        _ method: GeminiEmbedding.Method,
        _ body: String
    ) throws -> (input: GeminiEmbedding, request: JSONValue) {
        let document = try Converting.Document(body)
        let bytes = document.bytes.span
        let input = try GeminiEmbedding(method, document.tape, bytes)
        let out = ByteBuffer()
        input.appendRequest(model: "e", from: bytes, to: out)
        return (input, try JSONValue(out.text))
    }

    private static let single =
        #"{"model":"models/e","content":{"parts":[{"text":"a\u00fc"},{"text":""},{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":256}"#
    private static let batch =
        #"{"requests":[{"model":"models/e","content":{"parts":{"text":"a"}},"title":"t"},{"content":{"parts":[{"text":"b"}]}}]}"#

    @Test func readsRequests() throws {
        let (one, request) = try Self.embedding(.single, Self.single)
        #expect(
            request
                == (try JSONValue(
                    #"{"model":"e","input":["aü\nb"],"encoding_format":"float","dimensions":256}"#
                ))
        )
        #expect(one.omissions.names == ["taskType"])
        let (many, requests) = try Self.embedding(.batch, Self.batch)
        #expect(
            requests
                == (try JSONValue(#"{"model":"e","input":["a","b"],"encoding_format":"float"}"#))
        )
        #expect(many.omissions.names == ["requests[].title"])
    }

    struct Bad {
        let method: GeminiEmbedding.Method
        let body: String
        let path: String
    }

    @Test(arguments: [
        Bad(method: .single, body: "[]", path: ""),
        Bad(method: .single, body: "{}", path: "content"),
        Bad(method: .single, body: #"{"content":"x"}"#, path: "content"),
        Bad(method: .single, body: #"{"content":{}}"#, path: "content.parts"),
        Bad(method: .single, body: #"{"content":{"parts":[{"text":""}]}}"#, path: "content"),
        Bad(
            method: .single,
            body: #"{"content":{"parts":[{"inlineData":{}}]}}"#,
            path: "content.parts[0]"
        ),
        Bad(method: .batch, body: "{}", path: "requests"),
        Bad(method: .batch, body: #"{"requests":[]}"#, path: "requests"),
        Bad(method: .batch, body: #"{"requests":[1]}"#, path: "requests[0]"),
        Bad(method: .batch, body: #"{"requests":[{}]}"#, path: "requests[0].content"),
        Bad(
            method: .batch,
            body:
                #"{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":1},{"content":{"parts":[{"text":"a"}]},"outputDimensionality":2}]}"#,
            path: "requests[1].outputDimensionality"
        ),
    ])
    func badRequests(_ row: Bad) throws {
        let document = try Converting.Document(row.body)
        let bytes = document.bytes.span
        var path: String?
        do throws(ConversionError) {
            _ = try GeminiEmbedding(row.method, document.tape, bytes)
        } catch {
            path = error.path(document.tape, bytes)
        }
        #expect(path == row.path)
    }

    private static func answer(
        _ method: GeminiEmbedding.Method,
        _ body: String,
        _ answer: String
    ) throws -> String {
        let input = try embedding(method, body).input
        let document = try Converting.Document(answer)
        let out = ByteBuffer()
        try input.appendAnswer(document.tape, document.bytes.span, to: out)
        return out.text
    }

    @Test func writesAnswers() throws {
        let one = #"{"object":"list","data":[{"index":0,"embedding":[0.5,-1e-3]}]}"#
        #expect(
            try Self.answer(.single, Self.single, one) == #"{"embedding":{"values":[0.5,-1e-3]}}"#
        )
        let two = #"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}"#
        #expect(
            try Self.answer(.batch, Self.batch, two)
                == #"{"embeddings":[{"values":[1]},{"values":[2]}]}"#
        )
    }

    @Test(arguments: [
        "{}", #"{"data":[]}"#, #"{"data":[{"embedding":"AAAA"}]}"#,
        #"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#,
        #"{"data":[{"index":5,"embedding":[1]}]}"#,
    ])
    func wrongAnswers(_ answer: String) {
        #expect(throws: ConversionError.self) {
            _ = try Self.answer(.single, Self.single, answer)
        }
    }
}
