// SPDX-License-Identifier: Apache-2.0
import JSON
import Metrics

/// Counts and ends of Bedrock Converse.
enum ConverseUsage {
    /// The counts of `usage`, where cached tokens are not part of the input; nil for no object.
    static func read(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> TokenUsage? {
        guard tape.kind(of: node) == .object else { return nil }
        func count(_ name: StaticString) -> UInt64 {
            guard let value = tape.member(name, of: node, in: bytes),
                let number = tape.integer(of: value, in: bytes), number > 0
            else { return 0 }
            return UInt64(number)
        }
        var usage = MessagesUsage()
        usage.input = count("inputTokens")
        usage.output = count("outputTokens")
        usage.cacheRead = count("cacheReadInputTokens")
        usage.cacheWrite = count("cacheWriteInputTokens")
        return usage.tokens
    }

    /// What a `stopReason` means; one that is missing or unknown is an ordinary end.
    static func reason(
        _ node: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> FinishReason {
        guard let node else { return .stop }
        if tape.equals(node, "guardrail_intervened", in: bytes)
            || tape.equals(node, "content_filtered", in: bytes)
        {
            return .contentFilter
        }
        return MessagesFinish.reason(node, tape, bytes)
    }
}
