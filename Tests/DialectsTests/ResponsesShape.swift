// SPDX-License-Identifier: Apache-2.0
import Dialects

/// A conversation in one line, so that rows of tables show what they expect.
///
/// `system{a}{b} U{text hi} A{call c1 f {}} U{result c1 f: text noon}`: turns in order, with the
/// parts of each.
enum ResponsesShape {
    static func of(_ conversation: Conversation, _ text: String) -> String {
        let bytes = Array(text.utf8)
        var words: [String] = []
        if !conversation.system.isEmpty {
            let blocks = conversation.system.map { "{" + value($0.text, bytes) + "}" }
            words.append("system" + blocks.joined())
        }
        for message in conversation.messages {
            let parts = message.parts.map { "{" + part($0, bytes) + "}" }
            words.append((message.role == .user ? "U" : "A") + parts.joined())
        }
        return words.joined(separator: " ")
    }

    private static func value(_ text: JSONText, _ bytes: [UInt8]) -> String {
        text.value(from: bytes.span)
    }

    private static func part(_ part: Part, _ bytes: [UInt8]) -> String {
        switch part {
        case .text(let block): return "text " + value(block.text, bytes)
        case .media(let media): return self.media(media, bytes)
        case .toolCall(let call):
            let signature = call.signature.map { " signed " + value($0, bytes) } ?? ""
            let id = call.id.map { value($0, bytes) } ?? "-"
            return "call \(id) \(value(call.name, bytes)) \(input(call.input, bytes))\(signature)"
        case .toolResult(let result):
            let id = result.callID.map { value($0, bytes) } ?? "-"
            let name = result.name.map { value($0, bytes) } ?? "-"
            let content = result.content.map { self.part($0, bytes) }.joined(separator: ", ")
            return "result \(id) \(name): \(content)"
        case .thinking(let thinking):
            var words = ["thinking"]
            if let text = thinking.text { words.append("text " + value(text, bytes)) }
            if let text = thinking.signature { words.append("signature " + value(text, bytes)) }
            if let text = thinking.encrypted { words.append("encrypted " + value(text, bytes)) }
            return words.joined(separator: " ")
        case .refusal(let text): return "refusal " + value(text, bytes)
        }
    }

    private static func input(_ input: ToolInput, _ bytes: [UInt8]) -> String {
        switch input {
        case .text(let text): value(text, bytes)
        case .object(.json(let json)): json
        case .object(.slice(let range)): String(decoding: bytes[range], as: UTF8.self)
        }
    }

    private static func media(_ media: Media, _ bytes: [UInt8]) -> String {
        var words = ["\(media.kind)"]
        if let type = media.mediaType { words.append(value(type, bytes)) }
        switch media.source {
        case .base64(let text): words.append("base64 " + value(text, bytes))
        case .url(let text): words.append("url " + value(text, bytes))
        case .file(let text): words.append("file " + value(text, bytes))
        case .plain(let text): words.append("plain " + value(text, bytes))
        }
        if let name = media.name { words.append("name " + value(name, bytes)) }
        if let detail = media.detail { words.append("detail " + value(detail, bytes)) }
        return words.joined(separator: " ")
    }
}
