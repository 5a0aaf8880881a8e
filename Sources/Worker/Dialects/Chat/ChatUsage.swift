// SPDX-License-Identifier: Apache-2.0
package import JSON
package import Metrics

/// OpenAI's `usage` object.
///
/// Spec: `prompt_tokens`, `completion_tokens`, `total_tokens`, `prompt_tokens_details` and
/// `completion_tokens_details` of OpenAI's API reference.
package enum ChatUsage {
    /// The counts of a `usage` object; nil when `node` is none.
    package static func read(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> TokenUsage? {
        guard tape.kind(of: node) == .object else { return nil }
        var usage = TokenUsage(input: 0, output: 0)
        var total: UInt64 = 0
        for member in tape.members(of: node) {
            let name = member.name
            let value = member.value
            if tape.equals(name, "prompt_tokens", in: bytes) {
                usage.input = count(value, tape, bytes)
            } else if tape.equals(name, "completion_tokens", in: bytes) {
                usage.output = count(value, tape, bytes)
            } else if tape.equals(name, "total_tokens", in: bytes) {
                total = count(value, tape, bytes)
            } else if tape.equals(name, "prompt_tokens_details", in: bytes) {
                readInput(value, tape, bytes, &usage)
            } else if tape.equals(name, "completion_tokens_details", in: bytes) {
                if let tokens = tape.member("reasoning_tokens", of: value, in: bytes) {
                    usage.reasoning = count(tokens, tape, bytes)
                }
            } else if tape.equals(name, "prompt_cache_hit_tokens", in: bytes) {
                // DeepSeek's name.
                usage.cached = max(usage.cached, count(value, tape, bytes))
            } else if tape.equals(name, "cache_creation_input_tokens", in: bytes) {
                // LiteLLM keeps Anthropic's.
                usage.cacheWrite = max(usage.cacheWrite, count(value, tape, bytes))
            }
        }
        // Google and xAI leave the reasoning out of the completion, but not out of the total.
        if total > usage.input { usage.output = max(usage.output, total - usage.input) }
        return usage
    }

    private static func readInput(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ usage: inout TokenUsage
    ) {
        for member in tape.members(of: node) {
            if tape.equals(member.name, "cached_tokens", in: bytes) {
                usage.cached = max(usage.cached, count(member.value, tape, bytes))
            } else if tape.equals(member.name, "cache_write_tokens", in: bytes) {
                usage.cacheWrite = max(usage.cacheWrite, count(member.value, tape, bytes))
            }
        }
    }

    private static func count(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UInt64 {
        UInt64(clamping: tape.integer(of: node, in: bytes) ?? 0)
    }

    /// Writes a `usage` object.
    package static func write(_ usage: TokenUsage, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("prompt_tokens", Int(clamping: usage.input))
        writer.member("completion_tokens", Int(clamping: usage.output))
        writer.member("total_tokens", Int(clamping: usage.input &+ usage.output))
        writer.name("prompt_tokens_details")
        writer.beginObject()
        writer.member("cached_tokens", Int(clamping: usage.cached))
        if usage.cacheWrite > 0 {
            writer.member("cache_write_tokens", Int(clamping: usage.cacheWrite))
        }
        writer.endObject()
        writer.name("completion_tokens_details")
        writer.beginObject()
        writer.member("reasoning_tokens", Int(clamping: usage.reasoning))
        writer.endObject()
        writer.endObject()
    }
}
