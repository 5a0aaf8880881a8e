// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Changes in a request of Anthropic Messages only what its upstream needs to be different.
///
/// What is repaired is a row of `MessagesRepairs`; the rest of the body stays byte by byte.
struct MessagesAdapter {
    let plan: RequestPlan
    var splice: JSONSplice
    var omissions: Omissions
    var body = MessagesBody()
    /// Names of the members at the top that go.
    var unwanted: [JSONNode] = []
    /// Betas that the body names, on hosts that have them there.
    var betas: [String] = []

    var repairs: MessagesRepairs { plan.rules.claude.repairs }

    static func adapt(
        _ plan: RequestPlan,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ omissions: inout Omissions,
        into splice: inout JSONSplice
    ) throws(ConversionError) {
        var adapter = MessagesAdapter(plan: plan, splice: splice, omissions: omissions)
        try adapter.adapt(tape, bytes)
        splice = adapter.splice
        omissions = adapter.omissions
    }

    private mutating func adapt(
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let root = tape.root
        try MessagesValue.mustBeObject(root, tape)
        collect(root, tape, bytes)
        guard let messages = body[.messages]?.value, !tape.isNull(messages) else {
            throw MessagesValue.missing("messages", of: root, tape, bytes)
        }
        try MessagesValue.mustBeArray(messages, tape)
        guard tape.elements(of: messages).contains(where: { _ in true }) else {
            throw .invalid(messages, tape, "must have at least one turn")
        }
        setModel(tape, bytes)
        setStream(tape, bytes)
        setVersionAndBetas(tape, bytes)
        checkContextManagement(tape, bytes)
        let maxTokens = setMaxTokens(tape, bytes)
        let thinks = adaptThinking(maxTokens, tape, bytes)
        adaptSampling(thinks, tape, bytes)
        adaptTools(tape, bytes)
        try adaptMessages(messages, tape, bytes)
        let unwanted = unwanted
        splice.removeMembers(of: root, tape: tape, bytes: bytes) { name, _ in
            unwanted.contains(name)
        }
    }

    // MARK: Members at the top

    /// Notes where the members are that decide, and which ones go whatever they say.
    private mutating func collect(_ root: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        for member in tape.members(of: root) {
            if let slot = MessagesBody.Slot(member.name, tape, bytes) {
                // Of two members with one name the last one counts, here as in the scanner.
                if let earlier = body[slot], repairs.contains(.closedMembers) {
                    unwanted.append(earlier.name)
                }
                body[slot] = member
            } else if repairs.contains(.closedMembers),
                !tape.equals(member.name, "stop_sequences", in: bytes),
                !tape.equals(member.name, "metadata", in: bytes)
            {
                leaveOut(member, tape, bytes)
                continue
            }
            if isRefused(member.name, tape, bytes) { leaveOut(member, tape, bytes) }
        }
    }

