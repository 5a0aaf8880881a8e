// SPDX-License-Identifier: Apache-2.0
import JSON
import Metrics

/// Reads OpenAI's `usage` object.
///
/// Spec: `prompt_tokens`, `completion_tokens`, `prompt_tokens_details.cached_tokens`,
/// `completion_tokens_details.reasoning_tokens` of OpenAI's API reference.
enum Usage {
    /// The counts of a `usage` object; nil when `node` is none.
    static func read(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> TokenUsage? {
        guard tape.kind(of: node) == .object else { return nil }
        return TokenUsage(
            input: count("prompt_tokens", node, tape, bytes),
            output: count("completion_tokens", node, tape, bytes),
            cached: detail("prompt_tokens_details", "cached_tokens", node, tape, bytes),
            reasoning: detail("completion_tokens_details", "reasoning_tokens", node, tape, bytes)
        )
    }

    private static func count(
        _ name: StaticString,
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UInt64 {
        guard let value = tape.member(name, of: node, in: bytes),
            let number = tape.integer(of: value, in: bytes)
        else { return 0 }
        return UInt64(clamping: number)
    }

    private static func detail(
        _ group: StaticString,
        _ name: StaticString,
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UInt64 {
        guard let details = tape.member(group, of: node, in: bytes) else { return 0 }
        return count(name, details, tape, bytes)
    }
}
