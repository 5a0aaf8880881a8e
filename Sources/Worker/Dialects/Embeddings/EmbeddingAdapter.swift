// SPDX-License-Identifier: Apache-2.0
import Bytes
package import JSON

/// Changes in an OpenAI client's request for embeddings only what its upstream needs changed.
///
/// Members that nobody here knows survive where they stand, except at upstreams that refuse them.
package enum EmbeddingAdapter {
    private enum Fate {
        case stays
        /// Says nothing that would get lost.
        case goes
        /// Gets lost and is named.
        case isDropped
    }

    package static func adapt(
        _ format: EmbeddingFormat,
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) throws(ConversionError) {
        let root = tape.root
        try ChatFields.object(root, tape)
        var inputType: JSONNode?
        var goes = 0
        var hasInput = false
        var hasModel = false
        for member in tape.members(of: root) {
            let fate = fate(member.name, member.value, format, plan, tape, bytes)
            if fate != .stays { goes += 1 }
            if fate == .isDropped { omissions.add(tape.string(of: member.name, in: bytes) ?? "") }
            if tape.equals(member.name, "input", in: bytes) {
                hasInput = true
            } else if tape.equals(member.name, "model", in: bytes) {
                hasModel = tape.equals(member.value, plan.model.utf8.span, in: bytes)
            } else if tape.equals(member.name, "input_type", in: bytes) {
                inputType = member.value
            }
        }
        // Also what keeps the object from losing all of its members, to which a splice adds none.
        guard hasInput else { throw ChatFields.missing("input", of: root, tape, bytes) }
        if goes > 0 {
            splice.removeMembers(of: root, tape: tape, bytes: bytes) { name, value in
                fate(name, value, format, plan, tape, bytes) != .stays
            }
        }
        if plan.rules.namesModel, !hasModel {
            set("model", to: plan.model, tape, bytes, &splice)
        }
        if format == .nvidia, !plan.refused.contains("input_type"),
            let word = word(for: inputType, tape, bytes)
        {
            set("input_type", to: word, tape, bytes, &splice)
        }
    }

    private static func fate(
        _ name: JSONNode,
        _ value: JSONNode,
        _ format: EmbeddingFormat,
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Fate {
        if tape.equals(name, "input", in: bytes) { return .stays }
        if tape.equals(name, "model", in: bytes) { return plan.rules.namesModel ? .stays : .goes }
        let lost: Fate = ChatFields.isNothing(value, tape) ? .goes : .isDropped
        if !plan.refused.isEmpty, let text = tape.string(of: name, in: bytes),
            plan.refused.contains(text)
        {
            return lost
        }
        if tape.equals(name, "dimensions", in: bytes) {
            return EmbeddingModel.takesDimensions(format, plan) ? .stays : lost
        }
        if tape.equals(name, "encoding_format", in: bytes) || tape.equals(name, "user", in: bytes) {
            return .stays
        }
        if tape.equals(name, "input_type", in: bytes) {
            return format == .nvidia || plan.host == .compatible || plan.host == .sapOpenSource
                || plan.host == .demo ? .stays : lost
        }
        return plan.rules.hasClosedMembers ? lost : .stays
    }

    /// What NVIDIA's models have to be told beyond what the client says; nil where that is right.
    private static func word(
        for inputType: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> String? {
        guard let inputType, !tape.isNull(inputType) else { return "passage" }
        let known = EmbeddingPurpose.known(inputType: inputType, tape, bytes)
        guard let word = known?.nvidiaType, !tape.equals(inputType, word, in: bytes) else {
            return nil
        }
        return word.description
    }

    private static func set(
        _ name: StaticString,
        to text: String,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ splice: inout JSONSplice
    ) {
        let quoted = ByteBuffer(capacity: text.utf8.count + 2)
        JSONWriter.appendQuoted(text, to: quoted)
        quoted.withBytes { json in
            splice.setMember(name, of: tape.root, to: json, tape: tape, bytes: bytes)
        }
    }
}
