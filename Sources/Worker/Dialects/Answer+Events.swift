// SPDX-License-Identifier: Apache-2.0

extension Answer {
    /// The answer as the events of a stream, for a client that wants one from a model that cannot.
    package var events: [StreamEvent] {
        var events: [StreamEvent] = [.start(id: id)]
        var calls = 0
        for part in parts {
            switch part {
            case .text(let block):
                events.append(.text(block.text))
            case .media(let media):
                events.append(.media(media))
            case .toolCall(let call):
                events.append(
                    .callStart(
                        index: calls,
                        id: call.id,
                        name: call.name,
                        signature: call.signature
                    )
                )
                switch call.input {
                case .object(let value): events.append(.callObject(index: calls, value))
                case .text(let text): events.append(.callInput(index: calls, text))
                }
                events.append(.callEnd(index: calls))
                calls += 1
            case .thinking(let thinking):
                if let text = thinking.text { events.append(.thinking(text)) }
                if let signature = thinking.signature { events.append(.signature(signature)) }
                if let encrypted = thinking.encrypted {
                    events.append(.encryptedThinking(encrypted))
                }
            case .refusal(let text):
                events.append(.refusal(text))
            case .toolResult:
                break
            }
        }
        if let usage { events.append(.usage(usage)) }
        events.append(.finish(finish, stopSequence: stopSequence))
        events.append(.end)
        return events
    }
}
