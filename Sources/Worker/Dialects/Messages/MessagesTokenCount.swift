// SPDX-License-Identifier: Apache-2.0
package import Bytes
package import JSON

/// Requests and answers of `count_tokens`.
package enum MessagesTokenCount {
    /// Reads a request.
    ///
    /// - Throws: What is wrong with it; a model and messages have to be there.
    package static func read(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Conversation {
        try MessagesValue.mustBeObject(tape.root, tape)
        guard MessagesValue.member("model", of: tape.root, tape, bytes) != nil else {
            throw MessagesValue.missing("model", of: tape.root, tape, bytes)
        }
        return try MessagesRequestReader.read(tape, bytes)
    }

    /// Appends the answer.
    package static func write(_ tokens: Int, to out: ByteBuffer) {
        out.append("{\"input_tokens\":")
        out.append(decimal: tokens)
        out.append("}")
    }

    /// Reads an upstream's answer, which stands at `root`.
    ///
    /// - Throws: That it is none.
    package static func readAnswer(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Int {
        try MessagesValue.mustBeObject(root, tape)
        // Bedrock writes `inputTokens`.
        guard
            let node = MessagesValue.member("input_tokens", of: root, tape, bytes)
                ?? MessagesValue.member("inputTokens", of: root, tape, bytes)
        else { throw MessagesValue.missing("input_tokens", of: root, tape, bytes) }
        return try MessagesValue.integer(node, tape, bytes, atLeast: 0)
    }
}
