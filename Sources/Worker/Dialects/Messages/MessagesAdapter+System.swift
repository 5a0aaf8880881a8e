// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// What stands above the turns.
extension MessagesAdapter {
    /// Repairs `system`; `lifted` is what turns with that role said, which goes behind it.
    mutating func adaptSystem(
        _ lifted: [JSONNode],
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        let system = body[.system].flatMap { isUnwanted($0) ? nil : $0 }
        guard lifted.isEmpty else {
            let out = ByteBuffer()
            out.append("[")
            if let system { appendTexts(of: system.value, tape, bytes, to: out) }
            for content in lifted { appendTexts(of: content, tape, bytes, to: out) }
            out.append("]")
            if out.count == 2 {
                if let system { unwanted.append(system.name) }
            } else {
                set("system", body[.system], to: out.text, tape, bytes)
            }
            return
        }
        guard let system else { return }
        if tape.kind(of: system.value) == .array {
            adaptBlocks(of: system, tape, bytes)
        } else if repairs.contains(.emptyText), isEmptyText(system.value, tape, bytes) {
            unwanted.append(system.name)
        }
    }

    private mutating func adaptBlocks(
        of system: JSONMembers.Member,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        var dropped: [JSONNode] = []
        var count = 0
        for block in tape.elements(of: system.value) {
            count += 1
            if repairs.contains(.emptyText), let text = tape.member("text", of: block, in: bytes),
                isEmptyText(text, tape, bytes)
            {
                dropped.append(block)
            }
        }
        guard count > dropped.count else {
            if repairs.contains(.emptyText) { unwanted.append(system.name) }
            return
        }
        if repairs.contains(.cacheScope) {
            for block in tape.elements(of: system.value) where !dropped.contains(block) {
                removeScope(of: block, tape, bytes)
            }
        }
        if !dropped.isEmpty {
            splice.removeElements(of: system.value, tape: tape) { dropped.contains($0) }
        }
    }

    private func isEmptyText(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Bool {
        tape.kind(of: node) == .string
            && MessagesText.isBlank(bytes.extracting(tape.contentRange(of: node)))
    }

    /// Appends the texts of a string or a list of blocks as blocks, with commas between them.
    private func appendTexts(
        of content: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        if tape.kind(of: content) == .string {
            appendBlock(content, cache: nil, tape, bytes, to: out)
            return
        }
        for block in tape.elements(of: content) {
            guard let text = tape.member("text", of: block, in: bytes),
                tape.kind(of: text) == .string
            else { continue }
            let cache = tape.member("cache_control", of: block, in: bytes)
            appendBlock(text, cache: cache, tape, bytes, to: out)
        }
    }

    private func appendBlock(
        _ text: JSONNode,
        cache: JSONNode?,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        guard !isEmptyText(text, tape, bytes) else { return }
        if out.count > 1 { out.append(",") }
        var writer = JSONWriter(out)
        writer.beginObject()
        writer.member("type", "text")
        writer.name("text")
        writer.raw(bytes.extracting(tape.valueRange(of: text)))
        if let cache, tape.kind(of: cache) == .object {
            writer.name("cache_control")
            writer.beginObject()
            for member in tape.members(of: cache)
            where !tape.equals(member.name, "scope", in: bytes)
                || !repairs.contains(.cacheScope)
            {
                writer.name(escaping: MessagesValue.label(member.name, tape, bytes))
                writer.raw(bytes.extracting(tape.valueRange(of: member.value)))
            }
            writer.endObject()
        }
        writer.endObject()
    }
}
