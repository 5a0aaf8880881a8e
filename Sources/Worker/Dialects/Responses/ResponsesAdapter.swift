// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Changes in a request of OpenAI Responses only what its upstream needs to be different.
///
/// Besides model, stream and members that the upstream refuses: ids of stored responses lose the
/// tag that clients see, and thoughts of other vendors, which OpenAI could not read, are left out.
enum ResponsesAdapter {
    /// Members that Azure behind SAP AI Core takes; others refuse the whole request.
    private static let knownMembers: [StaticString] = [
        "input", "instructions", "model", "stream", "tools", "tool_choice", "store", "reasoning",
        "include", "parallel_tool_calls", "prompt_cache_key", "text", "max_output_tokens",
        "temperature", "top_p", "metadata", "user", "safety_identifier", "previous_response_id",
        "truncation", "background", "service_tier", "stream_options", "top_logprobs",
        "max_tool_calls", "prompt", "conversation", "prompt_cache_retention",
    ]

    private enum Fate {
        case stays
        /// Says nothing that would be missed.
        case goes
        /// Is missed, and named.
        case isDropped
    }

    static func adapt(
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) throws(ConversionError) {
        let root = tape.root
        guard tape.kind(of: root) == .object else {
            throw .invalid(root, tape, "must be an object")
        }
        var stays = 0
        var goes = 0
        var hasModel = false
        var hasStream = false
        for member in tape.members(of: root) {
            switch fate(member.name, member.value, plan, tape, bytes) {
            case .stays:
                stays += 1
                if tape.equals(member.name, "model", in: bytes) {
                    hasModel = true
                } else if tape.equals(member.name, "stream", in: bytes) {
                    hasStream = true
                }
            case .goes: goes += 1
            case .isDropped:
                goes += 1
                ResponsesValue.leaveOut(member.name, tape, bytes, &omissions)
            }
        }
        guard stays > 0 else {
            // Nothing is left to be changed, so the upstream is the one to complain.
            let body = ByteBuffer()
            appendBody(plan, to: body)
            return body.withBytes { splice.replace(tape.valueRange(of: root), with: $0) }
        }
        if goes > 0 {
            splice.removeMembers(of: root, tape: tape, bytes: bytes) { name, value in
                fate(name, value, plan, tape, bytes) != .stays
            }
        }
        let hasLost = adaptTools(plan, tape, bytes, &omissions, into: &splice)
        for member in tape.members(of: root)
        where fate(member.name, member.value, plan, tape, bytes) == .stays {
            adaptMember(member, plan, hasLost, tape, bytes, &omissions, into: &splice)
        }
        if plan.rules.namesModel, !hasModel {
            let quoted = ByteBuffer()
            JSONWriter.appendQuoted(plan.model, to: quoted)
            quoted.withBytes {
                splice.setMember("model", of: root, to: $0, tape: tape, bytes: bytes)
            }
        }
        if plan.isStream, plan.rules.flagsStream, !hasStream, !plan.isCompaction {
            splice.setMember(
                "stream",
                of: root,
                to: "true".utf8.span,
                tape: tape,
                bytes: bytes
            )
        }
    }

    private static func appendBody(_ plan: RequestPlan, to out: ByteBuffer) {
        var writer = JSONWriter(out)
        writer.beginObject()
        if plan.rules.namesModel { writer.member("model", plan.model) }
        if plan.isStream, plan.rules.flagsStream { writer.member("stream", true) }
        writer.endObject()
    }

    // MARK: Members that go

