// SPDX-License-Identifier: Apache-2.0
import JSON

/// Puts the items of an input into the order of turns that other formats demand.
///
/// What the assistant said in a row is one turn, calls included. A result stands directly behind
/// the turn with its call, whatever the client put between them. A call whose result never came is
/// taken out: other vendors refuse it.
struct ResponsesTurns {
    /// Most calls at a time that wait for their results: looking for one costs time.
    static let openCallsMax = 1024

    private struct Turn {
        var message: Message
        /// What the calls of the turn brought.
        var results: [Part] = []
    }

    private struct OpenCall {
        let id: Range<Int>
        let hash: UInt32
        let name: JSONText
        let turn: Int
        /// Place in the turn's parts.
        let part: Int
    }

    private var turns: [Turn] = []
    private var open: [OpenCall] = []

    /// A part of what the assistant said.
    mutating func addAssistant(_ part: Part) {
        if let last = turns.last, last.message.role == .assistant, last.results.isEmpty {
            turns[turns.count - 1].message.parts.append(part)
        } else {
            turns.append(Turn(message: Message(.assistant, [part])))
        }
    }

    mutating func addUser(_ parts: [Part]) {
        turns.append(Turn(message: Message(.user, parts)))
    }

    /// A call whose id, with its quotes, is the node `id`.
    mutating func addCall(
        _ call: ToolCall,
        id: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        guard open.count < Self.openCallsMax else {
            throw .invalid(id, tape, "is one of more than 1024 calls without an output")
        }
        addAssistant(.toolCall(call))
        let range = tape.contentRange(of: id)
        open.append(
            OpenCall(
                id: range,
                hash: Self.hash(range, bytes),
                name: call.name,
                turn: turns.count - 1,
                part: turns[turns.count - 1].message.parts.count - 1
            )
        )
    }

    /// The result of the call whose id is the node `id`.
    mutating func addResult(
        _ content: [Part],
        id: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) throws(ConversionError) {
        let range = tape.contentRange(of: id)
        let hash = Self.hash(range, bytes)
        let place = open.lastIndex { call in
            call.hash == hash && Self.isEqual(call.id, range, bytes)
        }
        guard let place else {
            throw .invalid(id, tape, "names no call before it that waits for an output")
        }
        let call = open.remove(at: place)
        let result = ToolResult(callID: .slice(range), name: call.name, content: content)
        turns[call.turn].results.append(.toolResult(result))
    }

    /// The turns in order; `leftOut` says whether calls without a result were taken out.
    mutating func finish(leftOut: inout Bool) -> [Message] {
        leftOut = !open.isEmpty
        // Calls of one turn stand in order, so the last ones go first.
        for call in open.reversed() {
            turns[call.turn].message.parts.remove(at: call.part)
        }
        for call in open where turns[call.turn].message.parts.allSatisfy(Self.isThinking) {
            // Thoughts that led to nothing but a lost call are lost with it.
            turns[call.turn].message.parts = []
        }
        var messages: [Message] = []
        messages.reserveCapacity(turns.count * 2)
        for turn in turns {
            if !turn.message.parts.isEmpty { messages.append(turn.message) }
            if !turn.results.isEmpty { messages.append(Message(.user, turn.results)) }
        }
        return messages
    }

    private static func isThinking(_ part: Part) -> Bool {
        if case .thinking = part { true } else { false }
    }

    /// FNV-1a: ids of calls differ in few places, so comparing them takes longer.
    private static func hash(_ range: Range<Int>, _ bytes: Span<UInt8>) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for index in range { hash = (hash ^ UInt32(bytes[index])) &* 16_777_619 }
        return hash
    }

    private static func isEqual(
        _ left: Range<Int>,
        _ right: Range<Int>,
        _ bytes: Span<UInt8>
    ) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<left.count
        where bytes[left.lowerBound + offset] != bytes[right.lowerBound + offset] {
            return false
        }
        return true
    }
}
