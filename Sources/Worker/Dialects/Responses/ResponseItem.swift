// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// The JSON of the items of an output, in pieces, because answers and streams fill them differently.
///
/// Content between a beginning and an end is escaped text or parts with commas between them.
enum ResponseItem {
    enum Status: String {
        case inProgress = "in_progress"
        case completed
        case incomplete
    }

    // MARK: Messages

    static func beginMessage(_ id: String, to out: ByteBuffer) {
        out.append("{\"id\":\"")
        out.append(id)
        out.append("\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[")
    }

    static func endMessage(_ status: Status, to out: ByteBuffer) {
        out.append("],\"status\":\"")
        out.append(status.rawValue)
        out.append("\"}")
    }

    static func beginText(to out: ByteBuffer) {
        out.append("{\"type\":\"output_text\",\"text\":\"")
    }

    static func endText(to out: ByteBuffer) {
        out.append("\",\"annotations\":[],\"logprobs\":[]}")
    }

    static func beginRefusal(to out: ByteBuffer) {
        out.append("{\"type\":\"refusal\",\"refusal\":\"")
    }

    static func endRefusal(to out: ByteBuffer) {
        out.append("\"}")
    }

    // MARK: Calls

    static func beginCall(
        _ id: String,
        callID: JSONText,
        name: JSONText,
        from bytes: Span<UInt8>,
        to out: ByteBuffer
    ) {
        out.append("{\"id\":\"")
        out.append(id)
        out.append("\",\"type\":\"function_call\",\"call_id\":\"")
        callID.append(from: bytes, to: out)
        out.append("\",\"name\":\"")
        name.append(from: bytes, to: out)
        out.append("\",\"arguments\":\"")
    }

    static func endCall(_ status: Status, to out: ByteBuffer) {
        out.append("\",\"status\":\"")
        out.append(status.rawValue)
        out.append("\"}")
    }

    // MARK: Reasoning

    static func beginReasoning(_ id: String, to out: ByteBuffer) {
        out.append("{\"id\":\"")
        out.append(id)
        out.append("\",\"type\":\"reasoning\",\"summary\":[")
    }

    static func beginSummary(to out: ByteBuffer) {
        out.append("{\"type\":\"summary_text\",\"text\":\"")
    }

    static func endSummary(to out: ByteBuffer) {
        out.append("\"}")
    }

    /// Between the summary and its encrypted content, which is escaped text.
    static func beginEncrypted(to out: ByteBuffer) {
        out.append("],\"encrypted_content\":\"")
    }

    static func endEncrypted(to out: ByteBuffer) {
        out.append("\"}")
    }

    static func endReasoning(to out: ByteBuffer) {
        out.append("],\"encrypted_content\":null}")
    }

    // MARK: Images

    /// Appends an image that the model made.
    ///
    /// `data` is Base64, or nil while the image is not there.
    static func appendImage(
        _ id: String,
        _ data: JSONText?,
        from bytes: Span<UInt8>,
        _ status: Status,
        to out: ByteBuffer
    ) {
        out.append("{\"id\":\"")
        out.append(id)
        out.append("\",\"type\":\"image_generation_call\",\"status\":\"")
        out.append(status.rawValue)
        out.append("\",\"result\":")
        if let data {
            data.appendQuoted(from: bytes, to: out)
        } else {
            out.append("null")
        }
        out.append("}")
    }

    // MARK: Ids

    /// The id of the item at `index` of the output, for example `msg_UNIQUE0`.
    static func id(_ prefix: String, _ unique: String, _ index: Int) -> String {
        "\(prefix)_\(unique)\(index)"
    }

    /// The id by which the client answers the call at `index` of the output: the upstream's, if it
    /// has given one.
    static func callID(_ id: JSONText?, _ unique: String, _ index: Int) -> JSONText {
        if let id, !id.isEmpty { return id }
        return .text("call_\(unique)\(index)")
    }
}
