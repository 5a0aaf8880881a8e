// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Changes in a request of OpenAI chat completions only what its upstream needs to be different.
///
/// Members that nobody here knows survive where they stand, except at upstreams that refuse them.
enum ChatAdapter {
    /// What the upstream does not get of a member.
    private enum Fate {
        case stays
        /// Says nothing that would get lost.
        case goes
        /// Gets lost and is named.
        case isDropped
    }

    /// The members that matter here, found in one pass.
    private struct Found {
        var messages: JSONNode?
        var model: JSONNode?
        var stream: JSONNode?
        var streamOptions: JSONNode?
        /// The name of the member, to be changed.
        var maxTokens: JSONNode?
        var hasNewMaxTokens = false
        var goes = 0
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
            throw ConversionError(.invalid, .whole, "must be a JSON object")
        }
        let found = try find(plan, tape, bytes, &omissions)
        if found.goes > 0 {
            // A splice cannot add to an object that loses all it has; this one stays.
            guard found.messages != nil else {
                throw ChatFields.missing("messages", of: root, tape, bytes)
            }
            splice.removeMembers(of: root, tape: tape, bytes: bytes) { name, value in
                fate(name, value, plan, found, tape, bytes) != .stays
            }
        }
        if plan.rules.namesModel { setModel(plan.model, found.model, tape, bytes, &splice) }
        if let name = found.maxTokens, plan.rules.renamesMaxTokens, !found.hasNewMaxTokens {
            splice.replace(
                tape.valueRange(of: name),
                with: "\"max_completion_tokens\"".utf8.span
            )
        }
        setStream(plan, found, tape, bytes, &splice)
        if let messages = found.messages {
            restoreOrder(messages, tape, bytes, into: &splice)
        }
    }

    private static func find(
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions
    ) throws(ConversionError) -> Found {
        var found = Found()
        for member in tape.members(of: tape.root) {
            let name = member.name
            if tape.equals(name, "messages", in: bytes) {
                found.messages = member.value
            } else if tape.equals(name, "model", in: bytes) {
                found.model = member.value
            } else if tape.equals(name, "stream", in: bytes) {
                found.stream = member.value
            } else if tape.equals(name, "stream_options", in: bytes) {
                found.streamOptions = member.value
            } else if tape.equals(name, "max_tokens", in: bytes) {
                if !tape.isNull(member.value) { found.maxTokens = name }
            } else if tape.equals(name, "max_completion_tokens", in: bytes) {
                found.hasNewMaxTokens = !tape.isNull(member.value)
            }
        }
        if let options = found.streamOptions, tape.isNull(options) { found.streamOptions = nil }
        if let options = found.streamOptions { try ChatFields.object(options, tape) }
        guard mayLeaveOut(plan, found) else { return found }
        for member in tape.members(of: tape.root) {
            switch fate(member.name, member.value, plan, found, tape, bytes) {
            case .stays: break
            case .goes: found.goes += 1
            case .isDropped:
                found.goes += 1
                omissions.add(tape.string(of: member.name, in: bytes) ?? "")
            }
        }
        return found
    }

    // MARK: Members that go

    /// Whether a member may go at all; for most upstreams none does.
    private static func mayLeaveOut(_ plan: RequestPlan, _ found: Found) -> Bool {
        let rules = plan.rules
        let isOpen = rules.takesSampling && rules.takesStop && !rules.hasClosedMembers
        return !isOpen || !rules.namesModel || !rules.flagsStream || rules.renamesMaxTokens
            || !plan.refused.isEmpty || (found.streamOptions != nil && !plan.isStream)
    }

    private static func fate(
        _ name: JSONNode,
        _ value: JSONNode,
        _ plan: RequestPlan,
        _ found: Found,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Fate {
        let rules = plan.rules
        if tape.equals(name, "messages", in: bytes) { return .stays }
        if tape.equals(name, "model", in: bytes) { return rules.namesModel ? .stays : .goes }
        if tape.equals(name, "stream", in: bytes) { return rules.flagsStream ? .stays : .goes }
        if tape.equals(name, "stream_options", in: bytes) {
            if plan.refused.contains("stream_options") { return .goes }
            // Without a stream they are an error; it is the client's own unless we took it away.
            let isOurs = found.stream.flatMap { tape.bool(of: $0) } == true
            return rules.flagsStream && (plan.isStream || !isOurs) ? .stays : .goes
        }
        if rules.renamesMaxTokens, tape.equals(name, "max_tokens", in: bytes),
            found.hasNewMaxTokens
        {
            return .goes
        }
        if !plan.refused.isEmpty, let text = tape.string(of: name, in: bytes),
            plan.refused.contains(text)
        {
            return .isDropped
        }
        if !rules.takesSampling, ChatMembers.changesSampling(name, tape, bytes) {
            return isDefault(value, of: name, tape, bytes) ? .goes : .isDropped
        }
        if !rules.takesStop, tape.equals(name, "stop", in: bytes) {
            return ChatFields.isNothing(value, tape) ? .goes : .isDropped
        }
        if rules.hasClosedMembers, !ChatMembers.isKnownToAzure(name, tape, bytes) {
            return ChatFields.isNothing(value, tape) ? .goes : .isDropped
        }
        return .stays
    }

    /// Whether the value of a sampling member is what the model does anyway.
    private static func isDefault(
        _ value: JSONNode,
        of name: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        if ChatFields.isNothing(value, tape) { return true }
        guard let number = tape.number(of: value, in: bytes) else { return false }
        let isShare =
            tape.equals(name, "temperature", in: bytes) || tape.equals(name, "top_p", in: bytes)
        return number == (isShare ? 1 : 0)
    }

    // MARK: Members that change

    private static func setModel(
        _ model: String,
        _ node: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ splice: inout JSONSplice
    ) {
        let name = model.utf8.span
        if let node {
            guard !tape.equals(node, name, in: bytes) else { return }
        }
        let quoted = ByteBuffer(capacity: name.count + 2)
        JSONWriter.appendQuoted(name, to: quoted)
        quoted.withBytes { json in
            splice.setMember("model", of: tape.root, to: json, tape: tape, bytes: bytes)
        }
    }

    private static func setStream(
        _ plan: RequestPlan,
        _ found: Found,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ splice: inout JSONSplice
    ) {
        guard plan.rules.flagsStream else { return }
        let isStream = found.stream.flatMap { tape.bool(of: $0) } ?? false
        if isStream != plan.isStream {
            let value = plan.isStream ? "true" : "false"
            splice.setMember(
                "stream",
                of: tape.root,
                to: value.utf8.span,
                tape: tape,
                bytes: bytes
            )
        }
        guard plan.isStream, !plan.refused.contains("stream_options") else { return }
        askForUsage(found.streamOptions, tape, bytes, &splice)
    }

    /// Asks for the usage of a stream, without which its tokens could not be counted.
    private static func askForUsage(
        _ options: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ splice: inout JSONSplice
    ) {
        guard let options else {
            let value = "{\"include_usage\":true}"
            splice.setMember(
                "stream_options",
                of: tape.root,
                to: value.utf8.span,
                tape: tape,
                bytes: bytes
            )
            return
        }
        if let wish = tape.member("include_usage", of: options, in: bytes),
            tape.bool(of: wish) == true
        {
            return
        }
        let value = "true"
        splice.setMember(
            "include_usage",
            of: options,
            to: value.utf8.span,
            tape: tape,
            bytes: bytes
        )
    }
}