    private func isRefused(_ name: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Bool {
        // Without these there is no request.
        guard !plan.refused.isEmpty, !tape.equals(name, "messages", in: bytes),
            !tape.equals(name, "max_tokens", in: bytes), !tape.equals(name, "model", in: bytes)
        else { return false }
        for refused in plan.refused where tape.equals(name, refused.utf8.span, in: bytes) {
            return true
        }
        return false
    }

    /// Takes a member at the top out and names it.
    mutating func leaveOut(
        _ member: JSONMembers.Member,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        if !tape.isNull(member.value) {
            omissions.add(MessagesValue.label(member.name, tape, bytes))
        }
        unwanted.append(member.name)
    }

    func isUnwanted(_ member: JSONMembers.Member) -> Bool {
        unwanted.contains(member.name)
    }

    /// Gives a member at the top the value `json`; `member` is the one that stands there.
    mutating func set(
        _ name: StaticString,
        _ member: JSONMembers.Member?,
        to json: String,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        if let member, !isUnwanted(member) {
            splice.replace(tape.valueRange(of: member.value), with: json.utf8.span)
        } else if member == nil {
            splice.setMember(name, of: tape.root, to: json.utf8.span, tape: tape, bytes: bytes)
        }
    }

    private mutating func setModel(_ tape: JSONTape, _ bytes: Span<UInt8>) {
        guard plan.rules.namesModel else {
            if let model = body[.model] { unwanted.append(model.name) }
            return
        }
        let name = MessagesBetas.modelName(plan.model)
        if let model = body[.model], tape.equals(model.value, name.utf8.span, in: bytes) { return }
        let quoted = ByteBuffer()
        JSONWriter.appendQuoted(name, to: quoted)
        // Every one of them, should there be several: nobody is to choose another model.
        quoted.withBytes { json in
            splice.setMember("model", of: tape.root, to: json, tape: tape, bytes: bytes)
        }
    }

    private mutating func setStream(_ tape: JSONTape, _ bytes: Span<UInt8>) {
        guard plan.rules.flagsStream else {
            if let stream = body[.stream] { unwanted.append(stream.name) }
            return
        }
        let isStream = body[.stream].flatMap { tape.bool(of: $0.value) } ?? false
        if isStream != plan.isStream {
            set("stream", body[.stream], to: plan.isStream ? "true" : "false", tape, bytes)
        }
    }

    private mutating func setVersionAndBetas(_ tape: JSONTape, _ bytes: Span<UInt8>) {
        guard plan.rules.claude.namesVersion else {
            betas = plan.betas
            return
        }
        let version = body[.version]?.value
        if !(version.map { tape.equals($0, MessagesBetas.version.utf8.span, in: bytes) } ?? false) {
            set(
                "anthropic_version",
                body[.version],
                to: "\"\(MessagesBetas.version)\"",
                tape,
                bytes
            )
        }
        var wantsLongContext = false
        if let model = body[.model]?.value, tape.kind(of: model) == .string {
            let content = bytes.extracting(tape.contentRange(of: model))
            wantsLongContext = MessagesBetas.asksForLongContext(content)
        }
        var own: [String] = []
        if let list = body[.betas]?.value {
            for element in tape.elements(of: list) {
                if let name = tape.string(of: element, in: bytes) { own.append(name) }
            }
        }
        betas = MessagesBetas.body(
            plan,
            among: own,
            wantsLongContext: wantsLongContext,
            &omissions
        )
        guard !betas.isEmpty else {
            if let member = body[.betas] { unwanted.append(member.name) }
            return
        }
        guard betas != own else { return }
        let out = ByteBuffer()
        var writer = JSONWriter(out)
        writer.beginArray()
        for beta in betas { writer.value(beta) }
        writer.endArray()
        set("anthropic_beta", body[.betas], to: out.text, tape, bytes)
    }

    private mutating func checkContextManagement(_ tape: JSONTape, _ bytes: Span<UInt8>) {
        guard repairs.contains(.contextManagement), let member = body[.contextManagement],
            !isUnwanted(member)
        else { return }
        var compacts = betas.contains(MessagesBetas.compaction)
        var edits = 0
        if let list = tape.member("edits", of: member.value, in: bytes) {
            for edit in tape.elements(of: list) {
                let type = tape.member("type", of: edit, in: bytes)
                let isKnown = type.map { tape.equals($0, "compact_20260112", in: bytes) } ?? false
                compacts = compacts && isKnown
                edits += 1
            }
        }
        if !compacts || edits == 0 { leaveOut(member, tape, bytes) }
    }

    /// Makes sure that there is a limit; returns it, nil for one that is no number.
    private mutating func setMaxTokens(_ tape: JSONTape, _ bytes: Span<UInt8>) -> Int? {
        if let limit = body[.maxTokens], !tape.isNull(limit.value) {
            return tape.integer(of: limit.value, in: bytes)
        }
        guard repairs.contains(.maxTokens) else { return nil }
        let limit = plan.maxTokensDefault ?? plan.rules.maxTokensDefault
        set("max_tokens", body[.maxTokens], to: String(limit), tape, bytes)
        return limit
    }
}
