// SPDX-License-Identifier: Apache-2.0
import JSON

/// Reads the events of a stream of OpenAI Responses.
struct ResponsesStreamReader {
    /// Takes the JSON of one event.
    mutating func read(
        _ root: JSONNode,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into events: inout [StreamEvent]
    ) {
    }

    /// The stream's framing has ended; notes `end` if the format has no event for it and all was said.
    mutating func finish(into events: inout [StreamEvent]) {
    }

    /// Whether the data of an event brings content and nothing else; false when in doubt.
    static func isPlainContent(_ data: Span<UInt8>) -> Bool {
        false
    }
}
