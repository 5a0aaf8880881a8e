// SPDX-License-Identifier: Apache-2.0
package import Bytes

/// A member of a conversation that not every format has.
package enum ConversationField: UInt8, CaseIterable, Sendable {
    case maxTokens, temperature, topP, topK, seed, presencePenalty, frequencyPenalty, stop
    case candidates, logprobs, topLogprobs, reasoning, responseFormat, user
    case tools, toolChoice, parallelToolCalls, toolStrict, cacheControl
    /// Thoughts of earlier turns.
    case thinkingHistory
    case imageDetail
    /// The last turn is the assistant's, for the model to go on with.
    case prefill
}

/// Names of the members of a client's request that its upstream does not get.
///
/// They go to the client in `apus-dropped`, or refuse the request where the model is strict.
package struct Omissions: Equatable, Sendable {
    /// More names would only say that the client talks to the wrong model.
    private static let countMax = 24
    /// Bytes of a name that is shown.
    private static let nameBytesMax = 80

    /// In the order of discovery, without repetition.
    package private(set) var names: [String] = []
    /// Whether there were more than are kept.
    package private(set) var hasMore = false

    package init() {}

    package var isEmpty: Bool { names.isEmpty }

    /// Notes a member by its path in the client's format, `tools[].strict` for example.
    package mutating func add(_ name: String) {
        guard !names.contains(name) else { return }
        guard names.count < Self.countMax, name.utf8.count <= Self.nameBytesMax else {
            hasMore = true
            return
        }
        names.append(name)
    }

    /// Notes a member of a conversation by the name that the client's format has for it.
    package mutating func add(_ field: ConversationField, of format: WireFormat) {
        add(FieldNames.name(of: field, in: format))
    }

    package mutating func add(_ other: Omissions) {
        for name in other.names { add(name) }
        hasMore = hasMore || other.hasMore
    }

    /// Appends the value of `apus-dropped`; what could not stand in a field line becomes `?`.
    package func append(to out: ByteBuffer) {
        for (index, name) in names.enumerated() {
            if index > 0 { out.append(", ") }
            for byte in name.utf8 { out.append((0x21...0x7E).contains(byte) ? byte : 0x3F) }
        }
        if hasMore { out.append(", ...") }
    }
}