/// Groups of the members of a chat request.
enum ChatMembers {
    /// Members that change how a model chooses tokens; reasoning models refuse them.
    static func changesSampling(
        _ name: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        tape.equals(name, "temperature", in: bytes) || tape.equals(name, "top_p", in: bytes)
            || tape.equals(name, "top_k", in: bytes)
            || tape.equals(name, "presence_penalty", in: bytes)
            || tape.equals(name, "frequency_penalty", in: bytes)
            || tape.equals(name, "logit_bias", in: bytes)
            || tape.equals(name, "logprobs", in: bytes)
            || tape.equals(name, "top_logprobs", in: bytes)
    }

    /// Everything that Azure's interface takes on SAP AI Core; what is not there refuses a request.
    static func isKnownToAzure(
        _ name: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let text = tape.string(of: name, in: bytes) else { return false }
        return knownToAzure.contains(text)
    }

    private static let knownToAzure: Set<String> = [
        "messages", "model", "stream", "stream_options", "temperature", "top_p", "n", "stop",
        "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty",
        "logit_bias", "logprobs", "top_logprobs", "seed", "user", "tools", "tool_choice",
        "parallel_tool_calls", "response_format", "reasoning_effort", "functions",
        "function_call", "prediction", "modalities", "metadata", "store", "verbosity",
    ]
}
