// SPDX-License-Identifier: Apache-2.0
import HTTP
import Metrics

/// What a request path asks for.
enum Endpoint: Equatable {
    case chatCompletions
    case completions
    case embeddings
    case models
    /// One model; the range of its id in the path, still percent-encoded.
    case model(Range<Int>)
    case health

    var route: Route {
        switch self {
        case .chatCompletions: .chatCompletions
        case .completions: .completions
        case .embeddings: .embeddings
        case .models, .model: .models
        case .health: .health
        }
    }

    /// The methods it has, as an Allow field lists them.
    var allow: StaticString {
        switch self {
        case .chatCompletions, .completions, .embeddings: "POST, OPTIONS"
        case .models, .model, .health: "GET, HEAD, OPTIONS"
        }
    }

    func allows(_ method: HTTPMethod) -> Bool {
        switch self {
        case .chatCompletions, .completions, .embeddings: method == .post
        case .models, .model, .health: method == .get || method == .head
        }
    }

    /// Whether a client key is asked for.
    var needsKey: Bool {
        switch self {
        case .health: false
        case .chatCompletions, .completions, .embeddings, .models, .model: true
        }
    }

    /// What comes behind the upstream's base URL; nil where the gateway answers by itself.
    var upstreamPath: StaticString? {
        switch self {
        case .chatCompletions: "/chat/completions"
        case .completions: "/completions"
        case .embeddings: "/embeddings"
        case .models, .model, .health: nil
        }
    }
}

/// Finds the endpoint of a path.
///
/// Pure; `/v1` may be left out, and one slash at the end is ignored.
enum RequestPath {
    static func endpoint(_ path: Span<UInt8>) -> Endpoint? {
        var start = 0
        if path.hasPrefix("/v1/", at: 0) { start = 3 }
        var end = path.count
        if end - start > 1, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
        if path.hasPrefix("/models/", at: start), end > start + 8 {
            return .model((start + 8)..<end)
        }
        let rest = path.extracting(start..<end)
        if rest.isEqual("/chat/completions") { return .chatCompletions }
        if rest.isEqual("/completions") { return .completions }
        if rest.isEqual("/embeddings") { return .embeddings }
        if rest.isEqual("/models") { return .models }
        if rest.isEqual("/health") { return .health }
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
}
