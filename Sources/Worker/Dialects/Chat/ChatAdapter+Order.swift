// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

extension ChatAdapter {
    /// Most messages that are moved; no client has left more of them behind.
    private static let movesMax = 256

    /// A tool's message, and the end of the message that it belongs behind.
    private struct Move {
        let message: JSONNode
        let target: Int
    }

    /// Puts what tools said directly behind the calls, where OpenAI demands it.
    ///
    /// Codex leaves messages of the developer in between.
    static func restoreOrder(
        _ messages: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        let moves = moves(messages, tape, bytes)
        guard !moves.isEmpty, moves.count <= movesMax else { return }
        let text = ByteBuffer()
        for move in moves {
            text.clear()
            text.append(UInt8(ascii: ","))
            text.append(bytes.extracting(tape.valueRange(of: move.message)))
            text.withBytes { splice.insert(at: move.target, $0) }
        }
        var next = 0
        splice.removeElements(of: messages, tape: tape) { element in
            guard next < moves.count, moves[next].message == element else { return false }
            next += 1
            return true
        }
    }

    private static func moves(
        _ messages: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>
    ) -> [Move] {
        var moves: [Move] = []
        /// Where the calls and what already follows them end.
        var target: Int?
        var isDirect = false
        for message in tape.elements(of: messages) {
            guard let role = tape.member("role", of: message, in: bytes) else { continue }
            if tape.equals(role, "assistant", in: bytes) {
                let calls = tape.member("tool_calls", of: message, in: bytes)
                let hasCalls = calls.map { !ChatFields.isNothing($0, tape) } ?? false
                target = hasCalls ? tape.valueRange(of: message).upperBound : nil
                isDirect = true
            } else if tape.equals(role, "tool", in: bytes) {
                guard let place = target else { continue }
                if isDirect {
                    target = tape.valueRange(of: message).upperBound
                } else {
                    moves.append(Move(message: message, target: place))
                }
            } else {
                isDirect = false
            }
        }
        return moves
    }
}
