// SPDX-License-Identifier: Apache-2.0
import Bytes

/// Writes the events of a stream of OpenAI chat completions.
struct ChatStreamWriter {
    private let identity: AnswerIdentity

    init(_ identity: AnswerIdentity, wantsUsage: Bool) {
        self.identity = identity
    }

    mutating func write(
        _ event: StreamEvent,
        from bytes: Span<UInt8>,
        _ scratch: ConversionScratch,
        to out: ByteBuffer
    ) {
    }

    /// Ends the stream with an error.
    mutating func fail(_ error: APIError, to out: ByteBuffer) {
    }
}
