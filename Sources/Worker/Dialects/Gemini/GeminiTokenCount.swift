// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// Gemini's `countTokens`, which the gateway answers itself.
package enum GeminiTokenCount {
    /// Reads what is to be counted: `contents` alone, or a whole request.
    ///
    /// - Throws: What is wrong with the body.
    package static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        try GeminiValue.mustBeObject(tape.root, tape)
        let whole = tape.member(
            "generateContentRequest",
            or: "generate_content_request",
            of: tape.root,
            in: bytes
        )
        return try GeminiRequestReader.read(whole ?? tape.root, tape, bytes)
    }

    /// Writes the answer.
    package static func write(_ count: Int, to out: ByteBuffer) {
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("totalTokens", count)
        writer.endObject()
    }
}
