// SPDX-License-Identifier: Apache-2.0
import Bytes

extension JSONTape {
    /// Bytes of a member name shown in a path: names come from the peer and may be megabytes.
    private static let nameBytesShownMax = 64
    /// Bytes of a path before the rest is left out, for the same reason.
    private static let pathBytesMax = 512

    /// The way to a value, like `messages[2].content[0].image_url` or `models["a b"].targets`.
    ///
    /// Empty for the root. The path of a member name is that of its value. For error messages:
    /// takes time linear in the tape, and long names and paths are shortened with `…`.
    package func path(of node: JSONNode, in bytes: Span<UInt8>) -> String {
        path(in: bytes) { first, next in node.index >= first && node.index < next }
    }

    /// The way to the innermost value that covers the byte at `offset`; also after an error.
    package func path(at offset: Int, in bytes: Span<UInt8>) -> String {
        path(in: bytes) { first, next in
            // An entry reaches to where the next one starts: what a peer forgot belongs to it.
            let end = next < count ? Int(self[JSONNode(index: next)].start) : Int.max
            let entry = self[JSONNode(index: first)]
            let close = entry.end == 0 ? Int.max : Int(entry.end)
            return offset >= Int(entry.start) && offset <= min(close, end)
        }
    }

    /// Descends from the root into whatever child `contains`, told by its first index and the one
    /// behind it.
    private func path(
        in bytes: Span<UInt8>,
        contains: (_ first: UInt32, _ next: UInt32) -> Bool
    ) -> String {
        guard count > 0 else { return "" }
        var path = ""
        var node = root
        while let step = child(of: node, in: bytes, contains: contains) {
            guard path.utf8.count + step.text.utf8.count <= Self.pathBytesMax else {
                return path + "…"
            }
            path +=
                path.isEmpty && step.text.first == "." ? String(step.text.dropFirst()) : step.text
            node = step.node
        }
        return path
    }

    private func child(
        of node: JSONNode,
        in bytes: Span<UInt8>,
        contains: (_ first: UInt32, _ next: UInt32) -> Bool
    ) -> (node: JSONNode, text: String)? {
        switch kind(of: node) {
        case .object:
            for member in members(of: node) {
                let next = self[member.value].next
                if contains(member.name.index, next) || contains(member.value.index, next) {
                    return (member.value, nameStep(member.name, in: bytes))
                }
            }
        case .array:
            var position = 0
            for element in elements(of: node) {
                if contains(element.index, self[element].next) {
                    return (element, "[\(position)]")
                }
                position += 1
            }
        case .string, .number, .bool, .null:
            break
        }
        return nil
    }

    /// `.name`, or `["na me"]` when it could be mistaken.
    private func nameStep(_ name: JSONNode, in bytes: Span<UInt8>) -> String {
        let content = bytes.extracting(contentRange(of: name))
        var isPlain = content.count > 0 && content.count <= Self.nameBytesShownMax
        for index in 0..<min(content.count, Self.nameBytesShownMax) where isPlain {
            switch content[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"), UInt8(ascii: "-"):
                break
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                isPlain = isPlain && index > 0
            default:
                isPlain = false
            }
        }
        if isPlain { return "." + String(copying: content) }
        // Shown as it stands in the document, escapes and all, so that nothing breaks a line.
        guard content.count > Self.nameBytesShownMax else {
            return "[\"" + String(copying: content) + "\"]"
        }
        var cut = Self.nameBytesShownMax
        while content[cut] & 0xC0 == 0x80 {
            cut -= 1
        }
        return "[\"" + String(copying: content.extracting(first: cut)) + "…\"]"
    }
}
