// SPDX-License-Identifier: Apache-2.0

/// The order of turns that Anthropic and Bedrock demand of a conversation.
///
/// Roles take turns, the user has the first word, and what says nothing is not there.
struct ClaudeTurns {
    let messages: [Message]
    let format: WireFormat
    /// Whether thoughts of earlier turns may go along.
    let takesThoughts: Bool

    init(_ conversation: Conversation, _ rules: ModelRules) {
        messages = conversation.messages
        format = conversation.format
        takesThoughts = rules.thinking != .unsupported
    }

    /// The next messages of one role, of which the first says something.
    ///
    /// Those in between that say nothing belong to whatever role surrounds them.
    func nextRun(from start: Int, _ bytes: Span<UInt8>) -> Range<Int>? {
        var first = start
        while first < messages.count, !says(messages[first], bytes) { first += 1 }
        guard first < messages.count else { return nil }
        var end = first + 1
        while end < messages.count,
            messages[end].role == messages[first].role || !says(messages[end], bytes)
        {
            end += 1
        }
        return first..<end
    }

    /// Whether anything of the message is written.
    private func says(_ message: Message, _ bytes: Span<UInt8>) -> Bool {
        for part in message.parts where says(part, bytes) { return true }
        return false
    }

    func says(_ part: Part, _ bytes: Span<UInt8>) -> Bool {
        switch part {
        case .text(let block): !MessagesText.isBlank(block.text, bytes)
        case .refusal(let text): !MessagesText.isBlank(text, bytes)
        case .thinking(let thinking): keeps(thinking, bytes)
        case .media, .toolCall, .toolResult: true
        }
    }

    /// Whether thoughts of an earlier turn go along.
    func keeps(_ thinking: Thinking, _ bytes: Span<UInt8>) -> Bool {
        takesThoughts && MessagesThoughts.areSigned(thinking, format, bytes)
    }

    /// Whether the assistant's last word is a call, for which no text can be gone on with.
    func endsInCall(_ run: Range<Int>) -> Bool {
        for index in run.reversed() {
            guard let part = messages[index].parts.last else { continue }
            if case .toolCall = part { return true }
            return false
        }
        return false
    }

    /// Where the last part that is written stands, if it is a text.
    func lastText(_ run: Range<Int>, _ bytes: Span<UInt8>) -> (message: Int, part: Int)? {
        for index in run.reversed() {
            let parts = messages[index].parts
            for position in parts.indices.reversed() where says(parts[position], bytes) {
                if case .text = parts[position] { return (index, position) }
                return nil
            }
        }
        return nil
    }

    /// Whether the history has what is refused without tools.
    var haveCalls: Bool {
        for message in messages {
            for part in message.parts {
                switch part {
                case .toolCall, .toolResult: return true
                case .text, .media, .thinking, .refusal: break
                }
            }
        }
        return false
    }
}

/// Gives calls without an id one, and finds the results that answer them.
struct ClaudeCallIDs {
    /// Calls without an id that no result has answered yet.
    private var unanswered: [(name: JSONText, number: Int)] = []
    private var count = 0

    /// The number of the next call without an id.
    mutating func begin(_ name: JSONText) -> Int {
        unanswered.append((name, count))
        count += 1
        return count - 1
    }

    /// The number of the call that a result of the tool `name` answers.
    ///
    /// The first one of that name, else the first one.
    mutating func answer(_ name: JSONText?, _ bytes: Span<UInt8>) -> Int {
        var place = unanswered.indices.first
        if let name {
            for index in unanswered.indices
            where MessagesText.equal(unanswered[index].name, name, bytes) {
                place = index
                break
            }
        }
        guard let place else { return count }
        return unanswered.remove(at: place).number
    }
}
