// SPDX-License-Identifier: Apache-2.0
import Bytes
import Dialects
import JSON

/// Counts the tokens of a request where no upstream does.
enum TokenCounting {
    /// Appends the answer of a request to count the tokens of its conversation.
    static func answer(
        _ format: WireFormat,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) throws(APIError) {
        do throws(ConversionError) {
            let conversation =
                format == .gemini
                ? try GeminiTokenCount.read(tape, bytes)
                : try Conversion.readRequest(format, tape, bytes)
            append(TokenEstimate.tokens(of: conversation, in: bytes), format, to: out)
        } catch {
            throw RequestBuilder.refusal(error, tape, bytes)
        }
    }

    /// Appends a count in the client's format.
    static func append(_ count: Int, _ format: WireFormat, to out: ByteBuffer) {
        var writer = JSONWriter(out)
        writer.beginObject()
        if format == .gemini {
            writer.member("totalTokens", count)
        } else {
            writer.member("input_tokens", count)
        }
        writer.endObject()
    }
}
