// SPDX-License-Identifier: Apache-2.0
import HTTP

/// Finds the endpoint of a path.
///
/// Pure; `/v1` may be left out, one slash at the end is ignored, and the prefixes that other
/// gateways use (`/openai`, `/anthropic`, `/gemini`, `/litellm`) may stand before it.
enum RequestPath {
    /// What a path asks for.
    struct Match: Equatable {
        let endpoint: Endpoint
        /// The model or id that the path names, still percent-encoded.
        var name: Range<Int>?

        init(_ endpoint: Endpoint, _ name: Range<Int>? = nil) {
            self.endpoint = endpoint
            self.name = name
        }
    }

    private static let prefixes: [StaticString] = [
        "/openai/", "/anthropic/", "/gemini/", "/litellm/",
    ]
    private static let fixed: [(path: StaticString, endpoint: Endpoint)] = [
        ("/completions", .completions), ("/embeddings", .embeddings), ("/models", .models),
        ("/responses", .responses), ("/responses/compact", .responsesCompact),
        ("/messages/count_tokens", .countTokens), ("/chat/stream", .plainChat),
        ("/health", .health),
    ]
    private static let actions: [(suffix: StaticString, endpoint: Endpoint)] = [
        (":generateContent", .gemini(.generate)), (":streamGenerateContent", .gemini(.stream)),
        (":countTokens", .gemini(.countTokens)), (":embedContent", .gemini(.embed)),
        (":batchEmbedContents", .gemini(.batchEmbed)),
    ]
    private static let azure: [(suffix: StaticString, endpoint: Endpoint)] = [
        ("/chat/completions", .chatCompletions), ("/completions", .completions),
        ("/embeddings", .embeddings),
    ]

    static func match(_ path: Span<UInt8>) -> Match? {
        var end = path.count
        if end > 1, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
        // The usual ones first.
        if path.isEqual("/v1/chat/completions", to: end) { return Match(.chatCompletions) }
        if path.isEqual("/v1/messages", to: end) { return Match(.messages) }
        var start = 0
        for prefix in prefixes where path.hasPrefix(prefix, at: 0) {
            start = prefix.utf8CodeUnitCount - 1
        }
        if path.hasPrefix("/deployments/", at: start) { return deployment(path, start + 13, end) }
        var isBeta = false
        if path.hasPrefix("/v1/", at: start) {
            start += 3
        } else if path.hasPrefix("/v1beta/", at: start) {
            start += 7
            isBeta = true
        }
        return match(path.extracting(0..<end), from: start, isBeta: isBeta)
    }

    private static func match(_ path: Span<UInt8>, from start: Int, isBeta: Bool) -> Match? {
        if path.hasPrefix("/models/", at: start), path.count > start + 8 {
            let name = (start + 8)..<path.count
            for action in actions where path.hasSuffix(action.suffix) {
                let nameEnd = path.count - action.suffix.utf8CodeUnitCount
                guard nameEnd > name.lowerBound else { return nil }
                return Match(action.endpoint, name.lowerBound..<nameEnd)
            }
            return Match(isBeta ? .geminiModel : .model, name)
        }
        let rest = path.extracting(start..<path.count)
        if isBeta { return rest.isEqual("/models") ? Match(.geminiModels) : nil }
        if rest.isEqual("/chat/completions") { return Match(.chatCompletions) }
        if rest.isEqual("/messages") { return Match(.messages) }
        for candidate in fixed where rest.isEqual(candidate.path) {
            return Match(candidate.endpoint)
        }
        let responses: StaticString = "/responses/"
        let length = responses.utf8CodeUnitCount
        guard rest.hasPrefix(responses, at: 0), rest.count > length else { return nil }
        for index in length..<rest.count where rest[index] == UInt8(ascii: "/") { return nil }
        return Match(.response, (start + length)..<path.count)
    }

    /// `/openai/deployments/{model}/...`, as Azure's clients write it.
    private static func deployment(_ path: Span<UInt8>, _ start: Int, _ end: Int) -> Match? {
        let path = path.extracting(0..<end)
        for candidate in azure where path.hasSuffix(candidate.suffix) {
            let nameEnd = end - candidate.suffix.utf8CodeUnitCount
            guard nameEnd > start else { return nil }
            return Match(candidate.endpoint, start..<nameEnd)
        }
        return nil
    }

    /// A path segment with its percent escapes resolved; nil when an escape is broken.
    ///
    /// Spec: RFC 3986 section 2.1.
    static func decoded(_ text: Span<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                index += 1
                continue
            }
            guard index + 2 < text.count, let high = hexadecimal(text[index + 1]),
                let low = hexadecimal(text[index + 2])
            else { return nil }
            result.append(high << 4 | low)
            index += 3
        }
        return result
    }

    /// Whether a query has `parameter`, written `name=value`.
    static func hasParameter(_ parameter: StaticString, in query: Span<UInt8>) -> Bool {
        var start = 0
        for index in 0...query.count {
            guard index == query.count || query[index] == UInt8(ascii: "&") else { continue }
            if query.extracting(start..<index).isEqual(parameter) { return true }
            start = index + 1
        }
        return false
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension Span<UInt8> {
    /// Whether `text` stands at `offset`.
    func hasPrefix(_ text: StaticString, at offset: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset >= 0, count - offset >= length else { return false }
        for index in 0..<length {
            // SAFETY: index is below the static string's length.
            let expected = unsafe text.utf8Start[index]
            if self[offset + index] != expected { return false }
        }
        return true
    }

    func isEqual(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && hasPrefix(text, at: 0)
    }

    /// Whether the bytes before `end` are `text`.
    func isEqual(_ text: StaticString, to end: Int) -> Bool {
        end == text.utf8CodeUnitCount && hasPrefix(text, at: 0)
    }

    func hasSuffix(_ text: StaticString) -> Bool {
        hasPrefix(text, at: count - text.utf8CodeUnitCount)
    }
}
