// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Turns and what stands above them.
extension MessagesAdapter {
    private static let contentRepairs: MessagesRepairs = [
        .cacheScope, .hostedTools, .emptyText, .systemTurns, .prefill, .toolResults,
        .unsignedThinking,
    ]

    mutating func adaptMessages(
        _ messages: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard !repairs.isDisjoint(with: Self.contentRepairs) else { return }
        var lifted: [JSONNode] = []
        var dropped: [JSONNode] = []
        var last: JSONNode?
        for message in tape.elements(of: messages) {
            guard tape.kind(of: message) == .object,
                let content = tape.member("content", of: message, in: bytes),
                let role = tape.member("role", of: message, in: bytes)
            else {
                last = message
                continue
            }
            if repairs.contains(.systemTurns), tape.equals(role, "system", in: bytes) {
                lifted.append(content)
                dropped.append(message)
            } else if !adaptContent(content, tape, bytes) {
                dropped.append(message)
            } else {
                last = message
            }
        }
        adaptSystem(lifted, tape, bytes)
        guard let last else {
            throw .invalid(messages, tape, "must have a turn that says something")
        }
        if !dropped.isEmpty {
            var next = 0
            splice.removeElements(of: messages, tape: tape) { element in
                guard next < dropped.count, dropped[next] == element else { return false }
                next += 1
                return true
            }
        }
        if repairs.contains(.prefill), !plan.rules.takesPrefill {
            goOn(after: last, messages, tape, bytes)
        }
    }

    /// Puts a turn of the user behind one of the assistant's that the model should go on with.
    private mutating func goOn(
        after last: JSONNode,
        _ messages: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        guard let role = tape.member("role", of: last, in: bytes),
            tape.equals(role, "assistant", in: bytes),
            let content = tape.member("content", of: last, in: bytes)
        else { return }
        var lastBlock: JSONNode?
        for block in tape.elements(of: content) { lastBlock = block }
        if let lastBlock, let type = tape.member("type", of: lastBlock, in: bytes),
            tape.equals(type, "tool_use", in: bytes)
        {
            return
        }
        omissions.add(.prefill, of: .messages)
        splice.insert(
            at: tape.valueRange(of: messages).upperBound - 1,
            #",{"role":"user","content":"\#(MessagesRequestWriter.nextTurn)"}"#.utf8.span
        )
    }

    /// Repairs what a turn says; false, without any change, when nothing is left of it.
    private mutating func adaptContent(
        _ content: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard tape.kind(of: content) == .array else {
            return !repairs.contains(.emptyText) || !isBlank(content, tape, bytes)
        }
        var dropped: [JSONNode] = []
        var count = 0
        for block in tape.elements(of: content) {
            count += 1
            if isUnwantedBlock(block, tape, bytes) { dropped.append(block) }
        }
        guard count > dropped.count else { return count == 0 && !repairs.contains(.emptyText) }
        if repairs.contains(.cacheScope) || repairs.contains(.toolResults) {
            var next = 0
            for block in tape.elements(of: content) {
                if next < dropped.count, dropped[next] == block {
                    next += 1
                } else {
                    adaptBlock(block, tape, bytes)
                }
            }
        }
        if !dropped.isEmpty {
            splice.removeElements(of: content, tape: tape) { dropped.contains($0) }
        }
        return true
    }

