// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// The tool calls of a stream of chat completions, put together from the pieces that vendors send.
///
/// OpenAI gives a call's index, id and name in its first piece and then its index with fragments
/// of the arguments. Others give every call the same index, no index, the id and name in each
/// piece, or the name behind the first arguments. An id that is new means a new call, whatever its
/// index; arguments wait until the name is known.
struct ChatStreamCalls {
    /// More calls in one answer than any client could run.
    private static let callsMax = 1_024
    /// Arguments that wait for a name, all calls together.
    private static let waitingBytesMax = 1 << 20

    private struct Call {
        /// The upstream's index, which need not be unique; nil if it gives none.
        let key: Int?
        var id: String?
        /// Nil while the call waits for it.
        var name: String?
        /// Our index, from 0; nothing while the call waits for its name.
        var index = 0
        /// Arguments so far, escaped, while the call waits for its name.
        var waiting: ByteBuffer?
        /// The chunk that has touched the call last.
        var chunk: Int
    }

    /// What one entry of `tool_calls` says; empty strings count as nothing.
    private struct Piece {
        var key: Int?
        var id: JSONNode?
        var name: JSONNode?
        var arguments: JSONNode?
        var signature: JSONText?
    }

    private var calls: [Call] = []
    private var started = 0
    private var waitingBytes = 0
    private var chunk = 0

    /// Whether no call has begun.
    var isEmpty: Bool { started == 0 }

    /// Takes the `tool_calls` of a delta; false when there is too much to keep.
    mutating func read(
        entries: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) -> Bool {
        chunk += 1
        for entry in tape.elements(of: entries) {
            var piece = Piece()
            for member in tape.members(of: entry) where !tape.isNull(member.value) {
                if tape.equals(member.name, "index", in: bytes) {
                    piece.key = tape.integer(of: member.value, in: bytes)
                } else if tape.equals(member.name, "id", in: bytes) {
                    piece.id = Self.text(member.value, tape)
                } else if tape.equals(member.name, "function", in: bytes) {
                    Self.read(function: member.value, into: &piece, tape, bytes)
                } else if tape.equals(member.name, "extra_content", in: bytes) {
                    piece.signature = ChatSignature.read(member.value, tape, bytes)
                }
            }
            guard take(piece, tape, bytes, into: &events) else { return false }
        }
        return true
    }

    /// Takes the older `function_call` of a delta; false when there is too much to keep.
    mutating func read(
        functionCall: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) -> Bool {
        chunk += 1
        var piece = Piece()
        Self.read(function: functionCall, into: &piece, tape, bytes)
        return take(piece, tape, bytes, into: &events)
    }

    /// Ends every call that has begun.
    func endAll(into events: inout [StreamEvent]) {
        for index in 0..<started { events.append(.callEnd(index: index)) }
    }

    private static func read(
        function: JSONNode,
        into piece: inout Piece,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) {
        for member in tape.members(of: function) {
            if tape.equals(member.name, "name", in: bytes) {
                piece.name = text(member.value, tape)
            } else if tape.equals(member.name, "arguments", in: bytes) {
                switch tape.kind(of: member.value) {
                case .string: piece.arguments = text(member.value, tape)
                case .object: piece.arguments = member.value
                case .array, .number, .bool, .null: break
                }
            }
        }
    }

    /// `node` if it is a string that is not empty.
    private static func text(_ node: JSONNode, _ tape: JSONTape) -> JSONNode? {
        tape.kind(of: node) == .string && !tape.contentRange(of: node).isEmpty ? node : nil
    }

    // MARK: One piece

    private mutating func take(
        _ piece: Piece,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) -> Bool {
        let id = piece.id.flatMap { tape.string(of: $0, in: bytes) }
        let name = piece.name.flatMap { tape.string(of: $0, in: bytes) }
        let place: Int
        if let known = candidate(piece, id), continues(known, id, name) {
            place = known
        } else {
            guard calls.count < Self.callsMax else { return false }
            place = calls.count
            calls.append(Call(key: piece.key, chunk: chunk))
        }
        calls[place].chunk = chunk
        if let id, calls[place].id == nil { calls[place].id = id }
        if calls[place].name == nil, let name, let node = piece.name {
            calls[place].name = name
            begin(place, JSONText(node, tape), piece, tape, into: &events)
        }
        guard let arguments = piece.arguments else { return true }
        return takeArguments(arguments, place, tape, bytes, into: &events)
    }

    /// The call that a piece may belong to.
    private func candidate(_ piece: Piece, _ id: String?) -> Int? {
        if let key = piece.key { return calls.lastIndex { $0.key == key } }
        if let id { return calls.lastIndex { $0.id == id } }
        return calls.indices.last
    }

    /// Whether a piece with this id and name belongs to the call at `place`, not to a new one.
    private func continues(_ place: Int, _ id: String?, _ name: String?) -> Bool {
        let call = calls[place]
        if let id, let known = call.id { return id == known }
        // Without ids a name that comes again is either said twice or that of another call: of
        // another one if it differs or if both stand in one chunk.
        guard let name, let known = call.name else { return true }
        return id == nil && call.chunk != chunk && name == known
    }

    private mutating func begin(
        _ place: Int,
        _ name: JSONText,
        _ piece: Piece,
        _ tape: JSONTape,
        into events: inout [StreamEvent]
    ) {
        let id: JSONText? =
            if let node = piece.id {
                JSONText(node, tape)
            } else {
                calls[place].id.map { .text($0) }
            }
        calls[place].index = started
        events.append(
            .callStart(index: started, id: id, name: name, signature: piece.signature)
        )
        if let waiting = calls[place].waiting {
            let value = ByteBuffer(capacity: waiting.count)
            waiting.withBytes { _ = JSONStringContent.appendUnescaped($0, to: value) }
            events.append(.callInput(index: started, .text(value.text)))
            calls[place].waiting = nil
            waitingBytes -= waiting.count
        }
        started += 1
    }

    private mutating func takeArguments(
        _ node: JSONNode,
        _ place: Int,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) -> Bool {
        let isText = tape.kind(of: node) == .string
        guard calls[place].name == nil else {
            let index = calls[place].index
            if isText {
                events.append(.callInput(index: index, JSONText(node, tape)))
            } else {
                events.append(.callObject(index: index, JSONFragment(node, tape)))
            }
            return true
        }
        let waiting = calls[place].waiting ?? ByteBuffer()
        let before = waiting.count
        if isText {
            waiting.append(bytes.extracting(tape.contentRange(of: node)))
        } else {
            JSONFragment(node, tape).appendEscaped(from: bytes, to: waiting)
        }
        calls[place].waiting = waiting
        waitingBytes += waiting.count - before
        return waitingBytes <= Self.waitingBytesMax
    }
}
