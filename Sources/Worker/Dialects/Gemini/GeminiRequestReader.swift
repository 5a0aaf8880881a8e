// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a request of Gemini's generateContent.
enum GeminiRequestReader {
    static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        throw ConversionError(.unsupported, .whole, "is not available in this version")
    }
}
