// SPDX-License-Identifier: Apache-2.0
import JSON
import Metrics

/// The counts of `usage` as Anthropic has them, where cached tokens are not part of the input.
struct MessagesUsage: Equatable {
    var input: UInt64 = 0
    var cacheWrite: UInt64 = 0
    var cacheRead: UInt64 = 0
    var output: UInt64 = 0
    var reasoning: UInt64 = 0

    init() {}

    /// The other way round: what a client of Messages reads.
    init(_ usage: TokenUsage?) {
        guard let usage else { return }
        cacheWrite = usage.cacheWrite
        cacheRead = usage.cached
        let (sum, overflowed) = cacheWrite.addingReportingOverflow(cacheRead)
        let cached = overflowed ? UInt64.max : sum
        input = usage.input > cached ? usage.input - cached : 0
        output = usage.output
        reasoning = usage.reasoning
    }

    /// Takes over what `node` has; counts of a later event replace earlier ones.
    mutating func update(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        for member in tape.members(of: node) {
            if tape.equals(member.name, "input_tokens", in: bytes) {
                set(&input, member.value, tape, bytes)
            } else if tape.equals(member.name, "output_tokens", in: bytes) {
                set(&output, member.value, tape, bytes)
            } else if tape.equals(member.name, "cache_read_input_tokens", in: bytes) {
                set(&cacheRead, member.value, tape, bytes)
            } else if tape.equals(member.name, "cache_creation_input_tokens", in: bytes) {
                set(&cacheWrite, member.value, tape, bytes)
            } else if tape.equals(member.name, "output_tokens_details", in: bytes),
                let thinking = tape.member("thinking_tokens", of: member.value, in: bytes)
            {
                set(&reasoning, thinking, tape, bytes)
            }
        }
    }

    private func set(
        _ count: inout UInt64,
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        // Some servers write a null here.
        if let value = tape.integer(of: node, in: bytes), value >= 0 { count = UInt64(value) }
    }

    /// The counts with everything that was read in `input`.
    var tokens: TokenUsage {
        TokenUsage(
            input: Self.sum(input, Self.sum(cacheWrite, cacheRead)),
            output: output,
            cached: cacheRead,
            reasoning: reasoning,
            cacheWrite: cacheWrite
        )
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflowed) = left.addingReportingOverflow(right)
        return overflowed ? .max : sum
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("input_tokens")
        writer.value(UInt(input))
        writer.name("cache_creation_input_tokens")
        writer.value(UInt(cacheWrite))
        writer.name("cache_read_input_tokens")
        writer.value(UInt(cacheRead))
        writer.name("output_tokens")
        writer.value(UInt(output))
        writer.endObject()
    }
}
