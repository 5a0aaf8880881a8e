// SPDX-License-Identifier: Apache-2.0
package import JSON

/// How many tokens a request is likely to have, without any vendor's tokenizer.
///
/// A sum over everything that the model reads, so that more content never has fewer tokens:
///
/// | What | Tokens |
/// |---|---|
/// | letter | 1/4 |
/// | digit | 3/8 |
/// | white space | 1/16 |
/// | other ASCII | 1/2 |
/// | character of two bytes of UTF-8 (accents, Greek, Cyrillic, Arabic) | 1/2 |
/// | of three (Chinese, Japanese, Korean and others) | 1 |
/// | of four (emoji) | 2 |
/// | turn | 4 |
/// | text of the system | 2 |
/// | call of a tool, or its result | 8, and its texts |
/// | tool | 8, and its texts |
/// | any tools | 320, what vendors put before the first one |
/// | image in base64 | 100 to 4 KiB, 400 to 32 KiB, 900 to 128 KiB, else 1600 |
/// | PDF in base64 | 2000 per page, a page per 64 KiB |
/// | image or PDF elsewhere | 1600, 2000 |
/// | sound in base64 | 100, and 1 per 512 bytes |
package enum TokenEstimate {
    /// Parts of a token that texts are counted in.
    private static let unitsPerToken = 16

    /// Tokens of what `conversation`, which was read from `bytes`, gives a model to read.
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
        if !conversation.tools.isEmpty { count.tokens += 320 }
        for tool in conversation.tools {
            count.tokens += 8
            count.add(tool.name, bytes)
            if let description = tool.description { count.add(description, bytes) }
            if let schema = tool.schema { count.add(schema, bytes) }
        }
        if case .jsonSchema(let format)? = conversation.responseFormat {
            count.add(format.schema, bytes)
        }
        return count.total
    }

    /// Tokens of a client's request.
    ///
    /// - Throws: What is wrong with it.
    package static func tokens(
        of format: WireFormat,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Int {
        tokens(of: try Conversion.readRequest(format, tape, bytes), in: bytes)
    }

    private struct Count {
        var tokens = 0
        var units = 0

        var total: Int {
            tokens + (units + TokenEstimate.unitsPerToken - 1) / TokenEstimate.unitsPerToken
        }

        mutating func add(_ text: JSONText, _ bytes: Span<UInt8>) {
            switch text {
            case .slice(let range): units += Self.units(bytes.extracting(range))
            case .text(let text): units += Self.units(text.utf8.span)
            }
        }

        mutating func add(_ fragment: JSONFragment, _ bytes: Span<UInt8>) {
            switch fragment {
            case .slice(let range): units += Self.units(bytes.extracting(range))
            case .json(let text): units += Self.units(text.utf8.span)
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
            }
        }

        private mutating func add(_ media: Media, _ bytes: Span<UInt8>) {
            if case .plain(let text) = media.source {
                add(text, bytes)
                return
            }
            var encoded: Int?
            if case .base64(let data) = media.source {
                switch data {
                case .slice(let range): encoded = range.count
                case .text(let text): encoded = text.utf8.count
                }
            }
            switch media.kind {
            case .image: tokens += Self.image(encoded)
            case .document: tokens += 2000 * (1 + (encoded ?? 0) / 65_536)
            case .audio: tokens += 100 + (encoded ?? 0) / 512
            }
        }

        /// Vendors count pixels, which only somebody who decodes the image knows.
        private static func image(_ encoded: Int?) -> Int {
            switch encoded {
            case .some(...4_096): 100
            case .some(...32_768): 400
            case .some(...131_072): 900
            case .some, nil: 1600
            }
        }

        /// Sixteenths of a token of a text with its escapes.
        static func units(_ text: Span<UInt8>) -> Int {
            var units = 0
            var at = 0
            while at < text.count {
                let byte = text[at]
                at += 1
                if byte == UInt8(ascii: "\\"), at < text.count {
                    units += Self.units(escape: text[at])
                    at += text[at] == UInt8(ascii: "u") ? 5 : 1
                } else {
                    units += Self.units(byte)
                }
            }
            return units
        }

        private static func units(escape byte: UInt8) -> Int {
            switch byte {
            case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): 1
            // Half of an emoji, or a letter of some script.
            case UInt8(ascii: "u"): 16
            default: 8
            }
        }

        @inline(__always)
        private static func units(_ byte: UInt8) -> Int {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): 4
            case 0...0x20: 1
            case UInt8(ascii: "0")...UInt8(ascii: "9"): 6
            case 0..<0x80: 8
            case 0x80..<0xC0: 0
            case 0xC0..<0xE0: 8
            case 0xE0..<0xF0: 16
            default: 32
            }
        }
    }
}
