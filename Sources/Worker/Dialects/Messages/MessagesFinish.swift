// SPDX-License-Identifier: Apache-2.0
import JSON

/// Anthropic's `stop_reason`.
enum MessagesFinish {
    /// A reason that is missing or unknown is an ordinary end.
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
        if tape.equals(node, "pause_turn", in: bytes) { return .pause }
        if tape.equals(node, "refusal", in: bytes) { return .contentFilter }
        return .stop
    }

    /// An ordinary end behind a call is a call: not every vendor tells the two apart.
    static func name(_ reason: FinishReason, hasCalls: Bool) -> StaticString {
        switch reason {
        case .stop: hasCalls ? "tool_use" : "end_turn"
        case .stopSequence: "stop_sequence"
        case .length: "max_tokens"
        case .toolCalls: "tool_use"
        case .contentFilter: "refusal"
        case .pause: "pause_turn"
        }
    }
}
