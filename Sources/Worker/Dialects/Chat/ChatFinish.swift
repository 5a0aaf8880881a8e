// SPDX-License-Identifier: Apache-2.0
import JSON

/// OpenAI's `finish_reason`.
enum ChatFinish {
    /// Why an answer ended; nil while it has not.
    ///
    /// `hasCalls` decides for vendors that say `stop` behind calls, which would leave a client
    /// waiting for a turn that is its own.
    static func read(
        _ node: JSONNode?,
        hasCalls: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> FinishReason? {
        guard let node, tape.kind(of: node) == .string, !tape.contentRange(of: node).isEmpty else {
            return nil
        }
        if tape.equals(node, "length", in: bytes) { return .length }
        if tape.equals(node, "content_filter", in: bytes) { return .contentFilter }
        if tape.equals(node, "tool_calls", in: bytes)
            || tape.equals(node, "function_call", in: bytes)
        {
            return .toolCalls
        }
        return hasCalls ? .toolCalls : .stop
    }

    static func name(_ reason: FinishReason) -> StaticString {
        switch reason {
        case .stop, .stopSequence, .pause: "stop"
        case .length: "length"
        case .toolCalls: "tool_calls"
        case .contentFilter: "content_filter"
        }
    }
}
