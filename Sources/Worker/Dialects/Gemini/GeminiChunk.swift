// SPDX-License-Identifier: Apache-2.0
import JSON

/// The members of one `GenerateContentResponse`, whole answer or event of a stream.
struct GeminiChunk {
    /// The parts of the first candidate, a list or a single one.
    private(set) var parts: JSONNode?
    private(set) var finishReason: JSONNode?
    private(set) var usage: JSONNode?
    private(set) var id: JSONNode?
    private(set) var hasCandidate = false
    /// Whether a filter refused the prompt.
    private(set) var isBlocked = false

    init(_ node: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        for member in tape.members(of: node) {
            let value = member.value
            if tape.equals(member.name, "candidates", in: bytes) {
                for candidate in tape.elements(of: value) {
                    // Further answers have no place anywhere else.
                    guard !hasCandidate else { break }
                    hasCandidate = true
                    take(candidate: candidate, tape, bytes)
                }
            } else if tape.equals(member.name, "usageMetadata", or: "usage_metadata", in: bytes) {
                usage = value
            } else if tape.equals(member.name, "responseId", or: "response_id", in: bytes) {
                id = tape.kind(of: value) == .string ? value : nil
            } else if tape.equals(member.name, "promptFeedback", or: "prompt_feedback", in: bytes) {
                let reason = tape.member("blockReason", or: "block_reason", of: value, in: bytes)
                isBlocked = reason != nil
            }
        }
    }

    private mutating func take(candidate: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        for member in tape.members(of: candidate) where !tape.isNull(member.value) {
            if tape.equals(member.name, "content", in: bytes) {
                parts = tape.member("parts", or: "parts", of: member.value, in: bytes)
            } else if tape.equals(member.name, "finishReason", or: "finish_reason", in: bytes) {
                finishReason = member.value
            }
        }
    }

    /// The parts one by one; none where there is nothing that could be some.
    func elements(_ tape: JSONTape) -> GeminiParts {
        GeminiParts(parts, tape)
    }
}

/// The parts of an answer: a list of them, or one.
struct GeminiParts: Sequence, IteratorProtocol {
    private var elements: JSONElements?
    private var single: JSONNode?

    init(_ node: JSONNode?, _ tape: JSONTape) {
        guard let node else { return }
        if tape.kind(of: node) == .object { single = node }
        elements = tape.elements(of: node)
    }

    mutating func next() -> JSONNode? {
        if let node = single {
            single = nil
            return node
        }
        return elements?.next()
    }
}
