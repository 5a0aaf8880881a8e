// SPDX-License-Identifier: Apache-2.0
import JSON

/// Gemini's signature of the thoughts behind a call, where its OpenAI-compatible interface has it.
///
/// Spec: `tool_calls[].extra_content.google.thought_signature` of Google's documentation.
enum ChatSignature {
    /// The signature in an `extra_content`.
    static func read(
        _ extra: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        guard let google = tape.member("google", of: extra, in: bytes),
            let signature = tape.member("thought_signature", of: google, in: bytes),
            tape.kind(of: signature) == .string
        else { return nil }
        let text = JSONText(signature, tape)
        return text.isEmpty ? nil : text
    }

    /// Writes an `extra_content` member of a call.
    static func write(
        _ signature: JSONText,
        from bytes: Span<UInt8>,
        to writer: inout JSONWriter
    ) {
        writer.name("extra_content")
        writer.beginObject()
        writer.name("google")
        writer.beginObject()
        writer.name("thought_signature")
        writer.value(signature, from: bytes)
        writer.endObject()
        writer.endObject()
    }
}
