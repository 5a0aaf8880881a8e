// SPDX-License-Identifier: Apache-2.0
import JSON

/// The ids of the calls so far, so that results of no call are noticed.
///
/// Holds hashes only: a wrong guess lets a request through that the upstream then refuses. Searched
/// from the end, where a result's call stands, until there are many.
struct ChatCallIDs {
    /// Above this many a table is quicker than looking at all of them.
    private static let listMax = 64

    private var hashes: [UInt64] = []
    private var table: Set<UInt64> = []
    private var oldCalls = 0
    private var openCall: OldCall?

    /// A call of OpenAI's older interface, which had one call at a time and no ids.
    struct OldCall {
        let id: JSONText
        /// A string.
        let name: JSONNode
    }

    mutating func insert(_ id: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) {
        let hash = Self.hash(id, tape, bytes)
        hashes.append(hash)
        if hashes.count == Self.listMax {
            table = Set(hashes)
        } else if hashes.count > Self.listMax {
            table.insert(hash)
        }
    }

    func contains(_ id: JSONNode, _ tape: JSONTape, _ bytes: Span<UInt8>) -> Bool {
        let hash = Self.hash(id, tape, bytes)
        return hashes.count < Self.listMax ? hashes.contains(hash) : table.contains(hash)
    }

    /// Gives a call of the older interface an id.
    mutating func insertOldCall(named name: JSONNode) -> JSONText {
        let id = JSONText.text("call_function_\(oldCalls)")
        oldCalls += 1
        openCall = OldCall(id: id, name: name)
        return id
    }

    /// The call that the next result of the older interface answers.
    mutating func takeOldCall() -> OldCall? {
        defer { openCall = nil }
        return openCall
    }

    /// FNV-1a of the text.
    private static func hash(
        _ id: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> UInt64 {
        if tape.hasEscapes(id), let text = tape.string(of: id, in: bytes) {
            return hash(text.utf8.span)
        }
        return hash(bytes.extracting(tape.contentRange(of: id)))
    }

    private static func hash(_ text: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in text.indices {
            hash = (hash ^ UInt64(text[index])) &* 0x0000_0100_0000_01B3
        }
        return hash
    }
}