    private static func fate(
        _ name: JSONNode,
        _ value: JSONNode,
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Fate {
        if tape.equals(name, "input", in: bytes) { return .stays }
        if tape.equals(name, "model", in: bytes) {
            return plan.rules.namesModel ? .stays : .goes
        }
        if tape.equals(name, "stream", in: bytes) {
            return plan.rules.flagsStream && !plan.isCompaction ? .stays : .goes
        }
        // Without a stream its options are an error.
        if !plan.isStream, tape.equals(name, "stream_options", in: bytes) { return .goes }
        if takes(name, plan, tape, bytes) { return .stays }
        return tape.isNull(value) ? .goes : .isDropped
    }

    private static func takes(
        _ name: JSONNode,
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        for refused in plan.refused where tape.equals(name, refused.utf8.span, in: bytes) {
            return false
        }
        // A compacted conversation is as long as it gets.
        if plan.isCompaction, tape.equals(name, "max_output_tokens", in: bytes) { return false }
        if !plan.rules.takesSampling,
            tape.equals(name, "temperature", in: bytes) || tape.equals(name, "top_p", in: bytes)
                || tape.equals(name, "top_logprobs", in: bytes)
        {
            return false
        }
        guard plan.rules.hasClosedMembers else { return true }
        return knownMembers.contains { tape.equals(name, $0, in: bytes) }
    }

    // MARK: Members that change

    private static func adaptMember(
        _ member: JSONMembers.Member,
        _ plan: RequestPlan,
        _ hasLost: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) {
        let value = member.value
        if tape.equals(member.name, "model", in: bytes) {
            guard !tape.equals(value, plan.model.utf8.span, in: bytes) else { return }
            splice.replace(tape.valueRange(of: value), withQuoted: plan.model.utf8.span)
        } else if tape.equals(member.name, "stream", in: bytes) {
            guard (tape.bool(of: value) ?? false) != plan.isStream else { return }
            let truth = plan.isStream ? "true" : "false"
            splice.replace(tape.valueRange(of: value), with: truth.utf8.span)
        } else if tape.equals(member.name, "previous_response_id", in: bytes) {
            ResponseID.untag(value, tape, bytes, into: &splice)
        } else if tape.equals(member.name, "input", in: bytes) {
            let count = splice.removeElements(of: value, tape: tape) {
                isForeign($0, tape, bytes)
            }
            if count > 0 { omissions.add("input[].reasoning") }
        } else if tape.equals(member.name, "tool_choice", in: bytes) {
            guard plan.host == .sapAzure, !isKept(value, hasLost, tape, bytes) else { return }
            omissions.add("tool_choice")
            splice.replace(tape.valueRange(of: value), with: "\"auto\"".utf8.span)
        }
    }

    /// Whether an item holds thoughts of another vendor than OpenAI.
    private static func isForeign(
        _ item: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let type = tape.member("type", of: item, in: bytes),
            tape.equals(type, "reasoning", in: bytes),
            let encrypted = ResponsesOutputReader.text("encrypted_content", of: item, tape, bytes)
        else { return false }
        return ThoughtMark.find(encrypted, in: bytes) != nil
    }

    // MARK: Tools

    /// Takes out tools that SAP AI Core does not allow: all that are no functions.
    ///
    /// - Returns: Whether there were any.
    private static func adaptTools(
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) -> Bool {
        guard plan.host == .sapAzure else { return false }
        var hasLost = false
        for member in tape.members(of: tape.root)
        where tape.equals(member.name, "tools", in: bytes)
            && fate(member.name, member.value, plan, tape, bytes) == .stays
        {
            for tool in tape.elements(of: member.value) where !isFunction(tool, tape, bytes) {
                hasLost = true
                if let type = tape.member("type", of: tool, in: bytes),
                    tape.kind(of: type) == .string
                {
                    ResponsesValue.leaveOut(type, under: "tools[].", tape, bytes, &omissions)
                }
            }
            splice.removeElements(of: member.value, tape: tape) { !isFunction($0, tape, bytes) }
        }
        return hasLost
    }

    private static func isFunction(
        _ tool: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let type = tape.member("type", of: tool, in: bytes) else { return false }
        return tape.equals(type, "function", in: bytes)
    }

    /// Whether a choice names only tools that are left.
    private static func isKept(
        _ choice: JSONNode,
        _ hasLost: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard tape.kind(of: choice) == .object else {
            // With nothing to choose from, nothing can be required.
            return !hasLost || !tape.equals(choice, "required", in: bytes)
                || hasFunction(nil, tape, bytes)
        }
        guard isFunction(choice, tape, bytes) else {
            guard let type = tape.member("type", of: choice, in: bytes) else { return true }
            return tape.equals(type, "allowed_tools", in: bytes) && !hasLost
        }
        guard hasLost, let name = tape.member("name", of: choice, in: bytes) else { return true }
        return hasFunction(name, tape, bytes)
    }

    /// Whether there is a function, of the name at `wanted` if that is given.
    private static func hasFunction(
        _ wanted: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let tools = tape.member("tools", of: tape.root, in: bytes) else { return false }
        return tape.elements(of: tools).contains { tool in
            guard isFunction(tool, tape, bytes) else { return false }
            guard let wanted else { return true }
            guard let name = tape.member("name", of: tool, in: bytes),
                tape.kind(of: name) == .string, tape.kind(of: wanted) == .string
            else { return false }
            return tape.equals(
                name,
                bytes.extracting(tape.contentRange(of: wanted)),
                in: bytes
            )
        }
    }
}
