// SPDX-License-Identifier: Apache-2.0
import Support

/// One use of a tool.
struct Call: Equatable, CustomStringConvertible {
    var id: String
    var name: String
    var arguments: JSONValue

    var description: String { "\(id)=\(name)(\(arguments.compact))" }
}

/// What a request asks, in whatever dialect it is written.
struct Asked: Equatable {
    enum Part: Equatable {
        case text(String)
        case image(type: String, base64: String)
        case call(Call)
        case result(id: String, text: String)
        /// Thoughts of an earlier turn, with what proves that they are the model's own.
        case thought(String, signature: String)
    }

    struct Turn: Equatable, CustomStringConvertible {
        var isUser: Bool
        var parts: [Part]

        var description: String { "\(isUser ? "user" : "model"): \(parts)" }
    }

    struct Tool: Equatable {
        var name: String
        var description: String
        var schema: JSONValue
    }

    var system = ""
    /// Turns alternate: what one side says in a row is one turn.
    var turns: [Turn] = []
    var tools: [Tool] = []
    var stops: [String] = []
    var maxTokens: Int?
    var temperature: Double?
    /// Whether the model is asked to think first.
    var thinks = false

    /// Appends to the last turn if it is of the same side.
    mutating func say(_ part: Part, asUser isUser: Bool) {
        if let last = turns.indices.last, turns[last].isUser == isUser {
            turns[last].parts.append(part)
        } else {
            turns.append(Turn(isUser: isUser, parts: [part]))
        }
    }

    /// All calls, in order.
    var calls: [Call] {
        turns.flatMap(\.parts).compactMap { if case .call(let call) = $0 { call } else { nil } }
    }

    /// The same with calls named by their number, for a side that has no ids.
    var withNumberedCalls: Asked {
        var names: [String: String] = [:]
        for (index, call) in calls.enumerated() { names[call.id] = "#\(index + 1)" }
        var copy = self
        for turn in copy.turns.indices {
            copy.turns[turn].parts = copy.turns[turn].parts.map { part in
                switch part {
                case .call(var call):
                    call.id = names[call.id] ?? call.id
                    return .call(call)
                case .result(let id, let text): return .result(id: names[id] ?? id, text: text)
                case .text, .image, .thought: return part
                }
            }
        }
        return copy
    }

    /// The same with `{"result": "text"}` read as the text: a Gemini client's results are objects,
    /// which other dialects know as text only.
    var withPlainResults: Asked {
        var copy = self
        for turn in copy.turns.indices {
            copy.turns[turn].parts = copy.turns[turn].parts.map { part in
                guard case .result(let id, let text) = part, text.hasPrefix(#"{"result":"#) else {
                    return part
                }
                var problems: [String] = []
                return .result(id: id, text: problems.json(text)["result"]?.string ?? text)
            }
        }
        return copy
    }

    /// The same without thoughts of earlier turns.
    var withoutThoughts: Asked {
        var copy = self
        for turn in copy.turns.indices {
            copy.turns[turn].parts.removeAll { if case .thought = $0 { true } else { false } }
        }
        return copy
    }
}

/// What a model said, in whatever dialect it is written.
struct Told: Equatable {
    enum Finish: Equatable {
        case end
        case stopText(String)
        case length
        case calls
        case refusal
    }

    struct Usage: Equatable {
        /// All input, cached included.
        var input = 0
        var cached = 0
        /// All output, thoughts included.
        var output = 0
        var thoughts = 0
    }

    var thoughts = ""
    var text = ""
    var calls: [Call] = []
    var finish = Finish.end
    var usage = Usage()
}

/// A text cut into a number of pieces between characters, as models stream it.
func pieces(of text: String, _ count: Int) -> [String] {
    guard !text.isEmpty else { return [] }
    let scalars = Array(text.unicodeScalars)
    let size = max(1, (scalars.count + count - 1) / count)
    return stride(from: 0, to: scalars.count, by: size).map { start in
        var piece = String.UnicodeScalarView()
        piece.append(contentsOf: scalars[start..<min(start + size, scalars.count)])
        return String(piece)
    }
}
