// SPDX-License-Identifier: Apache-2.0
import Bytes
import JSON

/// Turns a client's body into the upstream's by changing only what must change.
///
/// Pure.
///
/// What changes: the model's name when the target has another one, and
/// `stream_options.include_usage` of a stream, without which its tokens could not be counted.
enum RequestSplice {
    /// Gives the body the upstream's name of the model.
    static func setModel(
        _ name: Span<UInt8>,
        _ facts: RequestFacts,
        _ tape: JSONTape,
        into splice: inout JSONSplice
    ) {
        splice.replace(tape.valueRange(of: facts.model), withQuoted: name)
    }

    /// Asks for the usage chunk of a stream unless the client did.
    static func askForUsage(
        _ facts: RequestFacts,
        _ tape: JSONTape,
        _ bytes: Span<UInt8>,
        into splice: inout JSONSplice
    ) {
        guard facts.isStream, !facts.wantsUsage else { return }
        if let options = facts.streamOptions {
            let value = "true"
            splice.setMember(
                "include_usage",
                of: options,
                to: value.utf8.span,
                tape: tape,
                bytes: bytes
            )
        } else {
            let value = #"{"include_usage":true}"#
            splice.setMember(
                "stream_options",
                of: tape.root,
                to: value.utf8.span,
                tape: tape,
                bytes: bytes
            )
        }
    }
}
