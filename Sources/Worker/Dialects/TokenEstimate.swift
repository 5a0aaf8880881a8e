// SPDX-License-Identifier: Apache-2.0

/// How many tokens a request is likely to have, without any vendor's tokenizer.
///
/// A sum over everything that the model reads, so that more content never has fewer tokens. Texts
/// count by `TextWeight`: English has about 4 characters a token, code and JSON about 3.2, Chinese
/// and Japanese 1. Beside that:
///
/// | What | Tokens |
/// |---|---|
/// | turn | 4 |
/// | text of the system | 2 |
/// | call of a tool, or its result | 8, and its texts |
/// | tool | 8, and its texts |
/// | any tools | 160: vendors put from 10 to 350 before the first one |
/// | schema of the answer | 8, and its text |
/// | image in base64 | 100 to 4 KiB, 400 to 32 KiB, 900 to 128 KiB, else 1600 |
/// | document in base64 | 2000 per page, a page per 64 KiB; a text as its bytes, 4 a token |
/// | image or document elsewhere | 1600, 2000 |
/// | sound | 100, and 1 per 512 bytes of base64 |
/// | encrypted thoughts | 1 per 8 bytes |
package enum TokenEstimate {
    /// Tokens of what `conversation`, which was read from `bytes`, gives a model to read.
    ///
    /// At least 1, except for a conversation without anything to read.
    package static func tokens(of conversation: Conversation, in bytes: Span<UInt8>) -> Int {
        var count = Count()
        for block in conversation.system {
            count.tokens += 2
            count.add(block.text, bytes)
        }
        for message in conversation.messages {
            count.tokens += 4
            for part in message.parts { count.add(part, bytes) }
        }
        if !conversation.tools.isEmpty { count.tokens += 160 }
        for tool in conversation.tools {
            count.tokens += 8
            count.add(tool.name, bytes)
            if let description = tool.description { count.add(description, bytes) }
            if let schema = tool.schema { count.add(schema, bytes) }
        }
        if case .jsonSchema(let format)? = conversation.responseFormat {
            count.tokens += 8
            count.add(format.schema, bytes)
        }
        return count.total
    }

    private struct Count {
        var tokens = 0
        private var units = 0

        var total: Int { tokens + TextWeight.tokens(units) }

        mutating func add(_ text: JSONText, _ bytes: Span<UInt8>) {
            switch text {
            case .slice(let range): units += TextWeight.units(bytes.extracting(range))
            case .text(let text): units += TextWeight.units(text.utf8.span)
            }
        }

        mutating func add(_ fragment: JSONFragment, _ bytes: Span<UInt8>) {
            switch fragment {
            case .slice(let range): units += TextWeight.units(bytes.extracting(range))
            case .json(let text): units += TextWeight.units(text.utf8.span)
            }
        }

        mutating func add(_ part: Part, _ bytes: Span<UInt8>) {
            switch part {
            case .text(let block): add(block.text, bytes)
            case .refusal(let text): add(text, bytes)
            case .media(let media): add(media, bytes)
            case .toolCall(let call):
                tokens += 8
                add(call.name, bytes)
                switch call.input {
                case .object(let object): add(object, bytes)
                case .text(let text): add(text, bytes)
                }
            case .toolResult(let result):
                tokens += 8
                if let value = result.value { add(value, bytes) }
                for part in result.content { add(part, bytes) }
            case .thinking(let thinking):
                if let text = thinking.text { add(text, bytes) }
                if let encrypted = thinking.encrypted { tokens += Self.count(encrypted) / 8 }
            }
        }

        private mutating func add(_ media: Media, _ bytes: Span<UInt8>) {
            switch media.source {
            case .plain(let text): add(text, bytes)
            case .base64(let data): tokens += Self.tokens(media, Self.count(data), bytes)
            case .url, .file:
                switch media.kind {
                case .image: tokens += 1600
                case .document: tokens += 2000
                case .audio: tokens += 100
                }
            }
        }

        /// Tokens of `count` bytes of base64.
        private static func tokens(_ media: Media, _ count: Int, _ bytes: Span<UInt8>) -> Int {
            switch media.kind {
            case .image: image(count)
            case .document:
                isText(media.mediaType, bytes) ? count * 3 / 16 : 2000 * (1 + count / 65_536)
            case .audio: 100 + count / 512
            }
        }

        /// Vendors count pixels, which only somebody who decodes the image knows.
        private static func image(_ count: Int) -> Int {
            switch count {
            case ...4_096: 100
            case ...32_768: 400
            case ...131_072: 900
            default: 1600
            }
        }

        private static func isText(_ type: JSONText?, _ bytes: Span<UInt8>) -> Bool {
            guard let name = type?.value(from: bytes).lowercased() else { return false }
            return name.hasPrefix("text/") || name.hasPrefix("application/json")
        }

        private static func count(_ text: JSONText) -> Int {
            switch text {
            case .slice(let range): range.count
            case .text(let text): text.utf8.count
            }
        }
    }
}
