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
}
