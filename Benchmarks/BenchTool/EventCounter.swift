// SPDX-License-Identifier: Apache-2.0

/// Counts the events of an SSE body and remembers whether the last one was `[DONE]`.
///
/// Pure. An event ends with an empty line.
struct EventCounter {
    private static let done = Array("data: [DONE]\n\n".utf8)

    private(set) var events = 0
    private var atLineStart = true
    /// Bytes of `done` that the current event has matched so far; -1 when it is another one.
    private var matched = 0
    private var endedWithDone = false

    /// Whether the stream is whole: its last event is `[DONE]`.
    var isComplete: Bool { endedWithDone && matched == 0 }

    mutating func read(_ bytes: Span<UInt8>) {
        for index in bytes.indices {
            let byte = bytes[index]
            if matched >= 0 {
                matched = byte == Self.done[matched] ? matched + 1 : -1
            }
            if byte == UInt8(ascii: "\n"), atLineStart {
                events += 1
                endedWithDone = matched == Self.done.count
                matched = 0
            }
            atLineStart = byte == UInt8(ascii: "\n")
        }
    }
}
