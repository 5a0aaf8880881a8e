// SPDX-License-Identifier: Apache-2.0
package import JSON

/// A request for the vectors of texts, as OpenAI has it.
///
/// Texts are ranges of the client's body.
package struct EmbeddingRequest: Equatable {
    package enum Input: Equatable {
        /// None is empty.
        case texts([JSONText])
        /// Texts that the client has split into numbers for one vendor's models; how many.
        case tokens(count: Int)
    }

    package enum Encoding: Equatable, Sendable {
        case float
        /// Base64 of 32-bit floating-point numbers, lowest byte first.
        case base64
    }

    /// What the vectors are for; other vendors have models that want to know.
    package enum Purpose: Equatable, Sendable {
        case document
        case query
    }

    /// Most texts of one request.
    ///
    /// Limit: OpenAI's.
    package static let itemsMax = 2_048

    package var input: Input
    package var dimensions: Int?
    /// Nil where the client does not say; then it is `float`.
    package var encoding: Encoding?
    package var purpose: Purpose?
    package var user: JSONText?
    /// Where the input stands, for errors.
    private let inputOffset: Int
    package var omissions = Omissions()

    /// Number of vectors that the client expects.
    package var count: Int {
        switch input {
        case .texts(let texts): texts.count
        case .tokens(let count): count
        }
    }

    /// Reads the body of `POST /v1/embeddings`.
    ///
    /// - Throws: What is wrong with it.
    package init(_ tape: JSONTape, _ bytes: Span<UInt8>) throws(ConversionError) {
        let root = tape.root
        try ChatFields.object(root, tape)
        var node: JSONNode?
        var encoding: Encoding?
        var dimensions: Int?
        var user: JSONText?
        var purpose: Purpose?
        var omissions = Omissions()
        for member in tape.members(of: root) where !tape.isNull(member.value) {
            let name = member.name
            if tape.equals(name, "input", in: bytes) {
                node = member.value
            } else if tape.equals(name, "encoding_format", in: bytes) {
                encoding = try Self.encoding(member.value, tape, bytes)
            } else if tape.equals(name, "dimensions", in: bytes) {
                dimensions = try ChatFields.integer(member.value, from: 1, tape, bytes)
            } else if tape.equals(name, "user", in: bytes) {
                user = try ChatFields.text(member.value, tape)
            } else if tape.equals(name, "input_type", in: bytes) {
                purpose = try Self.purpose(member.value, tape, bytes)
            } else if !tape.equals(name, "model", in: bytes) {
                omissions.add(tape.string(of: name, in: bytes) ?? "")
            }
        }
        guard let node else { throw ChatFields.missing("input", of: root, tape, bytes) }
        input = try Self.input(node, tape)
        inputOffset = tape.valueRange(of: node).lowerBound
        self.encoding = encoding
        self.dimensions = dimensions
        self.user = user
        self.purpose = purpose
        self.omissions = omissions
    }

    /// That the upstream cannot do what the input asks for.
    func unsupportedInput(_ message: String) -> ConversionError {
        ConversionError(.unsupported, .offset(inputOffset), message)
    }

    // MARK: Members

    private static func encoding(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Encoding {
        if tape.equals(node, "float", in: bytes) { return .float }
        if tape.equals(node, "base64", in: bytes) { return .base64 }
        throw .invalid(node, tape, "must be \"float\" or \"base64\"")
    }

    /// The words of NVIDIA, Cohere and SAP for the same two purposes.
    private static func purpose(
        _ node: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) -> Purpose {
        switch tape.string(of: node, in: bytes) {
        case "query", "search_query": return .query
        case "passage", "document", "search_document": return .document
        default: throw .invalid(node, tape, "must be \"query\" or \"document\"")
        }
    }

    private static func input(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> Input {
        switch tape.kind(of: node) {
        case .string: return .texts([try text(node, tape)])
        case .array: break
        case .object, .number, .bool, .null:
            throw .invalid(node, tape, "must be a string or an array")
        }
        guard let first = tape.elements(of: node).first(where: { _ in true }) else {
            throw .invalid(node, tape, "must not be empty")
        }
        switch tape.kind(of: first) {
        case .string:
            var texts: [JSONText] = []
            for element in tape.elements(of: node) {
                guard texts.count < itemsMax else { throw tooMany(element, tape) }
                texts.append(try text(element, tape))
            }
            return .texts(texts)
        case .number:
            try checkTokens(node, tape)
            return .tokens(count: 1)
        case .array:
            var count = 0
            for element in tape.elements(of: node) {
                guard count < itemsMax else { throw tooMany(element, tape) }
                try checkTokens(element, tape)
                count += 1
            }
            return .tokens(count: count)
        case .object, .bool, .null:
            throw .invalid(first, tape, "must be a string or an array of integers")
        }
    }

    private static func text(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) -> JSONText {
        guard tape.kind(of: node) == .string else {
            throw .invalid(node, tape, "must be a string, as the first item is")
        }
        return try ChatFields.name(node, tape)
    }

    private static func checkTokens(
        _ node: JSONNode,
        _ tape: JSONTape
    ) throws(ConversionError) {
        guard tape.kind(of: node) == .array else {
            throw .invalid(node, tape, "must be an array of integers")
        }
        var isEmpty = true
        for element in tape.elements(of: node) {
            guard tape.kind(of: element) == .number else {
                throw .invalid(element, tape, "must be an integer")
            }
            isEmpty = false
        }
        if isEmpty { throw .invalid(node, tape, "must not be empty") }
    }

    private static func tooMany(_ node: JSONNode, _ tape: JSONTape) -> ConversionError {
        .invalid(node, tape, "is one item too many: at most \(itemsMax) are allowed")
    }
}
