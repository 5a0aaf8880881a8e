// SPDX-License-Identifier: Apache-2.0
import Bytes
package import JSON

/// Changes in a request for vectors only what an upstream of OpenAI's format needs to be different.
package enum EmbeddingAdapter {
    /// Notes the edits of a request.
    ///
    /// With `addsInputType` a request that does not say what the vectors are for is given
    /// `input_type`, which NVIDIA's models demand. Of `plan`, the format does not matter.
    package static func adapt(
        _ plan: RequestPlan,
        addsInputType: Bool = false,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) throws(ConversionError) {
        let root = tape.root
        try ChatFields.object(root, tape)
        var model: JSONNode?
        var hasInput = false
        var hasInputType = false
        var unwanted = 0
        for member in tape.members(of: root) {
            if tape.equals(member.name, "model", in: bytes) { model = member.value }
            if tape.equals(member.name, "input", in: bytes) { hasInput = true }
            if tape.equals(member.name, "input_type", in: bytes) {
                hasInputType = !tape.isNull(member.value)
            }
            guard isUnwanted(member.name, plan, addsInputType, tape, bytes) else { continue }
            unwanted += 1
            if !tape.equals(member.name, "model", in: bytes), !tape.isNull(member.value) {
                omissions.add(tape.string(of: member.name, in: bytes) ?? "")
            }
        }
        // A splice cannot add to an object that loses all it has; this member stays.
        guard hasInput else { throw ChatFields.missing("input", of: root, tape, bytes) }
        if unwanted > 0 {
            splice.removeMembers(of: root, tape: tape, bytes: bytes) { name, _ in
                isUnwanted(name, plan, addsInputType, tape, bytes)
            }
        }
        if plan.rules.namesModel {
            let isSame = model.map { tape.equals($0, plan.model.utf8.span, in: bytes) } ?? false
            if !isSame {
                let quoted = ByteBuffer()
                JSONWriter.appendQuoted(plan.model, to: quoted)
                quoted.withBytes { json in
                    splice.setMember("model", of: root, to: json, tape: tape, bytes: bytes)
                }
            }
        }
        if addsInputType, !hasInputType {
            // What is searched is embedded far more often than what searches.
            splice.setMember(
                "input_type",
                of: root,
                to: "\"passage\"".utf8.span,
                tape: tape,
                bytes: bytes
            )
        }
    }

    private static func isUnwanted(
        _ name: JSONNode,
        _ plan: RequestPlan,
        _ takesInputType: Bool,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        if tape.equals(name, "model", in: bytes) { return !plan.rules.namesModel }
        if tape.equals(name, "input", in: bytes) { return false }
        if !plan.refused.isEmpty, let text = tape.string(of: name, in: bytes),
            plan.refused.contains(text)
        {
            return true
        }
        guard plan.rules.hasClosedMembers else { return false }
        if tape.equals(name, "input_type", in: bytes) { return !takesInputType }
        return !tape.equals(name, "encoding_format", in: bytes)
            && !tape.equals(name, "dimensions", in: bytes)
            && !tape.equals(name, "user", in: bytes)
    }
}
