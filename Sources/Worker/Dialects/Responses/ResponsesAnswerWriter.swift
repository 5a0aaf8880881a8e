// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Writes a whole answer of OpenAI Responses.
enum ResponsesAnswerWriter {
    static func write(
        _ answer: Answer,
        _ identity: AnswerIdentity,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
    }
}
