// SPDX-License-Identifier: Apache-2.0
import JSON

/// Converse's `stopReason`.
enum ConverseFinish {
    /// A reason that is missing or unknown is an ordinary end, and so are the two `malformed_...`:
    /// what the model made of it is all there is.
    static func reason(
        _ node: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> FinishReason {
        guard let node else { return .stop }
        if tape.equals(node, "end_turn", in: bytes) { return .stop }
        if tape.equals(node, "tool_use", in: bytes) { return .toolCalls }
        if tape.equals(node, "max_tokens", in: bytes)
            || tape.equals(node, "model_context_window_exceeded", in: bytes)
        {
            return .length
        }
        if tape.equals(node, "stop_sequence", in: bytes) { return .stopSequence }
        if tape.equals(node, "guardrail_intervened", in: bytes)
            || tape.equals(node, "content_filtered", in: bytes)
            || tape.equals(node, "refusal", in: bytes)
        {
            return .contentFilter
        }
        if tape.equals(node, "pause_turn", in: bytes) { return .pause }
        return .stop
    }

    /// The stop text that came, where the request asked for Claude's `stop_sequence`.
    ///
    /// `owner` has `additionalModelResponseFields`: a whole answer, or `messageStop`.
    static func stopSequence(
        of owner: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        guard let fields = tape.member("additionalModelResponseFields", of: owner, in: bytes)
        else { return nil }
        // In streams Claude's own event stands around it.
        let place = tape.member("delta", of: fields, in: bytes) ?? fields
        guard let text = tape.member("stop_sequence", of: place, in: bytes) else { return nil }
        return ConverseBlock.text(text, tape)
    }
}
