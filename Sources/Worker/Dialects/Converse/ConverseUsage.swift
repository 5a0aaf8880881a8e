// SPDX-License-Identifier: Apache-2.0
import JSON
import Metrics

/// The counts of `usage` in Converse, where cached tokens are not part of the input.
enum ConverseUsage {
    /// Nil for what is no object.
    static func read(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> TokenUsage? {
        guard tape.kind(of: node) == .object else { return nil }
        var counts = MessagesUsage()
        for member in tape.members(of: node) {
            // A count is no count where there is none: some models have a null here.
            guard let value = tape.integer(of: member.value, in: bytes), value >= 0 else {
                continue
            }
            if tape.equals(member.name, "inputTokens", in: bytes) {
                counts.input = UInt64(value)
            } else if tape.equals(member.name, "outputTokens", in: bytes) {
                counts.output = UInt64(value)
            } else if tape.equals(member.name, "cacheReadInputTokens", in: bytes)
                || tape.equals(member.name, "cacheReadInputTokenCount", in: bytes)
            {
                counts.cacheRead = UInt64(value)
            } else if tape.equals(member.name, "cacheWriteInputTokens", in: bytes)
                || tape.equals(member.name, "cacheWriteInputTokenCount", in: bytes)
            {
                counts.cacheWrite = UInt64(value)
            }
        }
        return counts.tokens
    }
}
