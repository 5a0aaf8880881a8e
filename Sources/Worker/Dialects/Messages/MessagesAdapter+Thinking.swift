// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// How much the model thinks, and what it may not be told then.
extension MessagesAdapter {
    /// What becomes of `thinking`.
    private enum Decision {
        case keep
        case leaveOut
        case enabled(budget: Int)
        case adaptive(Reasoning.Effort?)
    }

    /// Smallest `top_p` that goes with thinking.
    private static let topPMinWithThinking = 0.95

    /// Makes `thinking` and `output_config` what the model takes; whether it thinks then.
    mutating func adaptThinking(
        _ maxTokens: Int?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        if let format = body[.outputFormat], repairs.contains(.closedMembers) {
            moveOutputFormat(format, tape, bytes)
        }
        guard repairs.contains(.thinking) else { return false }
        let thinking = body[.thinking].flatMap { isUnwanted($0) ? nil : $0 }
        let decision = thinking.map { decide($0.value, maxTokens, tape, bytes) } ?? .leaveOut
        var effort: Reasoning.Effort?
        var thinks = true
        switch decision {
        case .keep:
            thinks = thinking.map { !isType("disabled", $0.value, tape, bytes) } ?? false
            if let thinking { removeExtras(thinking.value, tape, bytes) }
        case .leaveOut:
            thinks = false
            if let thinking {
                if isType("disabled", thinking.value, tape, bytes) {
                    unwanted.append(thinking.name)
                } else {
                    leaveOut(thinking, tape, bytes)
                }
            }
        case .enabled(let budget):
            replaceThinking(#"{"type":"enabled","budget_tokens":\#(budget)"#, tape, bytes)
        case .adaptive(let wanted):
            replaceThinking(#"{"type":"adaptive""#, tape, bytes)
            effort = wanted
        }
        adaptEffort(adding: effort, tape, bytes)
        return thinks
    }

    private func isType(
        _ type: StaticString,
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        tape.member("type", of: node, in: bytes).map { tape.equals($0, type, in: bytes) } ?? false
    }

    private func decide(
        _ node: JSONNode,
        _ maxTokens: Int?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Decision {
        let rules = plan.rules
        guard rules.thinking != .unsupported else { return .leaveOut }
        if isType("enabled", node, tape, bytes) {
            guard let member = tape.member("budget_tokens", of: node, in: bytes),
                let budget = tape.integer(of: member, in: bytes)
            else { return .keep }
            guard rules.claude.takesBudget else {
                return .adaptive(MessagesReasoning.effort(budget: budget))
            }
            return clamp(budget, maxTokens, isOwn: true)
        }
        if isType("adaptive", node, tape, bytes), !rules.claude.takesAdaptive {
            // Without a word about effort adaptive models think as if it were high.
            let effort = effort(tape, bytes) ?? .high
            return clamp(MessagesReasoning.budget(effort), maxTokens, isOwn: false)
        }
        return .keep
    }

    /// A budget within its limits; no thinking where the answer has no room for the smallest one.
    ///
    /// `isOwn` says that the budget stands in the request, so that a fitting one stays untouched.
    private func clamp(_ budget: Int, _ maxTokens: Int?, isOwn: Bool) -> Decision {
        var clamped = max(budget, MessagesReasoning.budgetMin)
        let isInterleaved = betas.contains(MessagesBetas.interleavedThinking)
        if let maxTokens, clamped >= maxTokens, !isInterleaved {
            guard maxTokens > MessagesReasoning.budgetMin else { return .leaveOut }
            clamped = maxTokens - 1
        }
        return isOwn && clamped == budget ? .keep : .enabled(budget: clamped)
    }

    /// `start` is the new value without its end; what `display` says stays.
    private mutating func replaceThinking(
        _ start: String,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        var json = start
        if let node = body[.thinking]?.value,
            let display = tape.member("display", of: node, in: bytes)
        {
            json +=
                ",\"display\":" + String(copying: bytes.extracting(tape.valueRange(of: display)))
        }
        set("thinking", body[.thinking], to: json + "}", tape, bytes)
    }

    /// Clients have put `context_management` here.
    private mutating func removeExtras(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        var extras: [String] = []
        splice.removeMembers(of: node, tape: tape, bytes: bytes) { name, _ in
            let isKnown =
                tape.equals(name, "type", in: bytes)
                || tape.equals(name, "budget_tokens", in: bytes)
                || tape.equals(name, "display", in: bytes)
            if !isKnown { extras.append("thinking." + MessagesValue.label(name, tape, bytes)) }
            return !isKnown
        }
        for extra in extras { omissions.add(extra) }
    }

    // MARK: output_config

    private func effort(_ tape: JSONTape, _ bytes: Span<UInt8>) -> Reasoning.Effort? {
        guard let config = body[.outputConfig]?.value,
            let node = tape.member("effort", of: config, in: bytes)
        else { return nil }
        if tape.equals(node, "low", in: bytes) { return .low }
        if tape.equals(node, "medium", in: bytes) { return .medium }
        if tape.equals(node, "high", in: bytes) { return .high }
        return tape.kind(of: node) == .string ? .xhigh : nil
    }

    private mutating func adaptEffort(
        adding effort: Reasoning.Effort?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        let takes = plan.rules.claude.takesEffort && !plan.refused.contains("output_config")
        guard let config = body[.outputConfig], !isUnwanted(config) else {
            guard let effort, takes, body[.outputConfig] == nil, !movesOutputFormat else { return }
            let name = MessagesReasoning.name(effort, plan.rules.claude)
            set("output_config", nil, to: #"{"effort":"\#(name)"}"#, tape, bytes)
            return
        }
        let own = tape.member("effort", of: config.value, in: bytes)
        if own != nil, !takes {
            omissions.add("output_config.effort")
            var others = 0
            for _ in tape.members(of: config.value) { others += 1 }
            if others == 1 {
                unwanted.append(config.name)
                return
            }
            splice.removeMembers(of: config.value, tape: tape, bytes: bytes) { name, _ in
                tape.equals(name, "effort", in: bytes)
            }
        } else if own == nil, let effort, takes, tape.kind(of: config.value) == .object {
            let name = MessagesReasoning.name(effort, plan.rules.claude)
            splice.setMember(
                "effort",
                of: config.value,
                to: "\"\(name)\"".utf8.span,
                tape: tape,
                bytes: bytes
            )
        }
    }

    /// Whether `output_config` is made of the older `output_format`.
    private var movesOutputFormat: Bool {
        guard let format = body[.outputFormat], repairs.contains(.closedMembers) else {
            return false
        }
        return body[.outputConfig] == nil && !plan.refused.contains("output_format")
            && isUnwanted(format)
    }

    /// Bedrock knows the schema of an answer by its later name only.
    private mutating func moveOutputFormat(
        _ format: JSONMembers.Member,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        guard !isUnwanted(format) else { return }
        unwanted.append(format.name)
        guard body[.outputConfig] == nil, !tape.isNull(format.value) else { return }
        let value = String(copying: bytes.extracting(tape.valueRange(of: format.value)))
        set("output_config", nil, to: #"{"format":\#(value)}"#, tape, bytes)
    }

    // MARK: Sampling

    mutating func adaptSampling(_ thinks: Bool, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        guard repairs.contains(.sampling) else { return }
        func number(_ member: JSONMembers.Member?) -> Double? {
            member.flatMap { isUnwanted($0) ? nil : tape.number(of: $0.value, in: bytes) }
        }
        let rules = plan.rules
        var keepsTemperature = number(body[.temperature]) != nil
        if let member = body[.temperature], let value = number(member),
            !rules.takesSampling || (thinks && value != 1)
        {
            leaveOut(member, tape, bytes)
            keepsTemperature = false
        }
        if let member = body[.topP], let value = number(member),
            !rules.takesSampling || (thinks && value < Self.topPMinWithThinking)
                || (keepsTemperature && !rules.takesTemperatureWithTopP)
        {
            leaveOut(member, tape, bytes)
        }
        if let member = body[.topK], number(member) != nil, !rules.takesSampling || thinks {
            leaveOut(member, tape, bytes)
        }
    }
}
