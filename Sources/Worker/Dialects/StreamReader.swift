// SPDX-License-Identifier: Apache-2.0
package import JSON

/// Reads the events of an upstream's stream, whatever its format.
package struct StreamReader {
    private enum Kind {
        case chat(ChatStreamReader)
        case responses(ResponsesStreamReader)
        case messages(MessagesStreamReader)
        case gemini(GeminiStreamReader)
        case converse(ConverseStreamReader)
        /// While a reader is at work, so that its state is not copied.
        case none
    }

    private var kind: Kind

    package init(_ format: WireFormat) {
        switch format {
        case .chat, .completions: kind = .chat(ChatStreamReader())
        case .responses: kind = .responses(ResponsesStreamReader())
        case .messages: kind = .messages(MessagesStreamReader())
        case .gemini: kind = .gemini(GeminiStreamReader())
        case .converse: kind = .converse(ConverseStreamReader())
        }
    }

    /// Takes the JSON of one event, which stands at `root`.
    package mutating func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
        switch kind {
        case .chat(var reader):
            kind = .none
            reader.read(root, tape, bytes, into: &events)
            kind = .chat(reader)
        case .responses(var reader):
            kind = .none
            reader.read(root, tape, bytes, into: &events)
            kind = .responses(reader)
        case .messages(var reader):
            kind = .none
            reader.read(root, tape, bytes, into: &events)
            kind = .messages(reader)
        case .gemini(var reader):
            kind = .none
            reader.read(root, tape, bytes, into: &events)
            kind = .gemini(reader)
        case .converse(var reader):
            kind = .none
            reader.read(root, tape, bytes, into: &events)
            kind = .converse(reader)
        case .none: break
        }
    }

    /// The framing has ended.
    package mutating func finish(into events: inout [StreamEvent]) {
        switch kind {
        case .chat(var reader):
            kind = .none
            reader.finish(into: &events)
            kind = .chat(reader)
        case .responses(var reader):
            kind = .none
            reader.finish(into: &events)
            kind = .responses(reader)
        case .messages(var reader):
            kind = .none
            reader.finish(into: &events)
            kind = .messages(reader)
        case .gemini(var reader):
            kind = .none
            reader.finish(into: &events)
            kind = .gemini(reader)
        case .converse(var reader):
            kind = .none
            reader.finish(into: &events)
            kind = .converse(reader)
        case .none: break
        }
    }

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    package static func isPlainContent(_ format: WireFormat, _ data: Span<UInt8>) -> Bool {
        switch format {
        case .chat, .completions: ChatStreamReader.isPlainContent(data)
        case .responses: ResponsesStreamReader.isPlainContent(data)
        case .messages: MessagesStreamReader.isPlainContent(data)
        case .gemini: GeminiStreamReader.isPlainContent(data)
        case .converse: ConverseStreamReader.isPlainContent(data)
        }
    }
}
