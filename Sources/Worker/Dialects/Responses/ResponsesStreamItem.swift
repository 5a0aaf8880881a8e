// SPDX-License-Identifier: Apache-2.0
import Bytes

/// One item of a streamed output while it is open.
struct ResponsesStreamItem {
    enum Kind {
        case message, reasoning, call
    }

    /// What a message is made of.
    enum MessagePart {
        case text, refusal
    }

    let kind: Kind
    let id: String
    /// Place in the output.
    let index: Int
    /// The call's number in the upstream's stream.
    var callIndex = 0
    /// The JSON of the item as far as it stands when it begins: up to its content.
    let head = ByteBuffer()
    /// Finished parts of a message, with commas between them.
    let parts = ByteBuffer()
    /// Number of parts that a message has had.
    var partCount = 0
    /// The part that goes on.
    var part: MessagePart?
    /// The text so far, escaped: of the part, the summary or the arguments.
    let text = ByteBuffer()
    /// Whether a summary was begun.
    var hasSummary = false
    /// The marked signature or encrypted thoughts, escaped.
    var encrypted: ByteBuffer?

    init(_ kind: Kind, id: String, index: Int) {
        self.kind = kind
        self.id = id
        self.index = index
    }
}
