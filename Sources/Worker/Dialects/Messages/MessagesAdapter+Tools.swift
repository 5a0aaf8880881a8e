// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Tools and their choice.
extension MessagesAdapter {
    mutating func adaptTools(_ tape: JSONTape, _ bytes: Span<UInt8>) {
        guard let tools = body[.tools], !isUnwanted(tools), tape.kind(of: tools.value) == .array,
            repairs.contains(.hostedTools) || repairs.contains(.toolMembers)
        else { return }
        var dropped: [JSONNode] = []
        var kept: [JSONNode] = []
        for tool in tape.elements(of: tools.value) {
            if isUsable(tool, tape, bytes) {
                kept.append(tool)
            } else {
                omissions.add("tools[]" + suffix(tool, tape, bytes))
                dropped.append(tool)
            }
        }
        guard !kept.isEmpty else {
            unwanted.append(tools.name)
            if let choice = body[.toolChoice], !isUnwanted(choice) { leaveOut(choice, tape, bytes) }
            return
        }
        for tool in kept { adaptTool(tool, tape, bytes) }
        if !dropped.isEmpty {
            splice.removeElements(of: tools.value, tape: tape) { dropped.contains($0) }
            resetChoice(dropped, tape, bytes)
        }
    }

    /// Whether Bedrock knows such a tool: one of the client's own, with a name.
    private func isUsable(_ tool: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Bool {
        guard tape.kind(of: tool) == .object else { return false }
        if let type = tape.member("type", of: tool, in: bytes), !tape.isNull(type),
            !tape.equals(type, "custom", in: bytes), repairs.contains(.hostedTools)
        {
            return false
        }
        guard let name = tape.member("name", of: tool, in: bytes) else { return false }
        return tape.kind(of: name) == .string && !tape.contentRange(of: name).isEmpty
    }

    private func suffix(_ tool: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> String {
        guard let type = tape.member("type", of: tool, in: bytes),
            let name = tape.string(of: type, in: bytes)
        else { return "" }
        return "." + name
    }

    private mutating func adaptTool(
        _ tool: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        if repairs.contains(.cacheScope) { removeScope(of: tool, tape, bytes) }
        guard repairs.contains(.toolMembers) else { return }
        var hasSchema = false
        var names: [String] = []
        splice.removeMembers(of: tool, tape: tape, bytes: bytes) { name, value in
            if tape.equals(name, "name", in: bytes)
                || tape.equals(name, "cache_control", in: bytes)
            {
                return false
            }
            if tape.equals(name, "description", in: bytes), tape.kind(of: value) == .string {
                return false
            }
            if tape.equals(name, "input_schema", in: bytes), tape.kind(of: value) == .object {
                hasSchema = true
                return false
            }
            if !tape.isNull(value), !tape.equals(name, "type", in: bytes) {
                names.append("tools[]." + MessagesValue.label(name, tape, bytes))
            }
            return true
        }
        for name in names { omissions.add(name) }
        guard !hasSchema, let name = tape.member("name", of: tool, in: bytes) else { return }
        splice.insert(
            at: tape.valueRange(of: name).upperBound,
            #","input_schema":{"type":"object","properties":{}}"#.utf8.span
        )
    }

    /// A choice of a tool that went leaves the choice to the model.
    private mutating func resetChoice(
        _ dropped: [JSONNode],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        guard let choice = body[.toolChoice], !isUnwanted(choice),
            let node = tape.member("name", of: choice.value, in: bytes),
            let chosen = tape.string(of: node, in: bytes)
        else { return }
        for tool in dropped {
            guard let name = tape.member("name", of: tool, in: bytes),
                tape.equals(name, chosen.utf8.span, in: bytes)
            else { continue }
            omissions.add(.toolChoice, of: .messages)
            set("tool_choice", choice, to: #"{"type":"auto"}"#, tape, bytes)
            return
        }
    }

    /// Takes `scope` out of the cache mark of a block or tool; Bedrock has one scope only.
    mutating func removeScope(
        of object: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        for member in tape.members(of: object)
        where tape.equals(member.name, "cache_control", in: bytes) {
            splice.removeMembers(of: member.value, tape: tape, bytes: bytes) { name, _ in
                tape.equals(name, "scope", in: bytes)
            }
        }
    }
}
