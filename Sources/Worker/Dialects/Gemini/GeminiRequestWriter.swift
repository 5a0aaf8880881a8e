// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Writes a request of Gemini's generateContent.
enum GeminiRequestWriter {
    static func write(
        _ conversation: Conversation,
        _ plan: RequestPlan,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        _ omissions: inout Omissions,
        to out: ByteBuffer
    ) throws(ConversionError) {
        throw ConversionError(.unsupported, .whole, "is not available in this version")
    }
}
