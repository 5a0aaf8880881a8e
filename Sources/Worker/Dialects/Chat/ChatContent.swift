// SPDX-License-Identifier: Apache-2.0
import JSON

/// What the `content` and the `images` of a message or a delta hold.
enum ChatContent {
    /// Calls `body` with each piece of `content`: a text, or the parts that some vendors send.
    static func forEach(
        _ content: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ body: (Part) -> Void
    ) {
        switch tape.kind(of: content) {
        case .string:
            let text = JSONText(content, tape)
            if !text.isEmpty { body(.text(TextBlock(text))) }
        case .array:
            for element in tape.elements(of: content) { forPart(element, tape, bytes, body) }
        case .object, .number, .bool, .null: break
        }
    }

    private static func forPart(
        _ part: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ body: (Part) -> Void
    ) {
        guard let type = tape.member("type", of: part, in: bytes) else { return }
        if tape.equals(type, "text", in: bytes) {
            if let text = text("text", part, tape, bytes) { body(.text(TextBlock(text))) }
        } else if tape.equals(type, "refusal", in: bytes) {
            if let text = text("refusal", part, tape, bytes) { body(.refusal(text)) }
        } else if tape.equals(type, "thinking", in: bytes) {
            // Mistral's thoughts are a list of texts.
            guard let thoughts = tape.member("thinking", of: part, in: bytes) else { return }
            forEach(thoughts, tape, bytes) { piece in
                if case .text(let block) = piece { body(.thinking(Thinking(text: block.text))) }
            }
        }
    }

    /// The images that OpenRouter and LiteLLM put beside the content.
    static func forEachImage(
        _ images: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        _ body: (Media) -> Void
    ) {
        for element in tape.elements(of: images) {
            guard let image = tape.member("image_url", of: element, in: bytes),
                let url = tape.member("url", of: image, in: bytes),
                tape.kind(of: url) == .string
            else { continue }
            guard DataURL.isOne(url, tape, bytes) else {
                body(Media(.image, nil, .url(JSONText(url, tape))))
                continue
            }
            do throws(ConversionError) {
                let data = try DataURL(url, tape, bytes)
                body(Media(.image, data.mediaType, .base64(data.data)))
            } catch {
                // An image that no client could show.
                continue
            }
        }
    }

    /// The thoughts of a message or a delta; vendors have two names for them.
    static func thoughts(
        _ long: JSONNode?,
        _ short: JSONNode?,
        _ tape: JSONTape
    ) -> JSONText? {
        for node in [long, short] {
            guard let node, tape.kind(of: node) == .string else { continue }
            let text = JSONText(node, tape)
            if !text.isEmpty { return text }
        }
        return nil
    }

    private static func text(
        _ name: StaticString,
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> JSONText? {
        guard let value = tape.member(name, of: node, in: bytes), tape.kind(of: value) == .string,
            !tape.contentRange(of: value).isEmpty
        else { return nil }
        return JSONText(value, tape)
    }
}
