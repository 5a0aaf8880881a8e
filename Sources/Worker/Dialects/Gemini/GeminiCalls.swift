// SPDX-License-Identifier: Apache-2.0

/// The calls of a conversation so far, to find the one that a result answers.
///
/// Gemini's results have the name of the tool, and an id only sometimes. Searched from the end,
/// where a result's call stands, until there are many.
struct GeminiCalls {
    struct Call: Equatable {
        let id: JSONText?
        let name: JSONText
    }

    /// Above this many a table is quicker than looking at all of them.
    private static let listMax = 64

    private var calls: [Call] = []
    /// Indexes of the calls of the last turn that no result has answered by name, from
    /// `pendingStart` on.
    private var pending: [Int] = []
    private var pendingStart = 0
    private var indexByID: [String: Int] = [:]
    private var indexByName: [String: Int] = [:]
    private var indexed = 0

    mutating func append(_ id: JSONText?, _ name: JSONText) {
        pending.append(calls.count)
        calls.append(Call(id: id, name: name))
    }

    /// A new turn of calls begins; results that follow answer these first.
    mutating func beginTurn() {
        pending.removeAll(keepingCapacity: true)
        pendingStart = 0
    }

    /// The call with this id.
    mutating func find(id: JSONText, in bytes: Span<UInt8>) -> Call? {
        if calls.count <= Self.listMax {
            return calls.last { $0.id.map { $0.isSame(as: id, in: bytes) } ?? false }
        }
        fillTables(bytes)
        return indexByID[id.value(from: bytes)].map { calls[$0] }
    }

    /// The call that the next result for this tool answers: calls and results of one turn stand in
    /// the same order.
    mutating func answer(name: JSONText, in bytes: Span<UInt8>) -> Call? {
        let end = min(pending.count, pendingStart + Self.listMax)
        for place in pendingStart..<end {
            let call = calls[pending[place]]
            guard call.name.isSame(as: name, in: bytes) else { continue }
            // Those before it wait on, in their order.
            for earlier in stride(from: place, to: pendingStart, by: -1) {
                pending.swapAt(earlier, earlier - 1)
            }
            pendingStart += 1
            return call
        }
        if calls.count <= Self.listMax {
            return calls.last { $0.name.isSame(as: name, in: bytes) }
        }
        fillTables(bytes)
        return indexByName[name.value(from: bytes)].map { calls[$0] }
    }

    private mutating func fillTables(_ bytes: Span<UInt8>) {
        while indexed < calls.count {
            let call = calls[indexed]
            if let id = call.id { indexByID[id.value(from: bytes)] = indexed }
            indexByName[call.name.value(from: bytes)] = indexed
            indexed += 1
        }
    }
}

extension JSONText {
    /// Whether both stand for the same text.
    func isSame(as other: JSONText, in bytes: Span<UInt8>) -> Bool {
        if case .slice(let mine) = self, case .slice(let theirs) = other {
            let left = bytes.extracting(mine)
            let right = bytes.extracting(theirs)
            var index = 0
            while index < left.count, index < right.count, left[index] == right[index],
                left[index] != UInt8(ascii: "\\")
            {
                index += 1
            }
            if index == left.count && index == right.count { return true }
            let isEscaped =
                (index < left.count && left[index] == UInt8(ascii: "\\"))
                || (index < right.count && right[index] == UInt8(ascii: "\\"))
            guard isEscaped else { return false }
        }
        return value(from: bytes) == other.value(from: bytes)
    }
}
