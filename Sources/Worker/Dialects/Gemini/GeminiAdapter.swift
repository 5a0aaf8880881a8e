// SPDX-License-Identifier: Apache-2.0
import JSON

/// Changes in a request of Gemini's generateContent only what its upstream needs to be different.
enum GeminiAdapter {
    static func adapt(
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) throws(ConversionError) {
        let root = tape.root
        try GeminiValue.mustBeObject(root, tape)
        var dropped: [String] = []
        splice.removeMembers(of: root, tape: tape, bytes: bytes) { name, _ in
            // The path says both.
            if tape.equals(name, "model", or: "stream", in: bytes) { return true }
            guard !plan.refused.isEmpty else { return false }
            let label = GeminiValue.label(name, tape, bytes)
            guard plan.refused.contains(label) else { return false }
            dropped.append(label)
            return true
        }
        for name in dropped { omissions.add(name) }
        guard plan.host == .sapVertex else { return }
        for member in tape.members(of: root) {
            let isDropped =
                !dropped.isEmpty
                && dropped.contains(GeminiValue.label(member.name, tape, bytes))
            if isDropped { continue }
            if tape.equals(member.name, "contents", in: bytes) {
                nameRoles(member.value, tape, bytes, into: &splice)
                removeIDs(member.value, tape, bytes, into: &splice)
            } else if tape.equals(
                member.name,
                "generationConfig",
                or: "generation_config",
                in: bytes
            ) {
                allowThinking(member.value, tape, bytes, into: &splice)
            }
        }
    }

    /// Google's own interface takes a turn without a role for the user's, Vertex refuses it.
    private static func nameRoles(
        _ contents: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        let role = "\"user\""
        for content in GeminiParts(contents, tape) where tape.kind(of: content) == .object {
            guard tape.member("role", of: content, in: bytes) == nil else { continue }
            splice.setMember("role", of: content, to: role.utf8.span, tape: tape, bytes: bytes)
        }
    }

    /// AI Core refuses ids of calls and results.
    private static func removeIDs(
        _ contents: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        for content in GeminiParts(contents, tape) {
            let parts = tape.member("parts", or: "parts", of: content, in: bytes)
            for part in GeminiParts(parts, tape) {
                for member in tape.members(of: part) {
                    guard
                        tape.equals(
                            member.name,
                            "functionResponse",
                            or: "function_response",
                            in: bytes
                        )
                            || tape.equals(
                                member.name,
                                "functionCall",
                                or: "function_call",
                                in: bytes
                            )
                    else { continue }
                    splice.removeMembers(of: member.value, tape: tape, bytes: bytes) { name, _ in
                        tape.equals(name, "id", in: bytes)
                    }
                }
            }
        }
    }

    /// AI Core refuses a budget of 0; -1 leaves it to the model.
    private static func allowThinking(
        _ config: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        let thinking = tape.member("thinkingConfig", or: "thinking_config", of: config, in: bytes)
        guard let thinking else { return }
        for member in tape.members(of: thinking)
        where tape.equals(member.name, "thinkingBudget", or: "thinking_budget", in: bytes)
            && tape.lenientInteger(of: member.value, in: bytes) == 0
        {
            splice.replace(tape.valueRange(of: member.value), with: "-1".utf8.span)
        }
    }
}
