// SPDX-License-Identifier: Apache-2.0
import JSON
import Metrics

/// Google's `usageMetadata`, whose parts do not contain each other.
enum GeminiUsage {
    /// Nil for what is no object.
    static func read(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> TokenUsage? {
        guard tape.kind(of: node) == .object else { return nil }
        var usage = TokenUsage(input: 0, output: 0)
        for member in tape.members(of: node) {
            func isNamed(_ camel: StaticString, _ snake: StaticString) -> Bool {
                tape.equals(member.name, camel, or: snake, in: bytes)
            }
            guard let number = tape.lenientInteger(of: member.value, in: bytes),
                let count = UInt64(exactly: number)
            else { continue }
            if isNamed("promptTokenCount", "prompt_token_count")
                || isNamed("toolUsePromptTokenCount", "tool_use_prompt_token_count")
            {
                usage.input &+= count
            } else if isNamed("candidatesTokenCount", "candidates_token_count") {
                usage.output &+= count
            } else if isNamed("thoughtsTokenCount", "thoughts_token_count") {
                usage.output &+= count
                usage.reasoning = count
            } else if isNamed("cachedContentTokenCount", "cached_content_token_count") {
                usage.cached = count
            }
        }
        return usage
    }

    static func write(_ usage: TokenUsage, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("promptTokenCount")
        writer.value(UInt(usage.input))
        writer.name("candidatesTokenCount")
        writer.value(UInt(usage.output - min(usage.reasoning, usage.output)))
        if usage.reasoning > 0 {
            writer.name("thoughtsTokenCount")
            writer.value(UInt(usage.reasoning))
        }
        if usage.cached > 0 {
            writer.name("cachedContentTokenCount")
            writer.value(UInt(usage.cached))
        }
        writer.name("totalTokenCount")
        writer.value(UInt(usage.input &+ usage.output))
        writer.endObject()
    }
}

/// Google's words for the end of an answer.
enum GeminiFinish {
    /// Nil for an answer that goes on.
    static func read(
        _ node: JSONNode,
        hasCalls: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> FinishReason? {
        func isOne(_ names: StaticString...) -> Bool {
            names.contains { tape.equals(node, $0, in: bytes) }
        }
        guard tape.kind(of: node) == .string else { return nil }
        if isOne("STOP") { return hasCalls ? .toolCalls : .stop }
        if isOne("MAX_TOKENS") { return .length }
        let isFiltered = isOne(
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "LANGUAGE",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR"
        )
        if isFiltered { return .contentFilter }
        // A broken call, a tool that is not there, and what nobody has a word for.
        return isOne("FINISH_REASON_UNSPECIFIED") ? nil : hasCalls ? .toolCalls : .stop
    }

    static func name(_ reason: FinishReason) -> StaticString {
        switch reason {
        case .stop, .stopSequence, .toolCalls, .pause: "STOP"
        case .length: "MAX_TOKENS"
        case .contentFilter: "SAFETY"
        }
    }
}