    /// Whether a node is a string without anything to read.
    private func isBlank(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Bool {
        tape.kind(of: node) == .string
            && MessagesText.isBlank(bytes.extracting(tape.contentRange(of: node)))
    }

    private mutating func isUnwantedBlock(
        _ block: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let type = tape.member("type", of: block, in: bytes) else { return false }
        if tape.equals(type, "text", in: bytes) {
            guard repairs.contains(.emptyText), let text = tape.member("text", of: block, in: bytes)
            else { return false }
            return isBlank(text, tape, bytes)
        }
        if tape.equals(type, "thinking", in: bytes) {
            return isForeign("signature", of: block, tape, bytes)
        }
        if tape.equals(type, "redacted_thinking", in: bytes) {
            return isForeign("data", of: block, tape, bytes)
        }
        guard repairs.contains(.hostedTools), MessagesBlock.isOfServerTool(type, tape, bytes) else {
            return false
        }
        omissions.add("messages[].content[]." + MessagesValue.label(type, tape, bytes))
        return true
    }

    /// Whether thoughts are another vendor's: what proves them Claude's is empty, or marked.
    private mutating func isForeign(
        _ name: StaticString,
        of block: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard repairs.contains(.unsignedThinking) else { return false }
        if let proof = tape.member(name, of: block, in: bytes), tape.kind(of: proof) == .string {
            let text = JSONText(proof, tape)
            if !text.isEmpty, ThoughtMark.find(text, in: bytes) == nil { return false }
        }
        omissions.add(.thinkingHistory, of: .messages)
        return true
    }

    private mutating func adaptBlock(
        _ block: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        if repairs.contains(.cacheScope) { removeScope(of: block, tape, bytes) }
        guard repairs.contains(.toolResults),
            let type = tape.member("type", of: block, in: bytes),
            tape.equals(type, "tool_result", in: bytes),
            let content = tape.member("content", of: block, in: bytes)
        else { return }
        adaptResult(block, content, tape, bytes)
    }

    // MARK: Results of tools

    private mutating func adaptResult(
        _ block: JSONNode,
        _ content: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        var dropped: [JSONNode] = []
        switch tape.kind(of: content) {
        case .null: return
        case .string:
            guard isBlank(content, tape, bytes) else {
                let range = tape.valueRange(of: content)
                splice.insert(at: range.lowerBound, #"[{"type":"text","text":"#.utf8.span)
                splice.insert(at: range.upperBound, "}]".utf8.span)
                return
            }
        case .object, .number, .bool:
            let json = "[" + textBlock(ofUnknown: content, tape, bytes) + "]"
            splice.replace(tape.valueRange(of: content), with: json.utf8.span)
            return
        case .array:
            var isEmpty = true
            for element in tape.elements(of: content) {
                if isBlankText(element, tape, bytes) {
                    dropped.append(element)
                } else {
                    isEmpty = false
                }
            }
            if !isEmpty {
                adaptResultBlocks(content, dropped, tape, bytes)
                return
            }
        }
        // The tool said nothing, which is to be without the member.
        splice.removeMembers(of: block, tape: tape, bytes: bytes) { name, _ in
            tape.equals(name, "content", in: bytes)
        }
    }

    private func isBlankText(
        _ block: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard let type = tape.member("type", of: block, in: bytes),
            tape.equals(type, "text", in: bytes),
            let text = tape.member("text", of: block, in: bytes)
        else { return isBlank(block, tape, bytes) }
        return isBlank(text, tape, bytes)
    }

    private mutating func adaptResultBlocks(
        _ content: JSONNode,
        _ dropped: [JSONNode],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        for element in tape.elements(of: content) where !dropped.contains(element) {
            let type = tape.member("type", of: element, in: bytes)
            if let type, isKnownInResult(type, tape, bytes) {
                if repairs.contains(.cacheScope) { removeScope(of: element, tape, bytes) }
            } else {
                let json = textBlock(ofUnknown: element, tape, bytes)
                splice.replace(tape.valueRange(of: element), with: json.utf8.span)
            }
        }
        if !dropped.isEmpty {
            splice.removeElements(of: content, tape: tape) { dropped.contains($0) }
        }
    }

    private func isKnownInResult(
        _ type: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> Bool {
        tape.equals(type, "text", in: bytes) || tape.equals(type, "image", in: bytes)
            || tape.equals(type, "document", in: bytes)
            || tape.equals(type, "search_result", in: bytes)
    }

    private func textBlock(
        ofUnknown node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> String {
        let type = tape.member("type", of: node, in: bytes)
        let out = ByteBuffer()
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("type", "text")
        writer.member("text", MessagesBlock.text(ofUnknown: node, type, tape, bytes))
        writer.endObject()
        return out.text
    }
}
