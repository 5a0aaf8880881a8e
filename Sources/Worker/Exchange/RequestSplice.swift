// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Turns a client's body into the upstream's by changing only what must change.
///
/// Pure. What changes: the model's name when the target has another one, and
/// `stream_options.include_usage` of a stream, without which its tokens could not be counted.
enum RequestSplice {
    /// Notes the changes in `splice`, which was reset.
    static func prepare(
        _ facts: RequestFacts,
        model: Span<UInt8>,
        keepsModel: Bool,
        tape: JSONTape,
        bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        if !keepsModel {
            let quoted = ByteBuffer(capacity: model.count + 2)
            JSONWriter.appendQuoted(model, to: quoted)
            quoted.withBytes { splice.replace(tape.valueRange(of: facts.model), with: $0) }
        }
        guard facts.isStream, !facts.wantsUsage else { return }
        let yes: [UInt8] = [0x74, 0x72, 0x75, 0x65]
        if let options = facts.streamOptions {
            splice.setMember(
                "include_usage", of: options, to: yes.span, tape: tape, bytes: bytes)
        } else {
            let object = Array(#"{"include_usage":true}"#.utf8)
            splice.setMember(
                "stream_options", of: tape.root, to: object.span, tape: tape, bytes: bytes)
        }
    }
}
