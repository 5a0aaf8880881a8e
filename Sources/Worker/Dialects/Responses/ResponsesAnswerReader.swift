// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads a whole answer of OpenAI Responses.
enum ResponsesAnswerReader {
    static func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Answer {
        throw ConversionError(.unsupported, .whole, "is not available in this version")
    }
}
